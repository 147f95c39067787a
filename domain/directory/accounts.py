"""A channel account as the gatehouse gets it: plain values, secrets that do not print."""

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr


class ChannelKind(StrEnum):
    OFFICIAL_ACCOUNT = "official_account"
    WECOM_APP = "wecom_app"
    MINIPROGRAM = "miniprogram"


class CallbackMode(StrEnum):
    """How the platform sends us callbacks, as set in its console."""

    PLAIN = "plain"
    COMPATIBLE = "compatible"  # clear fields and the encrypted ones side by side
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class AutoReplies:
    """What an official account answers at once. Empty texts answer nothing; ``hands_over`` gives
    what people write to the account's customer service."""

    follow: str = ""
    message: str = ""
    hands_over: bool = False


@dataclass(frozen=True, slots=True)
class ChannelAccountCredentials:
    """``appid`` is the corpid in WeCom. The first of ``aes_keys`` encrypts, each may decrypt."""

    id: int
    name: str
    kind: ChannelKind
    org_path: str
    appid: str
    secret: SecretStr
    token: SecretStr
    aes_keys: tuple[str, ...] = field(repr=False)
    mode: CallbackMode
    callback_window_seconds: int | None = None
    replies: AutoReplies = AutoReplies()
    agentid: str | None = None  # of a WeCom app only
