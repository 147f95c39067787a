"""Messages of an app: who gets them, what they may hold, and taking them back."""

import pytest
import requests

SEND = "/cgi-bin/message/send"


@pytest.fixture
def app(corp):
    corp.members(
        "Wang",
        "Li",
        departments=[{"id": 2, "name": "分行"}],
        members=[{"userid": "Zhao", "departments": [2]}],
        tags=[{"tagid": 7, "name": "客户经理", "userids": ["li", "ZHAO", "gone"]}],
    )
    return corp


def received(app):
    return [userid for userid in ("Wang", "Li", "Zhao") if app.inbox(userid)]


def uploaded(app, kind="image", data=b"something", name="图.png"):
    answer = requests.post(
        app.url("/cgi-bin/media/upload"),
        params={"access_token": app.token, "type": kind},
        files={"media": (name, data, "image/png")},
        timeout=5,
    )
    return answer.json()


@pytest.mark.parametrize(
    ("to", "userids"),
    [
        ({"touser": "wang|LI"}, ["Wang", "Li"]),
        ({"touser": "@all"}, ["Wang", "Li", "Zhao"]),
        ({"toparty": "2"}, ["Zhao"]),
        ({"toparty": 1}, ["Wang", "Li", "Zhao"]),
        ({"totag": "7"}, ["Li", "Zhao"]),
        ({"touser": "wang", "toparty": "2", "totag": "7"}, ["Wang", "Li", "Zhao"]),
    ],
)
def test_a_message_reaches_users_parties_and_tags(app, to, userids):
    answer = app.send(**{"touser": ""} | to)
    assert (answer["errcode"], answer["invaliduser"]) == (0, "")
    assert received(app) == userids
    assert all(len(app.inbox(userid)) == 1 for userid in userids)


def test_who_is_wrong_is_named_in_lower_case_and_the_rest_get_theirs(app):
    answer = app.send("Wang|NoBody", toparty="2|99", totag="7|98")
    assert answer["errcode"] == 0
    assert answer["invaliduser"] == "nobody"
    assert (answer["invalidparty"], answer["invalidtag"]) == ("99", "98")
    assert received(app) == ["Wang", "Li", "Zhao"]


def test_nobody_right_is_an_error(app):
    assert app.send("nobody", toparty="99")["errcode"] == 81013
    assert app.send("")["errcode"] == 82001
    app.switch(visible_userids=["Wang"])
    assert app.send("li")["errcode"] == 81013
    assert app.send("@all")["errcode"] == 0
    assert received(app) == ["Wang"]


def test_members_without_a_licence_are_named(app):
    app.members(members=[{"userid": "Li", "licensed": False}])
    answer = app.send("wang|li", toparty="1")
    assert answer["unlicenseduser"] == "li"
    assert received(app) == ["Wang", "Zhao"]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"agentid": None}, 41011),
        ({"agentid": 1000009}, 301002),
        ({"agentid": True}, 40056),
        ({"msgtype": "carrier_pigeon"}, 40008),
        ({"msgtype": None}, 40008),
        ({"touser": "|".join(f"u{n}" for n in range(1001))}, 40032),
        ({"toparty": "|".join(map(str, range(101)))}, 82002),
        ({"totag": "|".join(map(str, range(101)))}, 82003),
        ({"touser": ["wang"]}, 40058),
        ({"text": {"content": " "}}, 44004),
        ({"text": "hello"}, 44004),
    ],
)
def test_a_wrong_message_is_refused_and_counted(app, body, errcode):
    sent = {"agentid": app.agentid, "touser": "wang", "msgtype": "text", "text": {"content": "x"}}
    assert app.post(SEND, sent | body)["errcode"] == errcode
    assert app.stats()["refused"] == 1
    assert not received(app)


def test_a_long_text_is_cut_at_a_whole_character(app):
    app.send("wang", content={"content": "a" + "汉" * 1000})
    assert app.inbox("wang")[0]["content"]["content"] == "a" + "汉" * 682


@pytest.mark.parametrize(
    ("kind", "content", "errcode"),
    [
        ("markdown", {"content": "**x**"}, 0),
        ("markdown", {"content": "x" * 2049}, 45002),
        ("textcard", {"title": "题", "description": "文", "url": "http://x"}, 0),
        ("textcard", {"description": "文", "url": "http://x"}, 41016),
        ("textcard", {"title": "题", "url": "http://x"}, 41033),
        ("textcard", {"title": "题", "description": "文"}, 41010),
        ("textcard", {"title": "题", "description": "文", "url": "h" * 2049}, 40058),
        ("news", {"articles": [{"title": "题", "url": "http://x"}]}, 0),
        ("news", {"articles": [{"title": "题", "appid": "wx1"}]}, 0),
        ("news", {"articles": []}, 45008),
        ("news", {"articles": [{"title": "题", "url": "http://x"}] * 9}, 45008),
        ("news", {"articles": ["x"]}, 45008),
        ("mpnews", {"articles": ["x"]}, 45008),
        ("image", {"media_id": "unknown"}, 40007),
        ("image", {}, 41006),
        ("miniprogram_notice", {"appid": "wx1", "title": "待办提醒"}, 0),
        ("miniprogram_notice", {"title": "待办提醒"}, 40063),
        ("miniprogram_notice", {"appid": "wx1", "title": "短"}, 40058),
        (
            "miniprogram_notice",
            {"appid": "wx1", "title": "待办提醒", "content_item": [1] * 11},
            40058,
        ),
    ],
)
def test_each_type_has_its_limits(app, kind, content, errcode):
    body = {"agentid": app.agentid, "touser": "wang", "msgtype": kind, kind: content}
    assert app.post(SEND, body)["errcode"] == errcode
    assert len(app.inbox("wang")) == (errcode == 0)


def test_a_text_card_is_cut_and_gets_a_button(app):
    content = {
        "title": "题" * 50,
        "description": "d" * 600,
        "url": "http://x",
        "btntxt": "一二三四五",
    }
    app.send("wang", "textcard", content)
    shown = app.inbox("wang")[0]["content"]
    assert shown["title"] == "题" * 42
    assert len(shown["description"]) == 512
    assert shown["btntxt"] == "一二三四"


def test_some_messages_do_not_go_with_some_ways(app):
    news = {"articles": [{"title": "题", "url": "http://x"}]}
    assert app.send("wang", "news", news, safe=1)["errcode"] == 40074
    notice = {"appid": "wx1", "title": "待办提醒"}
    assert app.send("@all", "miniprogram_notice", notice)["errcode"] == 40058


def test_files_are_sent_fetched_and_expire_after_three_days(app):
    answer = uploaded(app)
    media_id = answer["media_id"]
    assert answer["type"] == "image"
    assert answer["created_at"].isdigit()
    assert app.send("wang", "image", {"media_id": media_id})["errcode"] == 0
    assert app.send("wang", "file", {"media_id": media_id})["errcode"] == 40007
    article = {"title": "题", "content": "x", "thumb_media_id": media_id}
    assert app.send("wang", "mpnews", {"articles": [article]})["errcode"] == 0
    large = {"articles": [article | {"content": "x" * (667 << 10)}]}
    assert app.send("wang", "mpnews", large)["errcode"] == 45002

    query = {"access_token": app.app(1000003).token, "media_id": media_id}
    got = requests.get(app.url("/cgi-bin/media/get"), params=query, timeout=5)
    assert (got.content, got.headers["Content-Type"]) == (b"something", "image/png")
    assert "%E5%9B%BE.png" in got.headers["Content-Disposition"]
    app.advance(3 * 86_400)
    app._token = ""
    assert app.send("wang", "image", {"media_id": media_id})["errcode"] == 40007
    assert app.get("/cgi-bin/media/get", media_id=media_id)["errcode"] == 40007
    assert app.get("/cgi-bin/media/get")["errcode"] == 41006


def test_a_video_has_a_title(app):
    media_id = uploaded(app, "video")["media_id"]
    app.send("wang", "video", {"media_id": media_id, "title": "片"})
    assert app.inbox("wang")[0]["content"]["title"] == "片"


@pytest.mark.parametrize(
    ("kind", "data", "errcode"),
    [
        ("sculpture", b"something", 40004),
        ("image", b"tiny", 44001),
        ("voice", b"x" * ((2 << 20) + 1), 45001),
        ("file", b"x" * (21 << 20), 45001),
    ],
)
def test_files_are_checked(app, kind, data, errcode):
    assert uploaded(app, kind, data)["errcode"] == errcode


def test_an_upload_needs_a_part_named_media(app):
    query = {"access_token": app.token, "type": "image"}
    url = app.url("/cgi-bin/media/upload")
    wrong_name = requests.post(url, params=query, files={"file": b"something"}, timeout=5)
    nothing = requests.post(url, params=query, timeout=5)
    broken = requests.post(
        url, params=query, headers={"Content-Type": "multipart/form-data"}, data=b"x", timeout=5
    )
    for answer in (wrong_name, nothing, broken):
        assert answer.json()["errcode"] == 41005


def test_the_31st_message_in_a_minute_vanishes_without_a_word(app):
    answers = [app.send("wang|li")["errcode"] for _ in range(31)]

    assert answers == [0] * 31
    assert len(app.inbox("wang")) == 30
    assert app.stats()["dropped"] == 2
    assert app.app(1000003).send("wang")["errcode"] == 0
    app.advance(60)
    app.send("wang")
    assert len(app.inbox("wang")) == 31


def test_the_quota_of_the_day_counts_persons(app):
    app.switch(quotas={SEND: 3})
    assert app.send("wang|li")["errcode"] == 0
    assert app.send("wang|li")["errcode"] == 45009
    assert app.send("wang")["errcode"] == 0
    assert len(app.inbox("wang")) == 2


def test_the_same_message_is_sent_once_when_that_is_asked(app):
    once = {"enable_duplicate_check": 1, "duplicate_check_interval": 600}
    first = app.send("wang", **once)
    again = app.send("Wang", **once)
    different = app.send("wang", content={"content": "anderes"}, **once)

    assert again["msgid"] == first["msgid"] != different["msgid"]
    assert len(app.inbox("wang")) == 2
    assert app.stats()["duplicates"] == 1
    app.advance(601)
    assert app.send("wang", **once)["msgid"] != first["msgid"]
    assert app.send("wang")["msgid"] != first["msgid"]


def test_a_message_is_taken_back_within_a_day_by_its_own_app(app):
    first, second = app.send("wang")["msgid"], app.send("wang")["msgid"]
    recall = "/cgi-bin/message/recall"

    assert app.app(1000003).post(recall, {"msgid": first})["errcode"] == 40058
    assert app.post(recall, {"msgid": first})["errcode"] == 0
    assert app.post(recall, {"msgid": first})["errcode"] == 0
    assert app.post(recall, {"msgid": "unknown"})["errcode"] == 40058
    assert [one["recalled"] for one in app.inbox("wang")] == [True, False]
    assert app.stats()["recalled"] == 1
    app.advance(86_400)
    app._token = ""
    assert app.post(recall, {"msgid": second})["errcode"] == 40058


def test_what_was_sent_is_forgotten_after_three_days(app):
    msgid = app.send("wang")["msgid"]
    app.advance(4 * 86_400)
    app._token = ""
    app.send("wang")
    assert app.post("/cgi-bin/message/recall", {"msgid": msgid})["errcode"] == 40058
    assert len(app.inbox("wang")) == 2
