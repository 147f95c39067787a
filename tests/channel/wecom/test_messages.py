import xml.sax.saxutils
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.wechat.fields import Received
from channel.wechat.messages import cdata
from channel.wecom import messages
from channel.wecom.messages import (
    AcquisitionBalanceExhausted,
    AcquisitionBalanceLow,
    AcquisitionChatStarted,
    AcquisitionFriendRequested,
    AcquisitionLinkDeleted,
    AcquisitionLinkUnavailable,
    AcquisitionQuotaExpiring,
    AppEntered,
    AppFollowed,
    AppMenuClicked,
    AppMenuCodeScanned,
    AppMenuMiniprogramOpened,
    AppMenuPicturesSent,
    AppMenuPlaceSent,
    AppMenuViewed,
    ApprovalChanged,
    ApprovalComment,
    ApprovalDetail,
    ApprovalItem,
    ApprovalNode,
    ApprovalRecord,
    AppUnfollowed,
    Article,
    BatchJobFinished,
    CardAnswered,
    CardMenuClicked,
    ContactAdded,
    ContactDeleted,
    ContactEdited,
    CustomerTagCreated,
    CustomerTagDeleted,
    CustomerTagsShuffled,
    CustomerTagUpdated,
    DepartmentCreated,
    DepartmentDeleted,
    DepartmentUpdated,
    FollowUserDeleted,
    GroupChatCreated,
    GroupChatDismissed,
    GroupChatUpdated,
    HalfContactAdded,
    MemberCreated,
    MemberDeleted,
    MemberImage,
    MemberLink,
    MemberLocated,
    MemberPlace,
    MemberTagUpdated,
    MemberText,
    MemberUpdated,
    MemberVideo,
    MemberVoice,
    MsgAuditApproved,
    NotifiedMember,
    NotifyNode,
    OpenApprovalChanged,
    ProcessNode,
    ProcessStep,
    SelectedItem,
    SentPicture,
    TransferFailed,
    UnknownEvent,
    button_reply,
    card_reply,
    image_reply,
    news_reply,
    read_fields,
    read_message,
    text_reply,
)

SAMPLES = Path(__file__).parent / "samples"
AT = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
SENT_AT = datetime.fromtimestamp(1403610513, UTC)
MEMBER = {"to": "ww1", "sent_at": SENT_AT, "userid": "zhangsan", "agentid": 1}
SYSTEM = {"to": "ww1", "sent_at": SENT_AT, "userid": "", "agentid": None}
CUSTOMER = SYSTEM | {"userid": "zhangsan", "external_userid": "woAJ2"}


def written(told: dict) -> str:
    """XML as WeCom writes it; a list is the element several times."""
    parts = []
    for name, value in told.items():
        for each in value if isinstance(value, list) else [value]:
            inside = written(each) if isinstance(each, dict) else f"<![CDATA[{cdata(str(each))}]]>"
            parts.append(f"<{name}>{inside}</{name}>")
    return "".join(parts)


def body(told: dict) -> str:
    return f"<xml>{written(told)}</xml>"


def from_member(kind: str, **told) -> dict:
    about = {"ToUserName": "ww1", "FromUserName": "zhangsan", "CreateTime": 1403610513}
    return about | {"MsgType": kind, "AgentID": 1} | told


def sent(kind: str, **told) -> dict:
    return from_member(kind, MsgId=7, **told)


def event(name: str, **told) -> dict:
    return from_member("event", Event=name, **told)


def change(name: str, change_type: str = "", **told) -> dict:
    about = {"ToUserName": "ww1", "FromUserName": "sys", "CreateTime": 1403610513}
    changed = {"ChangeType": change_type} if change_type else {}
    return about | {"MsgType": "event", "Event": name} | changed | told


def contact(change_type: str, **told) -> dict:
    who = {"UserID": "zhangsan", "ExternalUserID": "woAJ2"}
    return change("change_external_contact", change_type, **who, **told)


def changed(name: str, change_type: str) -> dict:
    return {"name": name, "change_type": change_type}


def about_contact(change_type: str) -> dict:
    return changed("change_external_contact", change_type) | CUSTOMER


PLACE = {"Location_X": "28.6762", "Location_Y": "115.8", "Scale": 20, "Label": "南昌"}
AT_PLACE = {"latitude": 28.6762, "longitude": 115.8, "scale": 20, "label": "南昌"}
CARD = {
    "EventKey": "agree",
    "TaskId": "task-1",
    "CardType": "button_interaction",
    "ResponseCode": "rc",
}
CARD_READ = {
    "key": "agree",
    "task_id": "task-1",
    "card_type": "button_interaction",
    "response_code": "rc",
}
MD5 = "5a75aaca956d97be686719218f275c6b"
SYS_INFO = {
    "SpNo": "202601010001",
    "SpName": "付款",
    "SpStatus": 1,
    "TemplateId": "3TkZ",
    "ApplyTime": 1403610513,
    "Applyer": {"UserId": "lisi", "Party": "1"},
    "StatuChangeEvent": 10,
}
SYS_READ = {
    "sp_no": "202601010001",
    "template_id": "3TkZ",
    "template_name": "付款",
    "status": 1,
    "change": 10,
    "applied_at": SENT_AT,
    "applicant_userid": "lisi",
    "applicant_party": "1",
}
DETAIL = {"Approver": {"UserId": "boss"}, "Speech": "好", "SpStatus": 2, "SpTime": 1403610513}
DETAIL_READ = ApprovalDetail(userid="boss", speech="好", status=2, done_at=SENT_AT)
WAITING = {"Approver": {"UserId": "chief"}, "Speech": "", "SpStatus": 1, "SpTime": 0}
WAITING_READ = ApprovalDetail(userid="chief", speech="", status=1, done_at=None)
COMMENT = {
    "CommentUserInfo": {"UserId": "wang"},
    "CommentTime": 1403610513,
    "CommentContent": "请快",
    "CommentId": "6750",
}

TOLD = [
    (sent("text", Content="你好"), MemberText(name="text", msgid=7, content="你好", **MEMBER)),
    (
        sent("image", PicUrl="https://i", MediaId="m1"),
        MemberImage(name="image", msgid=7, media_id="m1", url="https://i", **MEMBER),
    ),
    (
        sent("voice", MediaId="m1", Format="amr"),
        MemberVoice(name="voice", msgid=7, media_id="m1", format="amr", **MEMBER),
    ),
    (
        sent("video", MediaId="m1", ThumbMediaId="t1"),
        MemberVideo(name="video", msgid=7, media_id="m1", thumb_media_id="t1", **MEMBER),
    ),
    (
        sent("location", **PLACE),
        MemberPlace(name="location", msgid=7, **AT_PLACE, **MEMBER),
    ),
    (
        sent("link", Title="标题", Description="", Url="https://u", PicUrl="https://i"),
        MemberLink(
            name="link",
            msgid=7,
            title="标题",
            description="",
            url="https://u",
            picture_url="https://i",
            **MEMBER,
        ),
    ),
    (event("subscribe"), AppFollowed(name="subscribe", **MEMBER)),
    (event("unsubscribe"), AppUnfollowed(name="unsubscribe", **MEMBER)),
    (event("enter_agent", EventKey=""), AppEntered(name="enter_agent", key="", **MEMBER)),
    (
        event("LOCATION", Latitude="23.104", Longitude="113.32", Precision="65.000"),
        MemberLocated(name="LOCATION", latitude=23.104, longitude=113.32, precision=65.0, **MEMBER),
    ),
    (event("click", EventKey="k"), AppMenuClicked(name="click", key="k", **MEMBER)),
    (event("view", EventKey="https://u"), AppMenuViewed(name="view", url="https://u", **MEMBER)),
    (
        event("view_miniprogram", EventKey="pages/index"),
        AppMenuMiniprogramOpened(name="view_miniprogram", page_path="pages/index", **MEMBER),
    ),
    *(
        (
            event(name, EventKey="6", ScanCodeInfo={"ScanType": "qrcode", "ScanResult": "1"}),
            AppMenuCodeScanned(name=name, key="6", scan_type="qrcode", scan_result="1", **MEMBER),
        )
        for name in ("scancode_push", "scancode_waitmsg")
    ),
    *(
        (
            event(
                name,
                EventKey="6",
                SendPicsInfo={"Count": count, "PicList": {"item": [{"PicMd5Sum": MD5}] * count}},
            ),
            AppMenuPicturesSent(
                name=name,
                key="6",
                count=count,
                pictures=(SentPicture(md5=MD5),) * count,
                **MEMBER,
            ),
        )
        for name in ("pic_sysphoto", "pic_photo_or_album", "pic_weixin")
        for count in (0, 1, 2)
    ),
    (
        event("location_select", EventKey="6", SendLocationInfo=PLACE),
        AppMenuPlaceSent(name="location_select", key="6", poi_name="", **AT_PLACE, **MEMBER),
    ),
    (
        event("template_card_event", **CARD),
        CardAnswered(name="template_card_event", selected=(), **CARD_READ, **MEMBER),
    ),
    (
        event(
            "template_card_event",
            **CARD,
            SelectedItems={"SelectedItem": {"QuestionKey": "q", "OptionIds": {"OptionId": "a"}}},
        ),
        CardAnswered(
            name="template_card_event",
            selected=(SelectedItem(question_key="q", option_ids=("a",)),),
            **CARD_READ,
            **MEMBER,
        ),
    ),
    (
        event("template_card_menu_event", **CARD),
        CardMenuClicked(name="template_card_menu_event", **CARD_READ, **MEMBER),
    ),
    (
        contact("add_external_contact"),
        ContactAdded(state="", welcome_code=None, **about_contact("add_external_contact")),
    ),
    (
        contact("add_half_external_contact", State="way-1", WelcomeCode="wc"),
        HalfContactAdded(
            state="way-1", welcome_code="wc", **about_contact("add_half_external_contact")
        ),
    ),
    (
        contact("edit_external_contact", State="way-1"),
        ContactEdited(state="way-1", **about_contact("edit_external_contact")),
    ),
    (
        contact("del_external_contact"),
        ContactDeleted(by_transfer=False, **about_contact("del_external_contact")),
    ),
    (contact("del_follow_user"), FollowUserDeleted(**about_contact("del_follow_user"))),
    (
        contact("transfer_fail", FailReason="customer_limit_exceed"),
        TransferFailed(reason="customer_limit_exceed", **about_contact("transfer_fail")),
    ),
    (
        contact("msg_audit_approved", WelcomeCode="wc"),
        MsgAuditApproved(welcome_code="wc", **about_contact("msg_audit_approved")),
    ),
    *(
        (
            change("change_external_chat", kind, ChatId="wr1"),
            made(chat_id="wr1", **changed("change_external_chat", kind), **SYSTEM),
        )
        for kind, made in (("create", GroupChatCreated), ("dismiss", GroupChatDismissed))
    ),
    (
        change("change_external_chat", "update", ChatId="wr1", UpdateDetail="change_name"),
        GroupChatUpdated(
            chat_id="wr1",
            detail="change_name",
            join_scene=None,
            quit_scene=None,
            change_count=None,
            members=(),
            last_version="",
            current_version="",
            **changed("change_external_chat", "update"),
            **SYSTEM,
        ),
    ),
    (
        change(
            "change_external_chat",
            "update",
            ChatId="wr1",
            UpdateDetail="del_member",
            JoinScene=0,
            QuitScene=1,
            MemChangeCnt=1,
            MemChangeList={"Item": "wmJack"},
            LastMemVer="v1",
            CurMemVer="v2",
        ),
        GroupChatUpdated(
            chat_id="wr1",
            detail="del_member",
            join_scene=0,
            quit_scene=1,
            change_count=1,
            members=("wmJack",),
            last_version="v1",
            current_version="v2",
            **changed("change_external_chat", "update"),
            **SYSTEM,
        ),
    ),
    *(
        (
            change("change_external_tag", kind, Id="et1", TagType="tag_group"),
            made(
                tag_id="et1",
                tag_type="tag_group",
                strategy_id=None,
                **changed("change_external_tag", kind),
                **SYSTEM,
            ),
        )
        for kind, made in (
            ("create", CustomerTagCreated),
            ("update", CustomerTagUpdated),
            ("delete", CustomerTagDeleted),
        )
    ),
    (
        change("change_external_tag", "shuffle", StrategyId=1),
        CustomerTagsShuffled(
            tag_id="",
            tag_type="",
            strategy_id=1,
            **changed("change_external_tag", "shuffle"),
            **SYSTEM,
        ),
    ),
    *(
        (
            change("customer_acquisition", kind, **told),
            made(**read, **changed("customer_acquisition", kind), **SYSTEM),
        )
        for kind, made, told, read in (
            ("balance_low", AcquisitionBalanceLow, {}, {}),
            ("balance_exhausted", AcquisitionBalanceExhausted, {}, {}),
            (
                "quota_expire_soon",
                AcquisitionQuotaExpiring,
                {"ExpireTime": 1403610513, "ExpireQuotaNum": 20},
                {"expires_at": SENT_AT, "quota_count": 20},
            ),
            (
                "quota_expire_soon",
                AcquisitionQuotaExpiring,
                {},
                {"expires_at": None, "quota_count": None},
            ),
            ("link_unavailable", AcquisitionLinkUnavailable, {"LinkId": "c"}, {"link_id": "c"}),
            ("delete_link", AcquisitionLinkDeleted, {"LinkId": "c"}, {"link_id": "c"}),
        )
    ),
    (
        change(
            "customer_acquisition",
            "customer_start_chat",
            UserID="zhangsan",
            ExternalUserID="woAJ2",
        ),
        AcquisitionChatStarted(
            link_id="",
            state="",
            **changed("customer_acquisition", "customer_start_chat"),
            **CUSTOMER,
        ),
    ),
    (
        change("sys_approval_change", ApprovalInfo=SYS_INFO),
        ApprovalChanged(
            name="sys_approval_change",
            records=(),
            process=(),
            notified=(),
            comments=(),
            **SYS_READ,
            **SYSTEM,
        ),
    ),
    (
        change(
            "sys_approval_change",
            AgentID=3010040,
            ApprovalInfo=SYS_INFO
            | {
                "SpNoStr": "202601010001999",
                "SpRecord": [
                    {"SpStatus": 2, "ApproverAttr": 1, "Details": DETAIL},
                    {"SpStatus": 1, "ApproverAttr": 2, "Details": [DETAIL, WAITING]},
                ],
                "ProcessList": {
                    "NodeList": [
                        {
                            "NodeType": 1,
                            "SpStatus": 2,
                            "ApvRel": 1,
                            "SubNodeList": {
                                "UserInfo": {"UserId": "boss"},
                                "Speech": "好",
                                "SpYj": 2,
                                "Sptime": 1403610513,
                            },
                        },
                        {"NodeType": 2, "SubNodeList": [{"UserInfo": {"UserId": "wang"}}] * 2},
                    ]
                },
                "Notifyer": [{"UserId": "wang"}, {"UserId": "zhao"}],
                "Comments": COMMENT,
            },
        ),
        ApprovalChanged(
            name="sys_approval_change",
            records=(
                ApprovalRecord(status=2, attr=1, details=(DETAIL_READ,)),
                ApprovalRecord(status=1, attr=2, details=(DETAIL_READ, WAITING_READ)),
            ),
            process=(
                ProcessNode(
                    node_type=1,
                    status=2,
                    relation=1,
                    steps=(ProcessStep(userid="boss", speech="好", status=2, done_at=SENT_AT),),
                ),
                ProcessNode(
                    node_type=2,
                    status=None,
                    relation=None,
                    steps=(ProcessStep(userid="wang", speech="", status=None, done_at=None),) * 2,
                ),
            ),
            notified=(NotifiedMember(userid="wang"), NotifiedMember(userid="zhao")),
            comments=(
                ApprovalComment(
                    comment_id="6750", userid="wang", content="请快", written_at=SENT_AT
                ),
            ),
            **SYS_READ | {"sp_no": "202601010001999"},
            **SYSTEM | {"agentid": 3010040},
        ),
    ),
    (
        change(
            "change_contact",
            "create_user",
            UserID="zhangsan",
            Name="张三",
            Department="1,2",
            MainDepartment=1,
            Status=1,
        ),
        MemberCreated(
            member_name="张三",
            department_ids=(1, 2),
            main_department_id=1,
            status=1,
            **changed("change_contact", "create_user"),
            **SYSTEM | {"userid": "zhangsan"},
        ),
    ),
    (
        change("change_contact", "update_user", UserID="zhangsan", NewUserID="zhangsan001"),
        MemberUpdated(
            member_name=None,
            department_ids=(),
            main_department_id=None,
            status=None,
            new_userid="zhangsan001",
            **changed("change_contact", "update_user"),
            **SYSTEM | {"userid": "zhangsan"},
        ),
    ),
    (
        change("change_contact", "delete_user", UserID="zhangsan"),
        MemberDeleted(
            **changed("change_contact", "delete_user"), **SYSTEM | {"userid": "zhangsan"}
        ),
    ),
    (
        change("change_contact", "create_party", Id=2, Name="零售部", ParentId=1, Order=5),
        DepartmentCreated(
            department_id=2,
            department_name="零售部",
            parent_id=1,
            order=5,
            **changed("change_contact", "create_party"),
            **SYSTEM,
        ),
    ),
    (
        change("change_contact", "update_party", Id=2),
        DepartmentUpdated(
            department_id=2,
            department_name=None,
            parent_id=None,
            **changed("change_contact", "update_party"),
            **SYSTEM,
        ),
    ),
    (
        change("change_contact", "delete_party", Id=2),
        DepartmentDeleted(department_id=2, **changed("change_contact", "delete_party"), **SYSTEM),
    ),
    (
        change(
            "change_contact",
            "update_tag",
            TagId=1,
            AddUserItems="zhangsan,lisi",
            DelUserItems="wang",
            AddPartyItems="1,2",
        ),
        MemberTagUpdated(
            tag_id=1,
            added_userids=("zhangsan", "lisi"),
            removed_userids=("wang",),
            added_department_ids=(1, 2),
            removed_department_ids=(),
            **changed("change_contact", "update_tag"),
            **SYSTEM,
        ),
    ),
    *(
        (
            change(
                "batch_job_result",
                BatchJob={"JobId": "j1", "JobType": job, "ErrCode": 0, "ErrMsg": "ok"},
            ),
            BatchJobFinished(
                name="batch_job_result",
                job_id="j1",
                job_type=job,
                errcode=0,
                errmsg="ok",
                **SYSTEM,
            ),
        )
        for job in (
            "sync_user",
            "replace_user",
            "invite_user",
            "replace_party",
            "export_user",
            "export_simple_user",
            "export_department",
            "export_taguser",
        )
    ),
]


@pytest.mark.parametrize(("told", "expected"), TOLD)
def test_each_message_becomes_its_own_small_value(told, expected):
    assert read_message(body(told)) == expected


# --- the samples of the reference -------------------------------------------------------------


def sample(name: str) -> Received:
    return read_message((SAMPLES / f"{name}.xml").read_text())


def test_a_new_customer_brings_a_state_and_a_welcome_code():
    added = sample("add_external_contact")

    assert isinstance(added, ContactAdded)
    assert (added.userid, added.external_userid) == ("zhangsan", "woAJ2GCAAAXtWyujaWJHDDGi0mACH71w")
    assert (added.state, added.welcome_code) == ("teststate", "WELCOMECODE")
    assert (added.person, added.change_type) == ("zhangsan", "add_external_contact")


def test_a_customer_who_went_by_transfer_is_told_from_one_who_was_deleted():
    gone = sample("del_external_contact_by_transfer")

    assert isinstance(gone, ContactDeleted)
    assert gone.by_transfer


def test_a_transfer_fails_with_a_reason():
    failed = sample("transfer_fail")

    assert isinstance(failed, TransferFailed)
    assert failed.reason == "customer_refused"


def test_members_who_came_into_a_group_are_listed_with_both_versions():
    updated = sample("change_external_chat_update")

    assert isinstance(updated, GroupChatUpdated)
    assert (updated.members, updated.change_count, updated.join_scene) == (("Jack", "Rose"), 10, 1)
    assert updated.last_version != updated.current_version


def test_a_tag_of_a_rule_group_tells_the_strategy():
    tag = sample("change_external_tag_create")

    assert isinstance(tag, CustomerTagCreated)
    assert (tag.tag_id, tag.tag_type, tag.strategy_id) == ("TAG_ID", "tag", 1)


def test_an_answered_card_lists_every_choice():
    answered = sample("template_card_event")

    assert isinstance(answered, CardAnswered)
    assert answered.selected == (
        SelectedItem(question_key="QuestionKey1", option_ids=("OptionId1", "OptionId2")),
        SelectedItem(question_key="QuestionKey2", option_ids=("OptionId3", "OptionId4")),
    )


def test_a_change_in_the_approval_engine_lists_nodes_items_and_who_was_told():
    moved = sample("open_approval_change")

    assert isinstance(moved, OpenApprovalChanged)
    assert (moved.third_no, moved.status, moved.step) == ("201806010001", 1, 0)
    assert moved.nodes == (
        ApprovalNode(
            status=1,
            attr=1,
            node_type=1,
            items=(
                ApprovalItem(
                    item_name="xiaohong",
                    userid="2",
                    image="http://www.qq.com/xxx.png",
                    status=1,
                    speech="",
                    done_at=None,
                ),
            ),
        ),
    )
    assert moved.notified == (
        NotifyNode(item_name="xiaogang", userid="3", image="http://www.qq.com/xxx.png"),
    )


def test_who_asks_through_a_link_is_told_with_the_link():
    asked = sample("customer_acquisition_friend_request")

    assert isinstance(asked, AcquisitionFriendRequested)
    assert (asked.link_id, asked.state, asked.person) == ("cawcdea7783d7330b4", "STATE", "")


def test_every_kind_is_read_by_a_test_above():
    kinds = {*messages._EVENTS.values(), *messages._MESSAGES.values()}
    seen = [read_message(body(told)) for told, _ in TOLD]
    seen += [sample(path.stem) for path in SAMPLES.iterdir()]

    assert {type(message) for message in seen} == kinds


# --- urgency ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change_type", ["add_external_contact", "add_half_external_contact", "msg_audit_approved"]
)
def test_a_welcome_code_is_urgent_and_its_absence_is_not(change_type):
    with_code = read_message(body(contact(change_type, WelcomeCode="wc")))
    without = read_message(body(contact(change_type, WelcomeCode="")))

    assert with_code.urgent_seconds == 20
    assert without.urgent_seconds is None


def test_nothing_else_is_urgent():
    others = [read_message(body(told)) for told, _ in TOLD]

    assert {type(message) for message in others if message.urgent_seconds} == {
        HalfContactAdded,
        MsgAuditApproved,
    }


def test_a_received_thing_says_whom_it_is_about():
    with pytest.raises(NotImplementedError):
        Received(name="x", to="y", sent_at=AT).person  # noqa: B018


# --- what is not understood -------------------------------------------------------------------


def without(told: dict, name: str) -> dict:
    return {key: value for key, value in told.items() if key != name}


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (told, name)
        for told, _ in TOLD
        for name in ("ToUserName", "CreateTime", "MsgType", "Event", "ChangeType")
        if name in told
    ],
)
def test_a_message_without_its_head_is_unknown(told, name):
    assert isinstance(read_message(body(without(told, name))), UnknownEvent)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (contact("add_external_contact"), "UserID"),
        (contact("add_external_contact"), "ExternalUserID"),
        (contact("transfer_fail", FailReason="customer_refused"), "FailReason"),
        (change("change_external_chat", "create", ChatId="wr1"), "ChatId"),
        (change("change_external_tag", "create", Id="1", TagType="tag"), "Id"),
        (change("customer_acquisition", "delete_link", LinkId="c"), "LinkId"),
        (event("template_card_event", **CARD), "FromUserName"),
        (event("template_card_event", **CARD), "TaskId"),
        (event("template_card_menu_event", **CARD), "ResponseCode"),
        (change("change_contact", "delete_user", UserID="zhangsan"), "UserID"),
        (change("change_contact", "create_party", Id=2), "Id"),
        (sent("text", Content="x"), "Content"),
        (sent("text", Content="x"), "MsgId"),
        (change("sys_approval_change", ApprovalInfo=SYS_INFO), "ApprovalInfo"),
        (change("batch_job_result", BatchJob={"JobId": "1"}), "BatchJob"),
    ],
)
def test_an_event_without_what_it_is_about_is_unknown_and_keeps_what_came(told, name):
    received = read_message(body(without(told, name)))

    assert isinstance(received, UnknownEvent)
    assert received.change_type == told.get("ChangeType", "")
    assert received.fields.keys() == without(told, name).keys()


@pytest.mark.parametrize(
    "told",
    [
        change("sys_approval_change", ApprovalInfo="no"),
        change("sys_approval_change", ApprovalInfo=SYS_INFO | {"SpStatus": "passed"}),
        change("sys_approval_change", ApprovalInfo=SYS_INFO | {"SpRecord": "no"}),
        change("sys_approval_change", ApprovalInfo=SYS_INFO | {"ApplyTime": 10**15}),
        change("change_contact", "create_user", UserID="z", Department="1,x"),
        change("change_external_chat", "update", ChatId="1", UpdateDetail="a", MemChangeList="x"),
        change(
            "change_external_chat",
            "update",
            ChatId="1",
            UpdateDetail="a",
            MemChangeList={"Item": ["Jack", {"a": "b"}]},
        ),
        change("change_external_chat", "update", ChatId=["1", "2"], UpdateDetail="a"),
        change("change_external_contact", "invented_yesterday", UserID="zhangsan"),
        change("invented_yesterday"),
        event("click", ChangeType="odd", EventKey="k"),
        from_member("hologram"),
        {"InfoType": "suite_ticket", "SuiteId": "ww4", "TimeStamp": 1403610513},
    ],
)
def test_what_cannot_be_understood_is_an_unknown_event_with_its_fields(told):
    received = read_message(body(told))

    assert isinstance(received, UnknownEvent)
    assert received.name == told.get("Event", told.get("InfoType", told.get("MsgType")))
    assert received.fields.keys() == told.keys()


def test_an_unknown_event_still_says_whom_it_is_about():
    customer = read_message(body(change("brand_new", "one", UserID="zhangsan")))
    member = read_message(body(event("brand_new")))
    nobody = read_message(body(change("brand_new")))
    odd = read_message(body(change("brand_new") | {"UserID": {"a": "b"}}))

    assert [each.person for each in (customer, member, nobody, odd)] == [
        "zhangsan",
        "zhangsan",
        "",
        "",
    ]


@pytest.mark.parametrize("received", ["", "<xml/>", "{}", "\0", "<a/>", "<xml>\ud800</xml>"])
def test_what_is_no_message_at_all_is_none(received):
    assert read_message(received) is None


@given(st.text(max_size=200))
def test_no_text_whatsoever_raises(text):
    escaped = xml.sax.saxutils.escape(text)
    for received in (text, f"<xml>{text}</xml>"):
        read_message(received)
    for place in ("MsgType", "Event", "ChangeType", "UserID", "CreateTime"):
        told = body(contact("add_external_contact")).replace(f"<{place}>", f"<{place}>{escaped}")
        read_message(told)


# What may stand in the place of anything: texts, elements, and both several times.
TREE = st.recursive(
    st.sampled_from(["", "1", "0", "-1", "x", "1,2", "sys", "99999999999999999999"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Item", "List", "UserId", "SpStatus", "SelectedItem", "JobId"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.data())
def test_no_shape_whatsoever_raises_or_leaves_a_value_half_filled(data):
    told, _ = data.draw(st.sampled_from(TOLD))
    names = data.draw(st.lists(st.sampled_from(sorted(told)), max_size=3))
    odd = told | {name: data.draw(TREE.filter(lambda tree: tree != [])) for name in names}

    received = read_message(body(flat(odd)))

    assert isinstance(received, messages.WeComReceived)
    if not isinstance(received, UnknownEvent):
        assert received.to
        assert received.name


def flat(told):
    """Lists within lists cannot be written in XML."""
    if isinstance(told, dict):
        return {name: flat(each) for name, each in told.items()}
    if isinstance(told, list):
        return [flat(each) for each in told if not isinstance(each, list)]
    return told


# --- as it was sent -----------------------------------------------------------------------------

ARRIVING = (
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=60)
    .map(lambda text: cdata(text).replace("]]]]><![CDATA[>", "]]>").replace("\r", "\n").strip())
    .filter(bool)
) | st.sampled_from(["]]>", "a]]>b]]]]>", "😀👨‍👩‍👧", "<b>&amp;", "]]"])


@given(ARRIVING, ARRIVING, ARRIVING, st.none() | ARRIVING)
def test_a_new_customer_arrives_as_they_were_sent(userid, external_userid, state, code):
    told = contact("add_external_contact", State=state, WelcomeCode=code or "")

    added = read_message(body(told | {"UserID": userid, "ExternalUserID": external_userid}))

    assert added == ContactAdded(
        state=state,
        welcome_code=code,
        **about_contact("add_external_contact")
        | {"userid": userid, "external_userid": external_userid},
    )


@given(
    st.lists(st.tuples(ARRIVING, st.lists(ARRIVING, max_size=3)), max_size=3),
)
def test_choices_on_a_card_arrive_as_they_were_made(choices):
    items = [{"QuestionKey": key, "OptionIds": {"OptionId": ids}} for key, ids in choices]

    answered = read_message(
        body(event("template_card_event", **CARD, SelectedItems={"SelectedItem": items}))
    )

    assert [(item.question_key, list(item.option_ids)) for item in answered.selected] == choices


@given(st.lists(ARRIVING, max_size=5))
def test_members_of_a_group_are_always_a_list(members):
    told = change("change_external_chat", "update", ChatId="1", UpdateDetail="add_member")

    updated = read_message(body(told | {"MemChangeList": {"Item": members}}))

    assert updated.members == tuple(members)


def test_what_people_write_and_secrets_do_not_appear_when_a_message_is_printed():
    shown = [
        repr(read_message(body(sent("text", Content="hidden")))),
        repr(read_message(body(contact("add_external_contact", WelcomeCode="hidden")))),
        repr(read_message(body(event("template_card_event", **CARD | {"ResponseCode": "hidden"})))),
        repr(read_message(body(event("brand_new", Content="hidden")))),
        repr(
            read_message(body(change("change_contact", "create_user", UserID="z", Name="hidden")))
        ),
    ]

    assert not [each for each in shown if "hidden" in each]


# --- replies ------------------------------------------------------------------------------------


def answered() -> CardAnswered:
    return read_message(body(event("template_card_event", **CARD)))


HEAD = {
    "ToUserName": "zhangsan",
    "FromUserName": "ww1",
    "CreateTime": str(int(AT.timestamp())),
}


def test_text_pictures_and_news_go_back_to_the_member():
    to = read_message(body(event("enter_agent", EventKey="")))

    text = read_fields(text_reply(to, "您好 ]]>", AT))
    image = read_fields(image_reply(to, "m1", AT))
    news = read_fields(news_reply(to, [Article("标题", "说明", "https://i", "https://u")], AT))

    assert text == HEAD | {"MsgType": "text", "Content": "您好 ]]>"}
    assert (image["ToUserName"], image["Image"]["MediaId"]) == ("zhangsan", "m1")
    assert (news["ToUserName"], news["Articles"]["item"]["Title"]) == ("zhangsan", "标题")


def test_a_button_is_replaced_by_a_word():
    reply = read_fields(button_reply(answered(), "已同意]]></ReplaceName>", AT))

    assert reply == HEAD | {
        "MsgType": "update_button",
        "Button": {"ReplaceName": "已同意]]></ReplaceName>"},
    }


def test_a_card_is_replaced_by_the_card_that_message_send_would_take():
    card = {
        "card_type": "text_notice",
        "source": {"icon_url": "https://i", "desc_color": 1},
        "main_title": {"title": "付款已同意"},
        "horizontal_content_list": [
            {"keyname": "金额", "value": "1.00"},
            {"type": 3, "keyname": "经办", "userid": "lisi"},
        ],
        "card_action": {"type": 2, "appid": "wx1", "pagepath": "p/1"},
        "checkbox": {"disable": True},
    }

    reply = read_fields(card_reply(answered(), card, AT))

    assert reply == HEAD | {
        "MsgType": "update_template_card",
        "TemplateCard": {
            "CardType": "text_notice",
            "Source": {"IconUrl": "https://i", "DescColor": "1"},
            "MainTitle": {"Title": "付款已同意"},
            "HorizontalContentList": [
                {"KeyName": "金额", "Value": "1.00"},
                {"Type": "3", "KeyName": "经办", "UserId": "lisi"},
            ],
            "CardAction": {"Type": "2", "AppId": "wx1", "PagePath": "p/1"},
            "Checkbox": {"Disable": "1"},
        },
    }


@pytest.mark.parametrize("key", ["", "a b", "<a>", "A", "1a", "a/", "标题"])
def test_a_card_whose_keys_are_no_names_is_refused(key):
    with pytest.raises(ValueError, match="template card"):
        card_reply(answered(), {key: "x"}, AT)


@given(st.text(st.characters(), max_size=60))
def test_a_reply_can_be_read_whatever_is_in_it(text):
    """Half a surrogate pair too, which no XML can hold."""
    button = read_fields(button_reply(answered(), text, AT))
    card = read_fields(card_reply(answered(), {"main_title": {"title": text}}, AT))

    assert button["MsgType"] == "update_button"
    assert button["Button"]["ReplaceName"] == card["TemplateCard"]["MainTitle"]["Title"]
