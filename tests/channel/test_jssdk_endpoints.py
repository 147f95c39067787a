"""Signatures for our own pages, by the ticket of the right account, and for nobody else's."""

from hashlib import sha1

import pytest
import responses as responses_library

from core.settings import get_settings
from domain.directory.accounts import ChannelKind
from tests.factories import make_binding, make_channel_account, make_employee

PAGE = "http://localhost:8000/s/abc?x=1"
OA_TICKET, CORP_TICKET, AGENT_TICKET = "oa-t1cket", "corp-t1cket", "agent-t1cket"


@pytest.fixture
def accounts(session):
    oa = make_channel_account(name="demo-oa", appid="wx1")
    app = make_channel_account(
        kind=ChannelKind.WECOM_APP, name="demo-wecom", appid="ww1", agentid="1000002"
    )
    return oa, app


@pytest.fixture
def platforms():
    settings = get_settings()
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        token = {"errcode": 0, "access_token": "t", "expires_in": 7200}
        ok = {"errcode": 0, "errmsg": "ok", "expires_in": 7200}
        oa, wecom = f"{settings.wechat_api_url}/cgi-bin", f"{settings.wecom_api_url}/cgi-bin"
        mock.post(f"{oa}/stable_token", json=token)
        mock.get(f"{wecom}/gettoken", json=token)
        mock.get(f"{oa}/ticket/getticket", json=ok | {"ticket": OA_TICKET})
        mock.get(f"{wecom}/get_jsapi_ticket", json=ok | {"ticket": CORP_TICKET})
        mock.get(f"{wecom}/ticket/get", json=ok | {"ticket": AGENT_TICKET})
        yield mock


def is_signed(answer, ticket, page=PAGE):
    text = (
        f"jsapi_ticket={ticket}&noncestr={answer['nonceStr']}"
        f"&timestamp={answer['timestamp']}&url={page}"
    )
    return answer["signature"] == sha1(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("path", "ticket", "names"),
    [
        ("/jssdk/wechat/demo-oa?", OA_TICKET, {"appId": "wx1"}),
        ("/jssdk/corp?account=demo-wecom&", CORP_TICKET, {"corpId": "ww1"}),
        ("/jssdk/corp?", CORP_TICKET, {"corpId": "ww1"}),
        ("/jssdk/agent?account=demo-wecom&", AGENT_TICKET, {"corpId": "ww1", "agentId": "1000002"}),
    ],
)
def test_each_page_is_signed_with_the_ticket_it_needs(
    client, accounts, platforms, log, path, ticket, names
):
    answer = client.get(f"{path}url=http%3A//localhost%3A8000/s/abc%3Fx%3D1%23top")

    assert answer.status_code == 200
    assert is_signed(answer.json, ticket)
    assert answer.json.keys() == {"timestamp", "nonceStr", "signature", *names}
    assert names.items() <= answer.json.items()
    assert answer.headers["Cache-Control"] == "no-store"
    assert ticket not in log.getvalue() + answer.text


@pytest.mark.parametrize("path", ["/jssdk/wechat/demo-oa", "/jssdk/corp", "/jssdk/agent"])
@pytest.mark.parametrize(
    "page", ["", "https://evil.example/", "http://localhost:9000/", "https://localhost:8000/"]
)
def test_pages_of_others_are_refused_as_json_and_cost_no_call(
    client, accounts, platforms, path, page
):
    answer = client.get(path, query_string={"url": page, "account": "demo-wecom"})

    assert answer.status_code == 403
    assert answer.json["error"]["code"] == "jssdk_page_not_ours"
    assert len(platforms.calls) == 0


@pytest.mark.parametrize(
    "path",
    ["/jssdk/wechat/demo-wecom", "/jssdk/wechat/nobody", "/jssdk/agent"],
)
def test_an_account_of_the_other_platform_is_refused(client, accounts, platforms, path):
    answer = client.get(path, query_string={"url": PAGE, "account": "demo-oa"})

    assert answer.status_code == 422
    assert answer.json["error"]["code"] == "account_not_named"


def test_an_employee_gets_the_signature_of_their_own_account(client, accounts, platforms):
    oa, _ = accounts
    make_channel_account(name="another-oa")
    identity = make_binding(make_employee(), oa)
    client.sign_in("/me", identity_id=identity.id, account=oa.id)

    answer = client.get("/me/jssdk", query_string={"url": PAGE})

    assert is_signed(answer.json, OA_TICKET)
    assert answer.json["appId"] == "wx1"


def test_who_is_not_signed_in_is_refused_as_json_and_not_sent_away(client, accounts):
    answer = client.get("/me/jssdk", query_string={"url": PAGE})

    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "sign_in_first"


def test_signatures_are_not_made_without_end_for_one_address(
    client, accounts, platforms, monkeypatch
):
    monkeypatch.setattr("channel.wechat.jssdk.SIGNATURES_PER_ADDRESS", "2/minute")
    statuses = [client.get("/jssdk/corp", query_string={"url": PAGE}).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_a_platform_that_refuses_is_told_as_json(client, accounts):
    with responses_library.RequestsMock() as mock:
        api = get_settings().wecom_api_url
        mock.get(f"{api}/cgi-bin/gettoken", json={"errcode": 40001, "errmsg": "bad secret"})

        answer = client.get("/jssdk/agent", query_string={"url": PAGE})

    assert answer.status_code == 502
    assert answer.json["error"]["code"] == "wechat_refused"
