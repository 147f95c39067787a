"""What a developer wants to happen in a corp: the body of ``POST /_sandbox/wecom/events``."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sandbox.wechat.events import Impossible


class Wish(BaseModel):
    """``fields`` are set in the XML as they are; null leaves one out."""

    model_config = ConfigDict(extra="forbid")

    account: str
    event: str = Field(min_length=1)
    change_type: str = ""
    userid: str = ""
    external_userid: str = ""
    name: str = ""
    state: str = ""
    welcome: bool = True
    remark: str | None = None
    description: str | None = None
    source: str = ""
    fail_reason: str = "customer_refused"
    chat_id: str = ""
    update_detail: str = "add_member"
    members: list[str] = []
    notice: str = ""
    tag_id: str = ""
    tag_type: str = "tag"
    group_id: str = ""
    link_id: str = ""
    key: str = ""
    url: str = ""
    content: str = ""
    media_id: str = ""
    latitude: float = 31.23
    longitude: float = 121.47
    msgid: str = ""
    task_id: str = ""
    selected: dict[str, list[str]] = {}
    status: int = 1
    party_id: int = 0
    parent_id: int = 1
    job_id: str = ""
    job_type: str = "sync_user"
    number: str = ""
    config_id: str = ""
    moment_id: str = ""
    from_contact: bool = False
    message: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    copies: int = Field(1, ge=1, le=10)
    wait: bool = False

    def needed(self, name: str) -> str:
        value = str(getattr(self, name))
        if not value:
            raise Impossible(f"{self.event} needs {name}")
        return value
