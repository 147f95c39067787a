import logging
from collections import defaultdict
from datetime import UTC, datetime

import pytest
import time_machine
import xmltodict

from channel import replies
from channel.replies import reply_to
from channel.wechat.crypto import MessageCrypto
from channel.wechat.messages import TextMessage, read_message
from channel.wecom.messages import read_message as read_wecom
from domain.directory.access import Actor
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.channel_accounts import AccountChange, change_account, channel_account
from domain.directory.errors import AccountInvalid
from tests.channel.wechat.test_callback import Platform, event
from tests.factories import make_channel_account

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TEXT = (
    "<xml><ToUserName>gh_us</ToUserName><FromUserName>oPerson</FromUserName>"
    "<CreateTime>1395658920</CreateTime><MsgType>text</MsgType>"
    "<Content>my secret</Content><MsgId>1</MsgId></xml>"
)


@pytest.fixture(autouse=True)
def _standing_clock():
    with time_machine.travel(NOW, tick=False):
        yield


def account_with(mode=CallbackMode.SAFE, **change):
    account = make_channel_account(name="oa", mode=mode)
    change_account(Actor.system(), "oa", AccountChange(**change))
    return channel_account(account.id)


def fields(xml: str) -> dict[str, str]:
    return xmltodict.parse(xml)["xml"]


def test_without_a_text_of_the_bank_nothing_is_said(client_with_csrf, session):
    platform = Platform(client_with_csrf, make_channel_account(name="oa"))

    assert platform.send(TEXT).text == "success"
    assert platform.send(event()).text == "success"


def test_a_text_is_answered_encrypted_to_who_wrote(client_with_csrf, session):
    account = account_with(message_reply="请点菜单“工资条”")
    platform = Platform(client_with_csrf, account)

    sealed = fields(platform.send(TEXT).text)

    crypto = MessageCrypto(platform.token, list(account.aes_keys), account.appid)
    crypto.verify(sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"], sealed["Encrypt"])
    reply = fields(crypto.decrypt(sealed["Encrypt"]))
    assert (reply["ToUserName"], reply["FromUserName"]) == ("oPerson", "gh_us")
    assert reply["Content"] == "请点菜单“工资条”"
    assert "secret" not in str(reply)


def test_in_plain_mode_the_answer_is_plain(client_with_csrf, session):
    platform = Platform(client_with_csrf, account_with(CallbackMode.PLAIN, follow_reply="欢迎"))

    assert fields(platform.send_plain(event()).text)["Content"] == "欢迎"


def test_people_are_handed_over_to_customer_service(session):
    account = account_with(hands_over=True, message_reply="not said")

    assert fields(reply_to(account, read_message(TEXT)))["MsgType"] == "transfer_customer_service"


def test_a_member_of_a_corp_is_answered_encrypted_too(session):
    account = make_channel_account(name="app", kind=ChannelKind.WECOM_APP, agentid="1000002")
    change = AccountChange(message_reply="收到", follow_reply="欢迎", hands_over=True)
    change_account(Actor.system(), "app", change)
    account = channel_account(account.id)
    followed = event(name="subscribe").replace("</xml>", "<AgentID>1000002</AgentID></xml>")
    wrote = TEXT.replace("</xml>", "<AgentID>1000002</AgentID></xml>")

    answers = [fields(reply_to(account, read_wecom(body))) for body in (wrote, followed)]

    assert [answer["Content"] for answer in answers] == ["收到", "欢迎"]
    assert answers[0]["ToUserName"] == "oPerson"


def test_a_member_is_told_nothing_without_a_text(session):
    account = make_channel_account(name="app", kind=ChannelKind.WECOM_APP, agentid="1000002")
    followed = event(name="subscribe").replace("</xml>", "<AgentID>1000002</AgentID></xml>")
    wrote = TEXT.replace("</xml>", "<AgentID>1000002</AgentID></xml>")

    assert [reply_to(account, read_wecom(body)) for body in (wrote, followed)] == [None, None]


def test_the_first_who_answers_is_heard_and_a_fault_is_silent(session, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(replies, "_repliers", defaultdict(list))
    heard = []

    @replies.replies(TextMessage)
    def faulty(_account, _message):
        raise KeyError("my secret")

    @replies.replies(TextMessage)
    def silent(_account, _message):
        heard.append("silent")

    @replies.replies(TextMessage)
    def speaks(_account, _message):
        return "<xml/>"

    @replies.replies(TextMessage)
    def never_asked(_account, _message):
        heard.append("never")

    assert reply_to(make_channel_account(), read_message(TEXT)) == "<xml/>"
    assert heard == ["silent"]
    assert [record.error for record in caplog.records] == ["KeyError"]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (AccountChange(callback_window_seconds=5), "30 到 7200"),
        (AccountChange(message_reply="长" * 700), "2048 字节"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words(session, change, words):
    make_channel_account(name="oa", kind=ChannelKind.OFFICIAL_ACCOUNT)

    with pytest.raises(AccountInvalid, match=words):
        change_account(Actor.system(), "oa", change)
