"""What the sandbox remembers of a corp's work with customers. Instants are unix seconds."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Day:
    """What one member did on one day, beyond what the chats tell."""

    new_contacts: int = 0
    new_applies: int = 0  # sent by the member, who asks to be added
    lost: int = 0


@dataclass(slots=True)
class ContactWay:
    """A code that adds a member. ``fields`` are the API's own, defaults filled in."""

    config_id: str
    created_at: float
    fields: Json
    address: str = ""  # what a scanner reads
    scans: int = 0


@dataclass(slots=True)
class JoinWay:
    """A code that leads into a group chat."""

    config_id: str
    created_at: float
    fields: Json
    address: str = ""
    rooms_made: int = 0


@dataclass(slots=True)
class TempChat:
    """A talk with somebody who is no contact."""

    userid: str
    external_userid: str
    config_id: str
    ends_at: float


@dataclass(slots=True)
class AcquisitionLink:
    link_id: str
    name: str
    url: str
    created_at: float
    fields: Json
    clicks: list[float] = field(default_factory=list)
    customers: list["Acquired"] = field(default_factory=list)
    turns: int = 0


@dataclass(slots=True)
class Acquired:
    userid: str
    external_userid: str
    state: str
    at: float


class Outcome(IntEnum):
    UNSENT, SENT, NO_FRIEND, HAD_ENOUGH = 0, 1, 2, 3


@dataclass(slots=True)
class Target:
    """A customer or a group chat that one member shall write to."""

    id: str
    outcome: Outcome = Outcome.UNSENT
    at: float = 0.0


@dataclass(slots=True)
class SendTask:
    userid: str
    targets: list[Target]
    sent_at: float = 0.0


@dataclass(slots=True)
class GroupMessage:
    """One ``add_msg_template``: nothing is sent before members confirm."""

    msgid: str
    app: str
    chat_type: str
    created_at: float
    content: Json  # ``text`` and ``attachments``
    allow_select: bool
    tasks: dict[str, SendTask]  # by userid in lower case
    reminders: list[float] = field(default_factory=list)
    is_cancelled: bool = False


@dataclass(slots=True)
class GroupWelcome:
    template_id: str
    app: str
    content: Json


@dataclass(slots=True)
class Reaction:
    at: float
    userid: str = ""
    external_userid: str = ""


@dataclass(slots=True)
class Publishing:
    """One member's part in a moment: who may see it, once it is published."""

    userid: str
    external_userids: list[str]
    published_at: float = 0.0
    comments: list[Reaction] = field(default_factory=list)
    likes: list[Reaction] = field(default_factory=list)


@dataclass(slots=True)
class Moment:
    moment_id: str
    jobid: str
    created_at: float
    content: Json
    is_for_all: bool
    tasks: dict[str, Publishing]  # by userid in lower case
    invalid_senders: Json
    invalid_tags: list[str]
    is_cancelled: bool = False


class Handover(IntEnum):
    DONE, WAITING, REFUSED, TOO_MANY = 1, 2, 3, 4


@dataclass(slots=True)
class Transfer:
    """One customer on the way from one member to another."""

    handover: str
    takeover: str
    external_userid: str
    begun_at: float
    is_resigned: bool
    greeting: str = ""
    app: str = ""
    status: Handover = Handover.WAITING
    done_at: float = 0.0


@dataclass(slots=True)
class ApprovalTemplate:
    template_id: str
    name: str
    controls: list[Json]


@dataclass(slots=True)
class Approval:
    """One of WeCom's own approval app."""

    sp_no: str
    name: str
    template_id: str
    userid: str
    department: int
    applied_at: float
    apply_data: Json
    status: int = 1
    record: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class External:
    days: dict[str, dict[int, Day]] = field(default_factory=dict)  # by userid in lower case
    deleted_tags: dict[str, tuple[str, Json]] = field(default_factory=dict)  # id: group and entry
    contact_ways: dict[str, ContactWay] = field(default_factory=dict)
    join_ways: dict[str, JoinWay] = field(default_factory=dict)
    temp_chats: list[TempChat] = field(default_factory=list)
    links: dict[str, AcquisitionLink] = field(default_factory=dict)
    quota_used: int = 0
    group_messages: dict[str, GroupMessage] = field(default_factory=dict)
    receipts: dict[str, list[float]] = field(default_factory=dict)  # of group messages, by target
    group_welcomes: dict[str, GroupWelcome] = field(default_factory=dict)
    moments: dict[str, Moment] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    chats_taken: dict[str, int] = field(default_factory=dict)  # ``userid:day``
    pending_ids: dict[str, str] = field(default_factory=dict)  # by unionid
    approval_templates: dict[str, ApprovalTemplate] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    engine_approvals: dict[str, Json] = field(default_factory=dict)  # by ThirdNo

    def day(self, userid: str, number: int) -> Day:
        return self.days.setdefault(userid.lower(), {}).setdefault(number, Day())

    def waiting(self, external_userid: str) -> Transfer | None:
        mine = (one for one in self.transfers if one.external_userid == external_userid)
        return next((one for one in mine if one.status is Handover.WAITING), None)
