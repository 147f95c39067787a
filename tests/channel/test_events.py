import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from rq.timeouts import JobTimeoutException

from channel import events
from channel.events import TryLater, handle_inbox_event, listen_to
from channel.wechat.messages import FollowerSubscribed, UnknownEvent
from channel.wecom.messages import ContactAdded
from core.errors import NotFound
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import set_account_enabled
from domain.inbox import queries
from domain.inbox.intake import Callback, accept
from domain.inbox.models import InboxState
from domain.inbox.service import replay
from tests.factories import make_channel_account
from workers import jobs

SUBSCRIBED = (
    "<xml><ToUserName>gh_us</ToUserName><FromUserName>oPerson</FromUserName>"
    "<CreateTime>1395658920</CreateTime><MsgType>event</MsgType><Event>subscribe</Event></xml>"
)


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch):
    monkeypatch.setattr(events, "_listeners", defaultdict(list))
    monkeypatch.setattr(events, "_urgent_listeners", defaultdict(list))


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa")


def received(account, body=SUBSCRIBED) -> int:
    return accept(account, Callback("subscribe", "", "oPerson", body)).event_id


def row(event_id):
    return queries.get_event(Actor.system(), event_id)


def test_everyone_who_listens_is_told_once(account):
    heard = []
    for number in (1, 2):
        listen_to(FollowerSubscribed, lambda account, event, n=number: heard.append((n, event)))
    event_id = received(account)

    handle_inbox_event(event_id)
    handle_inbox_event(event_id)

    assert [(number, event.openid) for number, event in heard] == [(1, "oPerson"), (2, "oPerson")]
    assert row(event_id).state is InboxState.DONE


def test_a_listener_gets_the_account_that_was_told(account):
    accounts = []
    listen_to(FollowerSubscribed, lambda account, _event: accounts.append(account))

    handle_inbox_event(received(account))

    assert [(told.id, told.name, told.appid) for told in accounts] == [
        (account.id, "demo-oa", account.appid)
    ]


@pytest.mark.parametrize("body", [SUBSCRIBED, "no XML at all", "<xml><InfoType>x</InfoType></xml>"])
def test_what_nobody_listens_to_is_ignored(account, body):
    event_id = received(account, body)

    handle_inbox_event(event_id)

    assert row(event_id).state is InboxState.IGNORED


def test_unknown_events_can_be_listened_to(account):
    names = []
    listen_to(UnknownEvent, lambda _account, event: names.append(event.name))

    handle_inbox_event(received(account, SUBSCRIBED.replace("subscribe", "brand_new")))

    assert names == ["brand_new"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("oPerson"), "KeyError"),
        (NotFound(), "not_found"),
    ],
)
def test_a_listener_that_fails_is_told_again_later(account, caplog, error, reason):
    caplog.set_level(logging.DEBUG)

    def fail(_account, _event):
        raise error

    listen_to(FollowerSubscribed, fail)
    event_id = received(account)
    handle_inbox_event(event_id)

    assert (row(event_id).state, row(event_id).reason) == (InboxState.RECEIVED, reason)
    assert "callback failed" in caplog.text
    assert "in fail" in caplog.records[-1].where
    assert "oPerson" not in caplog.text


def test_a_listener_that_waits_is_told_again_later_and_nothing_is_logged(account, caplog):
    caplog.set_level(logging.DEBUG, "xinqiao")

    def wait(_account, _event):
        raise TryLater

    listen_to(FollowerSubscribed, wait)
    event_id = received(account)
    handle_inbox_event(event_id)

    assert (row(event_id).state, row(event_id).reason) == (InboxState.RECEIVED, "TryLater")
    assert [record for record in caplog.records if record.name == "xinqiao"] == []


def test_a_job_whose_time_is_up_ends_and_leaves_the_rest_for_another(account, queue, monkeypatch):
    # Registered here, our own listeners would be missing in the tests after this one.
    monkeypatch.setattr(jobs.listeners, "listen", lambda: None)
    told = []

    def linger(_account, event):
        told.append(event.openid)
        raise JobTimeoutException

    listen_to(FollowerSubscribed, linger)
    first = received(account)
    second = received(account, SUBSCRIBED.replace("oPerson", "oOther"))
    with pytest.raises(JobTimeoutException):
        jobs.handle_inbox_events(first, second)

    assert told == ["oPerson"]
    assert (row(first).reason, row(second).state) == ("JobTimeoutException", InboxState.RECEIVED)


def test_an_event_of_an_account_that_is_switched_off_waits_for_it(account, session):
    event_id = received(account)
    set_account_enabled(Actor.system(), "demo-oa", is_enabled=False)

    handle_inbox_event(event_id)

    assert row(event_id).reason == "account_unknown"


def test_a_replayed_event_is_told_again(account):
    heard = []
    listen_to(FollowerSubscribed, lambda _account, event: heard.append(event))
    event_id = received(account)
    handle_inbox_event(event_id)

    replay(Actor.system(), [event_id])
    handle_inbox_event(event_id)

    assert len(heard) == 2


def test_workers_at_the_same_moment_tell_it_once(committed, redis, together):
    heard = []
    listen_to(FollowerSubscribed, lambda _account, event: heard.append(event))
    event_id = received(make_channel_account(name="busy-oa"))

    together(*[lambda: handle_inbox_event(event_id)] * 6)

    assert len(heard) == 1
    assert row(event_id).state is InboxState.DONE


# --- what is worth nothing in twenty seconds ------------------------------------------------


ADDED = (
    "<xml><ToUserName>ww1</ToUserName><FromUserName>sys</FromUserName>"
    "<CreateTime>1395658920</CreateTime><MsgType>event</MsgType>"
    "<Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>"
    "<UserID>zhangsan</UserID><ExternalUserID>wm1</ExternalUserID>"
    "<WelcomeCode>CODE</WelcomeCode></xml>"
)
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def contact(session):
    """A customer added at noon, and a clock that stands there."""
    account = make_channel_account(name="demo-wecom", kind=ChannelKind.WECOM_APP, agentid="1")
    with time_machine.travel(NOON, tick=False) as clock:
        deadline = NOON + timedelta(seconds=20)
        callback = Callback("change_external_contact", "", "zhangsan", ADDED, deadline_at=deadline)
        yield accept(account, callback).event_id, clock


@pytest.fixture
def told():
    heard = []
    listen_to(ContactAdded, lambda _account, event: heard.append(f"linked {event.userid}"))
    listen_to(
        ContactAdded,
        lambda _account, event: heard.append(f"greeted {event.welcome_code}"),
        urgent=True,
    )
    return heard


def test_what_is_urgent_is_told_first(contact, told):
    handle_inbox_event(contact[0])

    assert told == ["greeted CODE", "linked zhangsan"]
    assert row(contact[0]).state is InboxState.DONE


def test_past_the_deadline_a_greeting_is_not_tried_but_the_customer_is_not_lost(contact, told):
    event_id, clock = contact
    clock.shift(timedelta(seconds=20))

    handle_inbox_event(event_id)

    assert told == ["linked zhangsan"]
    assert row(event_id).state is InboxState.TOO_LATE


def test_a_greeting_is_not_repeated_when_something_else_fails(contact, told):
    event_id, clock = contact
    faults = iter([KeyError()])

    def fails_once(_account, _event):
        for fault in faults:
            raise fault

    listen_to(ContactAdded, fails_once)
    handle_inbox_event(event_id)
    clock.shift(timedelta(minutes=1))
    handle_inbox_event(event_id)

    assert told == ["greeted CODE", "linked zhangsan", "linked zhangsan"]
    assert row(event_id).state is InboxState.DONE


def test_a_greeting_that_fails_is_tried_again_while_there_is_time(contact, told):
    event_id, clock = contact
    tries = []

    def fails(_account, _event):
        tries.append(None)
        raise TryLater

    listen_to(ContactAdded, fails, urgent=True)
    for _ in range(4):
        handle_inbox_event(event_id)
        clock.shift(timedelta(seconds=6))

    assert len(tries) == 4
    assert row(event_id).state is InboxState.RECEIVED
    clock.shift(timedelta(minutes=5))
    handle_inbox_event(event_id)
    assert row(event_id).state is InboxState.TOO_LATE
