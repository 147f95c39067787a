"""How an app is called: always encrypted, verified with an encrypted question, three tries."""

import time
from urllib.parse import quote

import pytest
import xmltodict

from channel.wechat.crypto import MessageCrypto, signature
from tests.sandbox.wecom import AES_KEY

TOKEN = "callback-token"


@pytest.fixture
def app(corp, receiver):
    corp.members("Wang")
    settings = {"callback_retry_seconds": 0, "callback_timeout_seconds": 0.5}
    return corp.keep(callback_url=receiver.url, settings=settings)


def crypto(app):
    return MessageCrypto(TOKEN, [AES_KEY], app.corpid)


def opened(app, received):
    query, envelope = received.query, xmltodict.parse(received.body)["xml"]
    assert set(query) == {"msg_signature", "timestamp", "nonce"}
    signed = signature(TOKEN, query["timestamp"], query["nonce"], envelope["Encrypt"])
    assert query["msg_signature"] == signed
    assert abs(int(query["timestamp"]) - time.time()) < 60
    return envelope, xmltodict.parse(crypto(app).decrypt(envelope["Encrypt"]))["xml"]


def check(app):
    return app.control("POST", "/wecom/callback_check", {"account": app.name})["result"]


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
def test_a_callback_is_encrypted_whatever_the_mode(app, receiver, mode):
    app.keep(mode=mode)
    app.happen("text", userid="wang", content="工资条")

    (received,) = receiver.received
    assert "工资条" not in received.body
    envelope, message = opened(app, received)
    assert set(envelope) == {"ToUserName", "Encrypt", "AgentID"}
    assert (envelope["ToUserName"], envelope["AgentID"]) == (app.corpid, str(app.agentid))
    assert (message["ToUserName"], message["Content"]) == (app.corpid, "工资条")


def test_each_app_of_the_corp_finds_its_own_number_in_the_envelope(app, receiver):
    app.app(1000003, callback_url=receiver.url)
    app.happen("add_external_contact", userid="wang")
    numbers = {opened(app, one)[0]["AgentID"] for one in receiver.received}
    assert numbers == {str(app.agentid), "1000003"}


def test_three_tries_and_then_it_is_lost(app, receiver):
    receiver.answer = lambda _: (500, "")
    (callback,) = app.happen("enter_agent", userid="wang")
    assert (callback["tries"], callback["outcome"]) == (3, "failed: HTTP 500")
    bodies = [opened(app, one)[1] for one in receiver.received]
    assert bodies == [bodies[0]] * 3


def test_an_answer_too_late_is_none(app, receiver):
    answers = iter([0.8, 0.0])

    def answer(_):
        time.sleep(next(answers))
        return 200, ""

    receiver.answer = answer
    (callback,) = app.happen("enter_agent", userid="wang")
    assert (callback["tries"], callback["outcome"]) == (2, "acknowledged")


def test_a_passive_reply_is_shown_in_the_chat(app, receiver):
    text = "<xml><MsgType>text</MsgType><Content>已收到</Content></xml>"
    receiver.answer = lambda _: (200, crypto(app).envelope(text, "1", "n"))
    app.happen("text", userid="wang", content="在吗")
    assert [one["content"] for one in app.inbox("wang")] == [{"content": "已收到"}]

    image = "<xml><MsgType>image</MsgType><Image><MediaId>m</MediaId></Image></xml>"
    receiver.answer = lambda _: (200, crypto(app).envelope(image, "1", "n"))
    app.happen("enter_agent", userid="wang")
    assert app.inbox("wang")[-1]["content"] == {"image": {"media_id": "m"}}


def test_a_reply_to_what_nobody_did_goes_nowhere(app, receiver):
    text = "<xml><MsgType>text</MsgType><Content>x</Content></xml>"
    receiver.answer = lambda _: (200, crypto(app).envelope(text, "1", "n"))
    (callback,) = app.happen("add_external_contact", userid="wang")
    assert callback["outcome"] == "acknowledged"
    assert app.inbox("wang") == []


def test_a_reply_with_a_wrong_signature_is_bad(app, receiver):
    receiver.answer = lambda _: (
        200,
        crypto(app).envelope("<xml><MsgType>text</MsgType></xml>", "1", "n").replace("<T", "<t"),
    )
    (callback,) = app.happen("enter_agent", userid="wang")
    assert callback["outcome"].startswith("bad reply")


def test_the_console_asks_in_cipher_and_wants_the_plain_text(app, receiver):
    def answer(received):
        query = received.query
        echo = query["echostr"].replace(" ", "+")
        signed = signature(TOKEN, query["timestamp"], query["nonce"], echo)
        assert query["msg_signature"] == signed
        return 200, crypto(app).decrypt(echo)

    receiver.answer = answer
    assert check(app) == "ok"
    receiver.answer = lambda received: (200, received.query["echostr"])
    assert "not the echostr" in check(app)


def test_a_plus_in_the_question_comes_as_a_space_to_who_decodes_forms(app, receiver):
    app.switch(echo_with_plus=True)
    receiver.answer = lambda received: (
        200,
        crypto(app).decrypt(received.query["echostr"].replace(" ", "+")),
    )
    app.keep(callback_url=f"{receiver.url}?from={quote('a b')}")

    assert check(app) == "ok"
    (received,) = receiver.received
    assert " " in received.query["echostr"]
    assert received.query["from"] == "a b"


def test_the_console_waits_one_second_only(app, receiver):
    app.switch(echo_timeout_seconds=0.1)

    def answer(received):
        time.sleep(0.4)
        return 200, ""

    receiver.answer = answer
    assert check(app) == "no answer: TimeoutError"


def test_a_check_needs_an_address(corp):
    body = {"account": corp.name}
    assert "no callback_url" in corp.refused("POST", "/wecom/callback_check", body)


def test_an_app_needs_a_number_and_a_key(corp):
    app = {"kind": "wecom_app", "name": "half", "appid": "ww1", "secret": "s"}
    assert "agentid" in corp.refused("POST", "/accounts", app)
    more = {"agentid": 1, "callback_url": "http://127.0.0.1:9/", "mode": "plain"}
    assert "always encrypts" in corp.refused("POST", "/accounts", app | more)
