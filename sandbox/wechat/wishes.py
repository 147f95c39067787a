"""What a developer wants a person to do: the body of ``POST /_sandbox/wechat/events``."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sandbox.wechat.events import Impossible


class Wish(BaseModel):
    """``fields`` are set in the XML as they are; null leaves one out."""

    model_config = ConfigDict(extra="forbid")

    account: str
    openid: str
    event: str
    scene: str | int | None = None
    ticket: str | None = None
    key: str | None = None
    url: str | None = None
    name: str = ""
    content: str | None = None
    media_id: str = ""
    latitude: float = 31.23
    longitude: float = 121.47
    template_id: str | None = None
    accept: bool = True
    msgid: int | None = None
    status: str = ""
    count: int = Field(1, ge=0)
    fields: dict[str, Any] = {}
    copies: int = Field(1, ge=1, le=10)
    wait: bool = False

    def needed(self, name: str) -> str:
        value: str | None = getattr(self, name)
        if not value:
            raise Impossible(f"{self.event} needs {name}")
        return value
