import json
import socket
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses as responses_library
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError

from channel import clients
from channel.delivery import PERMANENT, deliver
from core.db import db
from domain.pushes.models import MessageKind, PushStatus
from domain.pushes.service import PushToSend
from tests.factories import make_channel_account

API = "http://127.0.0.1:8100/wechat"
SEND = f"{API}/cgi-bin/message/template/send"
PARAMS = {"enterprise": "滨江实验学校", "period": "2026-03"}


@pytest.fixture
def wechat():
    """The platform; it hands out a token."""
    clients.forget_http()
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        token = {"access_token": "token-1", "expires_in": 7200}
        mock.post(f"{API}/cgi-bin/stable_token", json=token)
        yield mock


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa")


def push(account, **changes) -> PushToSend:
    fields = {
        "id": 17,
        "channel_account_id": account.id,
        "openid": "oPerson",
        "kind": MessageKind.PAYSLIP_READY,
        "client_msg_id": "0123456789abcdef0123456789abcdef",
        "params": PARAMS,
        "path": "/me/payslips/3",
    }
    return PushToSend(**fields | changes)


def test_a_push_goes_out_as_a_template_message(account, wechat):
    wechat.post(SEND, json={"errcode": 0, "errmsg": "ok", "msgid": 200228332})

    outcome = deliver(push(account))

    assert (outcome.status, outcome.msgid) == (PushStatus.SENT, 200228332)
    sent = json.loads(wechat.calls[-1].request.body)
    assert sent["touser"] == "oPerson"
    assert sent["template_id"] == "template-payslip_ready"
    assert sent["client_msg_id"] == "0123456789abcdef0123456789abcdef"
    assert sent["data"]["thing1"] == {"value": "滨江实验学校"}


def test_a_tap_on_it_leads_through_the_entrance_to_the_page(account, wechat):
    wechat.post(SEND, json={"errcode": 0, "msgid": 1})

    deliver(push(account, path="/me/payslips/3?from=message&x=1"))

    url = urlsplit(json.loads(wechat.calls[-1].request.body)["url"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://127.0.0.1:8000/me/open"
    assert parse_qs(url.query) == {
        "account": ["demo-oa"],
        "to": ["/me/payslips/3?from=message&x=1"],
    }


def test_no_transaction_is_open_while_wechat_is_asked(account, wechat):
    was_open = []

    def look(_request):
        was_open.append(db.session.registry.has() and db.session().in_transaction())
        return 200, {}, '{"errcode": 0, "msgid": 1}'

    wechat.add_callback("POST", SEND, look)

    deliver(push(account))

    assert was_open == [False]


@pytest.mark.parametrize(
    ("errcode", "reason"),
    [(43004, "not-following"), (43101, "muted"), (47003, "template"), (40003, "openid")],
)
def test_what_trying_again_cannot_change_ends_the_push(account, wechat, errcode, reason):
    wechat.post(SEND, json={"errcode": errcode, "errmsg": "no rid: 1"})

    outcome = deliver(push(account))

    assert outcome.status is PushStatus.PERMANENT_FAILURE
    assert (outcome.errcode, outcome.reason, outcome.msgid) == (errcode, reason, None)
    assert errcode in PERMANENT


@pytest.mark.parametrize("errcode", [-1, 45009, 45011, 43116, 99999])
def test_any_other_refusal_is_worth_another_try(account, wechat, errcode):
    wechat.post(SEND, json={"errcode": errcode, "errmsg": "no"})

    outcome = deliver(push(account))

    assert (outcome.status, outcome.errcode) == (PushStatus.TEMPORARY_FAILURE, errcode)


@pytest.mark.parametrize(
    "answer",
    [
        {"body": requests.ReadTimeout("read timed out")},
        {"body": requests.ConnectionError("connection aborted")},
        {"status": 502, "body": "<html>"},
        {"body": "<html>"},
        {"json": {"errcode": 0}},
    ],
)
def test_after_a_lost_answer_nobody_knows(account, wechat, answer):
    wechat.post(SEND, **answer)

    assert deliver(push(account)).status is PushStatus.UNKNOWN


def test_a_call_that_never_left_is_worth_another_try(account, wechat):
    pool = HTTPConnectionPool("127.0.0.1")
    cause = MaxRetryError(pool, "/", ConnectTimeoutError("timed out"))
    wechat.post(SEND, body=requests.ConnectTimeout(cause))

    assert deliver(push(account)).status is PushStatus.TEMPORARY_FAILURE


def test_a_platform_that_is_not_there_loses_no_push(account, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr("channel.wechat.client.exchange", _exchange_at(nobody))

    assert deliver(push(account)).status is PushStatus.TEMPORARY_FAILURE


def _exchange_at(base):
    from channel.wechat.transport import exchange

    def elsewhere(http, method, url, params, body=None):
        if url.endswith("/stable_token"):
            return {"access_token": "token-1", "expires_in": 7200}
        return exchange(http, method, url.replace(API, base), params, body)

    return elsewhere


def test_without_a_token_the_message_has_not_left(account, session):
    clients.forget_http()
    with responses_library.RequestsMock() as mock:
        mock.post(f"{API}/cgi-bin/stable_token", body=requests.ReadTimeout("read timed out"))

        assert deliver(push(account)).status is PushStatus.TEMPORARY_FAILURE


def test_a_message_without_a_template_in_the_account_is_for_a_person_to_look_at(session, wechat):
    account = make_channel_account(name="bare-oa", templates={})

    outcome = deliver(push(account))

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "template")
    assert len(wechat.calls) == 0


def test_a_message_that_cannot_be_written_is_not_sent(account, wechat):
    outcome = deliver(push(account, params={}))

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "template")
    assert len(wechat.calls) == 0


def test_a_push_of_an_account_that_is_switched_off_waits(session, wechat):
    account = make_channel_account(name="off-oa", is_enabled=False)

    outcome = deliver(push(account))

    assert (outcome.status, outcome.reason) == (PushStatus.TEMPORARY_FAILURE, "account_unknown")
    assert len(wechat.calls) == 0
