"""Passing on customers and group chats; figures of group chats."""

import pytest

from tests.sandbox.wecom import Corp

EXTERNAL = "/cgi-bin/externalcontact"


def ask(corp: Corp, name: str, /, **body):
    return corp.post(f"{EXTERNAL}/{name}", body)


@pytest.fixture
def team(corp):
    corp.members("Wang", "Li")
    return corp


PAIR = {"handover_userid": "wang", "takeover_userid": "li"}


def hand_over(corp, *contacts, **more):
    body = PAIR | {"external_userid": contacts} | more
    return [one["errcode"] for one in ask(corp, "transfer_customer", **body)["customer"]]


def states(corp, **more):
    rows = ask(corp, "transfer_result", **PAIR | more)["customer"]
    return {one["external_userid"]: one["status"] for one in rows}


def owners(corp, contact):
    every = corp.control("GET", "/wecom/contacts", account=corp.name)["contacts"]
    (mine,) = [one["follows"] for one in every if one["external_userid"] == contact]
    return [one["userid"] for one in mine]


# Customers


def test_a_customer_who_does_not_refuse_is_passed_on_after_a_day(team):
    (contact,) = team.contacts("wang", state="poster7")
    who = {"userid": "wang", "external_userid": contact}
    ask(team, "remark", **who, remark="老客户")
    assert hand_over(team, contact, transfer_success_msg="您好,我是李强") == [0]
    assert (states(team), owners(team, contact)) == ({contact: 2}, ["Wang"])

    team.a_day_later()
    assert owners(team, contact) == ["Li"]
    (row,) = ask(team, "transfer_result", **PAIR)["customer"]
    assert row["status"] == 1
    assert row["takeover_time"] > 0
    follow = team.get(f"{EXTERNAL}/get", external_userid=contact)["follow_user"][0]
    assert (follow["remark"], follow["state"], follow["add_way"]) == ("老客户", "poster7", 202)
    (greeting,) = team.control("GET", f"/wecom/contacts/{contact}/inbox")
    assert (greeting["userid"], greeting["content"]["content"]) == ("Li", "您好,我是李强")


def test_the_apps_are_told_when_it_is_done_and_not_when_it_begins(team, receiver):
    (contact,) = team.contacts("wang")
    team.keep(callback_url=receiver.url)
    hand_over(team, contact)
    assert team.control("GET", "/callbacks")["callbacks"] == []

    lost, won = team.happen("accept_transfer", external_userid=contact)
    assert "<![CDATA[DELETE_BY_TRANSFER]]>" in lost["xml"]
    assert "<![CDATA[add_external_contact]]>" in won["xml"]
    assert "WelcomeCode" not in won["xml"]
    assert "not being passed on" in team.impossible("accept_transfer", external_userid=contact)


@pytest.mark.parametrize(
    ("reason", "status"), [("customer_refused", 3), ("customer_limit_exceed", 4)]
)
def test_a_customer_may_refuse(team, receiver, reason, status):
    (contact,) = team.contacts("wang")
    team.keep(callback_url=receiver.url)
    hand_over(team, contact)
    wish = {"userid": "li", "external_userid": contact, "fail_reason": reason}
    (callback,) = team.happen("transfer_fail", **wish)
    assert reason in callback["xml"]

    team.a_day_later()
    assert (states(team), owners(team, contact)) == ({contact: status}, ["Wang"])
    assert hand_over(team, contact) == [0]


def test_each_customer_has_an_errcode_of_its_own(team):
    mine, lost = team.contacts("wang", count=2)
    (theirs,) = team.contacts("li")
    team.happen("del_follow_user", userid="wang", external_userid=lost)

    assert hand_over(team, mine, "wm-unknown", theirs, lost) == [0, 40096, 40131, 40131]
    assert hand_over(team, mine) == [40129]
    assert hand_over(team, mine, takeover_userid="wang") == [40130]


def test_a_customer_is_passed_on_twice_in_ninety_days(team):
    (contact,) = team.contacts("wang")
    back = {"handover_userid": "li", "takeover_userid": "wang"}
    for pair in (PAIR, back):
        assert hand_over(team, contact, **pair) == [0]
        team.happen("accept_transfer", external_userid=contact)
    assert hand_over(team, contact) == [40128]
    team.advance(90 * 86_400)
    team._token = ""
    assert hand_over(team, contact) == [0]


def test_who_takes_over_must_be_able_to(team):
    team.contacts("wang")
    team.members(
        members=[{"userid": "Idle", "status": 4}, {"userid": "Nameless", "has_real_name": False}]
    )
    for body, errcode in (
        (PAIR | {"external_userid": []}, 41035),
        (PAIR | {"external_userid": ["x"] * 101}, 40058),
        (PAIR | {"external_userid": ["x"], "takeover_userid": "idle"}, 41054),
        (PAIR | {"external_userid": ["x"], "takeover_userid": "nameless"}, 40098),
        (PAIR | {"external_userid": ["x"], "handover_userid": "nobody"}, 60111),
        (PAIR | {"external_userid": ["x"], "transfer_success_msg": "长" * 201}, 40058),
    ):
        answer = ask(team, "transfer_customer", **body)
        assert (answer["errcode"], answer["customer"]) == (errcode, [])


def test_customers_of_who_left_are_unassigned_until_somebody_has_them(team):
    one, two = team.contacts("wang", count=2)
    body = PAIR | {"external_userid": [one]}
    assert ask(team, "resigned/transfer_customer", **body)["errcode"] == 40097
    team.happen("change_contact", change_type="delete_user", userid="wang")

    first = ask(team, "get_unassigned_list", page_size=1)
    second = ask(team, "get_unassigned_list", page_size=1, cursor=first["next_cursor"])
    by_number = ask(team, "get_unassigned_list", page_size=1, page_id=1)
    assert [page["is_last"] for page in (first, second)] == [False, True]
    assert second["info"] == by_number["info"]
    assert {page["info"][0]["external_userid"] for page in (first, second)} == {one, two}
    assert first["info"][0]["handover_userid"] == "Wang"

    assert ask(team, "resigned/transfer_customer", **body)["customer"][0]["errcode"] == 0
    assert ask(team, "resigned/transfer_customer", **body)["customer"][0]["errcode"] == 40100
    (row,) = ask(team, "resigned/transfer_result", **PAIR)["customer"]
    assert row["status"] == 2
    team.a_day_later()
    assert owners(team, one) == ["Li"]
    left = ask(team, "get_unassigned_list")["info"]
    assert [entry["external_userid"] for entry in left] == [two]
    unknown = PAIR | {"handover_userid": "nobody"}
    assert ask(team, "resigned/transfer_result", **unknown)["errcode"] == 60111


# Group chats


def chat(corp, chat_id, owner="wang", **more):
    body = {"change_type": "create", "userid": owner, "chat_id": chat_id, "name": chat_id}
    corp.happen("change_external_chat", **body | more)


def failed(corp, how, *chat_ids, owner="li"):
    body = {"chat_id_list": chat_ids, "new_owner": owner}
    rows = ask(corp, f"groupchat/{how}", **body)["failed_chat_list"]
    return {one["chat_id"]: one["errcode"] for one in rows}


def test_chats_are_listed_by_owner_and_state_in_pages(team):
    chat(team, "wr1")
    chat(team, "wr2")
    chat(team, "wr3", "li")
    chat(team, "wr4")
    team.happen("change_external_chat", change_type="dismiss", chat_id="wr4")

    page = ask(team, "groupchat/list", limit=2)
    rest = ask(team, "groupchat/list", limit=2, cursor=page["next_cursor"])
    rows = page["group_chat_list"] + rest["group_chat_list"]
    assert [one["chat_id"] for one in rows] == ["wr1", "wr2", "wr3"]
    mine = ask(team, "groupchat/list", limit=9, owner_filter={"userid_list": ["LI"]})
    assert mine["group_chat_list"] == [{"chat_id": "wr3", "status": 0}]

    team.happen("change_contact", change_type="delete_user", userid="wang")
    left = ask(team, "groupchat/list", limit=9, status_filter=1)["group_chat_list"]
    assert [one["status"] for one in left] == [1, 1]
    for body, errcode in (
        ({}, 40058),
        ({"limit": 0}, 40058),
        ({"limit": 1001}, 40058),
        ({"limit": 9, "status_filter": 4}, 40058),
        ({"limit": 9, "owner_filter": {"userid_list": ["nobody"]}}, 81017),
    ):
        assert ask(team, "groupchat/list", **body)["errcode"] == errcode


def test_a_chat_tells_its_members_and_names_only_when_asked(team):
    team.switch(unionid=True)
    (contact,) = team.contacts("wang")
    chat(team, "wr1", members=[contact, "wm-stranger"])

    plain = ask(team, "groupchat/get", chat_id="wr1")["group_chat"]
    named = ask(team, "groupchat/get", chat_id="wr1", need_name=1)["group_chat"]
    assert [one["type"] for one in plain["member_list"]] == [1, 2, 2]
    assert "name" not in plain["member_list"][0]
    owner, customer, stranger = named["member_list"]
    assert ("invitor" in owner, customer["invitor"]) == (False, {"userid": "Wang"})
    assert ("unionid" in customer, "unionid" in stranger) == (True, False)
    assert customer["name"]
    assert ask(team, "groupchat/get", chat_id="x")["errcode"] == 40050


def test_an_opengid_leads_to_the_chat(team):
    chat(team, "wr1")
    (shown,) = team.control("GET", "/wecom/group_chats", account=team.name)["group_chats"]
    assert ask(team, "opengid_to_chatid", opengid=shown["opengid"])["chat_id"] == "wr1"
    assert ask(team, "opengid_to_chatid", opengid="x")["errcode"] == 40058


def test_chats_are_taken_over_each_with_its_own_answer(team):
    for chat_id in ("wr1", "wr2"):
        chat(team, chat_id)
    chat(team, "wr3", "li")

    assert failed(team, "transfer", "wr1") == {"wr1": 90500}
    assert failed(team, "onjob_transfer", "wr1", "wr3", "x") == {"wr3": 90504, "x": 90501}
    team.happen("change_contact", change_type="delete_user", userid="wang")
    assert failed(team, "onjob_transfer", "wr2") == {"wr2": 90502}
    assert failed(team, "transfer", "wr2") == {}
    assert failed(team, "transfer", "wr2") == {"wr2": 90508}
    rows = ask(team, "groupchat/list", limit=9, status_filter=3)["group_chat_list"]
    assert [one["chat_id"] for one in rows] == ["wr2"]
    assert ask(team, "groupchat/get", chat_id="wr2")["group_chat"]["owner"] == "Li"


def test_a_member_takes_at_most_three_hundred_chats_a_day(team):
    for number in range(301):
        chat(team, f"wr{number}")
    answers = {}
    for start in (0, 100, 200, 300):
        answers |= failed(
            team, "onjob_transfer", *(f"wr{n}" for n in range(start, min(start + 100, 301)))
        )
    assert answers == {"wr300": 45009}


def test_an_owner_must_be_active_and_known(team):
    team.members(
        members=[{"userid": "Idle", "status": 4}, {"userid": "Nameless", "has_real_name": False}]
    )
    for owner, errcode in (("idle", 41054), ("nameless", 40098), ("nobody", 60111)):
        body = {"chat_id_list": ["wr1"], "new_owner": owner}
        assert ask(team, "groupchat/transfer", **body)["errcode"] == errcode
    assert ask(team, "groupchat/transfer", new_owner="li")["errcode"] == 40063


MIDNIGHT = 1774627200  # of 28 March 2026 in China


def test_figures_of_chats_are_counted(team):
    (contact,) = team.contacts("wang")
    chat(team, "wr1", members=[contact])
    chat(team, "wr2")
    chat(team, "wr3", "li")
    say = {"chat_id": "wr1", "content": "您好"}
    team.happen("write_in_chat", userid="Wang", **say)
    team.happen("write_in_chat", external_userid=contact, from_contact=True, **say)
    team.happen("write_in_chat", external_userid=contact, from_contact=True, **say)
    assert "in no chat" in team.impossible("write_in_chat", userid="Li", **say)
    body = {"day_begin_time": MIDNIGHT, "owner_filter": {"userid_list": ["wang", "li"]}}

    page = ask(team, "groupchat/statistic", **body, limit=1)
    assert (page["total"], page["next_offset"], page["items"][0]["owner"]) == (2, 1, "wang")
    assert page["items"][0]["data"] == {
        "new_chat_cnt": 2,
        "chat_total": 2,
        "chat_has_msg": 1,
        "new_member_cnt": 3,
        "member_total": 3,
        "member_has_msg": 2,
        "msg_total": 3,
        "migrate_trainee_chat_cnt": 0,
    }
    rest = ask(team, "groupchat/statistic", **body, offset=1, order_by=2)
    assert [one["owner"] for one in rest["items"]] == ["li"]
    upwards = ask(team, "groupchat/statistic", **body, order_asc=1)
    assert [one["owner"] for one in upwards["items"]] == ["li", "wang"]

    days = body | {"day_begin_time": MIDNIGHT - 86_400, "day_end_time": MIDNIGHT}
    before, today = ask(team, "groupchat/statistic_group_by_day", **days)["items"]
    assert (before["data"]["chat_total"], today["data"]["chat_total"]) == (0, 3)
    assert today["stat_time"] == MIDNIGHT


def test_wrong_questions_for_figures_are_refused(team):
    for more, errcode in (
        ({"owner_filter": {}}, 40063),
        ({"day_begin_time": MIDNIGHT - 200 * 86_400}, 40058),
        ({"day_end_time": MIDNIGHT + 31 * 86_400}, 40058),
        ({"order_by": 5}, 40058),
        ({"limit": 1001}, 40058),
    ):
        body = {"day_begin_time": MIDNIGHT, "owner_filter": {"userid_list": ["wang"]}} | more
        answer = ask(team, "groupchat/statistic", **body)
        assert (answer["errcode"], answer["items"]) == (errcode, [])
