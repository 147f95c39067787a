"""The control API: accounts, people, faults, time, and sentences for bad input."""

import asyncio
import time

import pytest
import requests
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sandbox import control

SEND = "/cgi-bin/message/template/send"


def test_an_account_is_created_once_and_changed_afterwards(client):
    before = client.account
    changed = client.keep_account(name=client.name, callback_url="http://127.0.0.1:9/callback")
    assert changed["secret"] == before["secret"]
    assert changed["templates"] == before["templates"]
    assert changed["callback_url"] == "http://127.0.0.1:9/callback"


def test_changing_an_account_keeps_its_people_and_their_messages(client):
    fan = client.fan()
    client.payslip(fan)
    client.keep_account(name=client.name, title="新名称")
    assert len(client.inbox(fan)) == 1


@pytest.mark.parametrize("kind", ["wecom_app", "miniprogram"])
def test_the_other_kinds_of_account_are_kept_too(client, kind):
    account = client.control(
        "POST",
        "/accounts",
        {"kind": kind, "name": f"a-{kind}", "appid": "x", "secret": "s", "agentid": 1000002},
    )
    assert (account["kind"], account["agentid"]) == (kind, "1000002")
    body = {"account": f"a-{kind}", "count": 1}
    assert "not an official account" in client.refused("POST", "/wechat/fans", body)


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"kind": "official_account", "name": "x"}, "needs appid and secret"),
        ({"kind": "newspaper", "name": "x"}, "official_account"),
        ({"name": "x", "appid": "a", "secret": "s", "colour": "red"}, "colour"),
        ({"name": "x", "appid": "a", "secret": "s", "aes_key": "short"}, "aes_key"),
        ({"name": "x", "appid": "a", "secret": "s", "settings": {"speed": 1}}, "speed"),
        (
            {"name": "x", "appid": "a", "secret": "s", "callback_url": "http://a", "mode": "safe"},
            "aes_key",
        ),
    ],
)
def test_a_wrong_account_is_refused_with_the_field(client, body, hint):
    assert hint in client.refused("POST", "/accounts", body)


def test_an_appid_belongs_to_one_account(client):
    body = {"name": "thief", "appid": client.account["appid"], "secret": "s"}
    assert client.name in client.refused("POST", "/accounts", body)


def test_people_can_be_made_by_number_or_by_openid(client):
    assert len(set(client.fans(3))) == 3
    body = {"account": client.name, "openids": ["o1", "o2"], "names": ["王芳", "李强"]}
    assert client.control("POST", "/wechat/fans", body)["openids"] == ["o1", "o2"]
    listed = client.control("GET", "/wechat/fans", account=client.name)["fans"]
    assert [fan["name"] for fan in listed[3:]] == ["王芳", "李强"]
    client.control("POST", "/wechat/fans", body | {"subscribe": False})
    assert client.get("/cgi-bin/user/info", openid="o1")["subscribe"] == 0


@pytest.mark.parametrize(
    ("path", "body", "hint"),
    [
        ("/wechat/fans", {"account": "nobody", "count": 1}, "there is no account"),
        ("/wechat/fans", {"account": "nobody"}, "either count or openids"),
        ("/wechat/fans", {"account": "x", "count": 1, "openids": []}, "either count or openids"),
        ("/wechat/fans", {"account": "x", "count": 0}, "count"),
        ("/clock", {}, "either now or advance_seconds"),
        ("/clock", {"now": "tomorrow"}, "now"),
        ("/clock", {"advance_seconds": 1e300}, "from 1970 to 2096"),
        ("/faults", {"every": 0}, "every"),
        ("/faults", {"http_status": 99}, "http_status"),
    ],
)
def test_bad_input_gets_a_helpful_400(client, path, body, hint):
    assert hint in client.refused("POST", path, body)


def test_a_body_that_is_no_json_and_a_path_that_is_none(client):
    url = f"{client.address}/_sandbox/faults"
    assert requests.post(url, data="{", timeout=5).status_code == 400
    assert requests.get(f"{client.address}/_sandbox/nonsense", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("event", "hint"),
    [
        ({"event": "dance"}, "unknown event dance; one of subscribe"),
        ({"event": "click"}, "click needs key"),
        ({"event": "text"}, "text needs content"),
        ({"event": "scan"}, "scan needs scene, ticket or url"),
        ({"event": "scan", "ticket": "nonsense"}, "has no QR code"),
        ({"event": "mute", "template_id": "nonsense"}, "has no template"),
        ({"event": "click", "key": "k", "openid": "nobody"}, "knows nobody"),
    ],
)
def test_an_impossible_event_is_refused_with_a_reason(client, event, hint):
    body = {"account": client.name, "openid": client.fan(), **event}
    assert hint in client.refused("POST", "/wechat/events", body)


def test_who_does_not_follow_cannot_tap_write_or_leave(client):
    fan = client.fan(subscribe=False)
    for event in ({"event": "click", "key": "k"}, {"event": "text", "content": "x"}):
        body = {"account": client.name, "openid": fan, **event}
        assert "does not follow" in client.refused("POST", "/wechat/events", body)
    body = {"account": client.name, "openid": fan, "event": "unsubscribe"}
    assert "does not follow" in client.refused("POST", "/wechat/events", body)


def test_an_unknown_person_has_no_inbox(client):
    assert "nobody has the openid" in client.refused("GET", "/wechat/fans/nobody/inbox")


def test_only_this_machine_may_steer(client):
    async def handler(_):
        return web.Response()

    def status_for(peer, path):
        request = make_mocked_request("GET", path).clone(remote=peer)
        return asyncio.run(control.guard(request, handler)).status

    assert status_for("127.0.0.1", "/_sandbox/stats") == 200
    assert status_for("::1", "/_sandbox/stats") == 200
    assert status_for("192.168.1.20", "/_sandbox/stats") == 403
    assert status_for("192.168.1.20", "/hall") == 200


def test_the_platform_tells_its_addresses_and_checks_the_network(client):
    assert client.get("/cgi-bin/get_api_domain_ip") == {"ip_list": ["127.0.0.1"]}
    assert client.get("/cgi-bin/getcallbackip") == {"ip_list": ["127.0.0.1"]}
    check = "/cgi-bin/callback/check"
    assert set(client.post(check, {"action": "all", "check_operator": "DEFAULT"})) == {
        "dns",
        "ping",
    }
    assert set(client.post(check, {"action": "dns"})) == {"dns"}
    assert client.post(check, {"action": "dance"})["errcode"] == 40035


# Faults


def test_an_errcode_on_order_refuses_without_sending(client):
    fan = client.fan()
    client.control("POST", "/faults", {"path": SEND, "errcode": 45009, "times": 1})
    assert client.payslip(fan)["errcode"] == 45009
    assert client.inbox(fan) == []
    assert client.payslip(fan)["errcode"] == 0


def test_a_fault_may_strike_every_second_time(client):
    fan = client.fan()
    client.control("POST", "/faults", {"path": SEND, "errcode": -1, "every": 2})
    assert [client.payslip(fan)["errcode"] for _ in range(4)] == [0, -1, 0, -1]


def test_a_fault_without_a_path_strikes_every_api_but_not_the_control(client):
    client.control("POST", "/faults", {"errcode": -1})
    assert client.get("/cgi-bin/user/get", token="any")["errcode"] == -1
    faults = client.control("GET", "/faults")["faults"]
    assert faults[0]["hits"] == 1
    assert client.control("DELETE", "/faults") == {"faults": []}
    assert client.get("/cgi-bin/user/get")["total"] == 0


def test_a_fault_s_path_may_name_the_platform(client):
    client.control("POST", "/faults", {"path": f"/wechat{SEND}", "errcode": -1})
    assert client.payslip(client.fan())["errcode"] == -1
    client.control("POST", "/faults", {"path": f"/wecom{SEND}", "errcode": -2})
    assert client.payslip(client.fan())["errcode"] == -1


def test_an_http_error_on_order(client):
    client.control("POST", "/faults", {"path": "/cgi-bin/user/get", "http_status": 502})
    assert requests.get(client.url("/cgi-bin/user/get"), timeout=5).status_code == 502


def test_a_dropped_answer_is_a_broken_connection(client):
    client.control("POST", "/faults", {"path": "/cgi-bin/user/get", "drop": True})
    with pytest.raises(requests.ConnectionError):
        requests.get(client.url("/cgi-bin/user/get"), timeout=5)


def test_an_answer_lost_after_the_work_was_done_leaves_the_message_sent(client):
    fan = client.fan()
    assert client.token
    client.control("POST", "/faults", {"path": SEND, "drop": True, "after": True, "times": 1})
    with pytest.raises(requests.ConnectionError):
        client.payslip(fan, client_msg_id="once")
    assert client.payslip(fan, client_msg_id="once")["errcode"] == 0
    assert len(client.inbox(fan)) == 1


def test_a_slow_answer_is_late_but_right(client):
    client.control("POST", "/faults", {"path": "/cgi-bin/user/get", "latency_ms": 150})
    started = time.monotonic()
    assert client.get("/cgi-bin/user/get")["total"] == 0
    assert time.monotonic() - started >= 0.15


# Time, counting, forgetting


def test_the_clock_can_be_set_and_moved_and_runs_on(client):
    at = client.control("POST", "/clock", {"now": "2026-01-01T00:00:00"})["now"]
    assert at.startswith("2026-01-01T00:00:00")
    at = client.control("POST", "/clock", {"advance_seconds": 3600})["now"]
    assert at.startswith("2026-01-01T01:00:")
    at = client.control("POST", "/clock", {"now": 1_800_000_000})["now"]
    assert at.startswith("2027-01-15T08:00:")
    assert client.control("GET", "/clock")["now"] >= at


def test_requests_are_counted_by_path(client):
    client.payslip(client.fan())
    requests_seen = client.control("GET", "/stats")["requests"]
    assert requests_seen == {"/wechat/cgi-bin/stable_token": 1, f"/wechat{SEND}": 1}


def test_a_reset_forgets_everything_but_the_accounts(client):
    client.switch(unionid=True)
    fan = client.fan()
    client.payslip(fan)
    client.post("/cgi-bin/menu/create", {"button": [{"type": "click", "name": "x", "key": "k"}]})
    client.control("POST", "/faults", {"path": "/x", "errcode": 1})

    client.control("POST", "/reset")

    assert client.get("/cgi-bin/user/get")["errcode"] == 40001
    client._token = ""
    assert client.get("/cgi-bin/user/get")["total"] == 0
    assert client.get("/cgi-bin/menu/get")["errcode"] == 46003
    assert client.control("GET", "/faults") == {"faults": []}
    assert client.control("GET", "/stats")["messages"]["accepted"] == 0
    (account,) = [
        one for one in client.control("GET", "/accounts")["accounts"] if one["name"] == client.name
    ]
    assert account["settings"]["unionid"] is True
    assert fan in client.fans(1)


def test_callbacks_are_listed_with_their_outcome(client):
    client.keep_account(name=client.name, callback_url="http://127.0.0.1:9/")
    client.switch(callback_retry_seconds=0)
    client.happen(client.fan(), "text", content="在吗")
    (callback,) = client.control("GET", "/callbacks")["callbacks"]
    assert (callback["event"], callback["tries"]) == ("text", 3)
    assert callback["outcome"].startswith("failed: ")
