import dataclasses
import logging
import secrets
from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis import ConnectionError as RedisAway
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from channel import callbacks
from channel.wechat.crypto import MessageCrypto, signature
from core.queues import Job
from domain.directory.access import Actor
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.channel_accounts import rotate_keys
from domain.inbox.models import InboxEvent
from domain.inbox.service import claim
from tests.channel.wechat.conftest import AES_KEY
from tests.factories import make_channel_account

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TIMESTAMP = str(int(NOW.timestamp()))
OTHER_KEY = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"


@pytest.fixture(autouse=True)
def _standing_clock():
    with time_machine.travel(NOW, tick=False):
        yield


def event(openid: str = "oPerson", name: str = "subscribe") -> str:
    return (
        f"<xml><ToUserName>gh_us</ToUserName><FromUserName>{openid}</FromUserName>"
        f"<CreateTime>1395658920</CreateTime><MsgType>event</MsgType><Event>{name}</Event></xml>"
    )


class Platform:
    """Sends callbacks to one account, signed as WeChat signs them."""

    def __init__(self, browser, account, key=AES_KEY) -> None:
        self._browser, self._account = browser, account
        self.token = account.token.get_secret_value()
        self.crypto = MessageCrypto(self.token, [key], account.appid)

    @property
    def address(self) -> str:
        return f"/callback/wechat/{self._account.name}"

    def query(self, timestamp=TIMESTAMP, nonce=None, **more):
        nonce = nonce or secrets.token_hex(5)
        signed = signature(self.token, timestamp, nonce)
        return {"signature": signed, "timestamp": timestamp, "nonce": nonce} | more

    def ask(self, **query):
        return self._browser.get(self.address, query_string=query or self.query(echostr="e+1/="))

    def send_plain(self, body, **query):
        return self._browser.post(self.address, query_string=self.query(**query), data=body)

    def send(self, body, *, beside="", timestamp=TIMESTAMP, nonce=None, forged=None):
        query = self.query(timestamp, nonce, encrypt_type="aes", openid="oPerson")
        encrypted = self.crypto.encrypt(body)
        query["msg_signature"] = self.crypto.sign(timestamp, query["nonce"], encrypted)
        envelope = f"<xml><ToUserName>gh</ToUserName>{beside}<Encrypt>{encrypted}</Encrypt></xml>"
        return self._browser.post(self.address, query_string=query | (forged or {}), data=envelope)


@pytest.fixture
def safe(client_with_csrf):
    return Platform(client_with_csrf, make_channel_account(name="safe-oa"))


@pytest.fixture
def plain(client_with_csrf):
    account = make_channel_account(name="plain-oa", mode=CallbackMode.PLAIN)
    return Platform(client_with_csrf, account)


@pytest.fixture
def stored(session):
    def rows() -> list[InboxEvent]:
        return list(session.scalars(select(InboxEvent).order_by(InboxEvent.id)))

    return rows


# --- the console's check --------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(CallbackMode))
def test_the_console_is_answered_in_clear_in_every_mode(client_with_csrf, mode):
    platform = Platform(client_with_csrf, make_channel_account(name="oa", mode=mode))

    answer = platform.ask()

    assert (answer.status_code, answer.text) == (200, "e+1/=")
    assert answer.mimetype == "text/plain"


def test_a_stranger_gets_no_echo(safe):
    good = safe.query(echostr="<script>")
    for wrong in (
        good | {"signature": "0" * 40},
        good | {"signature": "é"},
        good | {"timestamp": "1409735669"},
        {"echostr": "<script>"},
    ):
        answer = safe.ask(**wrong)
        assert (answer.status_code, answer.text) == (403, "")


# --- what is accepted -----------------------------------------------------------------------


def test_an_encrypted_callback_is_stored_enqueued_and_acknowledged(safe, stored, queue):
    answer = safe.send(event())

    [row] = stored()
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "success", "text/plain")
    assert (row.event, row.change_type, row.openid) == ("subscribe", "", "oPerson")
    assert queue.args(Job.HANDLE_INBOX_EVENTS) == [(row.id,)]
    assert claim(row.id).body == event()


def test_a_plain_callback_is_taken_where_plain_was_agreed(plain, stored):
    assert plain.send_plain(event()).text == "success"
    assert [row.event for row in stored()] == ["subscribe"]


def test_of_a_compatible_callback_only_the_encrypted_part_counts(client_with_csrf, stored):
    account = make_channel_account(name="oa", mode=CallbackMode.COMPATIBLE)
    forged = "<FromUserName>oSomebodyElse</FromUserName><Event>unsubscribe</Event>"

    answer = Platform(client_with_csrf, account).send(event(), beside=forged)

    assert answer.text == "success"
    assert [(row.event, row.openid) for row in stored()] == [("subscribe", "oPerson")]


def test_an_account_that_has_just_left_plain_mode_is_understood(plain, stored):
    assert plain.send(event()).text == "success"
    assert len(stored()) == 1


def test_callbacks_under_the_key_before_are_still_read(client_with_csrf, session, stored):
    account = make_channel_account(name="oa")
    rotate_keys(Actor.system(), "oa", aes_key=SecretStr(OTHER_KEY))

    assert Platform(client_with_csrf, account).send(event("o1")).text == "success"
    assert Platform(client_with_csrf, account, OTHER_KEY).send(event("o2")).text == "success"
    assert len(stored()) == 2


def test_a_repeat_is_acknowledged_and_stored_once(safe, stored, queue):
    for _ in range(3):  # signed and encrypted anew
        assert safe.send(event()).text == "success"

    assert len(stored()) == 1
    assert queue.count == 1


def test_a_repeat_word_for_word_is_acknowledged_too(plain, stored):
    for _ in range(3):
        assert plain.send_plain(event(), nonce="n1").text == "success"

    assert len(stored()) == 1


def test_two_people_in_the_same_second_are_two_events(safe, stored):
    safe.send(event("o1"))
    safe.send(event("o2"))

    assert [row.openid for row in stored()] == ["o1", "o2"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (event(name="invented_yesterday"), "invented_yesterday"),
        ("<xml><InfoType>suite_ticket</InfoType></xml>", "suite_ticket"),
        ("<xml><MsgType>text</MsgType></xml>", "text"),
        ("<xml/>", ""),
        ("no XML at all", ""),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><xml><MsgType>&a;</MsgType></xml>", ""),
        ("", ""),
    ],
)
def test_what_is_not_understood_is_stored_and_acknowledged(safe, stored, body, name):
    answer = safe.send(body)

    assert (answer.status_code, answer.text) == (200, "success")
    assert [row.event for row in stored()] == [name]


def test_the_answer_holds_nothing_of_the_event(safe):
    answer = safe.send(event("oPerson").replace("subscribe", "text-of-a-person"))

    assert answer.text == "success"
    assert "oPerson" not in str(answer.headers)


# --- what is refused ------------------------------------------------------------------------


def test_a_changed_envelope_is_refused(safe, stored):
    for changes in (
        {"msg_signature": ""},
        {"msg_signature": "0" * 40},
        {"nonce": "another"},
        {"timestamp": str(int(TIMESTAMP) + 1)},
        {"timestamp": ""},
        {"timestamp": "soon"},
        {"timestamp": "１４０９７３５６６９"},
        {"timestamp": "9" * 400},
    ):
        answer = safe.send(event(), forged=changes)
        assert (answer.status_code, answer.text) == (403, "")
    assert stored() == []


def test_the_plain_signature_does_not_open_an_account_in_safe_mode(safe, stored):
    assert safe.send_plain(event()).status_code == 403
    assert stored() == []


def test_an_account_without_a_key_cannot_be_told_anything_encrypted(
    client_with_csrf, stored, monkeypatch
):
    account = make_channel_account(name="keyless-oa", mode=CallbackMode.PLAIN)
    keyless = dataclasses.replace(account, aes_keys=("",))
    monkeypatch.setattr(callbacks, "kept_account_by_name", lambda _name: keyless)

    assert Platform(client_with_csrf, account).send(event()).status_code == 403
    assert stored() == []


def test_another_accounts_envelope_is_refused(client_with_csrf, safe, stored):
    other = make_channel_account(name="other-oa")
    forged = Platform(client_with_csrf, other)
    safe.crypto = forged.crypto  # same token and key, another appid inside

    assert safe.send(event()).status_code == 403
    assert stored() == []


@pytest.mark.parametrize("age_seconds", [-301, 301])
def test_an_old_or_future_timestamp_is_refused(safe, stored, age_seconds):
    timestamp = str(int(TIMESTAMP) - age_seconds)

    assert safe.send(event(), timestamp=timestamp).status_code == 403
    assert stored() == []


@pytest.mark.parametrize("age_seconds", [-299, 299])
def test_a_clock_that_is_a_little_off_is_forgiven(safe, age_seconds):
    assert safe.send(event(), timestamp=str(int(TIMESTAMP) - age_seconds)).text == "success"


def test_a_copied_signature_does_not_carry_another_body(plain, stored):
    plain.send_plain(event("o1"), nonce="n1")

    assert plain.send_plain(event("oForged"), nonce="n1").status_code == 403
    assert [row.openid for row in stored()] == ["o1"]


def test_a_nonce_is_remembered_per_account_for_ten_minutes(safe, redis):
    safe.send(event(), nonce="n1")

    [key] = redis.scan_iter("xq:callback-nonce:*")
    assert 590 < redis.ttl(key) <= 600
    assert "oPerson" not in f"{key}{redis.get(key)}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"\xff\xfe", 403),
        (b"<xml/>", 403),
        (b"<xml><Encrypt>AAAA</Encrypt></xml>", 403),
        (b"<!DOCTYPE x><xml><Encrypt>AAAA</Encrypt></xml>", 403),
        (b"<xml>" + b"x" * 65_536 + b"</xml>", 413),
    ],
)
def test_what_is_no_envelope_is_refused(safe, stored, body, status):
    answer = safe.send_plain(body)

    assert (answer.status_code, answer.text) == (status, "")
    assert stored() == []


def test_accounts_that_are_not_there_or_not_of_this_kind_do_not_exist(client_with_csrf, session):
    make_channel_account(name="off", is_enabled=False)
    make_channel_account(name="wecom", kind=ChannelKind.WECOM_APP, agentid="1000002")

    for name in ("nobody", "off", "wecom", "%00", "ä"):
        answer = client_with_csrf.post(f"/callback/wechat/{name}", data=event())
        assert (answer.status_code, answer.text) == (404, "")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
    query=st.dictionaries(
        st.sampled_from(["signature", "msg_signature", "timestamp", "nonce", "encrypt_type"]),
        st.text(st.characters(codec="utf-8"), max_size=40) | st.just(TIMESTAMP),
    ),
)
def test_no_bytes_whatsoever_are_answered_with_500(safe, body, query):
    envelope = b"<xml><Encrypt>" + body + b"</Encrypt></xml>"
    for data in (body, envelope):
        answer = safe._browser.post(safe.address, query_string=query, data=data)
        assert answer.status_code in {400, 403}
        assert answer.text == ""


# --- when something of ours is away ---------------------------------------------------------


def test_what_cannot_be_stored_is_not_acknowledged(safe, stored, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)

    def database_is_away(*_args):
        raise OperationalError("INSERT … oPerson", {}, Exception("server has gone away"))

    monkeypatch.setattr(callbacks.intake, "accept", database_is_away)

    answer = safe.send(event())

    assert (answer.status_code, answer.text) == (503, "")
    assert "callback not stored" in caplog.text
    assert "oPerson" not in caplog.text
    monkeypatch.undo()
    assert safe.send(event()).text == "success"
    assert len(stored()) == 1


def away():
    raise RedisAway


def test_an_encrypted_callback_is_stored_while_redis_is_away(safe, stored, monkeypatch):
    monkeypatch.setattr(callbacks.intake, "redis", away)

    assert safe.send(event()).text == "success"
    assert len(stored()) == 1


def test_a_plain_callback_waits_until_nonces_can_be_checked(plain, stored, monkeypatch):
    monkeypatch.setattr(callbacks.intake, "redis", away)

    assert plain.send_plain(event()).status_code == 503
    assert stored() == []
