"""The registry of templates is read anew by the clock, and when WeChat says that one is gone."""

from datetime import datetime, timedelta

import pytest
import responses as responses_library
import time_machine

import core.redis
from channel import clients
from channel.breaker import open_after
from channel.template_sync import AGAIN_AFTER_SECONDS, NIGHT_HOURS, ask_for_sync, enqueue_turn, sync
from core import queues
from core.clock import CHINA
from core.queues import Job, QueueName, queue_length
from core.settings import get_settings
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import templates_of
from tests.factories import make_channel_account
from workers.timetable import ENTRIES

NIGHT = datetime(2026, 4, 5, 0, 30, tzinfo=CHINA)
LIST = "/cgi-bin/template/get_all_private_template"


@pytest.fixture
def account(session, redis):
    return make_channel_account()


@pytest.fixture
def wechat():
    clients.forget_http()
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        api = get_settings().wechat_api_url
        mock.post(f"{api}/cgi-bin/stable_token", json={"access_token": "t", "expires_in": 7200})
        yield mock
    clients.forget_http()


def listed(wechat, answer):
    wechat.get(f"{get_settings().wechat_api_url}{LIST}", json=answer)


def test_each_account_has_its_hour_of_the_night(session, queue):
    some = [make_channel_account() for _ in range(NIGHT_HOURS + 1)]
    mini = make_channel_account(kind=ChannelKind.MINIPROGRAM)
    make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1")
    make_channel_account(is_enabled=False)
    turns = []
    with time_machine.travel(NIGHT, tick=False) as clock:
        for _ in range(24):
            turns.append(enqueue_turn())
            clock.shift(timedelta(hours=1))

    asked = queue.args(Job.SYNC_TEMPLATES)
    assert sorted(asked) == sorted((one.id,) for one in [*some, mini])
    assert sum(turns[:NIGHT_HOURS]) == len(some) + 1
    assert max(turns) <= 3
    assert turns[NIGHT_HOURS:] == [0] * (24 - NIGHT_HOURS)


def test_what_is_asked_for_often_is_done_once_in_a_while(session, queue):
    with time_machine.travel(NIGHT, tick=False) as clock:
        for _ in range(3):
            ask_for_sync(7)
        assert queue.args(Job.SYNC_TEMPLATES) == [(7,)]
        clock.shift(AGAIN_AFTER_SECONDS)
        ask_for_sync(7)

    assert queue.args(Job.SYNC_TEMPLATES) == [(7,), (7,)]


def test_neither_messages_nor_welcome_codes_wait_for_it(session, queue):
    ask_for_sync(7)

    assert [name for name in QueueName if queue_length(name)] == [QueueName.INBOX]


def test_while_redis_is_away_nothing_is_asked_for(session, monkeypatch, log):
    away = core.redis.connect("unix:///nowhere/redis.sock", decode=True)
    monkeypatch.setattr(queues, "queue_redis", lambda: away)

    ask_for_sync(7)

    assert "queue unreachable" in log.getvalue()


def test_the_registry_follows_the_platform_and_twice_is_harmless(account, wechat):
    listed(wechat, {"template_list": []})

    assert sync(account.id)
    assert sync(account.id)

    assert templates_of(account.id) == {}


def test_an_account_whose_breaker_is_open_is_left_alone(account, wechat):
    open_after(account.id, 40125)

    assert not sync(account.id)

    assert len(wechat.calls) == 0


def test_an_account_that_was_switched_off_since_is_left_alone(session, redis, wechat):
    assert not sync(make_channel_account(is_enabled=False).id)
    assert not sync(4711)


def test_what_the_platform_refuses_leaves_the_registry_as_it_is(account, wechat, log):
    before = templates_of(account.id)
    listed(wechat, {"errcode": 48001, "errmsg": "no permission"})

    assert not sync(account.id)

    assert templates_of(account.id) == before
    assert "templates not read" in log.getvalue()


def test_the_clock_asks_every_hour():
    [entry] = [one for one in ENTRIES if one.job is Job.ENQUEUE_TEMPLATE_SYNCS]
    assert entry.every_seconds == 3600
