"""The control API for corps, and what survives."""

import requests

from sandbox.server import running
from tests.sandbox.wecom import Corp


def test_people_messages_and_tokens_of_a_corp_survive_a_restart(tmp_path):
    with running(tmp_path) as address:
        corp = Corp(address, "ww1", "demo-app").keep()
        corp.members("Wang")
        (contact,) = corp.contacts("wang", state="poster7")
        msgid = corp.send("wang")["msgid"]
        token, code = corp.token, corp.code("wang")
        files = {"media": ("a.txt", b"something", "text/plain")}
        query = {"access_token": token, "type": "file"}
        url = corp.url("/cgi-bin/media/upload")
        media_id = requests.post(url, params=query, files=files, timeout=5).json()["media_id"]

    with running(tmp_path) as address:
        again = Corp(address, "ww1", "demo-app", _token=token)
        assert again.gettoken()["access_token"] == token
        assert again.get("/cgi-bin/externalcontact/list", userid="wang")["external_userid"] == [
            contact
        ]
        assert again.get("/cgi-bin/auth/getuserinfo", code=code)["userid"] == "Wang"
        assert again.post("/cgi-bin/message/recall", {"msgid": msgid})["errcode"] == 0
        got = requests.get(
            again.url("/cgi-bin/media/get"),
            params={"access_token": token, "media_id": media_id},
            timeout=5,
        )
        assert got.content == b"something"

    with running(tmp_path) as address:
        again = Corp(address, "ww1", "demo-app", _token=token)
        assert [(one["msgid"], one["recalled"]) for one in again.inbox("wang")] == [(msgid, True)]
        again.control("POST", "/reset")
        assert again.control("GET", "/wecom/members", account="demo-app")["members"] == []
        assert list((tmp_path / "files").iterdir()) == []
        assert again.gettoken()["access_token"] != token


def test_a_reset_leaves_the_app_and_an_empty_corp(corp):
    corp.members("Wang")
    corp.contacts("wang")
    corp.send("wang")
    corp.control("POST", "/reset")
    corp._token = ""

    assert [one["id"] for one in corp.get("/cgi-bin/department/list")["department"]] == [1]
    assert corp.control("GET", "/wecom/contacts", account=corp.name)["contacts"] == []
    assert set(corp.stats().values()) == {0}


def test_members_are_made_changed_and_listed(corp):
    assert corp.members("Wang", "Li", names=["王芳"]) == ["Wang", "Li"]
    corp.members("wang", names=["王大芳"])
    corp.send("li")

    listed = corp.control("GET", "/wecom/members", account=corp.name)["members"]
    assert [(one["userid"], one["unread"]) for one in listed] == [("Wang", 0), ("Li", 1)]
    assert listed[0]["name"] == "王大芳"
    assert listed[1]["name"]


def test_a_wrong_member_is_refused(corp):
    for member, problem in (
        ({"name": "x"}, "needs userid"),
        ({"userid": "x", "status": "much"}, "valid integer"),
    ):
        body = {"account": corp.name, "members": [member]}
        assert problem in corp.refused("POST", "/wecom/members", body)


def test_contacts_are_listed_with_who_follows_them(corp):
    corp.members("Wang", "Li")
    assert len(corp.contacts("wang", count=3)) == 3
    corp.contacts("li", count=None, external_userids=["wm1"], names=["赵云"], type=2)

    every = corp.control("GET", "/wecom/contacts", account=corp.name)["contacts"]
    assert len(every) == 4
    (one,) = corp.control("GET", "/wecom/contacts", account=corp.name, userid="LI")["contacts"]
    assert (one["external_userid"], one["name"], one["type"]) == ("wm1", "赵云", 2)
    assert [(follow["userid"], follow["lost"]) for follow in one["follows"]] == [("Li", False)]
    shown = corp.get("/cgi-bin/externalcontact/get", external_userid="wm1")["external_contact"]
    assert "corp_name" in shown


def test_contacts_need_a_member_and_one_way_of_counting(corp):
    body = {"account": corp.name, "userid": "nobody", "count": 1}
    assert "no member" in corp.refused("POST", "/wecom/contacts", body)
    both = body | {"external_userids": ["x"]}
    assert "either" in corp.refused("POST", "/wecom/contacts", both)


def test_an_inbox_is_of_one_app_or_of_all(corp):
    corp.members("Wang")
    other = corp.app(1000003)
    corp.send("wang")
    other.send("wang")

    every = corp.control("GET", "/wecom/members/WANG/inbox")
    assert [one["agentid"] for one in every] == [str(corp.agentid), "1000003"]
    assert [one["agentid"] for one in other.inbox("wang")] == ["1000003"]
    assert "no member" in corp.refused("GET", "/wecom/members/nobody/inbox")


def test_the_account_must_be_a_wecom_app(corp):
    corp.control("POST", "/accounts", {"name": "oa", "appid": "wx1", "secret": "s"})
    assert "there is no account" in corp.refused("GET", "/wecom/members", account="x")
    assert "not a wecom_app" in corp.refused("GET", "/wecom/members", account="oa")


def test_stats_count_persons(corp):
    corp.members("Wang", "Li")
    corp.send("wang|li")
    stats = corp.stats()
    assert (stats["accepted"], stats["delivered"], stats["refused"]) == (2, 2, 0)
    requests_seen = corp.control("GET", "/stats")["requests"]
    assert requests_seen["/wecom/cgi-bin/message/send"] == 1
