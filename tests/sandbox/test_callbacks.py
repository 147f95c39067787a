"""Callbacks: modes, signatures, tries, passive replies, and the results of template messages."""

import threading
import time

import pytest
import requests
import xmltodict

from channel.wechat.crypto import MessageCrypto, signature
from tests.sandbox.conftest import AES_KEY

TOKEN = "callback-token"


@pytest.fixture
def fan(client, receiver):
    settings = {"callback_retry_seconds": 0, "callback_timeout_seconds": 0.5}
    client.keep_account(name=client.name, callback_url=receiver.url, settings=settings)
    return client.fan()


def crypto(client):
    return MessageCrypto(TOKEN, [AES_KEY], client.account["appid"])


def opened(client, received):
    """The message inside, after checking everything a receiver must check."""
    query, envelope = received.query, xmltodict.parse(received.body)["xml"]
    parts = (TOKEN, query["timestamp"], query["nonce"])
    assert query["signature"] == signature(*parts)
    assert query["msg_signature"] == signature(*parts, envelope["Encrypt"])
    assert query["encrypt_type"] == "aes"
    assert query["openid"]
    assert abs(int(query["timestamp"]) - time.time()) < 60
    return xmltodict.parse(crypto(client).decrypt(envelope["Encrypt"]))["xml"]


def until(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_safe_mode_shows_nothing_but_the_receiver(client, receiver, fan):
    client.happen(fan, "text", content="你好 <b>]]></b>")

    (received,) = receiver.received
    assert "你好" not in received.body
    assert set(xmltodict.parse(received.body)["xml"]) == {"ToUserName", "Encrypt"}
    message = opened(client, received)
    assert message["ToUserName"] == client.account["original_id"]
    assert message["FromUserName"] == fan
    assert message["MsgType"] == "text"
    assert message["Content"] == "你好 <b>]]></b>"
    assert int(message["MsgId"]) > 10**18


def test_plain_mode_signs_but_does_not_encrypt(client, receiver, fan):
    client.keep_account(name=client.name, mode="plain")
    client.happen(fan, "text", content="你好")

    (received,) = receiver.received
    query = received.query
    assert query["signature"] == signature(TOKEN, query["timestamp"], query["nonce"])
    assert "msg_signature" not in query
    assert xmltodict.parse(received.body)["xml"]["Content"] == "你好"


def test_compatible_mode_sends_both(client, receiver, fan):
    client.keep_account(name=client.name, mode="compatible")
    client.happen(fan, "text", content="你好")

    (received,) = receiver.received
    assert xmltodict.parse(received.body)["xml"]["Content"] == "你好"
    assert opened(client, received)["Content"] == "你好"


def test_following_scanning_tapping_and_leaving_are_told(client, receiver, fan):
    client.happen(fan, "click", key="MY_PAYSLIP")
    client.happen(fan, "view", url="http://127.0.0.1:8000/me")
    client.happen(fan, "scan", scene="login-42")
    client.happen(fan, "unsubscribe")
    client.happen(fan, "scan", scene="login-43")
    client.happen(fan, "unsubscribe")
    client.happen(fan, "subscribe")

    told = [opened(client, one) for one in receiver.received]
    assert [(one["Event"], one["EventKey"]) for one in told] == [
        ("CLICK", "MY_PAYSLIP"),
        ("VIEW", "http://127.0.0.1:8000/me"),
        ("SCAN", "login-42"),
        ("unsubscribe", None),
        ("subscribe", "qrscene_login-43"),
        ("unsubscribe", None),
        ("subscribe", None),
    ]
    assert told[2]["Ticket"]


def test_muting_and_blocking_are_not_told(client, receiver, fan):
    client.happen(fan, "mute", template_id=client.account["templates"]["payslip"])
    client.happen(fan, "block")
    assert receiver.received == []


def test_each_accepted_template_message_gets_its_result(client, receiver, fan):
    msgid = client.payslip(fan)["msgid"]
    until(lambda: receiver.received)
    result = opened(client, receiver.received[0])
    assert result["Event"] == "TEMPLATESENDJOBFINISH"
    assert result["MsgID"] == str(msgid)
    assert result["Status"] == "success"


@pytest.mark.parametrize(
    ("spelling", "status"), [("tight", "failed:user block"), ("spaced", "failed: user block")]
)
def test_who_blocks_the_account_receives_nothing_and_the_result_says_so(
    client, receiver, fan, spelling, status
):
    client.switch(status_spelling=spelling)
    client.happen(fan, "block")

    assert client.payslip(fan)["errcode"] == 0

    until(lambda: receiver.received)
    assert opened(client, receiver.received[0])["Status"] == status
    assert client.inbox(fan) == []
    messages = client.control("GET", "/stats")["messages"]
    assert (messages["accepted"], messages["delivered"]) == (1, 0)


def test_the_platform_itself_may_fail_after_accepting(client, receiver, fan):
    client.switch(system_failures=True)
    assert client.payslip(fan)["errcode"] == 0
    until(lambda: receiver.received)
    assert opened(client, receiver.received[0])["Status"] == "failed:system failed"
    assert client.inbox(fan) == []


def test_results_can_be_switched_off(client, receiver, fan):
    client.switch(result_events=False)
    client.payslip(fan)
    client.happen(fan, "text", content="好")
    assert [opened(client, one)["MsgType"] for one in receiver.received] == ["text"]


def test_a_failure_is_tried_three_times_signed_anew(client, receiver, fan):
    receiver.answer = lambda _: (500, "oops")
    (callback,) = client.happen(fan, "text", content="在吗")

    assert callback["tries"] == 3
    assert callback["outcome"] == "failed: HTTP 500"
    assert len({one.query["nonce"] for one in receiver.received}) == 3
    assert len({opened(client, one)["MsgId"] for one in receiver.received}) == 1
    stats = client.control("GET", "/stats")["callbacks"]
    assert (stats["sent"], stats["retried"], stats["failed"]) == (1, 2, 1)
    assert stats["acknowledged"] == 0


def test_retries_are_repeated_verbatim_by_switch(client, receiver, fan):
    client.switch(retries_resigned=False)
    receiver.answer = lambda _: (500, "oops")
    client.happen(fan, "text", content="在吗")
    assert len({one.query["nonce"] for one in receiver.received}) == 1
    assert len({one.query["timestamp"] for one in receiver.received}) == 1


def test_an_answer_after_the_time_limit_counts_as_none(client, receiver, fan):
    client.switch(callback_timeout_seconds=0.1)
    gate = threading.Event()

    def late(_):
        gate.wait(0.3)
        return 200, "success"

    receiver.answer = late
    (callback,) = client.happen(fan, "text", content="在吗")
    assert callback["tries"] == 3
    assert "Timeout" in callback["outcome"]


def test_a_success_at_the_second_try_is_enough(client, receiver, fan):
    receiver.answer = lambda _: (200, "success") if len(receiver.received) > 1 else (503, "")
    (callback,) = client.happen(fan, "text", content="在吗")
    assert (callback["tries"], callback["outcome"]) == (2, "acknowledged")


def test_copies_send_the_same_message_again(client, receiver, fan):
    client.happen(fan, "text", content="在吗", copies=3)
    assert len({opened(client, one)["MsgId"] for one in receiver.received}) == 1
    assert len(receiver.received) == 3


def test_markfail_loses_what_happens_in_the_next_minute(client, receiver, fan):
    client.switch(mark_fail=True)
    receiver.answer = lambda _: (500, "oops")
    client.happen(fan, "text", content="一")
    receiver.answer = lambda _: (200, "")
    (lost,) = client.happen(fan, "text", content="二")
    assert lost["outcome"].startswith("lost")
    client.advance(61)
    (told,) = client.happen(fan, "text", content="三")
    assert told["outcome"] == "acknowledged"


def reply_to(client, fan, inside):
    return (
        f"<xml><ToUserName>{fan}</ToUserName><FromUserName>gh</FromUserName>"
        f"<CreateTime>1</CreateTime>{inside}</xml>"
    )


def test_an_encrypted_passive_reply_appears_in_the_chat(client, receiver, fan):
    text = "<MsgType>text</MsgType><Content>请点菜单查看</Content>"
    envelope = crypto(client).envelope(reply_to(client, fan, text), "1700000000", "nonce")
    receiver.answer = lambda _: (200, envelope)
    client.happen(fan, "text", content="工资")
    assert [one["content"] for one in client.inbox(fan)] == ["请点菜单查看"]


def test_a_reply_with_one_article_appears_as_a_card(client, receiver, fan):
    news = (
        "<MsgType>news</MsgType><ArticleCount>1</ArticleCount><Articles><item><Title>存款季</Title>"
        "<Description>d</Description><PicUrl/><Url>http://example.com/</Url></item></Articles>"
    )
    receiver.answer = lambda _: (200, reply_to(client, fan, news))
    client.happen(fan, "click", key="ACTIVITY")
    assert client.inbox(fan)[0]["articles"][0]["url"] == "http://example.com/"


@pytest.mark.parametrize(
    "answer",
    ['{"ok": true}', "<html></html>", "<xml><Content>no type</Content></xml>", "ok", "<xml/>"],
)
def test_any_other_answer_shows_the_apology_and_is_not_repeated(client, receiver, fan, answer):
    receiver.answer = lambda _: (200, answer)
    (callback,) = client.happen(fan, "text", content="工资")
    assert callback["tries"] == 1
    assert callback["outcome"].startswith("bad reply")
    assert client.inbox(fan) == []


def test_a_reply_under_a_wrong_signature_or_key_is_not_shown(client, receiver, fan):
    reply = reply_to(client, fan, "<MsgType>text</MsgType><Content>假</Content>")
    forged = MessageCrypto("other-token", [AES_KEY], client.account["appid"])
    receiver.answer = lambda _: (200, forged.envelope(reply, "1", "n"))
    client.happen(fan, "text", content="工资")
    other_account = MessageCrypto(TOKEN, [AES_KEY], "wxother")
    receiver.answer = lambda _: (200, other_account.envelope(reply, "1", "n"))
    client.happen(fan, "text", content="工资")
    assert client.inbox(fan) == []


def test_the_callback_address_is_checked_with_an_echo(client, receiver, fan):
    receiver.answer = lambda received: (200, received.query["echostr"])
    check = {"account": client.name}
    assert client.control("POST", "/wechat/callback_check", check)["result"] == "ok"
    receiver.answer = lambda _: (403, "no")
    assert "HTTP 403" in client.control("POST", "/wechat/callback_check", check)["result"]


def test_an_address_where_nobody_listens_is_reported(client, fan):
    client.keep_account(name=client.name, callback_url="http://127.0.0.1:9/")
    check = {"account": client.name}
    assert "no answer" in client.control("POST", "/wechat/callback_check", check)["result"]
    (callback,) = client.happen(fan, "text", content="在吗")
    assert callback["tries"] == 3


def test_without_a_callback_address_nothing_is_sent(client):
    assert client.happen(client.fan(), "text", content="在吗") == []


def test_a_person_does_not_wait_behind_thousands_of_results(client, receiver, fan):
    gate = threading.Event()

    def slow_for_results(received):
        if opened(client, received).get("Event") == "TEMPLATESENDJOBFINISH":
            gate.wait(5)
        return 200, "success"

    receiver.answer = slow_for_results
    client.switch(callback_timeout_seconds=5)
    with requests.Session():
        for _ in range(40):
            client.payslip(fan)
    (callback,) = client.happen(fan, "text", content="在吗")
    assert callback["outcome"] == "acknowledged"
    gate.set()
