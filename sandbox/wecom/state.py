"""What the sandbox remembers of a corp. Its apps share it. Plain data; instants are unix seconds.

Userids are kept as they were given and found in lower case: WeCom does not tell them apart.
"""

from dataclasses import dataclass, field

from sandbox.values import Ticket, Usage
from sandbox.wecom.external_state import External

ROOT_DEPARTMENT = 1
ACTIVE, DISABLED, INACTIVE, LEFT = 1, 2, 4, 5  # a member's status


@dataclass(slots=True)
class Department:
    id: int
    name: str
    parentid: int
    order: int = 0
    leaders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Member:
    userid: str
    name: str
    departments: list[int] = field(default_factory=lambda: [ROOT_DEPARTMENT])
    position: str = ""
    alias: str = ""
    mobile: str = ""
    email: str = ""
    gender: str = "0"
    status: int = ACTIVE
    is_leader: bool = False
    direct_leaders: list[str] = field(default_factory=list)
    licensed: bool = True
    has_real_name: bool = True
    subscribed: set[str] = field(default_factory=set)  # agentids whose chat was opened
    unread: dict[str, int] = field(default_factory=dict)  # by agentid
    pushes: dict[str, list[Usage]] = field(default_factory=dict)  # by agentid: minute, hour


@dataclass(slots=True)
class MemberTag:
    tagid: int
    name: str
    userids: set[str] = field(default_factory=set)  # in lower case


@dataclass(slots=True)
class ExternalContact:
    external_userid: str
    name: str
    type: int = 1  # 1 WeChat, 2 WeCom of another corp
    gender: int = 0
    avatar: str = ""
    position: str = ""
    corp_name: str = ""
    corp_full_name: str = ""
    person_id: str = ""  # who this is on the phone screen, if anybody


@dataclass(slots=True)
class Follow:
    """One member's relation to one external contact."""

    userid: str
    external_userid: str
    created_at: float
    remark: str = ""
    description: str = ""
    remark_corp_name: str = ""
    remark_mobiles: list[str] = field(default_factory=list)
    tag_ids: list[str] = field(default_factory=list)
    oper_userid: str = ""
    add_way: int = 1
    state: str = ""
    is_half: bool = False  # added without being confirmed
    chat_started: bool = False
    lost_at: float = 0.0  # the contact deleted the member
    touched_at: float = 0.0  # when the two last had to do with each other


@dataclass(slots=True)
class Welcome:
    """The right to greet a new contact: 20 seconds, once."""

    userid: str
    external_userid: str
    issued_at: float
    used_by: str = ""  # the account that greeted


@dataclass(slots=True)
class CorpTag:
    id: str
    name: str
    created_at: float
    order: int = 0
    made_by: str = ""  # the app's account name; empty: an administrator


@dataclass(slots=True)
class TagGroup:
    id: str
    name: str
    created_at: float
    order: int = 0
    made_by: str = ""
    tags: dict[str, CorpTag] = field(default_factory=dict)


@dataclass(slots=True)
class ChatMember:
    userid: str  # a member's or an external contact's
    type: int  # 1 member, 2 external contact
    joined_at: float
    join_scene: int = 1
    invitor: str = ""
    group_nickname: str = ""
    state: str = ""  # of the code that was scanned


@dataclass(slots=True)
class GroupChat:
    chat_id: str
    name: str
    owner: str
    created_at: float
    notice: str = ""
    admins: list[str] = field(default_factory=list)
    members: dict[str, ChatMember] = field(default_factory=dict)
    version: str = ""
    status: int = 0  # 0 normal, 1 its owner left, 2 being handed over, 3 handed over
    is_dismissed: bool = False


@dataclass(slots=True)
class Media:
    media_id: str
    type: str
    filename: str
    content_type: str
    created_at: float
    size: int


@dataclass(slots=True)
class Sent:
    """One message/send: enough to recall it and to change its card."""

    msgid: str
    account: str
    agentid: str
    sent_at: float
    userids: list[str]
    fingerprint: str = ""  # for the duplicate check
    task_id: str = ""
    recalled: bool = False


@dataclass(slots=True)
class ResponseCode:
    """May change one card once within 72 hours; ``userid`` when one member's tap made it."""

    account: str
    msgid: str
    issued_at: float
    userid: str = ""
    used: bool = False


@dataclass(slots=True)
class SignInCode:
    """What authorize handed out. A member, or a stranger with an openid and maybe a contact."""

    agentid: str  # empty: any app of the corp may exchange it
    scope: str
    issued_at: float
    userid: str = ""
    openid: str = ""
    external_userid: str = ""
    used: bool = False


@dataclass(slots=True)
class UserTicket:
    account: str
    userid: str
    valid_until: float


@dataclass(slots=True)
class Corp:
    corpid: str
    departments: dict[int, Department] = field(
        default_factory=lambda: {ROOT_DEPARTMENT: Department(ROOT_DEPARTMENT, "总行", 0)}
    )
    members: dict[str, Member] = field(default_factory=dict)  # by userid in lower case
    left_members: dict[str, float] = field(default_factory=dict)  # userid, and when
    member_tags: dict[int, MemberTag] = field(default_factory=dict)
    contacts: dict[str, ExternalContact] = field(default_factory=dict)
    # by the member's userid in lower case, then by external_userid
    follows: dict[str, dict[str, Follow]] = field(default_factory=dict)
    welcomes: dict[str, Welcome] = field(default_factory=dict)
    tag_groups: dict[str, TagGroup] = field(default_factory=dict)
    group_chats: dict[str, GroupChat] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)  # of messages, to their msgid
    task_ids: dict[str, str] = field(default_factory=dict)  # ``agentid:task_id``, to the msgid
    response_codes: dict[str, ResponseCode] = field(default_factory=dict)
    codes: dict[str, SignInCode] = field(default_factory=dict)
    user_tickets: dict[str, UserTicket] = field(default_factory=dict)
    tickets: list[Ticket] = field(default_factory=list)
    per_minute: dict[str, Usage] = field(default_factory=dict)
    per_hour: dict[str, Usage] = field(default_factory=dict)
    per_day: dict[str, Usage] = field(default_factory=dict)
    blocked_until: dict[str, float] = field(default_factory=dict)
    external: External = field(default_factory=External)


@dataclass(slots=True)
class Suspect:
    """An address that used wrong secrets."""

    wrong_secrets: Usage = field(default_factory=Usage)
    banned_until: float = 0.0
