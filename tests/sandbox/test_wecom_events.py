"""Every event of a corp can be caused, changes what the API shows, and is told with its fields."""

import pytest
import xmltodict


@pytest.fixture
def app(corp, receiver):
    corp.members("Wang", "Li", members=[{"userid": "Wang", "name": "王芳"}])
    settings = {"callback_retry_seconds": 0, "callback_timeout_seconds": 2}
    return corp.keep(callback_url=receiver.url, settings=settings)


@pytest.fixture
def contact(app):
    return app.contacts("wang", state="poster7")[0]


def event_of(callbacks):
    (callback,) = callbacks
    assert callback["outcome"] == "acknowledged"
    return xmltodict.parse(callback["xml"])["xml"]


def customers_of(app, userid="Wang"):
    answer = app.get("/cgi-bin/externalcontact/list", userid=userid)
    return answer["external_userid"]


def test_a_new_contact_comes_with_state_and_welcome_code(app):
    event = event_of(app.happen("add_external_contact", userid="wang", state="poster7"))

    assert event["ToUserName"] == app.corpid
    assert event["FromUserName"] == "sys"
    assert event["CreateTime"].isdigit()
    assert (event["MsgType"], event["Event"]) == ("event", "change_external_contact")
    assert (event["ChangeType"], event["UserID"]) == ("add_external_contact", "Wang")
    assert event["State"] == "poster7"
    assert event["WelcomeCode"]
    assert "AgentID" not in event
    assert customers_of(app) == [event["ExternalUserID"]]


def test_the_long_way_to_say_it_does_the_same(app):
    more = {"change_type": "add_half_external_contact", "userid": "wang"}
    event = event_of(app.happen("change_external_contact", external_userid="wm1", **more))
    assert (event["ChangeType"], event["ExternalUserID"]) == (more["change_type"], "wm1")
    assert "State" not in event
    assert "WelcomeCode" in event


def test_a_welcome_set_in_the_console_leaves_no_code(app):
    event = event_of(app.happen("add_external_contact", userid="wang", welcome=False))
    assert "WelcomeCode" not in event


def test_welcome_codes_are_forgotten_after_a_day(app):
    first = event_of(app.happen("add_external_contact", userid="wang"))["WelcomeCode"]
    app.advance(2 * 86_400)
    second = event_of(app.happen("add_external_contact", userid="wang"))["WelcomeCode"]
    assert first != second


def test_editing_changes_what_the_api_shows(app, contact):
    more = {"userid": "wang", "external_userid": contact}
    event = event_of(
        app.happen("edit_external_contact", remark="赵总", description="高净值", **more)
    )
    assert (event["ChangeType"], event["State"]) == ("edit_external_contact", "poster7")
    (follow,) = app.get("/cgi-bin/externalcontact/get", external_userid=contact)["follow_user"]
    assert (follow["remark"], follow["description"]) == ("赵总", "高净值")


@pytest.mark.parametrize("source", ["", "DELETE_BY_TRANSFER"])
def test_a_deleted_contact_is_gone(app, contact, source):
    more = {"userid": "wang", "external_userid": contact, "source": source}
    event = event_of(app.happen("del_external_contact", **more))
    assert event["ChangeType"] == "del_external_contact"
    assert event.get("Source", "") == source
    assert customers_of(app) == []
    assert "no contact" in app.impossible("del_external_contact", **more)


def test_a_contact_who_deletes_the_member_is_lost_until_added_again(app, contact):
    more = {"userid": "wang", "external_userid": contact}
    event = event_of(app.happen("del_follow_user", **more))
    assert (event["ChangeType"], event["ExternalUserID"]) == ("del_follow_user", contact)
    assert customers_of(app) == []
    app.switch(lists_lost_contacts=True)
    assert customers_of(app) == [contact]
    app.switch(lists_lost_contacts=False)
    app.happen("add_external_contact", **more)
    assert customers_of(app) == [contact]


@pytest.mark.parametrize("reason", ["customer_refused", "customer_limit_exceed"])
def test_a_transfer_fails_with_its_reason(app, contact, reason):
    more = {"userid": "li", "external_userid": contact, "fail_reason": reason}
    event = event_of(app.happen("transfer_fail", **more))
    assert (event["ChangeType"], event["FailReason"]) == ("transfer_fail", reason)
    assert (event["UserID"], event["ExternalUserID"]) == ("Li", contact)


def test_a_contact_agrees_to_the_archive(app, contact):
    more = {"userid": "wang", "external_userid": contact}
    event = event_of(app.happen("msg_audit_approved", **more))
    assert event["ChangeType"] == "msg_audit_approved"
    assert event["WelcomeCode"]


def test_who_does_not_exist_does_nothing(app, contact):
    assert "no member" in app.impossible("add_external_contact", userid="nobody")
    assert "no contact" in app.impossible(
        "edit_external_contact", userid="li", external_userid=contact
    )
    assert "unknown event" in app.impossible("change_external_contact", change_type="x")
    assert "unknown event" in app.impossible("earthquake")


def test_all_apps_of_the_corp_hear_of_customers_unless_switched_off(app, receiver):
    second = app.app(1000003, callback_url=receiver.url)
    app.app(1000004, callback_url=receiver.url, settings={"hears_corp_events": False})
    callbacks = app.happen("add_external_contact", userid="wang")
    assert [one["account"] for one in callbacks] == [app.name, second.name]
    assert callbacks[0]["xml"] == callbacks[1]["xml"]


# Group chats


def test_a_group_chat_lives_and_ends(app, contact):
    chat = {"userid": "wang", "chat_id": "wr1", "members": ["li", contact], "name": "理财交流"}
    created = event_of(app.happen("change_external_chat", change_type="create", **chat))
    assert (created["ChatId"], created["ChangeType"]) == ("wr1", "create")
    assert "already" in app.impossible("change_external_chat", change_type="create", **chat)

    more = {"change_type": "update", "chat_id": "wr1"}
    joined = event_of(app.happen("change_external_chat", members=["wm8", "wm9"], **more))
    assert (joined["UpdateDetail"], joined["JoinScene"], joined["QuitScene"]) == (
        "add_member",
        "1",
        "0",
    )
    assert joined["MemChangeCnt"] == "2"
    assert joined["MemChangeList"]["Item"] == ["wm8", "wm9"]
    left = event_of(
        app.happen("change_external_chat", update_detail="del_member", members=["wm9"], **more)
    )
    assert left["MemChangeList"]["Item"] == "wm9"
    assert left["LastMemVer"] == joined["CurMemVer"] != left["CurMemVer"]

    dismissed = event_of(app.happen("change_external_chat", change_type="dismiss", chat_id="wr1"))
    assert dismissed["ChangeType"] == "dismiss"
    assert "no chat" in app.impossible("change_external_chat", **more)


@pytest.mark.parametrize(
    ("detail", "more"),
    [
        ("change_owner", {"userid": "li"}),
        ("change_name", {"name": "新名"}),
        ("change_notice", {"notice": "请勿广告"}),
    ],
)
def test_the_rest_of_a_chat_changes_without_members(app, detail, more):
    app.happen("change_external_chat", change_type="create", userid="wang", chat_id="wr1")
    wish = {"change_type": "update", "chat_id": "wr1", "update_detail": detail}
    event = event_of(app.happen("change_external_chat", **wish, **more))
    assert event["UpdateDetail"] == detail
    assert "MemChangeList" not in event


def test_a_chat_changes_in_known_ways_only(app):
    app.happen("change_external_chat", change_type="create", userid="wang", chat_id="wr1")
    wish = {"change_type": "update", "chat_id": "wr1", "update_detail": "x"}
    assert "update_detail" in app.impossible("change_external_chat", **wish)
    assert "change_type" in app.impossible("change_external_chat")


# Tags


def test_tags_are_made_renamed_and_deleted_by_an_administrator(app):
    event = "change_external_tag"
    group = {"tag_type": "tag_group", "tag_id": "etg"}
    made = event_of(app.happen(event, change_type="create", name="等级", **group))
    assert (made["Id"], made["TagType"], made["ChangeType"]) == ("etg", "tag_group", "create")
    tag = event_of(app.happen(event, change_type="create", name="金卡", group_id="etg"))
    assert tag["TagType"] == "tag"

    for change in ({"change_type": "update", "name": "白金卡"}, {"change_type": "delete"}):
        told = event_of(app.happen(event, tag_id=tag["Id"], **change))
        assert (told["Id"], told["ChangeType"]) == (tag["Id"], change["change_type"])
    assert "no tag" in app.impossible(event, change_type="update", tag_id=tag["Id"], name="x")
    assert event_of(app.happen(event, change_type="shuffle", **group))["ChangeType"] == "shuffle"
    assert event_of(app.happen(event, change_type="delete", **group))["Id"] == "etg"
    assert "no group" in app.impossible(event, change_type="create", name="x", group_id="etg")
    assert "change_type" in app.impossible(event)
    assert "needs name" in app.impossible(event, change_type="create")


def test_a_strategy_can_be_named(app):
    wish = {"change_type": "shuffle", "tag_id": "et", "fields": {"StrategyId": 1}}
    assert event_of(app.happen("change_external_tag", **wish))["StrategyId"] == "1"


# Acquisition links


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ("balance_low", set()),
        ("balance_exhausted", set()),
        ("quota_expire_soon", {"ExpireTime", "ExpireQuotaNum"}),
        ("link_unavailable", {"LinkId"}),
        ("delete_link", {"LinkId"}),
        ("customer_start_chat", {"LinkId", "State", "UserID", "ExternalUserID"}),
        ("friend_request", {"LinkId", "State"}),
    ],
)
def test_acquisition_links_tell_their_story(app, contact, change, fields):
    more = {"link_id": "caw1", "userid": "wang", "external_userid": contact, "state": "s"}
    event = event_of(app.happen("customer_acquisition", change_type=change, **more))
    head = {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "ChangeType"}
    assert set(event) == head | fields
    assert event["ChangeType"] == change


def test_who_started_the_chat_is_not_welcomed_any_more(app, contact):
    more = {"link_id": "caw1", "userid": "wang", "external_userid": contact}
    app.happen("customer_acquisition", change_type="customer_start_chat", **more)
    more.pop("link_id")
    assert "WelcomeCode" not in event_of(app.happen("add_external_contact", **more))


def test_an_acquisition_event_needs_its_link(app):
    wish = {"change_type": "delete_link"}
    assert "link_id" in app.impossible("customer_acquisition", **wish)
    assert "change_type" in app.impossible("customer_acquisition")


# Approvals


def test_an_approval_of_our_own_pages_moves_on(app):
    wish = {"userid": "wang", "number": "201806010001", "members": ["Li"], "status": 2}
    event = event_of(app.happen("open_approval_change", name="付款", **wish))

    info = event["ApprovalInfo"]
    assert (event["FromUserName"], event["AgentID"]) == ("sys", str(app.agentid))
    assert (info["ThirdNo"], info["OpenSpName"], info["OpenSpStatus"]) == (
        "201806010001",
        "付款",
        "2",
    )
    assert (info["ApplyUserId"], info["ApplyUserName"]) == ("Wang", "王芳")
    node = info["ApprovalNodes"]["ApprovalNode"]
    assert node["Items"]["Item"]["ItemUserId"] == "Li"
    assert info["approverstep"] == "1"


def test_an_approval_just_handed_in_waits(app):
    event = event_of(app.happen("open_approval_change", userid="wang", number="1"))
    item = event["ApprovalInfo"]["ApprovalNodes"]["ApprovalNode"]["Items"]["Item"]
    assert (item["ItemStatus"], item["ItemOpTime"]) == ("1", "0")
    assert "number" in app.impossible("open_approval_change", userid="wang")


def test_an_approval_of_wecoms_own_app_moves_on(app):
    event = event_of(app.happen("sys_approval_change", userid="wang", number="202603280001"))
    info = event["ApprovalInfo"]
    assert info["SpNo"] == info["SpNoStr"] == "202603280001"
    assert info["Applyer"] == {"UserId": "Wang", "Party": "1"}
    assert (info["SpStatus"], info["StatuChangeEvent"]) == ("1", "1")


# The address book


def changed(app, change, **more):
    return event_of(app.happen("change_contact", change_type=change, **more))


def test_members_come_change_and_leave(app, contact):
    made = changed(app, "create_user", userid="Zhao", name="赵云")
    assert (made["UserID"], made["Name"], made["Department"]) == ("Zhao", "赵云", "1")
    assert "already" in app.impossible("change_contact", change_type="create_user", userid="zhao")
    app.happen("change_contact", change_type="create_party", name="分行", party_id=2)
    updated = changed(app, "update_user", userid="zhao", name="赵子龙", party_id=2, status=2)
    assert (updated["Department"], updated["Status"]) == ("2", "2")
    assert app.get("/cgi-bin/user/get", userid="Zhao")["name"] == "赵子龙"

    assert changed(app, "delete_user", userid="wang")["UserID"] == "Wang"
    assert app.get("/cgi-bin/user/get", userid="Wang")["errcode"] == 60111
    assert "no member" in app.impossible("change_contact", change_type="delete_user", userid="wang")
    answer = app.get("/cgi-bin/externalcontact/get", external_userid=contact)
    assert [one["userid"] for one in answer["follow_user"]] == ["Wang"]


def test_departments_come_change_and_go(app):
    made = changed(app, "create_party", name="分行")
    assert (made["Id"], made["ParentId"]) == ("2", "1")
    assert changed(app, "update_party", party_id=2, name="上海分行")["Name"] == "上海分行"
    member = changed(app, "create_user", userid="Zhao", party_id=2)
    assert member["MainDepartment"] == "2"
    wish = {"change_type": "delete_party", "party_id": 2}
    assert "has members" in app.impossible("change_contact", **wish)
    app.happen("change_contact", change_type="delete_user", userid="zhao")
    assert changed(app, "delete_party", party_id=2)["Id"] == "2"
    assert "no department" in app.impossible("change_contact", **wish)
    assert "exists" in app.impossible(
        "change_contact", change_type="create_party", name="x", party_id=1
    )


def test_a_member_tag_says_who_came_and_who_went(app):
    first = changed(app, "update_tag", tag_id="7", members=["Wang"])
    second = changed(app, "update_tag", tag_id="7", members=["Li"])
    assert (first["TagId"], first["AddUserItems"]) == ("7", "wang")
    assert (second["AddUserItems"], second["DelUserItems"]) == ("li", "wang")
    app.send("", totag="7")
    assert [bool(app.inbox(one)) for one in ("wang", "li")] == [False, True]


def test_the_address_book_changes_in_known_ways_only(app):
    assert "change_type" in app.impossible("change_contact", change_type="x")


def test_a_batch_job_ends(app):
    event = event_of(app.happen("batch_job_result", job_id="j1", job_type="replace_user"))
    job = event["BatchJob"]
    assert (job["JobId"], job["JobType"], job["ErrCode"]) == ("j1", "replace_user", "0")


# A member and an app


@pytest.mark.parametrize("name", ["subscribe", "unsubscribe", "enter_agent"])
def test_a_member_comes_to_the_app_and_leaves_it(app, name):
    event = event_of(app.happen(name, userid="wang"))
    assert (event["Event"], event["FromUserName"]) == (name, "Wang")
    assert event["AgentID"] == str(app.agentid)


@pytest.mark.parametrize(
    ("name", "more", "field"),
    [
        ("click", {"key": "k"}, "EventKey"),
        ("view", {"url": "http://x"}, "EventKey"),
        ("view_miniprogram", {"key": "pages/index"}, "EventKey"),
        ("scancode_push", {"key": "k", "content": "http://scanned"}, "ScanCodeInfo"),
        ("scancode_waitmsg", {"key": "k", "content": "http://scanned"}, "ScanCodeInfo"),
        ("pic_sysphoto", {"key": "k"}, "SendPicsInfo"),
        ("pic_photo_or_album", {"key": "k"}, "SendPicsInfo"),
        ("pic_weixin", {"key": "k"}, "SendPicsInfo"),
        ("location_select", {"key": "k", "content": "外滩"}, "SendLocationInfo"),
        ("LOCATION", {"latitude": 39.9}, "Latitude"),
    ],
)
def test_a_member_uses_the_menu(app, name, more, field):
    event = event_of(app.happen(name, userid="wang", **more))
    assert event["Event"] == name
    assert event[field]
    assert "no member" in app.impossible(name, userid="nobody", **more)
    if "key" in more:
        assert "needs key" in app.impossible(name, userid="wang")


@pytest.mark.parametrize(
    ("name", "more", "kind", "fields"),
    [
        ("write", {"content": "你好 <b>]]></b>"}, "text", {"Content": "你好 <b>]]></b>"}),
        ("text", {"content": "好"}, "text", {"Content": "好"}),
        ("image", {"media_id": "m"}, "image", {"MediaId": "m"}),
        ("voice", {}, "voice", {"Format": "amr"}),
        ("video", {}, "video", {"ThumbMediaId": "THUMB_MEDIA_ID"}),
        ("location", {"latitude": 39.9}, "location", {"Location_X": "39.9"}),
        ("link", {"url": "http://x", "name": "题"}, "link", {"Title": "题", "Url": "http://x"}),
    ],
)
def test_a_member_writes_to_the_app(app, name, more, kind, fields):
    message = event_of(app.happen(name, userid="wang", **more))
    assert (message["MsgType"], message["AgentID"]) == (kind, str(app.agentid))
    assert int(message["MsgId"]) > 10**18
    assert {field: message[field] for field in fields} == fields
    assert app.inbox("wang") == []


def test_who_does_not_see_the_app_cannot_use_it(app):
    app.switch(visible_userids=["li"])
    assert "does not see" in app.impossible("enter_agent", userid="wang")


def test_anything_can_be_sent_as_it_is(app, receiver):
    fields = {"SuiteId": "ww1", "InfoType": "suite_ticket", "SuiteTicket": "t"}
    (callback,) = app.happen("raw", fields=fields)
    assert xmltodict.parse(callback["xml"])["xml"] == fields
    assert callback["event"] == "suite_ticket"


def test_single_fields_can_be_changed_and_left_out(app):
    wish = {"userid": "wang", "fields": {"State": "changed", "WelcomeCode": None}}
    event = event_of(app.happen("add_external_contact", state="s", **wish))
    assert event["State"] == "changed"
    assert "WelcomeCode" not in event


def test_the_same_event_can_come_twice(app, receiver):
    callbacks = app.happen("enter_agent", userid="wang", copies=3)
    assert len({one["xml"] for one in callbacks}) == 1
    assert len(receiver.received) == 3


def test_the_known_events_are_listed(app):
    known = app.control("GET", "/wecom/events")["events"]
    assert {"add_external_contact", "template_card_event", "raw"} <= set(known)


def test_what_the_api_does_is_told_to_nobody(app, contact, receiver):
    app.send("wang")
    app.get("/cgi-bin/externalcontact/get", external_userid=contact)
    app.contacts("wang")
    app.members("new")
    assert not receiver.received
    app.contacts("wang", callback=True, state="s")
    assert len(app.control("GET", "/callbacks")["callbacks"]) == 1
