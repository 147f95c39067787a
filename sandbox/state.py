"""What the sandbox remembers. Plain data without behaviour; instants are unix seconds."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from sandbox.values import Ticket, Usage
from sandbox.wecom.state import Corp, Suspect

Json = dict[str, Any]


class Kind(StrEnum):
    OFFICIAL_ACCOUNT = "official_account"
    WECOM_APP = "wecom_app"
    MINIPROGRAM = "miniprogram"


class Mode(StrEnum):
    PLAIN = "plain"
    COMPATIBLE = "compatible"
    SAFE = "safe"


class StatusSpelling(StrEnum):
    TIGHT = "tight"  # failed:user block
    SPACED = "spaced"  # failed: user block


class LongValues(StrEnum):
    REFUSE = "refuse"
    TRUNCATE = "truncate"


class MissingFields(StrEnum):
    REFUSE = "refuse"
    BLANK = "blank"


class MessageCap(StrEnum):
    """How many group messages one customer may get."""

    DAYS_IN_MONTH = "days_in_month"
    FOUR_A_MONTH = "four_a_month"
    SEVEN_A_WEEK = "seven_a_week"
    ONE_A_DAY = "one_a_day"


@dataclass(slots=True)
class Settings:
    """Switches of one account: what is unsettled in reality, and what a developer provokes."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    status_spelling: StatusSpelling = StatusSpelling.TIGHT
    long_values: LongValues = LongValues.REFUSE
    missing_fields: MissingFields = MissingFields.REFUSE
    old_token_overlap_seconds: int = 300
    retries_resigned: bool = True
    mark_fail: bool = False
    callback_timeout_seconds: float = 5.0
    callback_retry_seconds: float = 1.0
    result_events: bool = True
    system_failures: bool = False
    snapshot_user: bool = False
    unionid: bool = False
    secret_frozen: bool = False
    ip_allowlist: list[str] = field(default_factory=list)
    quotas: dict[str, int] = field(default_factory=dict)
    # WeCom only
    app_disabled: bool = False
    apis_not_allowed: list[str] = field(default_factory=list)
    visible_userids: list[str] = field(default_factory=list)  # empty: all members
    hears_corp_events: bool = True
    sensitive_fields: bool = False
    lists_lost_contacts: bool = False
    none_is_84061: bool = True
    refuse_escapes: bool = False
    wrong_secrets_before_ban: int = 20
    calls_per_minute: int = 10_000
    calls_per_hour: int = 150_000
    busy_seconds: dict[str, float] = field(default_factory=dict)
    echo_with_plus: bool = False
    echo_timeout_seconds: float = 1.0
    acquisition_quota: int = 1000
    most_corp_tags: int = 10_000
    most_moments_a_page: int = 20
    group_message_cap: MessageCap = MessageCap.DAYS_IN_MONTH
    dispatch_seconds: float = 1.0  # until members have a task
    figures_ready_at_hour: int = 0  # before it, yesterday's are missing
    home_url: str = ""  # what the desktop opens as the app's home
    sidebar_url: str = ""  # what stands beside a chat; empty: /sidebar/ at the callback's host


@dataclass(slots=True)
class Template:
    template_id: str
    short_id: str
    title: str
    content: str
    example: str
    enums: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Window:
    """How many customer-service messages may still be sent, and until when."""

    until: float = 0.0
    left: int = 0


@dataclass(slots=True)
class Fan:
    """One person as one account knows them."""

    openid: str
    person_id: str
    subscribed: bool = False
    subscribed_at: float = 0.0
    subscribe_scene: str = "ADD_SCENE_SEARCH"
    qr_scene: int = 0
    qr_scene_str: str = ""
    remark: str = ""
    tagid_list: list[int] = field(default_factory=list)
    muted: set[str] = field(default_factory=set)
    blocked: bool = False  # by the person: nothing is shown any more
    blacklisted: bool = False  # by the account
    unread: int = 0
    wrote: Window = field(default_factory=Window)
    touched: Window = field(default_factory=Window)


@dataclass(slots=True)
class StableToken:
    value: str = ""
    valid_until: float = 0.0
    forced_at: float = 0.0
    forced_today: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class Account:
    kind: Kind
    name: str
    appid: str
    secret: str
    agentid: str = ""
    token: str = ""
    aes_key: str = ""
    callback_url: str = ""
    mode: Mode = Mode.SAFE
    oauth_domain: str = ""
    title: str = ""
    original_id: str = ""
    settings: Settings = field(default_factory=Settings)
    templates: dict[str, Template] = field(default_factory=dict)
    industries: tuple[str, str] = ("7", "8")
    menu: Json | None = None
    conditional_menus: list[Json] = field(default_factory=list)
    tags: dict[int, str] = field(default_factory=dict)
    fans: dict[str, Fan] = field(default_factory=dict)
    plain_token: str = ""
    stable_token: StableToken = field(default_factory=StableToken)
    tickets: list[Ticket] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)
    usage_per_minute: dict[str, Usage] = field(default_factory=dict)
    quota_clears: dict[str, int] = field(default_factory=dict)
    paused_until: float = 0.0


@dataclass(slots=True)
class Person:
    person_id: str
    name: str
    openids: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Token:
    account: str
    valid_until: float
    replaced: bool = False


@dataclass(slots=True)
class OAuthCode:
    account: str
    openid: str
    scope: str
    issued_at: float
    snapshot: bool = False
    used: bool = False


@dataclass(slots=True)
class WebToken:
    account: str
    openid: str
    scope: str
    valid_until: float


@dataclass(slots=True)
class QrCode:
    ticket: str
    account: str
    url: str
    scene: str
    is_number: bool
    created_at: float
    expires_at: float | None


@dataclass(slots=True)
class State:
    """Everything that survives a restart, except the messages (they are appended to a journal)."""

    clock_offset: float = 0.0
    next_id: int = 200_000_001
    accounts: dict[str, Account] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, OAuthCode] = field(default_factory=dict)
    web_tokens: dict[str, WebToken] = field(default_factory=dict)
    refresh_tokens: dict[str, WebToken] = field(default_factory=dict)
    qr_codes: dict[str, QrCode] = field(default_factory=dict)
    corps: dict[str, Corp] = field(default_factory=dict)
    suspects: dict[str, Suspect] = field(default_factory=dict)  # by IP address


@dataclass(slots=True)
class Message:
    """One entry of a chat. ``kind`` is the platform's msgtype, ``template`` or ``notice``."""

    msgid: int
    account: str
    openid: str
    kind: str
    at: float
    from_person: bool = False
    content: str = ""
    template_id: str = ""
    client_msg_id: str = ""
    url: str = ""
    data: dict[str, str] = field(default_factory=dict)
    extra: Json = field(default_factory=dict)
