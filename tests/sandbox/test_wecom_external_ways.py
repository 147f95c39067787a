"""Codes and links that bring customers, and the welcome they get."""

import pytest
import requests

from tests.sandbox.wecom import Corp

EXTERNAL = "/cgi-bin/externalcontact"
LINK = "customer_acquisition"


def ask(corp: Corp, name: str, /, **body):
    return corp.post(f"{EXTERNAL}/{name}", body)


def way(corp, *userids, **more):
    kind = 1 if len(userids) == 1 else 2
    return ask(corp, "add_contact_way", **{"type": kind, "scene": 2, "user": userids} | more)


def inbox(corp, contact, **query):
    return corp.control("GET", f"/wecom/contacts/{contact}/inbox", **query)


def contacts(corp, userid=""):
    query = {"account": corp.name, "userid": userid}
    return corp.control("GET", "/wecom/contacts", **query)["contacts"]


@pytest.fixture
def team(corp, receiver):
    corp.keep(callback_url=receiver.url)
    corp.members("Wang", "Li")
    return corp


def field(callback, name):
    return callback["xml"].partition(f"<{name}>")[2].partition(f"</{name}>")[0][9:-3]


def welcome(corp, code, **more):
    return ask(
        corp, "send_welcome_msg", **{"welcome_code": code, "text": {"content": "您好"}} | more
    )


# Contact ways


def test_scanning_a_code_makes_a_contact_with_its_state_and_a_welcome_code(team):
    made = way(team, "Wang", state="poster7", remark="海报")

    (callback,) = team.happen("scan_code", config_id=made["config_id"], external_userid="wm1")
    assert field(callback, "ChangeType") == "add_external_contact"
    assert (field(callback, "UserID"), field(callback, "State")) == ("Wang", "poster7")
    assert welcome(team, field(callback, "WelcomeCode"))["errcode"] == 0

    follow = team.get(f"{EXTERNAL}/get", external_userid="wm1")["follow_user"][0]
    assert (follow["state"], follow["add_way"]) == ("poster7", 1)
    (greeting,) = inbox(team, "wm1")
    assert (greeting["userid"], greeting["via"]) == ("Wang", "welcome")
    assert (greeting["msgtype"], greeting["content"]) == ("text", {"content": "您好"})


def test_the_picture_of_the_code_can_be_read_and_scanned(team):
    made = way(team, "Wang")
    picture = requests.get(made["qr_code"], timeout=5)
    assert picture.headers["Content-Type"] == "image/png"
    assert requests.get(made["qr_code"] + "x", timeout=5).status_code == 404

    assert len(team.happen("scan_code", url=made["qr_code"])) == 1
    zxing = pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    import io

    text = zxing.read_barcodes(image.open(io.BytesIO(picture.content)))[0].text
    assert len(team.happen("scan_code", url=text)) == 1
    assert "no such code" in team.impossible("scan_code", url="https://example.com/x")


def test_several_members_take_turns_and_an_exclusive_code_keeps_the_first(team):
    both = way(team, "Wang", "Li")["config_id"]
    only_one = way(team, "Wang", "Li", is_exclusive=True)["config_id"]

    for name in ("wm1", "wm2"):
        team.happen("scan_code", config_id=both, external_userid=name)
    assert [len(contacts(team, one)) for one in ("wang", "li")] == [1, 1]

    assert team.happen("scan_code", config_id=only_one, external_userid="wm1") == []
    assert len(team.happen("scan_code", config_id=both, external_userid="wm1")) == 1
    assert team.happen("scan_code", config_id=both, external_userid="wm1") == []
    assert [len(contacts(team, one)) for one in ("wang", "li")] == [1, 2]


def test_a_department_stands_for_its_members_and_who_is_away_is_passed_over(team):
    team.members(
        members=[{"userid": "Li", "departments": [2]}, {"userid": "Zhao", "departments": [2]}],
        departments=[{"id": 2, "name": "上海分行"}],
    )
    made = ask(team, "add_contact_way", type=2, scene=2, party=[2])
    team.members(members=[{"userid": "Li", "status": 2}])

    team.happen("scan_code", config_id=made["config_id"])
    assert len(contacts(team, "zhao")) == 1
    team.members(members=[{"userid": "Zhao", "status": 2}])
    assert "none of its members" in team.impossible("scan_code", config_id=made["config_id"])


def test_a_way_is_read_listed_changed_and_deleted(team):
    first, second = (way(team, "Wang", state=str(n))["config_id"] for n in (1, 2))

    page = ask(team, "list_contact_way", limit=1)
    rest = ask(team, "list_contact_way", limit=1, cursor=page["next_cursor"])
    listed = [one["config_id"] for one in page["contact_way"] + rest["contact_way"]]
    assert (listed, "next_cursor" in rest) == ([first, second], False)
    assert ask(team, "list_contact_way", start_time=1, end_time=2)["contact_way"] == []
    assert ask(team, "list_contact_way", start_time=2, end_time=1)["errcode"] == 40058

    ask(team, "update_contact_way", config_id=first, state="新", skip_verify=False)
    shown = ask(team, "get_contact_way", config_id=first)["contact_way"]
    assert (shown["state"], shown["user"], shown["skip_verify"]) == ("新", ["Wang"], False)
    assert shown["qr_code"].endswith(f"{first}.png")
    assert "expires_in" not in shown

    assert ask(team, "del_contact_way", config_id=first)["errcode"] == 0
    assert ask(team, "get_contact_way", config_id=first)["errcode"] == 41044
    assert ask(team, "get_contact_way")["errcode"] == 41043


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"type": None}, 41037),
        ({"type": 3}, 41039),
        ({"scene": None}, 41038),
        ({"scene": True}, 41040),
        ({"style": 4}, 40058),
        ({"user": []}, 40063),
        ({"user": ["Wang", "Li"]}, 41041),
        ({"type": 2, "user": []}, 40063),
        ({"user": ["nobody"]}, 60111),
        ({"user": ["Idle"]}, 41054),
        ({"user": ["Nameless"]}, 40098),
        ({"party": [9]}, 60003),
        ({"state": "长" * 31}, 40058),
        ({"remark": "长" * 31}, 40058),
        ({"skip_verify": "yes"}, 40058),
        ({"is_temp": True, "type": 2}, 40058),
        ({"is_temp": True, "expires_in": 15 * 86_400}, 40058),
        ({"conclusions": "再见"}, 40058),
        ({"conclusions": {"image": {"media_id": "x"}}}, 40007),
    ],
)
def test_a_wrong_way_is_refused(team, body, errcode):
    team.members(
        members=[{"userid": "Idle", "status": 4}, {"userid": "Nameless", "has_real_name": False}]
    )
    given = {"type": 1, "scene": 2, "user": ["Wang"]} | body
    assert ask(team, "add_contact_way", **given)["errcode"] == errcode


def test_at_most_a_hundred_members_also_of_departments(team):
    team.members(
        members=[{"userid": f"m{n}", "departments": [2]} for n in range(101)],
        departments=[{"id": 2, "name": "上海分行"}],
    )
    assert ask(team, "add_contact_way", type=2, scene=2, party=[2])["errcode"] == 41041


def test_a_way_for_a_miniprogram_has_no_picture(team):
    made = way(team, "Wang", scene=1, style=2)
    assert "qr_code" not in made
    shown = ask(team, "get_contact_way", config_id=made["config_id"])["contact_way"]
    assert (shown["style"], "qr_code" in shown) == (2, False)


def test_a_temporary_chat_ends_with_its_conclusion(team):
    end = {"text": {"content": "再见"}, "link": {"title": "评价", "url": "http://x"}}
    made = way(team, "Wang", is_temp=True, conclusions=end)["config_id"]
    assert ask(team, "list_contact_way")["contact_way"] == []
    shown = ask(team, "get_contact_way", config_id=made)["contact_way"]
    assert shown["expires_in"] == 7 * 86_400

    assert team.happen("scan_code", config_id=made, external_userid="wm1") == []
    assert contacts(team, "wang") == []
    who = {"userid": "wang", "external_userid": "wm1"}
    assert ask(team, "close_temp_chat", **who)["errcode"] == 0
    assert [one["msgtype"] for one in inbox(team, "wm1")] == ["text", "link"]
    assert ask(team, "close_temp_chat", **who)["errcode"] == 84061

    team.happen("scan_code", config_id=made, external_userid="wm1")
    team.a_day_later()
    assert ask(team, "close_temp_chat", **who)["errcode"] == 84061
    team.advance(7 * 86_400)
    assert "expired" in team.impossible("scan_code", config_id=made)


# The welcome


def new_contact(corp, name="wm1"):
    (callback,) = corp.happen("add_external_contact", userid="wang", external_userid=name)[:1]
    return field(callback, "WelcomeCode")


def test_a_welcome_is_good_for_twenty_seconds(team):
    code = new_contact(team)
    team.advance(19)
    assert welcome(team, "wrong")["errcode"] == 41050
    assert welcome(team, "")["errcode"] == 41049
    assert welcome(team, code)["errcode"] == 0
    late = new_contact(team, "wm2")
    team.advance(21)
    assert welcome(team, late)["errcode"] == 41050
    assert inbox(team, "wm2") == []


def test_a_welcome_is_good_once_and_for_one_app(team):
    code, other = new_contact(team), team.app(1000009)
    assert welcome(team, code)["errcode"] == 0
    assert welcome(team, code)["errcode"] == 41050
    assert welcome(other, code)["errcode"] == 41096
    assert len(inbox(team, "wm1")) == 1


def test_no_welcome_after_the_talk_has_begun(team):
    code = new_contact(team)
    who = {"userid": "wang", "external_userid": "wm1", "content": "在吗"}
    team.happen("write_in_chat", from_contact=True, **who)
    assert welcome(team, code)["errcode"] == 41051


def test_a_refused_welcome_may_be_tried_again(team):
    code = new_contact(team)
    for more, errcode in (
        ({"text": {"content": "长" * 1334}}, 45002),
        ({"text": None}, 40063),
        ({"attachments": [{"msgtype": "image", "image": {}}]}, 41006),
        ({"attachments": [{"msgtype": "image", "image": {"media_id": "x"}}]}, 40007),
        ({"attachments": [{"msgtype": "voice"}]}, 41065),
        ({"attachments": ["image"]}, 41065),
        ({"attachments": "image"}, 40058),
        ({"attachments": [{"msgtype": "link", "link": {"title": "x"}}]}, 41010),
        ({"attachments": [{"msgtype": "link", "link": {"url": "x"}}]}, 41016),
        ({"attachments": [{"msgtype": "link", "link": {"url": "x", "title": "长" * 43}}]}, 40058),
        ({"attachments": [{"msgtype": "miniprogram", "miniprogram": {"title": "x"}}]}, 41006),
        ({"attachments": [{"msgtype": "link", "link": {"url": "x", "title": "x"}}] * 10}, 40058),
    ):
        assert welcome(team, code, **more)["errcode"] == errcode, more
    link = {"url": "http://x", "title": "产品", "desc": "说明", "picurl": "http://x/1.png"}
    attached = [
        {"msgtype": "link", "link": link},
        {"msgtype": "image", "image": {"pic_url": "http://x/2.png"}},
    ]
    assert welcome(team, code, attachments=attached)["errcode"] == 0
    assert [one["msgtype"] for one in inbox(team, "wm1")] == ["text", "link", "image"]
    assert inbox(team, "wm1")[1]["content"] == link


def test_a_group_welcome_is_kept_for_the_app_that_made_it(team):
    link = {"title": "产品", "url": "http://x"}
    body = {"text": {"content": "欢迎 %NICKNAME%"}, "link": link}
    made = ask(team, "group_welcome_template/add", **body, notify=0)["template_id"]

    assert ask(team, "group_welcome_template/get", template_id=made)["link"] == link
    edited = {"template_id": made, "text": {"content": "您好"}}
    assert ask(team, "group_welcome_template/edit", **edited)["errcode"] == 0
    shown = ask(team, "group_welcome_template/get", template_id=made)
    assert (shown["text"], "link" in shown) == ({"content": "您好"}, False)
    other = team.app(1000009)
    assert ask(other, "group_welcome_template/get", template_id=made)["errcode"] == 40058
    assert ask(team, "group_welcome_template/add")["errcode"] == 40063
    assert ask(team, "group_welcome_template/del", template_id=made)["errcode"] == 0
    assert ask(team, "group_welcome_template/del", template_id=made)["errcode"] == 40058


def test_there_are_at_most_a_hundred_group_welcomes(team):
    body = {"text": {"content": "您好"}}
    answers = [ask(team, "group_welcome_template/add", **body)["errcode"] for _ in range(101)]
    assert answers == [0] * 100 + [41055]


# Group chats


def test_a_join_way_leads_into_the_chat_with_its_state(team):
    team.happen("change_external_chat", change_type="create", userid="wang", chat_id="wr1")
    body = {"scene": 2, "chat_id_list": ["wr1"], "state": "海报"}
    made = ask(team, "groupchat/add_join_way", **body)["config_id"]
    shown = ask(team, "groupchat/get_join_way", config_id=made)["join_way"]
    assert (shown["auto_create_room"], shown["chat_id_list"]) == (1, ["wr1"])

    (callback,) = team.happen("scan_code", url=shown["qr_code"], external_userid="wm1")
    assert "<JoinScene>3</JoinScene>" in callback["xml"]
    assert team.happen("scan_code", config_id=made, external_userid="wm1") == []
    chat = ask(team, "groupchat/get", chat_id="wr1")["group_chat"]
    (joined,) = [one for one in chat["member_list"] if one["type"] == 2]
    assert (joined["join_scene"], joined["state"], "invitor" in joined) == (3, "海报", False)


def test_full_chats_are_followed_by_a_new_one(team):
    crowd = [f"wm-{n}" for n in range(499)]
    team.happen(
        "change_external_chat", change_type="create", userid="wang", chat_id="wr1", members=crowd
    )
    body = {"scene": 2, "chat_id_list": ["wr1"], "room_base_name": "茶友", "room_base_id": 7}
    made = ask(team, "groupchat/add_join_way", **body)["config_id"]

    assert len(team.happen("scan_code", config_id=made)) == 2
    rooms = ask(team, "groupchat/get_join_way", config_id=made)["join_way"]["chat_id_list"]
    new = ask(team, "groupchat/get", chat_id=rooms[1])["group_chat"]
    assert (new["name"], new["owner"], len(new["member_list"])) == ("茶友7", "Wang", 2)

    closed = body | {"config_id": made, "auto_create_room": 0}
    assert ask(team, "groupchat/update_join_way", **closed)["errcode"] == 0
    assert "full" in team.impossible("scan_code", config_id=made)
    team.happen("change_external_chat", change_type="dismiss", chat_id="wr1")
    assert "gone" in team.impossible("scan_code", config_id=made)
    assert ask(team, "groupchat/del_join_way", config_id=made)["errcode"] == 0
    assert ask(team, "groupchat/get_join_way", config_id=made)["errcode"] == 41044


def test_a_wrong_join_way_is_refused(team):
    for body, errcode in (
        ({}, 41038),
        ({"scene": 2}, 40063),
        ({"scene": 2, "chat_id_list": ["x"]}, 40050),
        ({"scene": 2, "chat_id_list": ["x"] * 6}, 40058),
    ):
        assert ask(team, "groupchat/add_join_way", **body)["errcode"] == errcode
    assert ask(team, "groupchat/del_join_way")["errcode"] == 41043


# Acquisition links


def link_of(corp, *userids, **more):
    body = {"link_name": "获客", "range": {"user_list": userids}} | more
    return ask(corp, f"{LINK}/create_link", **body)["link"]


def test_a_link_wins_customers_with_the_channel_as_state(team):
    link = link_of(team, "Wang", "Li")
    url = f"{link['url']}?customer_channel=weibo"
    for name in ("wm1", "wm2"):
        (callback,) = team.happen("open_acquisition_link", url=url, external_userid=name)
        assert field(callback, "State") == "weibo"
    assert team.happen("open_acquisition_link", url=url, external_userid="wm1") == []
    team.happen(
        "write_in_chat", userid="wang", external_userid="wm1", content="您好", from_contact=True
    )

    page = ask(team, f"{LINK}/customer", link_id=link["link_id"], limit=1)
    rest = ask(team, f"{LINK}/customer", link_id=link["link_id"], cursor=page["next_cursor"])
    rows = page["customer_list"] + rest["customer_list"]
    assert [(one["userid"], one["chat_status"], one["state"]) for one in rows] == [
        ("Wang", 1, "weibo"),
        ("Li", 0, "weibo"),
    ]
    now = link["create_time"]
    body = {"link_id": link["link_id"], "start_time": now, "end_time": now}
    figures = ask(team, f"{LINK}/statistic", **body)
    assert (figures["click_link_customer_cnt"], figures["new_customer_cnt"]) == (3, 2)
    follow = team.get(f"{EXTERNAL}/get", external_userid="wm1")["follow_user"][0]
    assert follow["add_way"] == 16
    quota = team.get(f"{EXTERNAL}/customer_acquisition_quota")
    assert (quota["total"], quota["balance"], quota["quota_list"][0]["balance"]) == (1000, 998, 998)


def test_a_link_is_changed_listed_and_deleted(team):
    first, second = link_of(team, "Wang"), link_of(team, "Li")
    body = {"link_id": first["link_id"], "link_name": "新", "range": {"department_list": [1]}}
    assert ask(team, f"{LINK}/update_link", **body, skip_verify=False)["errcode"] == 0

    shown = ask(team, f"{LINK}/get", link_id=first["link_id"])
    assert (shown["link"]["link_name"], shown["link"]["skip_verify"]) == ("新", False)
    assert shown["range"] == {"user_list": [], "department_list": [1]}
    page = ask(team, f"{LINK}/list_link", limit=1)
    rest = ask(team, f"{LINK}/list_link", limit=1, cursor=page["next_cursor"])
    assert page["link_id_list"] + rest["link_id_list"] == [first["link_id"], second["link_id"]]
    assert ask(team, f"{LINK}/delete_link", link_id=first["link_id"])["errcode"] == 0
    assert ask(team, f"{LINK}/get", link_id=first["link_id"])["errcode"] == 40058


def test_wrong_links_are_refused_and_a_used_up_quota_wins_nobody(team):
    for body, errcode in (
        ({"range": {"user_list": ["Wang"]}}, 40058),
        ({"link_name": "长" * 31, "range": {"user_list": ["Wang"]}}, 40058),
        ({"link_name": "获客"}, 40063),
        ({"link_name": "获客", "range": {"user_list": ["nobody"]}}, 60111),
        ({"link_name": "获客", "range": []}, 40058),
    ):
        assert ask(team, f"{LINK}/create_link", **body)["errcode"] == errcode
    link = link_of(team, "Wang")
    long = f"{link['url']}?customer_channel={'x' * 65}"
    assert "64 bytes" in team.impossible("open_acquisition_link", url=long)
    team.switch(acquisition_quota=0)
    assert "used up" in team.impossible("open_acquisition_link", link_id=link["link_id"])
