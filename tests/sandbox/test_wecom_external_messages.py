"""Messages to many, and moments: nothing goes out before a member confirms."""

import pytest

from tests.sandbox.wecom import Corp

EXTERNAL = "/cgi-bin/externalcontact"


def ask(corp: Corp, name: str, /, **body):
    return corp.post(f"{EXTERNAL}/{name}", body)


@pytest.fixture
def team(corp):
    corp.members("Wang", "Li")
    corp.switch(dispatch_seconds=0)
    return corp


def prepare(corp, **more):
    return ask(corp, "add_msg_template", **{"text": {"content": "新产品"}} | more)


def inbox(corp, contact):
    return corp.control("GET", f"/wecom/contacts/{contact}/inbox", account=corp.name)


def tasks(corp, msgid):
    return ask(corp, "get_groupmsg_task", msgid=msgid)["task_list"]


def statuses(corp, msgid, userid):
    rows = ask(corp, "get_groupmsg_send_result", msgid=msgid, userid=userid)["send_list"]
    return {one["external_userid"]: one["status"] for one in rows}


def test_only_the_member_who_last_had_to_do_with_the_customer_gets_the_task(team):
    (contact,) = team.contacts("wang")
    team.advance(5)
    team.contacts("li", count=None, external_userids=[contact])
    msgid = prepare(team, external_userid=[contact])["msgid"]
    assert [one["userid"] for one in tasks(team, msgid)] == ["Li"]

    team.advance(5)
    team.happen("write_in_chat", userid="wang", external_userid=contact, content="您好")
    msgid = prepare(team, external_userid=[contact])["msgid"]
    assert [one["userid"] for one in tasks(team, msgid)] == ["Wang"]


def test_nothing_is_sent_before_the_member_confirms(team):
    one, two = team.contacts("wang", count=2)
    link = {"title": "产品", "url": "http://x"}
    made = prepare(team, sender="wang", attachments=[{"msgtype": "link", "link": link}])
    msgid = made["msgid"]
    assert tasks(team, msgid) == [{"userid": "Wang", "status": 0}]
    assert inbox(team, one) == []
    (asked,) = team.control("GET", "/wecom/tasks", account=team.name, userid="WANG")["tasks"]
    assert (asked["msgid"], asked["done"]) == (msgid, False)

    team.happen("del_follow_user", userid="wang", external_userid=two)
    assert team.happen("confirm_group_message", userid="wang", msgid=msgid) == []

    assert statuses(team, msgid, "wang") == {one: 1, two: 2}
    assert tasks(team, msgid)[0]["status"] == 2
    assert [(got["via"], got["msgtype"]) for got in inbox(team, one)] == [
        ("group", "text"),
        ("group", "link"),
    ]
    assert inbox(team, two) == []
    old = ask(team, "get_group_msg_result", msgid=msgid)
    assert {row["status"] for row in old["detail_list"]} == {1, 2}
    assert "is done" in team.impossible("confirm_group_message", userid="wang", msgid=msgid)


def test_members_may_choose_when_they_are_allowed_to(team):
    one, two = team.contacts("wang", count=2)
    fixed = prepare(team, sender="wang")["msgid"]
    choice = {"userid": "wang", "members": [one]}
    assert "choice" in team.impossible("confirm_group_message", msgid=fixed, **choice)
    free = prepare(team, sender="wang", allow_select=True)["msgid"]
    team.happen("confirm_group_message", msgid=free, **choice)
    assert statuses(team, free, "wang") == {one: 1, two: 0}


def test_customers_are_chosen_by_tags_one_of_each_group(team):
    one, two, three = team.contacts("wang", count=3)
    body = {"group_name": "等级", "tag": [{"name": "金"}, {"name": "银"}, {"name": "瓷"}]}
    gold, silver, china = (t["id"] for t in ask(team, "add_corp_tag", **body)["tag_group"]["tag"])
    for contact, tag_ids in ((one, [gold, china]), (two, [silver, china]), (three, [gold])):
        ask(team, "mark_tag", userid="wang", external_userid=contact, add_tag=tag_ids)
    groups = [{"tag_list": [gold, silver]}, {"tag_list": [china]}]

    msgid = prepare(team, tag_filter={"group_list": groups})["msgid"]
    assert statuses(team, msgid, "wang") == {one: 0, two: 0}
    made = prepare(team, external_userid=[one, three], tag_filter={"group_list": groups})
    assert made["fail_list"] == [three]


def test_a_customer_gets_only_so_many_a_month(team):
    team.switch(group_message_cap="four_a_month")
    one, two = team.contacts("wang", count=2)
    early = prepare(team, external_userid=[one])["msgid"]
    for _ in range(4):
        msgid = prepare(team, external_userid=[one])["msgid"]
        team.happen("confirm_group_message", userid="wang", msgid=msgid)

    made = prepare(team, external_userid=[one, two])
    assert made["fail_list"] == [one]
    refused = prepare(team, external_userid=[one])
    assert (refused["errcode"], refused["fail_list"]) == (41048, [])
    team.happen("confirm_group_message", userid="wang", msgid=early)
    assert statuses(team, early, "wang") == {one: 3}
    assert len(inbox(team, one)) == 4

    team.control("POST", "/clock", {"now": "2026-04-01T00:00:01+08:00"})
    team._token = ""
    assert prepare(team, external_userid=[one])["errcode"] == 0


@pytest.mark.parametrize(
    ("cap", "allowed"), [("one_a_day", 1), ("seven_a_week", 7), ("days_in_month", 31)]
)
def test_the_cap_is_a_switch(team, cap, allowed):
    team.switch(group_message_cap=cap)
    (contact,) = team.contacts("wang")
    for _ in range(allowed):
        msgid = prepare(team, external_userid=[contact])["msgid"]
        team.happen("confirm_group_message", userid="wang", msgid=msgid)
    assert prepare(team, external_userid=[contact])["errcode"] == 41048


def test_group_chats_are_written_to_by_their_owner(team):
    (contact,) = team.contacts("wang")
    for chat_id, members in (("wr1", [contact]), ("wr2", [])):
        team.happen(
            "change_external_chat",
            change_type="create",
            userid="wang",
            chat_id=chat_id,
            members=members,
        )
    made = prepare(team, chat_type="group", sender="wang", chat_id_list=["wr1", "x"])
    assert made["fail_list"] == ["x"]
    team.happen("confirm_group_message", userid="wang", msgid=made["msgid"])

    body = {"msgid": made["msgid"], "userid": "wang"}
    (row,) = ask(team, "get_groupmsg_send_result", **body)["send_list"]
    assert (row["chat_id"], row["status"]) == ("wr1", 1)
    (got,) = inbox(team, contact)
    assert (got["chat_id"], got["userid"], got["content"]) == ("wr1", "Wang", {"content": "新产品"})

    every = prepare(team, chat_type="group", sender="wang")["msgid"]
    team.happen("change_external_chat", change_type="dismiss", chat_id="wr2")
    team.happen("confirm_group_message", userid="wang", msgid=every)
    rows = ask(team, "get_groupmsg_send_result", msgid=every, userid="wang")["send_list"]
    assert {one["chat_id"]: one["status"] for one in rows} == {"wr1": 1, "wr2": 2}


def test_right_after_it_was_made_it_is_still_being_handed_out(team):
    team.switch(dispatch_seconds=60)
    team.contacts("wang")
    msgid = prepare(team, sender="wang")["msgid"]

    refused = ask(team, "get_groupmsg_task", msgid=msgid)
    assert (refused["errcode"], refused["task_list"]) == (41063, [])
    assert team.control("GET", "/wecom/tasks", account=team.name)["tasks"] == []
    assert "on its way" in team.impossible("confirm_group_message", userid="wang", msgid=msgid)
    team.advance(60)
    assert len(tasks(team, msgid)) == 1


def test_messages_are_listed_by_kind_and_time(team):
    team.contacts("wang")
    made = [prepare(team, sender="wang")["msgid"] for _ in range(3)]
    now = 1774663200
    period = {"chat_type": "single", "start_time": now - 86_400, "end_time": now + 60}

    page = ask(team, "get_groupmsg_list_v2", **period, limit=2)
    rest = ask(team, "get_groupmsg_list_v2", **period, cursor=page["next_cursor"])
    rows = page["group_msg_list"] + rest["group_msg_list"]
    assert [one["msgid"] for one in rows] == made
    assert rows[0]["text"] == {"content": "新产品"}
    assert "creator" not in rows[0]
    for more in ({"chat_type": "group"}, {"filter_type": 1}, {"creator": "wang"}):
        assert ask(team, "get_groupmsg_list_v2", **period | more)["group_msg_list"] == []
    for more in ({"chat_type": "all"}, {"start_time": now - 40 * 86_400}, {"limit": 101}):
        assert ask(team, "get_groupmsg_list_v2", **period | more)["errcode"] == 40058


def test_tasks_and_results_come_in_pages(team):
    team.contacts("wang", count=2)
    team.contacts("li")
    everybody = [
        one["external_userid"]
        for one in team.control("GET", "/wecom/contacts", account=team.name)["contacts"]
    ]
    msgid = prepare(team, external_userid=everybody)["msgid"]

    page = ask(team, "get_groupmsg_task", msgid=msgid, limit=1)
    rest = ask(team, "get_groupmsg_task", msgid=msgid, cursor=page["next_cursor"])
    assert [one["userid"] for one in page["task_list"] + rest["task_list"]] == ["Wang", "Li"]
    body = {"msgid": msgid, "userid": "wang"}
    page = ask(team, "get_groupmsg_send_result", **body, limit=1)
    rest = ask(team, "get_groupmsg_send_result", **body, cursor=page["next_cursor"])
    assert len(page["send_list"] + rest["send_list"]) == 2


def test_members_are_reminded_three_times_a_day_and_a_cancelled_task_is_dead(team):
    team.contacts("wang")
    msgid = prepare(team, sender="wang")["msgid"]
    answers = [ask(team, "remind_groupmsg_send", msgid=msgid)["errcode"] for _ in range(4)]
    assert answers == [0, 0, 0, 45009]
    team.a_day_later()
    assert ask(team, "remind_groupmsg_send", msgid=msgid)["errcode"] == 0

    assert ask(team, "cancel_groupmsg_send", msgid=msgid)["errcode"] == 0
    assert "cancelled" in team.impossible("confirm_group_message", userid="wang", msgid=msgid)
    assert "no such task" in team.impossible("confirm_group_message", userid="li", msgid=msgid)


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40063),
        ({"sender": "wang", "text": None}, 40063),
        ({"sender": "nobody"}, 60111),
        ({"sender": "wang", "text": {"content": "长" * 1334}}, 45002),
        ({"sender": "li"}, 41048),
        ({"external_userid": ["wm-unknown"]}, 40096),
        ({"chat_type": "all", "sender": "wang"}, 40058),
        ({"chat_type": "group"}, 40063),
        ({"sender": "wang", "tag_filter": {"group_list": ["x"]}}, 40058),
        ({"sender": "wang", "allow_select": "yes"}, 40058),
        ({"external_userid": ["x"] * 10_001}, 40058),
    ],
)
def test_a_wrong_message_is_refused(team, body, errcode):
    team.contacts("wang")
    assert prepare(team, **body)["errcode"] == errcode


def test_unknown_messages_are_refused(team):
    assert ask(team, "get_groupmsg_task")["errcode"] == 41046
    assert ask(team, "cancel_groupmsg_send", msgid="x")["errcode"] == 41047


# Moments


def publishable(corp, **more):
    body = {"text": {"content": "好消息"}} | more
    jobid = ask(corp, "add_moment_task", **body)["jobid"]
    return corp.get(f"{EXTERNAL}/get_moment_task_result", jobid=jobid)


def test_a_moment_is_a_job_first(team):
    team.switch(dispatch_seconds=10)
    jobid = ask(team, "add_moment_task", text={"content": "好消息"})["jobid"]
    seen = []
    for seconds in (0, 6, 6):
        team.advance(seconds)
        seen.append(team.get(f"{EXTERNAL}/get_moment_task_result", jobid=jobid))
    assert [one["status"] for one in seen] == [1, 2, 3]
    assert (seen[2]["type"], seen[2]["result"]["errcode"]) == ("add_moment_task", 0)
    assert "result" not in seen[1]
    team.a_day_later()
    assert team.get(f"{EXTERNAL}/get_moment_task_result", jobid=jobid)["errcode"] == 40088


def test_wrong_senders_and_tags_show_in_the_result(team):
    visible = {
        "sender_list": {"user_list": ["wang", "nobody"], "department_list": [9]},
        "external_contact_list": {"tag_list": ["et-unknown"]},
    }
    result = publishable(team, visible_range=visible)["result"]
    assert result["invalid_sender_list"] == {"user_list": ["nobody"], "department_list": [9]}
    assert result["invalid_external_contact_list"] == {"tag_list": ["et-unknown"]}

    nobody = {"sender_list": {"user_list": ["nobody"]}}
    result = publishable(team, visible_range=nobody)["result"]
    assert (result["errcode"], "moment_id" in result) == (41061, False)


def test_a_moment_reaches_customers_when_its_member_publishes_it(team):
    one, two = team.contacts("wang", count=2)
    team.contacts("li")
    moment_id = publishable(team)["result"]["moment_id"]
    who = {"moment_id": moment_id, "userid": "wang"}
    listed = ask(team, "get_moment_task", moment_id=moment_id)["task_list"]
    assert [(task["userid"], task["publish_status"]) for task in listed] == [("Wang", 0), ("Li", 0)]
    shown = ask(team, "get_moment_customer_list", **who)["customer_list"]
    assert [row["external_userid"] for row in shown] == [one, two]
    assert ask(team, "get_moment_send_result", **who)["errcode"] == 41062
    assert "not published" in team.impossible("like_moment", **who)

    team.happen("publish_moment", **who)
    team.happen("like_moment", **who, external_userid=one)
    team.happen("comment_moment", **who)
    page = ask(team, "get_moment_send_result", **who, limit=1)
    rest = ask(team, "get_moment_send_result", **who, cursor=page["next_cursor"])
    assert page["customer_list"] + rest["customer_list"] == [
        {"external_userid": one},
        {"external_userid": two},
    ]
    got = ask(team, "get_moment_comments", **who)
    assert [like["external_userid"] for like in got["like_list"]] == [one]
    assert [comment["userid"] for comment in got["comment_list"]] == ["Wang"]
    assert "does not see" in team.impossible("like_moment", **who, external_userid="wm9")
    assert "is published" in team.impossible("publish_moment", **who)
    (asked, _) = team.control("GET", "/wecom/tasks", account=team.name)["tasks"]
    assert (asked["kind"], asked["done"]) == ("moment", True)


def test_a_moment_is_for_bearers_of_a_tag_and_for_members_of_a_department(team):
    one, _ = team.contacts("wang", count=2)
    body = {"group_name": "等级", "tag": [{"name": "金"}]}
    gold = ask(team, "add_corp_tag", **body)["tag_group"]["tag"][0]["id"]
    ask(team, "mark_tag", userid="wang", external_userid=one, add_tag=[gold])
    team.members(
        members=[{"userid": "Li", "departments": [2]}], departments=[{"id": 2, "name": "上海分行"}]
    )
    tagged = {"external_contact_list": {"tag_list": [gold]}}
    moment_id = publishable(team, visible_range=tagged)["result"]["moment_id"]
    who = {"moment_id": moment_id, "userid": "wang"}
    assert len(ask(team, "get_moment_customer_list", **who)["customer_list"]) == 1

    of_two = {"sender_list": {"department_list": [2]}}
    moment_id = publishable(team, visible_range=of_two)["result"]["moment_id"]
    assert len(ask(team, "get_moment_task", moment_id=moment_id)["task_list"]) == 1
    refused = ask(team, "get_moment_customer_list", moment_id=moment_id, userid="wang")
    assert refused["errcode"] == 41061
    now = 1774663200
    period = {"start_time": now - 60, "end_time": now + 60}
    listed = ask(team, "get_moment_list", **period)["moment_list"]
    assert [one["visible_type"] for one in listed] == [0, 1]


def test_moments_are_listed_with_their_content(team):
    link = {"title": "产品", "url": "http://x"}
    publishable(team, attachments=[{"msgtype": "link", "link": link}])
    picture = {"msgtype": "image", "image": {"pic_url": "http://x/1.png"}}
    publishable(team, text=None, attachments=[picture] * 2)
    now = 1774663200
    period = {"start_time": now - 60, "end_time": now + 60}

    page = ask(team, "get_moment_list", **period, limit=1)
    rest = ask(team, "get_moment_list", **period, cursor=page["next_cursor"])
    (first,), (second,) = page["moment_list"], rest["moment_list"]
    assert (first["link"], first["text"], first["create_type"]) == (link, {"content": "好消息"}, 0)
    assert (len(second["image"]), "text" in second) == (2, False)
    assert ask(team, "get_moment_list", **period, filter_type=1)["moment_list"] == []
    assert ask(team, "get_moment_list", **period, limit=21)["errcode"] == 40058
    team.switch(most_moments_a_page=100)
    assert ask(team, "get_moment_list", **period, limit=100)["errcode"] == 0
    long_ago = period | {"start_time": now - 31 * 86_400}
    assert ask(team, "get_moment_list", **long_ago)["errcode"] == 40058


def test_wrong_moments_are_refused_and_a_cancelled_one_is_dead(team):
    link = {"msgtype": "link", "link": {"title": "x", "url": "x"}}
    for body, errcode in (
        ({}, 40063),
        ({"text": {"content": "长" * 2001}}, 45002),
        ({"attachments": [link, link]}, 40058),
        ({"attachments": [{"msgtype": "file", "file": {"media_id": "x"}}]}, 40007),
        ({"text": {"content": "x"}, "visible_range": "all"}, 40058),
    ):
        assert ask(team, "add_moment_task", **body)["errcode"] == errcode
    moment_id = publishable(team)["result"]["moment_id"]
    assert ask(team, "cancel_moment_task", moment_id=moment_id)["errcode"] == 0
    gone = {"userid": "wang", "moment_id": moment_id}
    assert "cancelled" in team.impossible("publish_moment", **gone)
    assert "no such moment" in team.impossible("publish_moment", userid="wang", moment_id="x")
    assert ask(team, "get_moment_task", moment_id="x")["errcode"] == 41060
    assert ask(team, "get_moment_task")["errcode"] == 41059
