"""What WeCom tells an app, as small frozen values, and what may be answered at once.

https://developer.work.weixin.qq.com/document/path/90239 (messages), 90240 (events),
92130 (customers), 92966 (groups of customers), 97299 (links that win customers),
90269 and 91815 (approvals), 90970 (members and departments)

A body that cannot be understood is an ``UnknownEvent``, one that is no body is ``None``; nothing
raises. What people write, and where they are, does not appear when a value is printed.
Knows nothing of our house: the sandbox uses this file too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from channel.wechat.fields import (
    BODY_LIMIT_BYTES,
    FieldOdd,
    Fields,
    Received,
    build,
    decimal,
    found,
    found_instant,
    found_number,
    instant,
    is_refused,
    listed,
    listed_numbers,
    many,
    maybe,
    maybe_in,
    number,
    plain,
    present,
    read_fields,
    reading,
    text,
    text_in,
    told_name,
    unknown_about,
)
from channel.wechat.messages import Article, SentPicture, cdata, image_reply, news_reply, text_reply

__all__ = [  # for who reads messages and answers them
    "BODY_LIMIT_BYTES",
    "Article",
    "Received",
    "SentPicture",
    "image_reply",
    "is_refused",
    "news_reply",
    "read_fields",
    "text_reply",
]

WELCOME_CODE_SECONDS = 20.0
_SYSTEM = "sys"


def _userid(told: Fields) -> str:
    sender = maybe_in(told, "FromUserName")
    return maybe_in(told, "UserID") or ("" if sender == _SYSTEM else sender)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeComReceived(Received):
    """``userid`` is the member whom it is about, empty when there is none."""

    userid: str = field(metadata=reading(_userid))
    agentid: int | None = field(metadata=found_number("AgentID"))

    @property
    def person(self) -> str:
        return self.userid


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(WeComReceived):
    fields: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromMember(WeComReceived):
    """What a member does or sends in an app."""

    userid: str = field(metadata=text("FromUserName"))


# --- messages of members --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMessage(FromMember):
    """WeCom's repeats of one message have the same ``msgid``."""

    msgid: int = field(metadata=number("MsgId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberText(MemberMessage):
    content: str = field(repr=False, metadata=present("Content"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberImage(MemberMessage):
    media_id: str = field(metadata=text("MediaId"))
    url: str = field(repr=False, metadata=maybe("PicUrl"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVoice(MemberMessage):
    media_id: str = field(metadata=text("MediaId"))
    format: str = field(metadata=maybe("Format"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVideo(MemberMessage):
    """``name`` is ``video`` or ``shortvideo``."""

    media_id: str = field(metadata=text("MediaId"))
    thumb_media_id: str = field(metadata=maybe("ThumbMediaId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPlace(MemberMessage):
    latitude: float = field(repr=False, metadata=decimal("Location_X"))
    longitude: float = field(repr=False, metadata=decimal("Location_Y"))
    scale: int | None = field(metadata=found_number("Scale"))
    label: str = field(repr=False, metadata=maybe("Label"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLink(MemberMessage):
    title: str = field(repr=False, metadata=maybe("Title"))
    description: str = field(repr=False, metadata=maybe("Description"))
    url: str = field(repr=False, metadata=text("Url"))
    picture_url: str = field(repr=False, metadata=maybe("PicUrl"))


# --- members in an app ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFollowed(FromMember):
    """``subscribe``: the app became visible to the member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppUnfollowed(FromMember):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AppEntered(FromMember):
    key: str = field(metadata=maybe("EventKey"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLocated(FromMember):
    latitude: float = field(repr=False, metadata=decimal("Latitude"))
    longitude: float = field(repr=False, metadata=decimal("Longitude"))
    precision: float = field(repr=False, metadata=decimal("Precision"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMenuClicked(FromMember):
    key: str = field(metadata=text("EventKey"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMenuViewed(FromMember):
    url: str = field(metadata=text("EventKey"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMenuMiniprogramOpened(FromMember):
    page_path: str = field(metadata=text("EventKey"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMenuCodeScanned(FromMember):
    """``name`` is ``scancode_push``, or ``scancode_waitmsg`` when an answer is awaited."""

    key: str = field(metadata=text("EventKey"))
    scan_type: str = field(metadata=text("ScanCodeInfo", "ScanType"))
    scan_result: str = field(repr=False, metadata=present("ScanCodeInfo", "ScanResult"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMenuPicturesSent(FromMember):
    """``name`` is ``pic_sysphoto``, ``pic_photo_or_album`` or ``pic_weixin``. The pictures follow
    as messages of their own."""

    key: str = field(metadata=text("EventKey"))
    count: int = field(metadata=number("SendPicsInfo", "Count"))
    pictures: tuple[SentPicture, ...] = field(
        metadata=many("SendPicsInfo", "PicList", "item", of=SentPicture)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMenuPlaceSent(FromMember):
    """The place follows as a message of its own."""

    key: str = field(metadata=text("EventKey"))
    latitude: float = field(repr=False, metadata=decimal("SendLocationInfo", "Location_X"))
    longitude: float = field(repr=False, metadata=decimal("SendLocationInfo", "Location_Y"))
    scale: int | None = field(metadata=found_number("SendLocationInfo", "Scale"))
    label: str = field(repr=False, metadata=maybe("SendLocationInfo", "Label"))
    poi_name: str = field(repr=False, metadata=maybe("SendLocationInfo", "Poiname"))


# --- template cards -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedItem:
    question_key: str = field(metadata=text("QuestionKey"))
    option_ids: tuple[str, ...] = field(metadata=many("OptionIds", "OptionId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEvent(FromMember):
    """``task_id`` is ours. ``response_code`` changes the card once, within 72 hours."""

    key: str = field(metadata=text("EventKey"))
    task_id: str = field(metadata=text("TaskId"))
    card_type: str = field(metadata=text("CardType"))
    response_code: str = field(repr=False, metadata=text("ResponseCode"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAnswered(CardEvent):
    selected: tuple[SelectedItem, ...] = field(
        metadata=many("SelectedItems", "SelectedItem", of=SelectedItem)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMenuClicked(CardEvent):
    pass


# --- customers ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEvent(WeComReceived):
    userid: str = field(metadata=text("UserID"))
    external_userid: str = field(metadata=text("ExternalUserID"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomeEvent(ContactEvent):
    """The first app that uses the welcome code wins. There is none when the chat has already
    begun, when a welcome is set in the console, and for contacts of other corps."""

    welcome_code: str | None = field(repr=False, metadata=found("WelcomeCode"))

    @property
    def urgent_seconds(self) -> float | None:
        return WELCOME_CODE_SECONDS if self.welcome_code else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAdded(WelcomeEvent):
    """``state`` is that of the contact way or link through which the customer came."""

    state: str = field(metadata=maybe("State"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfContactAdded(WelcomeEvent):
    """The customer added a member who need not confirm, but has not been added back."""

    state: str = field(metadata=maybe("State"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MsgAuditApproved(WelcomeEvent):
    """The customer agreed that the conversation is archived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEdited(ContactEvent):
    state: str = field(metadata=maybe("State"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDeleted(ContactEvent):
    """The member deleted the customer, or lost them by a transfer."""

    by_transfer: bool = field(
        metadata=reading(lambda told: maybe_in(told, "Source") == "DELETE_BY_TRANSFER")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUserDeleted(ContactEvent):
    """The customer deleted the member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed(ContactEvent):
    """``reason`` is ``customer_refused`` or ``customer_limit_exceed``. Whether ``userid`` is who
    gives or who takes over is not settled: ask ``transfer_result``."""

    reason: str = field(metadata=text("FailReason"))


# --- groups of customers, tags ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChatEvent(WeComReceived):
    chat_id: str = field(metadata=text("ChatId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChatCreated(GroupChatEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChatUpdated(GroupChatEvent):
    """``detail`` is ``add_member``, ``del_member``, ``change_owner``, ``change_name`` or
    ``change_notice``. ``members`` are userids and external_userids. When ``last_version`` is not
    the version we know, something was missed."""

    detail: str = field(metadata=text("UpdateDetail"))
    join_scene: int | None = field(metadata=found_number("JoinScene"))
    quit_scene: int | None = field(metadata=found_number("QuitScene"))
    change_count: int | None = field(metadata=found_number("MemChangeCnt"))
    members: tuple[str, ...] = field(metadata=many("MemChangeList", "Item"))
    last_version: str = field(metadata=maybe("LastMemVer"))
    current_version: str = field(metadata=maybe("CurMemVer"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChatDismissed(GroupChatEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTagEvent(WeComReceived):
    """``tag_type`` is ``tag`` or ``tag_group``; ``strategy_id`` None for tags of the whole corp."""

    tag_id: str = field(metadata=text("Id"))
    tag_type: str = field(metadata=text("TagType"))
    strategy_id: int | None = field(metadata=found_number("StrategyId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTagCreated(CustomerTagEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTagUpdated(CustomerTagEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTagDeleted(CustomerTagEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTagsShuffled(CustomerTagEvent):
    """The order changed: inside the group ``tag_id``, or that of the groups when it is empty."""

    tag_id: str = field(metadata=maybe("Id"))
    tag_type: str = field(metadata=maybe("TagType"))


# --- links that win customers -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionBalanceLow(WeComReceived):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionBalanceExhausted(WeComReceived):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionQuotaExpiring(WeComReceived):
    expires_at: datetime | None = field(metadata=found_instant("ExpireTime"))
    quota_count: int | None = field(metadata=found_number("ExpireQuotaNum"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionLinkUnavailable(WeComReceived):
    link_id: str = field(metadata=text("LinkId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionLinkDeleted(WeComReceived):
    link_id: str = field(metadata=text("LinkId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionFriendRequested(WeComReceived):
    """Somebody tapped the link and asked; who, is not told yet."""

    link_id: str = field(metadata=text("LinkId"))
    state: str = field(metadata=maybe("State"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionChatStarted(ContactEvent):
    link_id: str = field(metadata=maybe("LinkId"))
    state: str = field(metadata=maybe("State"))


# --- approvals ------------------------------------------------------------------------------
# Statuses are WeCom's numbers, each class says which; an unheard-of one is passed on.


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalItem:
    """``status``: 1 waiting, 2 agreed, 3 refused, 4 passed on. ``done_at`` is None before."""

    item_name: str = field(repr=False, metadata=maybe("ItemName"))
    userid: str = field(metadata=text("ItemUserId"))
    image: str = field(repr=False, metadata=maybe("ItemImage"))
    status: int = field(metadata=number("ItemStatus"))
    speech: str = field(repr=False, metadata=maybe("ItemSpeech"))
    done_at: datetime | None = field(metadata=found_instant("ItemOpTime"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNode:
    """``attr``: 1 any one decides, 2 all must agree. ``node_type``: 1 members, 2 tag, 3 head."""

    status: int = field(metadata=number("NodeStatus"))
    attr: int = field(metadata=number("NodeAttr"))
    node_type: int = field(metadata=number("NodeType"))
    items: tuple[ApprovalItem, ...] = field(metadata=many("Items", "Item", of=ApprovalItem))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyNode:
    item_name: str = field(repr=False, metadata=maybe("ItemName"))
    userid: str = field(metadata=text("ItemUserId"))
    image: str = field(repr=False, metadata=maybe("ItemImage"))


_INFO = "ApprovalInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApprovalChanged(WeComReceived):
    """The approval engine (审批流程引擎) moved a request of ours, ``third_no``.

    ``status``: 1 waiting, 2 agreed, 3 refused, 4 withdrawn. ``step`` is the node that is at work.
    """

    third_no: str = field(metadata=text(_INFO, "ThirdNo"))
    template_id: str = field(metadata=text(_INFO, "OpenTemplateId"))
    template_name: str = field(metadata=maybe(_INFO, "OpenSpName"))
    status: int = field(metadata=number(_INFO, "OpenSpStatus"))
    applied_at: datetime = field(metadata=instant(_INFO, "ApplyTime"))
    applicant_userid: str = field(metadata=text(_INFO, "ApplyUserId"))
    applicant_name: str = field(repr=False, metadata=maybe(_INFO, "ApplyUserName"))
    applicant_party: str = field(repr=False, metadata=maybe(_INFO, "ApplyUserParty"))
    applicant_image: str = field(repr=False, metadata=maybe(_INFO, "ApplyUserImage"))
    nodes: tuple[ApprovalNode, ...] = field(
        metadata=many(_INFO, "ApprovalNodes", "ApprovalNode", of=ApprovalNode)
    )
    notified: tuple[NotifyNode, ...] = field(
        metadata=many(_INFO, "NotifyNodes", "NotifyNode", of=NotifyNode)
    )
    step: int | None = field(metadata=found_number(_INFO, "approverstep"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDetail:
    """``status``: 1 waiting, 2 agreed, 3 refused, 4 passed on, 11 sent back, 12 approver added."""

    userid: str = field(metadata=text("Approver", "UserId"))
    speech: str = field(repr=False, metadata=maybe("Speech"))
    status: int = field(metadata=number("SpStatus"))
    done_at: datetime | None = field(metadata=found_instant("SpTime"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """``attr``: 1 any of them decides, 2 all must agree."""

    status: int = field(metadata=number("SpStatus"))
    attr: int | None = field(metadata=found_number("ApproverAttr"))
    details: tuple[ApprovalDetail, ...] = field(metadata=many("Details", of=ApprovalDetail))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStep:
    userid: str = field(metadata=text("UserInfo", "UserId"))
    speech: str = field(repr=False, metadata=maybe("Speech"))
    status: int | None = field(metadata=found_number("SpYj"))
    done_at: datetime | None = field(metadata=found_instant("Sptime"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessNode:
    """``node_type``: 1 approval, 2 copy, 3 handling. ``relation``: 1 all, 2 any, 3 in turn."""

    node_type: int = field(metadata=number("NodeType"))
    status: int | None = field(metadata=found_number("SpStatus"))
    relation: int | None = field(metadata=found_number("ApvRel"))
    steps: tuple[ProcessStep, ...] = field(metadata=many("SubNodeList", of=ProcessStep))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalComment:
    comment_id: str = field(metadata=text("CommentId"))
    userid: str = field(metadata=text("CommentUserInfo", "UserId"))
    content: str = field(repr=False, metadata=maybe("CommentContent"))
    written_at: datetime | None = field(metadata=found_instant("CommentTime"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedMember:
    userid: str = field(metadata=text("UserId"))


def _sp_no(told: Fields) -> str:
    # The number has outgrown 32 bits; the text is the newer field.
    return maybe_in(told, _INFO, "SpNoStr") or text_in(told, _INFO, "SpNo")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalChanged(WeComReceived):
    """The approval app (审批应用) moved a request.

    ``status``: 1 waiting, 2 agreed, 3 refused, 4 withdrawn, 6 withdrawn after it was agreed,
    7 deleted, 10 paid. ``change``: 1 asked, 2 agreed, 3 refused, 4 passed on, 5 urged, 6 withdrawn,
    8 withdrawn after it was agreed, 10 remark, 11 sent back, 12 approver added, 13 signer added,
    14 handled, 15 handed over. Newer templates tell ``process``, older ones ``records``.
    """

    sp_no: str = field(metadata=reading(_sp_no))
    template_id: str = field(metadata=text(_INFO, "TemplateId"))
    template_name: str = field(metadata=maybe(_INFO, "SpName"))
    status: int = field(metadata=number(_INFO, "SpStatus"))
    change: int = field(metadata=number(_INFO, "StatuChangeEvent"))
    applied_at: datetime = field(metadata=instant(_INFO, "ApplyTime"))
    applicant_userid: str = field(metadata=text(_INFO, "Applyer", "UserId"))
    applicant_party: str = field(metadata=maybe(_INFO, "Applyer", "Party"))
    records: tuple[ApprovalRecord, ...] = field(metadata=many(_INFO, "SpRecord", of=ApprovalRecord))
    process: tuple[ProcessNode, ...] = field(
        metadata=many(_INFO, "ProcessList", "NodeList", of=ProcessNode)
    )
    notified: tuple[NotifiedMember, ...] = field(
        metadata=many(_INFO, "Notifyer", of=NotifiedMember)
    )
    comments: tuple[ApprovalComment, ...] = field(
        metadata=many(_INFO, "Comments", of=ApprovalComment)
    )


# --- the directory --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberEvent(WeComReceived):
    userid: str = field(metadata=text("UserID"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged(MemberEvent):
    """Only what changed is told, and to most apps no more than the departments: None, and no
    departments, are "no news". ``status``: 1 active, 2 disabled, 4 not yet active, 5 left."""

    member_name: str | None = field(repr=False, metadata=found("Name"))
    department_ids: tuple[int, ...] = field(metadata=listed_numbers("Department"))
    main_department_id: int | None = field(metadata=found_number("MainDepartment"))
    status: int | None = field(metadata=found_number("Status"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCreated(MemberChanged):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberUpdated(MemberChanged):
    new_userid: str | None = field(metadata=found("NewUserID"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDeleted(MemberEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentEvent(WeComReceived):
    department_id: int = field(metadata=number("Id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentCreated(DepartmentEvent):
    department_name: str | None = field(metadata=found("Name"))
    parent_id: int | None = field(metadata=found_number("ParentId"))
    order: int | None = field(metadata=found_number("Order"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentUpdated(DepartmentEvent):
    """Only what changed is told: None is "no news"."""

    department_name: str | None = field(metadata=found("Name"))
    parent_id: int | None = field(metadata=found_number("ParentId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentDeleted(DepartmentEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTagUpdated(WeComReceived):
    tag_id: int = field(metadata=number("TagId"))
    added_userids: tuple[str, ...] = field(metadata=listed("AddUserItems"))
    removed_userids: tuple[str, ...] = field(metadata=listed("DelUserItems"))
    added_department_ids: tuple[int, ...] = field(metadata=listed_numbers("AddPartyItems"))
    removed_department_ids: tuple[int, ...] = field(metadata=listed_numbers("DelPartyItems"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobFinished(WeComReceived):
    """``job_type``: ``sync_user``, ``replace_user``, ``invite_user``, ``replace_party``, or one of
    the exports."""

    job_id: str = field(metadata=text("BatchJob", "JobId"))
    job_type: str = field(metadata=text("BatchJob", "JobType"))
    errcode: int = field(metadata=number("BatchJob", "ErrCode"))
    errmsg: str = field(metadata=maybe("BatchJob", "ErrMsg"))


# --- which is which ---------------------------------------------------------------------------

_MESSAGES: Mapping[str, type[WeComReceived]] = {
    "text": MemberText,
    "image": MemberImage,
    "voice": MemberVoice,
    "video": MemberVideo,
    "shortvideo": MemberVideo,
    "location": MemberPlace,
    "link": MemberLink,
}
_EVENTS: Mapping[tuple[str, str], type[WeComReceived]] = {
    ("subscribe", ""): AppFollowed,
    ("unsubscribe", ""): AppUnfollowed,
    ("enter_agent", ""): AppEntered,
    ("location", ""): MemberLocated,
    ("click", ""): AppMenuClicked,
    ("view", ""): AppMenuViewed,
    ("view_miniprogram", ""): AppMenuMiniprogramOpened,
    ("scancode_push", ""): AppMenuCodeScanned,
    ("scancode_waitmsg", ""): AppMenuCodeScanned,
    ("pic_sysphoto", ""): AppMenuPicturesSent,
    ("pic_photo_or_album", ""): AppMenuPicturesSent,
    ("pic_weixin", ""): AppMenuPicturesSent,
    ("location_select", ""): AppMenuPlaceSent,
    ("template_card_event", ""): CardAnswered,
    ("template_card_menu_event", ""): CardMenuClicked,
    ("change_external_contact", "add_external_contact"): ContactAdded,
    ("change_external_contact", "edit_external_contact"): ContactEdited,
    ("change_external_contact", "add_half_external_contact"): HalfContactAdded,
    ("change_external_contact", "del_external_contact"): ContactDeleted,
    ("change_external_contact", "del_follow_user"): FollowUserDeleted,
    ("change_external_contact", "transfer_fail"): TransferFailed,
    ("change_external_contact", "msg_audit_approved"): MsgAuditApproved,
    ("change_external_chat", "create"): GroupChatCreated,
    ("change_external_chat", "update"): GroupChatUpdated,
    ("change_external_chat", "dismiss"): GroupChatDismissed,
    ("change_external_tag", "create"): CustomerTagCreated,
    ("change_external_tag", "update"): CustomerTagUpdated,
    ("change_external_tag", "delete"): CustomerTagDeleted,
    ("change_external_tag", "shuffle"): CustomerTagsShuffled,
    ("customer_acquisition", "balance_low"): AcquisitionBalanceLow,
    ("customer_acquisition", "balance_exhausted"): AcquisitionBalanceExhausted,
    ("customer_acquisition", "quota_expire_soon"): AcquisitionQuotaExpiring,
    ("customer_acquisition", "link_unavailable"): AcquisitionLinkUnavailable,
    ("customer_acquisition", "delete_link"): AcquisitionLinkDeleted,
    ("customer_acquisition", "friend_request"): AcquisitionFriendRequested,
    ("customer_acquisition", "customer_start_chat"): AcquisitionChatStarted,
    ("open_approval_change", ""): OpenApprovalChanged,
    ("sys_approval_change", ""): ApprovalChanged,
    ("change_contact", "create_user"): MemberCreated,
    ("change_contact", "update_user"): MemberUpdated,
    ("change_contact", "delete_user"): MemberDeleted,
    ("change_contact", "create_party"): DepartmentCreated,
    ("change_contact", "update_party"): DepartmentUpdated,
    ("change_contact", "delete_party"): DepartmentDeleted,
    ("change_contact", "update_tag"): MemberTagUpdated,
    ("batch_job_result", ""): BatchJobFinished,
}


def read_message(body: str) -> WeComReceived | None:
    """The message in a callback's decrypted body. Never raises."""
    told = read_fields(body)
    if told is None:
        return None
    try:
        kind = _kind(told)
        if kind is not None:
            return build(kind, told)
    except FieldOdd:
        pass
    sender = plain(told, "FromUserName")
    return UnknownEvent(
        userid=plain(told, "UserID") or ("" if sender == _SYSTEM else sender),
        agentid=None,
        **unknown_about(told),
    )


def _kind(told: Fields) -> type[WeComReceived] | None:
    name = told_name(told).lower()
    if plain(told, "MsgType").lower() != "event":
        return _MESSAGES.get(name)
    return _EVENTS.get((name, maybe_in(told, "ChangeType").lower()))


# --- passive replies that only WeCom has ----------------------------------------------------
# https://developer.work.weixin.qq.com/document/path/90241

_CARD_KEY = re.compile(r"[a-z][a-z0-9_]*")
# Words that the JSON of message/send writes as one and the XML of replies as two.
_RUN_TOGETHER = {
    "keyname": "KeyName",
    "userid": "UserId",
    "appid": "AppId",
    "pagepath": "PagePath",
}


def button_reply(to: CardAnswered, replace_name: str, at: datetime) -> str:
    """Grey the button that was tapped, for this person, and write ``replace_name`` on it."""
    return _reply("update_button", _element("Button", {"replace_name": replace_name}), to, at)


def card_reply(to: CardAnswered, card: Mapping[str, Any], at: datetime) -> str:
    """Replace the card, for this person.

    ``card`` is the ``template_card`` of ``message/send``. Raises ValueError for keys that cannot
    be element names.
    """
    return _reply("update_template_card", _element("TemplateCard", card), to, at)


def _reply(msgtype: str, inside: str, to: Received, at: datetime) -> str:
    head = {
        "ToUserName": to.person,
        "FromUserName": to.to,
        "CreateTime": int(at.timestamp()),
        "MsgType": msgtype,
    }
    return f"<xml>{''.join(_element(*each) for each in head.items())}{inside}</xml>"


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inside = "".join(_element(_element_name(key), each) for key, each in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, each) for each in value)
    elif isinstance(value, int):  # also a truth
        inside = str(int(value))
    else:
        inside = f"<![CDATA[{cdata(str(value))}]]>"
    return f"<{name}>{inside}</{name}>"


def _element_name(key: str) -> str:
    if not _CARD_KEY.fullmatch(key):
        raise ValueError("not a key of a template card")
    parts = (_RUN_TOGETHER.get(part) or part.capitalize() for part in key.split("_"))
    return "".join(parts)
