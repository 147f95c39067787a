import logging
from collections import defaultdict

import pytest

from channel.wechat import events
from channel.wechat.events import TryLater, handle_inbox_event, listens
from channel.wechat.messages import FollowerSubscribed, UnknownEvent
from core.errors import NotFound
from domain.directory.access import Actor
from domain.directory.channel_accounts import set_account_enabled
from domain.inbox import queries
from domain.inbox.models import InboxState
from domain.inbox.service import Callback, accept, replay
from tests.factories import make_channel_account

SUBSCRIBED = (
    "<xml><ToUserName>gh_us</ToUserName><FromUserName>oPerson</FromUserName>"
    "<CreateTime>1395658920</CreateTime><MsgType>event</MsgType><Event>subscribe</Event></xml>"
)


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch):
    monkeypatch.setattr(events, "_listeners", defaultdict(list))


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
        listens(FollowerSubscribed)(lambda account, event, n=number: heard.append((n, event)))
    event_id = received(account)

    handle_inbox_event(event_id)
    handle_inbox_event(event_id)

    assert [(number, event.openid) for number, event in heard] == [(1, "oPerson"), (2, "oPerson")]
    assert row(event_id).state is InboxState.DONE


def test_a_listener_gets_the_account_that_was_told(account):
    accounts = []
    listens(FollowerSubscribed)(lambda account, _event: accounts.append(account))

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
    listens(UnknownEvent)(lambda _account, event: names.append(event.name))

    handle_inbox_event(received(account, SUBSCRIBED.replace("subscribe", "brand_new")))

    assert names == ["brand_new"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("oPerson"), "KeyError"),
        (TryLater(), "TryLater"),
        (NotFound(), "not_found"),
    ],
)
def test_a_listener_that_fails_is_told_again_later(account, caplog, error, reason):
    caplog.set_level(logging.DEBUG)

    @listens(FollowerSubscribed)
    def fail(_account, _event):
        raise error

    event_id = received(account)
    handle_inbox_event(event_id)

    assert (row(event_id).state, row(event_id).reason) == (InboxState.RECEIVED, reason)
    assert "callback failed" in caplog.text
    assert "oPerson" not in caplog.text


def test_an_event_of_an_account_that_is_switched_off_waits_for_it(account, session):
    event_id = received(account)
    set_account_enabled(Actor.system(), "demo-oa", is_enabled=False)

    handle_inbox_event(event_id)

    assert row(event_id).reason == "account_unknown"


def test_a_replayed_event_is_told_again(account):
    heard = []
    listens(FollowerSubscribed)(lambda _account, event: heard.append(event))
    event_id = received(account)
    handle_inbox_event(event_id)

    replay(Actor.system(), [event_id])
    handle_inbox_event(event_id)

    assert len(heard) == 2


def test_workers_at_the_same_moment_tell_it_once(committed, redis, together):
    heard = []
    listens(FollowerSubscribed)(lambda _account, event: heard.append(event))
    event_id = received(make_channel_account(name="busy-oa"))

    together(*[lambda: handle_inbox_event(event_id)] * 6)

    assert len(heard) == 1
    assert row(event_id).state is InboxState.DONE
