import json
import logging
import socket
import traceback
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from channel.tokens import TokenKind, TokenStore
from channel.wechat import transport
from channel.wechat.client import OfficialAccountClient
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.menus import Menu
from channel.wechat.outgoing import Miniprogram, TemplateMessage
from channel.wechat.transport import Request, exchange, http_session
from tests.channel.wechat.conftest import API, SECRET

SEND = f"{API}/cgi-bin/message/template/send"
MESSAGE = TemplateMessage("tpl-1", {"thing2": "三月工资条"})
ACCEPTED = {"errcode": 0, "errmsg": "ok", "msgid": 200228332}


@pytest.fixture
def tokens(responses):
    """The platform hands out ``token-1, token-2, …`` in turn."""
    for number in (1, 2, 3):
        answer = {"access_token": f"token-{number}", "expires_in": 7200}
        responses.post(f"{API}/cgi-bin/stable_token", json=answer)
    return responses


def refuse(responses, errcode, errmsg="no", url=SEND):
    responses.post(url, json={"errcode": errcode, "errmsg": errmsg})


def query(call) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(call.request.url).query).items()}


def calls_to(responses, path):
    return [call for call in responses.calls if urlsplit(call.request.url).path.endswith(path)]


def test_a_template_message_is_sent_as_the_platform_wants_it(wechat, tokens):
    tokens.post(SEND, json=ACCEPTED)
    message = TemplateMessage(
        "tpl-1",
        {"thing2": "三月工资条"},
        url="https://bank.example/me",
        miniprogram=Miniprogram("wxmini", "pages/a"),
        client_msg_id="push-17",
    )

    sent = wechat.send_template_message("oPerson", message)

    [call] = calls_to(tokens, "/send")
    assert sent.msgid == 200228332
    assert query(call) == {"access_token": "token-1"}
    assert json.loads(call.request.body) == {
        "touser": "oPerson",
        "template_id": "tpl-1",
        "url": "https://bank.example/me",
        "miniprogram": {"appid": "wxmini", "pagepath": "pages/a"},
        "client_msg_id": "push-17",
        "data": {"thing2": {"value": "三月工资条"}},
    }
    assert "三月工资条".encode() in call.request.body


def test_optional_fields_that_are_not_given_are_not_sent(wechat, tokens):
    tokens.post(SEND, json=ACCEPTED)

    wechat.send_template_message("oPerson", MESSAGE)

    assert set(json.loads(calls_to(tokens, "/send")[0].request.body)) == {
        "touser",
        "template_id",
        "data",
    }


def test_the_token_is_asked_for_once_as_a_stable_token(wechat, tokens):
    tokens.post(SEND, json=ACCEPTED)

    for _ in range(3):
        wechat.send_template_message("oPerson", MESSAGE)

    [call] = calls_to(tokens, "/stable_token")
    assert json.loads(call.request.body) == {
        "grant_type": "client_credential",
        "appid": "wx2c2769f8efd9abc2",
        "secret": SECRET,
        "force_refresh": False,
    }


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_refused_token_is_replaced_and_the_call_made_once_more(wechat, tokens, errcode):
    refuse(tokens, errcode)
    tokens.post(SEND, json=ACCEPTED)

    assert wechat.send_template_message("oPerson", MESSAGE).msgid == 200228332

    sends = calls_to(tokens, "/send")
    assert [query(call)["access_token"] for call in sends] == ["token-1", "token-2"]
    assert sends[0].request.body == sends[1].request.body


def test_a_platform_that_refuses_every_token_is_asked_twice_and_never_more(wechat, tokens):
    refuse(tokens, 40001)

    with pytest.raises(WeChatError) as refused:
        wechat.send_template_message("oPerson", MESSAGE)

    assert refused.value.errcode == 40001
    assert len(calls_to(tokens, "/send")) == 2
    assert len(calls_to(tokens, "/stable_token")) == 2


def test_a_token_that_another_process_has_already_replaced_stays(wechat, tokens, redis):
    def while_we_ask(_request):
        store = TokenStore(redis)
        store.invalidate(7, TokenKind.ACCESS, "token-1")
        store.get(7, TokenKind.ACCESS, wechat.fetch_stable_token)
        return 200, {}, json.dumps({"errcode": 40001, "errmsg": "not latest"})

    tokens.add_callback("POST", SEND, while_we_ask)
    tokens.post(SEND, json=ACCEPTED)

    wechat.send_template_message("oPerson", MESSAGE)

    assert query(calls_to(tokens, "/send")[1])["access_token"] == "token-2"
    assert len(calls_to(tokens, "/stable_token")) == 2


def test_other_refusals_are_not_repeated(wechat, tokens):
    refuse(tokens, 43004, "require subscribe rid: 1-2-3")

    with pytest.raises(WeChatError, match="43004: require subscribe"):
        wechat.send_template_message("oPerson", MESSAGE)

    assert len(calls_to(tokens, "/send")) == 1


def test_a_refused_secret_is_said_and_not_repeated(wechat, responses):
    answer = {"errcode": 40125, "errmsg": f"invalid appsecret {SECRET}"}
    responses.post(f"{API}/cgi-bin/stable_token", json=answer)

    for _ in range(3):
        with pytest.raises(WeChatError) as refused:
            wechat.send_template_message("oPerson", MESSAGE)
        assert refused.value.errcode == 40125
        assert SECRET not in f"{refused.value} {refused.value.errmsg}"

    assert len(responses.calls) == 1


def test_an_errcode_written_as_text_is_understood(wechat, tokens):
    refuse(tokens, "43004")

    with pytest.raises(WeChatError) as refused:
        wechat.send_template_message("oPerson", MESSAGE)

    assert refused.value.errcode == 43004


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 502, "body": "<html>Bad Gateway</html>"},
        {"status": 500, "json": {"errcode": 0, "msgid": 1}},
        {"status": 302, "headers": {"Location": "https://elsewhere.example/"}},
        {"status": 200, "body": "<html>sign in to this hotel's network</html>"},
        {"status": 200, "body": ""},
        {"status": 200, "json": ["msgid", 1]},
        {"status": 200, "json": {"errcode": "what", "errmsg": "no"}},
        {"status": 200, "json": {"errcode": None}},
        {"status": 200, "json": {"errcode": 0, "errmsg": "ok"}},
        {"body": requests.ConnectTimeout("to http://x/?access_token=token-1")},
        {"body": requests.exceptions.ChunkedEncodingError("access_token=token-1")},
    ],
)
def test_what_is_no_answer_is_silence(wechat, tokens, answer):
    tokens.post(SEND, **answer)

    with pytest.raises(WeChatUnreachable):
        wechat.send_template_message("oPerson", MESSAGE)

    assert len(calls_to(tokens, "/send")) == 1


def test_neither_tokens_nor_secrets_are_in_errors_or_logs(wechat, tokens, caplog):
    caplog.set_level(logging.DEBUG)
    tokens.post(SEND, body=requests.ReadTimeout("http://x/?access_token=token-1"))
    tokens.post(SEND, json={"errcode": 48001, "errmsg": "token-1 may not", "secret": SECRET})
    tokens.get(
        f"{API}/sns/oauth2/access_token",
        body=requests.ConnectionError(f"http://x/?secret={SECRET}&code=c0de"),
    )
    told = ""

    for ask in (
        lambda: wechat.send_template_message("oPerson", MESSAGE),
        lambda: wechat.send_template_message("oPerson", MESSAGE),
        lambda: wechat.exchange_code("c0de"),
    ):
        with pytest.raises((WeChatError, WeChatUnreachable)) as error:
            ask()
        assert error.value.__context__ is None
        told += "".join(traceback.format_exception(error.value))

    assert "48001" in told
    for private in ("token-1", SECRET, "c0de"):
        assert private not in told.replace('wechat.exchange_code("c0de")', "")
        assert private not in caplog.text


def test_every_page_of_followers_can_be_asked_for(wechat, tokens):
    page = {"total": 2, "count": 2, "data": {"openid": ["o1", "o2"]}, "next_openid": "o2"}
    tokens.get(f"{API}/cgi-bin/user/get", json=page)
    tokens.get(f"{API}/cgi-bin/user/get", json={"total": 2, "count": 0, "next_openid": ""})

    first = wechat.list_followers()
    last = wechat.list_followers(first.next_openid)

    assert (first.data.openid, last.data.openid) == (("o1", "o2"), ())
    assert query(calls_to(tokens, "/user/get")[1])["next_openid"] == "o2"


def test_a_list_in_an_answer_with_an_errcode_is_not_believed(wechat, tokens):
    answer = {"errcode": 45009, "errmsg": "quota", "total": 0, "count": 0, "data": {"openid": []}}
    tokens.get(f"{API}/cgi-bin/user/get", json=answer)

    with pytest.raises(WeChatError):
        wechat.list_followers()


def test_a_person_is_described_with_what_is_still_told(wechat, tokens):
    answer = {"subscribe": 1, "openid": "o1", "qr_scene_str": "login-1", "tagid_list": []}
    tokens.get(f"{API}/cgi-bin/user/info", json=answer)
    tokens.get(f"{API}/cgi-bin/user/info", json={"subscribe": 0, "openid": "o2"})

    follower, stranger = wechat.get_user_info("o1"), wechat.get_user_info("o2")

    assert follower.subscribe
    assert (follower.qr_scene_str, follower.unionid) == ("login-1", None)
    assert not stranger.subscribe


def test_a_qr_code_carries_its_scene_and_lives_at_most_thirty_days(wechat, tokens):
    answer = {"ticket": "t/+", "expire_seconds": 300, "url": "http://weixin.qq.com/q/x"}
    tokens.post(f"{API}/cgi-bin/qrcode/create", json=answer)

    code = wechat.create_qrcode("login-1", expire_seconds=99_999_999)

    assert json.loads(tokens.calls[-1].request.body) == {
        "expire_seconds": 2_592_000,
        "action_name": "QR_STR_SCENE",
        "action_info": {"scene": {"scene_str": "login-1"}},
    }
    assert code.url == "http://weixin.qq.com/q/x"


def test_a_menu_is_replaced_and_read_back(wechat, tokens):
    button = {"type": "view", "name": "工资条", "url": "https://bank.example/me"}
    tokens.post(f"{API}/cgi-bin/menu/create", json={"errcode": 0, "errmsg": "ok"})
    tokens.get(f"{API}/cgi-bin/menu/get", json={"menu": {"button": [button]}})

    wechat.set_menu([button])

    assert json.loads(tokens.calls[-1].request.body) == {"button": [button]}
    assert wechat.get_menu().button == (button,)


def test_an_account_without_a_menu_has_an_empty_one(wechat, tokens):
    tokens.get(f"{API}/cgi-bin/menu/get", json={"errcode": 46003, "errmsg": "no menu"})

    assert wechat.get_menu() == Menu()


def test_another_refusal_to_show_the_menu_is_passed_on(wechat, tokens):
    tokens.get(f"{API}/cgi-bin/menu/get", json={"errcode": 48001, "errmsg": "unauthorized"})

    with pytest.raises(WeChatError):
        wechat.get_menu()


def test_templates_are_listed(wechat, tokens):
    template = {"template_id": "tpl-1", "title": "工资条", "content": "{{thing2.DATA}}"}
    answer = {"template_list": [template]}
    tokens.get(f"{API}/cgi-bin/template/get_all_private_template", json=answer)

    assert [found.title for found in wechat.list_templates()] == ["工资条"]


def test_a_text_is_sent_through_customer_service(wechat, tokens):
    tokens.post(f"{API}/cgi-bin/message/custom/send", json={"errcode": 0, "errmsg": "ok"})

    wechat.send_custom_text("o1", "您好")

    assert json.loads(tokens.calls[-1].request.body) == {
        "touser": "o1",
        "msgtype": "text",
        "text": {"content": "您好"},
    }


def test_the_js_ticket_is_asked_for_once(wechat, tokens):
    answer = {"errcode": 0, "errmsg": "ok", "ticket": "js-1", "expires_in": 7200}
    tokens.get(f"{API}/cgi-bin/ticket/getticket", json=answer)

    assert [wechat.get_jsapi_ticket() for _ in range(3)] == ["js-1"] * 3

    [call] = calls_to(tokens, "/getticket")
    assert query(call) == {"type": "jsapi", "access_token": "token-1"}


def test_a_code_becomes_an_openid_without_any_access_token_of_ours(wechat, responses):
    answer = {"access_token": "web", "expires_in": 7200, "openid": "o1", "is_snapshotuser": 1}
    responses.get(f"{API}/sns/oauth2/access_token", json=answer)
    responses.get(f"{API}/sns/userinfo", json={"openid": "o1", "nickname": "\u0001张三"})

    authorized = wechat.exchange_code("c0de")
    person = wechat.get_sns_user(authorized)

    assert query(responses.calls[0]) == {
        "appid": "wx2c2769f8efd9abc2",
        "secret": SECRET,
        "code": "c0de",
        "grant_type": "authorization_code",
    }
    assert (authorized.openid, authorized.is_snapshotuser) == ("o1", True)
    assert query(responses.calls[1])["access_token"] == "web"
    assert person.nickname == "\u0001张三"
    assert "web" not in repr(authorized)
    assert "张三" not in repr(person)


def test_a_platform_that_accepts_and_then_says_nothing_is_left_in_time(account, redis, monkeypatch):
    monkeypatch.setattr(transport, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with http_session(base) as http:
            wechat = OfficialAccountClient(account, http, TokenStore(redis), base)
            with pytest.raises(WeChatUnreachable, match="ReadTimeout"):
                wechat.get_user_info("o1")


def test_a_proxy_is_used_for_wechat_and_not_for_this_machine():
    assert http_session("https://api.weixin.qq.com").trust_env
    assert not http_session(API).trust_env


def test_no_cookie_is_kept_between_calls(responses):
    responses.get(f"{API}/a", json={}, headers={"Set-Cookie": "who=somebody"})

    with http_session(API) as http:
        exchange(http, API, Request("GET", "/a"))
        assert not http.cookies
