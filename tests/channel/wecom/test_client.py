import json
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from channel.wechat.errors import WeChatError, WeChatUnreachable
from tests.channel.wecom.conftest import API, CORPID, SECRET, app_account

WHO = f"{API}/cgi-bin/auth/getuserinfo"


def query(call) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(call.request.url).query).items()}


def calls_to(responses, path):
    return [call for call in responses.calls if urlsplit(call.request.url).path.endswith(path)]


def test_a_member_comes_back_with_a_userid(wecom, tokens):
    answer = {"errcode": 0, "errmsg": "ok", "userid": "zhangsan", "user_ticket": "t1cket"}
    tokens.get(WHO, json=answer)

    visitor = wecom.exchange_code("c0de")

    assert (visitor.userid, visitor.openid, visitor.external_userid) == ("zhangsan", None, None)
    assert visitor.user_ticket.get_secret_value() == "t1cket"
    assert "t1cket" not in repr(visitor)
    [asked] = calls_to(tokens, "/getuserinfo")
    assert query(asked) == {"access_token": "token-1", "code": "c0de"}
    assert query(tokens.calls[0]) == {"corpid": CORPID, "corpsecret": SECRET}


def test_a_stranger_comes_back_without_a_userid(wecom, tokens):
    answer = {"errcode": 0, "errmsg": "ok", "userid": "", "openid": "o1", "external_userid": "wm1"}
    tokens.get(WHO, json=answer)

    visitor = wecom.exchange_code("c0de")

    assert (visitor.userid, visitor.openid, visitor.external_userid) == (None, "o1", "wm1")


def test_a_member_shows_what_they_allowed(wecom, tokens):
    answer = {"errcode": 0, "errmsg": "ok", "userid": "zhangsan", "mobile": "13800005678"}
    tokens.post(f"{API}/cgi-bin/auth/getuserdetail", json=answer)

    detail = wecom.get_user_detail(SecretStr("t1cket"))

    assert json.loads(tokens.calls[-1].request.body) == {"user_ticket": "t1cket"}
    assert (detail.userid, detail.mobile, detail.email) == ("zhangsan", "13800005678", "")
    assert "13800005678" not in repr(detail)


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_refused_token_is_replaced_and_the_call_made_once_more(wecom, tokens, errcode):
    tokens.get(WHO, json={"errcode": errcode, "errmsg": "no", "userid": ""})
    tokens.get(WHO, json={"errcode": 0, "errmsg": "ok", "userid": "zhangsan"})

    assert wecom.exchange_code("c0de").userid == "zhangsan"

    asked = calls_to(tokens, "/getuserinfo")
    assert [query(call)["access_token"] for call in asked] == ["token-1", "token-2"]


def test_an_answer_with_an_errcode_is_not_believed_whatever_it_holds(wecom, tokens):
    tokens.get(WHO, json={"errcode": 40029, "errmsg": "invalid code c0de", "userid": "zhangsan"})

    with pytest.raises(WeChatError) as refused:
        wecom.exchange_code("c0de")

    assert refused.value.errcode == 40029
    assert "c0de" not in str(refused.value)


def test_apps_of_one_corp_have_their_own_tokens(client_of, tokens):
    tokens.get(WHO, json={"errcode": 0, "errmsg": "ok", "userid": "zhangsan"})

    for account in (app_account(8, "1000002"), app_account(9, "1000003", "another")):
        client_of(account).exchange_code("c0de")

    asked = calls_to(tokens, "/getuserinfo")
    assert [query(call)["access_token"] for call in asked] == ["token-1", "token-2"]


def test_apps_of_one_corp_share_its_ticket_and_have_their_own_agent_tickets(client_of, tokens):
    for number in (1, 2, 3):
        answer = {"errcode": 0, "errmsg": "ok", "expires_in": 7200}
        tokens.get(f"{API}/cgi-bin/get_jsapi_ticket", json=answer | {"ticket": f"corp-{number}"})
        tokens.get(f"{API}/cgi-bin/ticket/get", json=answer | {"ticket": f"agent-{number}"})
    one, other = client_of(app_account(8)), client_of(app_account(9, "1000003"))
    elsewhere = client_of(app_account(10, corpid="wwother"))

    assert [client.get_corp_ticket() for client in (one, other, one)] == ["corp-1"] * 3
    assert [client.get_agent_ticket() for client in (one, other, one)] == [
        "agent-1",
        "agent-2",
        "agent-1",
    ]
    assert elsewhere.get_corp_ticket() == "corp-2"
    assert query(calls_to(tokens, "/ticket/get")[0])["type"] == "agent_config"


def test_a_ticket_that_is_none_is_not_kept(wecom, tokens):
    tokens.get(
        f"{API}/cgi-bin/get_jsapi_ticket", json={"errcode": 0, "ticket": "", "expires_in": 7}
    )

    with pytest.raises(WeChatUnreachable):
        wecom.get_corp_ticket()
