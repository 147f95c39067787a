import secrets
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from channel.wechat.crypto import MessageCrypto
from channel.wecom.messages import read_message, text_reply
from core.queues import QueueName, get_queue
from domain.directory.access import Actor
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.channel_accounts import AccountChange, change_account, rotate_keys
from domain.inbox.models import InboxEvent
from tests.factories import make_channel_account

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TIMESTAMP = str(int(NOW.timestamp()))
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OTHER_KEY = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
NOBODY = "<xml><ToUserName>ww1</ToUserName><InfoType>suite_ticket</InfoType></xml>"


def contact_added(at: datetime = NOW, welcome: str = "WELCOMECODE") -> str:
    code = f"<WelcomeCode>{welcome}</WelcomeCode>" if welcome else ""
    return (
        "<xml><ToUserName>ww1</ToUserName><FromUserName>sys</FromUserName>"
        f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType>event</MsgType>"
        "<Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>"
        f"<UserID>zhangsan</UserID><ExternalUserID>wmPerson</ExternalUserID>{code}</xml>"
    )


class Platform:
    """Sends callbacks to one app, signed and encrypted as WeCom does it."""

    def __init__(self, browser, account, key=AES_KEY) -> None:
        self.browser, self.address = browser, f"/callback/wecom/{account.name}"
        self.crypto = MessageCrypto(account.token.get_secret_value(), [key], account.appid)

    def query(self, encrypted: str, nonce: str = "") -> dict[str, str]:
        nonce = nonce or secrets.token_hex(5)
        signed = self.crypto.sign(TIMESTAMP, nonce, encrypted)
        return {"msg_signature": signed, "timestamp": TIMESTAMP, "nonce": nonce}

    def check(self, echo: str, nonce: str = "", **more):
        encrypted = self.crypto.encrypt(echo)
        query = self.query(encrypted, nonce) | {"echostr": encrypted} | more
        return self.browser.get(self.address, query_string=query)

    def send(self, body: str, nonce: str = ""):
        encrypted = self.crypto.encrypt(body)
        envelope = (
            "<xml><ToUserName>ww1</ToUserName><AgentID>1000002</AgentID>"
            f"<Encrypt>{encrypted}</Encrypt></xml>"
        )
        query = self.query(encrypted, nonce)
        return self.browser.post(self.address, query_string=query, data=envelope)


@pytest.fixture(autouse=True)
def _standing_clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def app_account(session):
    return make_channel_account(
        name="demo-wecom", kind=ChannelKind.WECOM_APP, appid="ww1", agentid="1000002"
    )


@pytest.fixture
def wecom(client_with_csrf, app_account):
    return Platform(client_with_csrf, app_account)


@pytest.fixture
def stored(session):
    def rows() -> list[InboxEvent]:
        return list(session.scalars(select(InboxEvent).order_by(InboxEvent.id)))

    return rows


# --- the console's check --------------------------------------------------------------------


def test_the_console_gets_its_text_decrypted_and_nothing_else(wecom):
    answer = wecom.check("1616140317555161061")

    assert (answer.status_code, answer.data) == (200, b"1616140317555161061")


def test_a_plus_that_has_become_a_space_is_a_plus(wecom):
    encrypted = ""
    while "+" not in encrypted:
        encrypted = wecom.crypto.encrypt("echo")
    query = wecom.query(encrypted) | {"echostr": encrypted.replace("+", " ")}

    assert wecom.browser.get(wecom.address, query_string=query).text == "echo"


def test_a_callback_that_was_seen_to_pass_is_not_decrypted_for_whoever_asks(wecom):
    answer = wecom.check(contact_added())

    assert (answer.status_code, answer.text) == (403, "")


@pytest.mark.parametrize("text", ["<", "<xml/>", "a b", "{}", "", "9" * 65, "张三"])
def test_only_what_the_console_asks_is_answered(wecom, text):
    assert wecom.check(text).status_code == 403


def test_the_console_may_repeat_its_question_and_nobody_else_its_nonce(wecom):
    assert [wecom.check("1616140317", "n1").text for _ in range(2)] == ["1616140317"] * 2
    assert wecom.check("another", "n1").status_code == 403
    wecom.send(contact_added(), "n2")
    assert wecom.check("1616140317", "n2").status_code == 403


def test_a_stranger_gets_no_echo(wecom):
    for wrong in (
        {"msg_signature": "0" * 40},
        {"timestamp": "1409735669"},
        {"timestamp": ""},
        {"echostr": "AAAA"},
        {"echostr": ""},
    ):
        answer = wecom.check("echo", **wrong)
        assert (answer.status_code, answer.text) == (403, "")
    encrypted = wecom.crypto.encrypt("echo")
    query = wecom.query(encrypted) | {"echostr": encrypted, "nonce": ""}
    assert wecom.browser.get(wecom.address, query_string=query).status_code == 403


# --- events ---------------------------------------------------------------------------------


def test_an_event_is_stored_with_its_change_type_and_person(wecom, stored):
    answer = wecom.send(contact_added(welcome=""))

    [row] = stored()
    assert (answer.status_code, answer.text) == (200, "success")
    assert (row.event, row.change_type) == ("change_external_contact", "add_external_contact")
    assert (row.openid, row.deadline_at) == ("zhangsan", None)
    assert get_queue(QueueName.INBOX).count == 1


def test_a_welcome_code_goes_through_its_own_queue_with_a_deadline(wecom, stored):
    wecom.send(contact_added(NOW - timedelta(seconds=3)))

    [row] = stored()
    assert row.deadline_at == NOW + timedelta(seconds=17)
    assert get_queue(QueueName.URGENT).count == 1
    assert get_queue(QueueName.INBOX).count == 0


def test_a_platforms_clock_that_runs_ahead_gains_no_time(wecom, stored):
    wecom.send(contact_added(NOW + timedelta(hours=1)))

    assert stored()[0].deadline_at == NOW + timedelta(seconds=20)


def test_a_repeat_is_the_same_row(wecom, stored):
    for nonce in ("n1", "n2", "n3"):
        assert wecom.send(contact_added(), nonce).text == "success"

    assert len(stored()) == 1


def test_shapes_that_are_not_understood_are_stored_and_acknowledged(wecom, stored):
    for body in (NOBODY, "<xml/>", "no XML at all", ""):
        assert wecom.send(body).text == "success"

    assert [row.event for row in stored()] == ["suite_ticket", "", "", ""]


def test_a_body_in_clear_is_refused_whatever_the_mode(client_with_csrf, session, stored):
    make_channel_account(
        name="clear", kind=ChannelKind.WECOM_APP, agentid="1", mode=CallbackMode.PLAIN
    )

    answer = client_with_csrf.post("/callback/wecom/clear", data=contact_added())

    assert answer.status_code == 403
    assert stored() == []


def test_the_receiver_is_looked_at(client_with_csrf, wecom, stored):
    other = make_channel_account(kind=ChannelKind.WECOM_APP, appid="ww2", agentid="1")
    wecom.crypto = Platform(client_with_csrf, other).crypto

    assert wecom.send(contact_added()).status_code == 403
    assert stored() == []


def test_our_own_answer_is_no_callback(wecom, stored):
    asked = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in {
            "ToUserName": "ww1",
            "FromUserName": "zhangsan",
            "CreateTime": TIMESTAMP,
            "MsgType": "text",
            "Content": "?",
            "MsgId": "1",
            "AgentID": "1000002",
        }.items()
    )
    said = text_reply(read_message(f"<xml>{asked}</xml>"), "您好", NOW)

    assert "<FromUserName><![CDATA[ww1]]>" in said
    assert wecom.send(said).status_code == 403
    assert stored() == []
    assert wecom.send(f"<xml>{asked}</xml>").text == "success"


def test_both_keys_are_good_during_a_rotation(client_with_csrf, wecom, app_account, stored):
    from pydantic import SecretStr

    rotate_keys(Actor.system(), app_account.name, aes_key=SecretStr(OTHER_KEY))
    new = Platform(client_with_csrf, app_account, OTHER_KEY)

    assert [wecom.send("<xml>old</xml>").text, new.send("<xml>new</xml>").text] == ["success"] * 2


def test_the_window_is_the_accounts_own(wecom, app_account):
    change_account(Actor.system(), app_account.name, AccountChange(callback_window_seconds=30))

    with time_machine.travel(NOW + timedelta(seconds=31), tick=False):
        assert wecom.send(contact_added()).status_code == 403
    with time_machine.travel(NOW + timedelta(seconds=29), tick=False):
        assert wecom.send(contact_added()).status_code == 200


def test_an_official_account_has_no_door_here(client_with_csrf, session):
    make_channel_account(name="oa")

    for name in ("oa", "nobody"):
        answer = client_with_csrf.post(f"/callback/wecom/{name}", data=contact_added())
        assert (answer.status_code, answer.text) == (404, "")
        assert client_with_csrf.get(f"/callback/wecom/{name}").status_code == 404


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
    query=st.dictionaries(
        st.sampled_from(["msg_signature", "timestamp", "nonce", "echostr"]),
        st.text(st.characters(codec="utf-8"), max_size=40) | st.just(TIMESTAMP),
    ),
)
def test_no_bytes_whatsoever_are_answered_with_500(wecom, body, query):
    envelope = b"<xml><Encrypt>" + body + b"</Encrypt></xml>"
    for data in (body, envelope):
        answer = wecom.browser.post(wecom.address, query_string=query, data=data)
        assert answer.status_code in {400, 403}
    assert wecom.browser.get(wecom.address, query_string=query).status_code in {400, 403}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.text(st.characters(codec="utf-8"), max_size=300))
def test_whatever_is_rightly_signed_is_acknowledged(wecom, body):
    assert wecom.send(body).text == "success"
