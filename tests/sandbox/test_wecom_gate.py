"""WeCom's gate: tokens, the order of checks, limits, and how an error looks."""

import threading
import time

import pytest
import requests

USER_GET = "/cgi-bin/user/get"


def test_a_token_stays_the_same_while_it_is_good(corp):
    first = corp.gettoken()
    corp.advance(1000)
    second = corp.gettoken()

    assert first == {"errcode": 0, "errmsg": "ok", "access_token": corp.token, "expires_in": 7200}
    assert second["access_token"] == first["access_token"]
    assert 6190 <= second["expires_in"] <= 6200
    corp.advance(6300)
    assert corp.gettoken()["access_token"] != first["access_token"]
    assert corp.get(USER_GET, userid="x")["errcode"] == 42001


def test_each_app_has_a_token_of_its_own(corp):
    assert corp.app(1000003).token != corp.token


@pytest.mark.parametrize(
    ("asked", "errcode"),
    [
        ({"corpid": "unknown", "corpsecret": ""}, 41004),
        ({"corpid": "unknown"}, 40013),
        ({"corpid": ""}, 41002),
        ({"corpsecret": "wrong"}, 40001),
    ],
)
def test_the_secret_is_missed_before_the_corp_is_looked_at(corp, asked, errcode):
    assert corp.gettoken(**asked)["errcode"] == errcode


def test_the_secret_of_another_app_gives_the_token_of_that_app(corp):
    other = corp.app(1000003)
    assert corp.gettoken(corpsecret=other.secret)["access_token"] == other.token


def test_who_goes_on_with_wrong_secrets_is_shut_out_for_an_hour(corp):
    corp.switch(wrong_secrets_before_ban=3)
    answers = [corp.gettoken(corpsecret="wrong")["errcode"] for _ in range(3)]

    assert answers == [40001] * 3
    assert corp.gettoken()["errcode"] == 45009
    corp.advance(3600)
    assert corp.gettoken()["errcode"] == 0


def test_a_token_taken_back_early_is_no_token(corp):
    old = corp.token
    corp.control("POST", "/wecom/revoke_token", {"account": corp.name})

    assert corp.get(USER_GET, token=old, userid="x")["errcode"] == 40014
    assert corp.gettoken()["access_token"] != old


def test_an_error_comes_with_empty_fields_that_look_like_data(corp):
    missing = corp.get(USER_GET, token=None)
    bad = corp.get("/cgi-bin/externalcontact/list", token="bad", userid="x")

    assert missing["errcode"] == 41001
    assert missing["errmsg"].startswith("access_token missing, hint: [")
    assert "from ip: 127.0.0.1" in missing["errmsg"]
    assert missing["errmsg"].endswith("devtool/query?e=41001")
    assert missing["department"] == missing["order"] == missing["direct_leader"] == []
    assert bad == {"errcode": 40014, "errmsg": "invalid access_token", "external_userid": []}


def test_the_token_is_taken_from_the_query_only(corp):
    headers = {"Authorization": f"Bearer {corp.token}"}
    answer = requests.get(corp.url(USER_GET), headers=headers, timeout=5).json()
    assert answer["errcode"] == 41001


def test_an_ordered_error_looks_like_one_of_wecom(corp):
    corp.control("POST", "/faults", {"path": f"/wecom{USER_GET}", "errcode": -1, "times": 1})
    answer = corp.get(USER_GET, userid="x")
    assert answer["errcode"] == -1
    assert answer["errmsg"].startswith("system busy, hint")
    assert answer["department"] == []


def test_an_unknown_path_is_a_404_without_a_body(corp):
    response = requests.get(corp.url("/cgi-bin/nothing"), timeout=5)
    assert (response.status_code, response.text) == (404, "")


def test_the_method_must_be_right(corp):
    assert corp.post(USER_GET, {})["errcode"] == 43001
    assert corp.get("/cgi-bin/message/send")["errcode"] == 43002


@pytest.mark.parametrize(
    ("settings", "errcode"),
    [
        ({"ip_allowlist": ["10.0.0.1"]}, 60020),
        ({"apis_not_allowed": [USER_GET]}, 48002),
        ({"app_disabled": True}, 50003),
    ],
)
def test_the_console_can_forbid(corp, settings, errcode):
    corp.members("zhangsan")
    assert corp.get(USER_GET, userid="zhangsan")["errcode"] == 0
    corp.switch(**settings)
    assert corp.get(USER_GET, userid="zhangsan")["errcode"] == errcode


def test_a_disabled_app_gets_no_token(corp):
    corp.switch(app_disabled=True)
    assert corp.gettoken()["errcode"] == 50003


def test_too_many_calls_in_a_minute_close_the_api_for_a_minute_for_the_whole_corp(corp):
    corp.members("zhangsan")
    corp.switch(calls_per_minute=2)
    other = corp.app(1000003, settings={"calls_per_minute": 2})

    answers = [app.get(USER_GET, userid="zhangsan")["errcode"] for app in (corp, other, corp)]

    assert answers == [0, 0, 45009]
    assert corp.get("/cgi-bin/department/list")["errcode"] == 0
    corp.advance(30)
    assert other.get(USER_GET, userid="zhangsan")["errcode"] == 45009
    corp.advance(31)
    assert corp.get(USER_GET, userid="zhangsan")["errcode"] == 0


def test_too_many_calls_in_an_hour_close_the_api_for_an_hour(corp):
    corp.switch(calls_per_hour=1)
    path = "/cgi-bin/department/list"
    assert [corp.get(path)["errcode"] for _ in range(2)] == [0, 45009]
    corp.advance(1800)
    assert corp.get(path)["errcode"] == 45009
    corp.advance(1900)
    assert corp.get(path)["errcode"] == 0


def test_a_quota_of_the_day_can_be_set(corp):
    path = "/cgi-bin/department/list"
    corp.switch(quotas={path: 1})
    assert [corp.get(path)["errcode"] for _ in range(2)] == [0, 45009]
    corp.advance(86_400)
    corp._token = ""
    assert corp.get(path)["errcode"] == 0


@pytest.mark.parametrize(("path", "errcode"), [("/cgi-bin/department/list", 45033)])
def test_two_calls_at_once_conflict_where_a_developer_wants_it(corp, path, errcode):
    corp.switch(busy_seconds={path: 0.5})
    answers = []
    token = corp.token
    first = threading.Thread(target=lambda: answers.append(corp.get(path, token=token)["errcode"]))
    first.start()
    time.sleep(0.2)
    assert corp.get(path, token=token)["errcode"] == errcode
    first.join()
    assert answers == [0]
    assert corp.get(path, token=token)["errcode"] == 0


def test_what_is_no_json_counts_as_empty_and_is_warned_of(corp):
    url = corp.url("/cgi-bin/message/send")
    for body in ("{", "[]", '"text"'):
        answer = requests.post(
            url, data=body, params={"access_token": corp.token}, timeout=5
        ).json()
        assert answer["errcode"] == 41011
        assert "wrong json format" in answer["errmsg"]


def test_escaped_characters_are_refused_by_a_switch(corp):
    corp.members("zhangsan")
    assert corp.send("zhangsan")["errcode"] == 0
    corp.switch(refuse_escapes=True)
    assert corp.send("zhangsan")["errcode"] == 40033


def test_an_app_acts_for_no_other(corp):
    assert corp.get("/cgi-bin/agent/get", agentid=1000009)["errcode"] == 301002
    assert corp.get("/cgi-bin/agent/get", agentid="x")["errcode"] == 40056
    mine = corp.get("/cgi-bin/agent/get", agentid=corp.agentid)
    assert (mine["agentid"], mine["name"], mine["close"]) == (corp.agentid, corp.name, 0)
    assert corp.get("/cgi-bin/agent/list")["agentlist"][0]["agentid"] == corp.agentid


@pytest.mark.parametrize("path", ["/cgi-bin/getcallbackip", "/cgi-bin/get_api_domain_ip"])
def test_the_addresses_of_wecom_are_this_machine(corp, path):
    assert corp.get(path)["ip_list"] == ["127.0.0.1"]
    assert corp.get(path, token="bad")["ip_list"] == []


def test_tickets_of_corp_and_apps_are_strangers_and_stay_the_same(corp):
    other = corp.app(1000003)
    corp_ticket = corp.get("/cgi-bin/get_jsapi_ticket")
    tickets = {
        corp_ticket["ticket"],
        corp.get("/cgi-bin/ticket/get", type="agent_config")["ticket"],
        other.get("/cgi-bin/ticket/get", type="agent_config")["ticket"],
    }

    assert corp_ticket["expires_in"] == 7200
    assert len(tickets) == 3
    assert other.get("/cgi-bin/get_jsapi_ticket")["ticket"] == corp_ticket["ticket"]
    assert corp.get("/cgi-bin/ticket/get", type="jsapi")["errcode"] == 40097
    corp.advance(6950)
    renewed = corp.get("/cgi-bin/get_jsapi_ticket")["ticket"]
    assert renewed != corp_ticket["ticket"]


def test_tickets_have_limits_of_their_own(corp):
    path, query = "/cgi-bin/ticket/get", {"type": "agent_config"}
    assert [corp.get(path, **query)["errcode"] for _ in range(101)] == [0] * 100 + [45009]
    assert corp.app(1000003).get(path, **query)["errcode"] == 0


NASTY = [None, True, -1, 10**30, 1.5, "", "9" * 5000, "\ud800", [], [[]], {}, {"type": {}}, [{}]]
FIELDS = {
    "/cgi-bin/message/send": ["touser", "toparty", "totag", "agentid", "msgtype", "text", "news"],
    "/cgi-bin/message/recall": ["msgid"],
    "/cgi-bin/message/update_template_card": ["userids", "partyids", "tagids", "response_code"],
    "/cgi-bin/user/list_id": ["cursor", "limit"],
    "/cgi-bin/user/getuserid": ["mobile"],
    "/cgi-bin/user/convert_to_openid": ["userid"],
    "/cgi-bin/auth/getuserdetail": ["user_ticket"],
}


@pytest.mark.parametrize("path", FIELDS)
def test_no_field_however_wrong_breaks_the_server(corp, path):
    corp.members("wang")
    good = {"agentid": corp.agentid, "touser": "wang", "msgtype": "news", "button": {}}
    for name in FIELDS[path]:
        for value in NASTY:
            assert "errcode" in corp.post(path, good | {name: value}), (name, value)


@pytest.mark.parametrize("part", ["main_title", "quote_area", "jump_list", "checkbox", "task_id"])
def test_no_card_however_wrong_breaks_the_server(corp, part):
    corp.members("wang")
    card = {"main_title": {"title": "x"}, "card_action": {"type": 1, "url": "http://x"}}
    for kind in ("text_notice", "vote_interaction"):
        for value in NASTY:
            answer = corp.send("wang", "template_card", {"card_type": kind, **card, part: value})
            assert "errcode" in answer, value


@pytest.mark.parametrize("query", [{"department_id": "9" * 5000}, {"department_id": "-1"}])
def test_no_query_however_wrong_breaks_the_server(corp, query):
    assert corp.get("/cgi-bin/user/list", **query)["errcode"] == 60003


def test_a_body_nested_without_end_is_no_json(corp):
    query = {"access_token": corp.token}
    body = '{"touser":' + "[" * 100_000
    answer = requests.post(corp.url("/cgi-bin/message/send"), params=query, data=body, timeout=5)
    assert answer.json()["errcode"] == 41011
