from datetime import UTC, datetime, timedelta

import time_machine
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisAway

import core.redis
from channel import alarms
from channel.alarms import list_alarms, note_alarm, note_alarm_hourly

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
SEND = "/cgi-bin/message/send"


def test_alarms_are_listed_newest_first_and_counted(redis, caplog):
    with time_machine.travel(NOON, tick=False) as clock:
        note_alarm(7, SEND, 60020)
        clock.shift(60)
        note_alarm(8, "/cgi-bin/user/get", 48002)
        clock.shift(60)
        note_alarm(7, SEND, 60020)

        first, second = list_alarms()

    assert (first.account_id, first.api, first.errcode, first.count) == (7, SEND, 60020, 2)
    assert (first.last_seen_at - NOON).total_seconds() == 120
    assert (second.account_id, second.errcode, second.count) == (8, 48002, 1)
    assert caplog.text.count("platform needs a person") == 3


def test_an_alarm_is_forgotten_an_hour_after_it_was_last_seen(redis):
    with time_machine.travel(NOON, tick=False) as clock:
        note_alarm(7, SEND, 60020)
        clock.shift(3599)
        assert len(list_alarms()) == 1
        clock.shift(2)
        assert list_alarms() == []
        note_alarm(8, SEND, 48002)
        note_alarm(7, SEND, 60020)
        assert [alarm.count for alarm in list_alarms()] == [1, 1]
    assert redis.ttl("xq:alarms:seen") > 0


def test_without_alarms_there_is_nothing_to_list(redis):
    assert list_alarms() == []


def test_an_alarm_counts_for_prometheus(redis):
    labels = {"account": "7", "api": SEND, "errcode": "301002"}
    before = REGISTRY.get_sample_value("xinqiao_platform_alarms_total", labels) or 0

    note_alarm(7, SEND, 301002)

    assert REGISTRY.get_sample_value("xinqiao_platform_alarms_total", labels) == before + 1


def test_without_redis_an_alarm_is_still_said(monkeypatch, caplog):
    def away():
        raise RedisAway("away")

    monkeypatch.setattr(alarms, "redis", away)

    note_alarm(7, SEND, 60020)

    assert "platform needs a person" in caplog.text
    assert "alarm not kept" in caplog.text


def test_what_every_message_meets_is_said_once_an_hour_and_shown_as_long_as_it_lasts(redis, log):
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(3):
            note_alarm_hourly(7, SEND, 40037)
        said = log.getvalue().count("platform needs a person")
        clock.shift(60)
        note_alarm_hourly(7, SEND, 40037)
        [alarm] = list_alarms()

    assert said == log.getvalue().count("platform needs a person") == 1
    assert (alarm.count, alarm.last_seen_at) == (4, NOON + timedelta(minutes=1))


def test_without_redis_it_is_said_all_the_same(redis, log, monkeypatch):
    away = core.redis.connect("unix:///nowhere/redis.sock", decode=True)
    monkeypatch.setattr(alarms, "redis", lambda: away)

    note_alarm_hourly(7, SEND, 40037)

    assert "platform needs a person" in log.getvalue()
