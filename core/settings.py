"""Every setting, typed and frozen; read once from ``XINQIAO_…`` or a ``.env`` file."""

import base64
import binascii
import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

SANDBOX_WECHAT = "http://127.0.0.1:8100/wechat"
SANDBOX_WECOM = "http://127.0.0.1:8100/wecom"

LONGEST_SOCKET = 100  # bytes; the kernel takes 107


def _base_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value.rstrip("/")


BaseAddress = Annotated[str, AfterValidator(_base_address)]

SMS_FILE = "file"


def _sms_gateway(value: str) -> str:
    if value in {"", SMS_FILE}:
        return value
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError('must be empty, "file" or an https:// address')
    if parts.username or parts.fragment:
        raise ValueError("must have no user and no fragment; the token has its own setting")
    return value


def master_key_file(data_dir: Path) -> Path:
    """Where the demo keeps its key; read when no other key is given."""
    return data_dir / "master.key"


class Settings(BaseSettings):
    """A wrong value stops the start; nothing here changes afterwards."""

    model_config = SettingsConfigDict(
        env_prefix="XINQIAO_", env_file=".env", extra="ignore", frozen=True
    )

    data_dir: Path = Path("data")
    database_url: str = ""
    redis_url: str = ""
    public_url: BaseAddress = "http://127.0.0.1:8000"
    master_key: SecretStr = SecretStr("")
    wechat_api_url: BaseAddress = SANDBOX_WECHAT
    wecom_api_url: BaseAddress = SANDBOX_WECOM
    open_url: BaseAddress = SANDBOX_WECHAT
    # WeCom's authorize page, and the QR code with which members sign in at a desk.
    wecom_open_url: BaseAddress = SANDBOX_WECOM
    wecom_login_url: BaseAddress = SANDBOX_WECOM
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    web_processes: int = Field(default=1, ge=1, le=64)
    # A thread waits while WeChat takes its time over a sign-in; the others go on serving.
    web_threads: int = Field(default=32, ge=1, le=64)
    # With it, /metrics asks for "Authorization: Bearer …"; without, whoever reaches it may read.
    metrics_token: SecretStr = SecretStr("")
    # The last step of the ladder: nothing, a file for trying out, or the bank's own gateway
    # (docs/sms.md).
    sms_gateway: Annotated[str, AfterValidator(_sms_gateway)] = ""
    sms_token: SecretStr = Field(default=SecretStr(""), validate_default=True)
    # The most messages to one number in a day of China's, over all campaigns.
    sms_daily_cap: int = Field(default=5, ge=1, le=100)
    log_level: str = "INFO"
    # Mutual trust with the proxy in front: how many hops may set X-Forwarded-*.
    proxy_hops: int = Field(default=0, ge=0, le=3)
    upload_limit_bytes: int = 50 * 1024 * 1024
    callback_window_seconds: int = 300

    @model_validator(mode="before")
    @classmethod
    def _key_beside_the_data(cls, given: dict[str, Any]) -> dict[str, Any]:
        data_dir = given.get("data_dir") or cls.model_fields["data_dir"].default
        path = master_key_file(Path(data_dir))
        if given.get("master_key") or not path.exists():
            return given
        try:
            return given | {"master_key": path.read_text().strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read as the master key") from error

    @field_validator("master_key")
    @classmethod
    def _is_32_bytes(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            try:
                key = base64.b64decode(value.get_secret_value(), validate=True)
            except binascii.Error as error:
                raise ValueError("must be base64") from error
            if len(key) != 32:
                raise ValueError("must be 32 bytes in base64: openssl rand -base64 32")
        return value

    @field_validator("sms_token")
    @classmethod
    def _fits_the_gateway(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        token = value.get_secret_value()
        if not all("!" <= sign <= "~" for sign in token):
            raise ValueError("must be printable ASCII without spaces")
        if not token and info.data.get("sms_gateway", "") not in {"", SMS_FILE}:
            raise ValueError("must be given when sms_gateway is an address")
        return value

    @property
    def database(self) -> str:
        """The database's address; without one, a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'xinqiao.db'}"

    @property
    def redis(self) -> str:
        """Redis's address; without one, the embedded server's socket."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """In the data folder, or under a short name where that is too long for a socket."""
        socket = self.data_dir.resolve() / "redis.sock"
        if len(str(socket)) <= LONGEST_SOCKET:
            return socket
        digest = hashlib.sha256(str(socket).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"xinqiao-{digest}.sock"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def sms_file(self) -> Path:
        """What the file gateway writes; every line holds a telephone number."""
        return self.data_dir / "sms.jsonl"

    @property
    def files_dir(self) -> Path:
        return self.data_dir / "files"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    return Settings()
