"""External contacts: pages of them, what members note, who they are elsewhere."""

import pytest

from tests.sandbox.wecom import Corp

EXTERNAL = "/cgi-bin/externalcontact"


def ask(corp: Corp, name: str, /, **body):
    return corp.post(f"{EXTERNAL}/{name}", body)


@pytest.fixture
def wang(corp):
    corp.members("Wang", "Li")
    return "Wang"


def test_a_batch_comes_in_pages_with_tag_ids_in_place_of_tags(corp, wang):
    everybody = {*corp.contacts(wang, count=3), *corp.contacts("li", count=2)}

    first = ask(corp, "batch/get_by_user", userid_list=["wang", "Li"], limit=3)
    second = ask(
        corp, "batch/get_by_user", userid_list=["wang", "Li"], limit=3, cursor=first["next_cursor"]
    )

    rows = first["external_contact_list"] + second["external_contact_list"]
    assert {one["external_contact"]["external_userid"] for one in rows} == everybody
    assert [len(first["external_contact_list"]), second["next_cursor"]] == [3, ""]
    info = rows[0]["follow_info"]
    assert (info["userid"], info["tag_id"], "tags" in info) == ("Wang", [], False)
    assert "fail_info" not in first


def test_members_without_licence_are_named_and_alone_they_are_refused(corp, wang):
    corp.contacts(wang)
    corp.members(members=[{"userid": "Li", "licensed": False}])

    answer = ask(corp, "batch/get_by_user", userid_list=["wang", "li"])
    assert answer["fail_info"] == {"unlicensed_userid_list": ["Li"]}
    assert len(answer["external_contact_list"]) == 1

    refused = ask(corp, "batch/get_by_user", userid_list=["li"])
    assert (refused["errcode"], refused["external_contact_list"]) == (701008, [])


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 41009),
        ({"userid_list": ["nobody"]}, 60111),
        ({"userid_list": ["x"] * 101}, 40058),
        ({"userid_list": "Wang"}, 40058),
        ({"userid_list": [7]}, 40058),
        ({"userid_list": ["Wang"], "limit": 101}, 40058),
        ({"userid_list": ["Wang"], "limit": "many"}, 40058),
        ({"userid_list": ["Wang"], "cursor": "next"}, 40058),
    ],
)
def test_a_wrong_batch_is_refused(corp, wang, body, errcode):
    assert ask(corp, "batch/get_by_user", **body)["errcode"] == errcode


def test_a_remark_changes_what_is_given_and_leaves_the_rest(corp, wang):
    (contact,) = corp.contacts(wang)
    who = {"userid": wang, "external_userid": contact}
    ask(corp, "remark", **who, remark="老客户", remark_mobiles=["13800000001", ""])
    assert ask(corp, "remark", **who, description="爱喝茶", remark_company="瓷厂")["errcode"] == 0

    got = corp.get(f"{EXTERNAL}/get", external_userid=contact)["follow_user"][0]
    assert (got["remark"], got["description"]) == ("老客户", "爱喝茶")
    assert (got["remark_mobiles"], got["remark_corp_name"]) == (["13800000001"], "瓷厂")


def test_a_wrong_remark_is_refused(corp, wang):
    (contact,) = corp.contacts(wang)
    who = {"userid": wang, "external_userid": contact}
    for body, errcode in (
        (who, 40063),
        (who | {"remark": "长" * 21}, 40058),
        (who | {"description": "长" * 151}, 40058),
        (who | {"remark_pic_mediaid": "x"}, 40007),
        ({"userid": "li", "external_userid": contact, "remark": "x"}, 84061),
        ({"userid": wang, "remark": "x"}, 41035),
        ({"userid": wang, "external_userid": "x", "remark": "x"}, 40096),
    ):
        assert ask(corp, "remark", **body)["errcode"] == errcode


def test_everybody_served_is_listed_strangers_of_chats_too(corp, wang):
    (contact,) = corp.contacts(wang)
    corp.happen(
        "change_external_chat",
        change_type="create",
        userid=wang,
        chat_id="wr1",
        name="茶友",
        members=[contact, "wm-stranger"],
    )

    first = ask(corp, "contact_list", limit=1)
    (customer,) = first["info_list"]
    (stranger,) = ask(corp, "contact_list", cursor=first["next_cursor"])["info_list"]

    assert (customer["is_customer"], customer["external_userid"]) == (True, contact)
    assert customer["follow_userid"] == wang
    assert (stranger["is_customer"], stranger["chat_name"]) == (False, "茶友")
    assert "external_userid" not in stranger
    assert stranger["tmp_openid"] != customer["tmp_openid"]


# Who is this elsewhere?


def test_a_unionid_leads_to_the_contact_or_to_a_pending_id(corp, wang):
    corp.switch(unionid=True)
    (contact,) = corp.contacts(wang)
    got = corp.get(f"{EXTERNAL}/get", external_userid=contact)["external_contact"]
    body = {"unionid": got["unionid"], "openid": "o-1"}
    convert = "/cgi-bin/idconvert/unionid_to_external_userid"

    assert ask(corp, "unionid_to_external_userid", **body)["external_userid"] == contact
    assert corp.post(convert, body | {"subject_type": 1})["external_userid"] == contact

    stranger = {"unionid": "u-stranger", "openid": "o-2"}
    assert ask(corp, "unionid_to_external_userid", **stranger)["errcode"] == 84061
    pending = corp.post(convert, stranger)
    assert pending["pending_id"] == corp.post(convert, stranger)["pending_id"]
    assert "external_userid" not in pending


def test_unionid_and_openid_must_be_one_persons_and_the_corp_bound(corp, wang):
    body = {"unionid": "u-1", "openid": "o-1"}
    assert ask(corp, "unionid_to_external_userid", **body)["errcode"] == 41057
    corp.switch(unionid=True)
    corp.control("POST", "/accounts", {"name": "oa", "appid": "wxoa", "secret": "s"})
    corp.control("POST", "/wechat/fans", {"account": "oa", "openids": ["o-1"]})

    assert ask(corp, "unionid_to_external_userid", **body)["errcode"] == 40073
    assert ask(corp, "unionid_to_external_userid", unionid="u-1")["errcode"] == 40058


def test_an_openid_is_of_wechat_contacts_only(corp, wang):
    (contact,) = corp.contacts(wang)
    (of_other_corp,) = corp.contacts("li", type=2)

    assert ask(corp, "convert_to_openid", external_userid=contact)["openid"].startswith("o")
    assert ask(corp, "convert_to_openid", external_userid=of_other_corp)["errcode"] == 40096
    assert ask(corp, "convert_to_openid")["errcode"] == 41035


def test_a_providers_id_leads_back(corp, wang):
    (contact,) = corp.contacts(wang)
    theirs = ask(corp, "to_service_external_userid", external_userid=contact)["external_userid"]
    back = ask(
        corp,
        "from_service_external_userid",
        external_userid=theirs,
        source_agentid=corp.agentid,
    )
    assert theirs != contact
    assert back["external_userid"] == contact


# Figures


def day(number):
    """Midnight in China of that day of March 2026."""
    return 1772294400 + (number - 1) * 86_400


def test_figures_are_counted_from_what_happened(corp, wang):
    one, two = corp.contacts(wang, count=2)
    say = {"userid": wang, "content": "您好"}
    corp.happen("write_in_chat", external_userid=one, from_contact=True, **say)
    corp.advance(600)
    corp.happen("write_in_chat", external_userid=one, **say)
    corp.happen("write_in_chat", external_userid=two, from_contact=True, **say)
    corp.happen("ask_to_be_added", userid=wang)
    corp.happen("del_follow_user", userid=wang, external_userid=two)
    body = {"userid": [wang], "start_time": day(27), "end_time": day(28)}

    assert len(ask(corp, "get_user_behavior_data", **body)["behavior_data"]) == 1
    corp.next_morning()
    before, today = ask(corp, "get_user_behavior_data", **body)["behavior_data"]

    assert today == {
        "stat_time": day(28),
        "chat_cnt": 1,
        "message_cnt": 1,
        "negative_feedback_cnt": 1,
        "new_apply_cnt": 1,
        "new_contact_cnt": 2,
        "reply_percentage": 50.0,
        "avg_reply_time": 10,
    }
    assert (before["new_contact_cnt"], "reply_percentage" in before) == (0, False)

    corp.switch(figures_ready_at_hour=8)
    early = ask(corp, "get_user_behavior_data", **body)["behavior_data"]
    assert [one["stat_time"] for one in early] == [day(27)]


def test_figures_may_be_asked_by_department(corp, wang):
    corp.members(
        members=[{"userid": "Li", "departments": [2]}], departments=[{"id": 2, "name": "上海分行"}]
    )
    corp.contacts("li")
    corp.next_morning()

    body = {"partyid": [2], "start_time": day(28), "end_time": day(28)}
    (figures,) = ask(corp, "get_user_behavior_data", **body)["behavior_data"]
    assert figures["new_contact_cnt"] == 1


def test_figures_of_a_wrong_time_or_of_nobody_are_refused(corp, wang):
    start = day(27)
    for body in (
        {"userid": [wang], "start_time": start + 60, "end_time": start + 60},
        {"userid": [wang], "start_time": start, "end_time": start - 86_400},
        {"userid": [wang], "start_time": start - 31 * 86_400, "end_time": start},
        {"userid": [wang], "start_time": start - 200 * 86_400, "end_time": start - 200 * 86_400},
        {"userid": [wang], "start_time": None, "end_time": start},
    ):
        refused = ask(corp, "get_user_behavior_data", **body)
        assert (refused["errcode"], refused["behavior_data"]) == (40058, [])
    nobody = {"start_time": start, "end_time": start}
    assert ask(corp, "get_user_behavior_data", **nobody)["errcode"] == 40063
