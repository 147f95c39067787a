import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import ConnectionError as RedisAway

from channel import budget, limits
from channel.budget import BudgetExhausted, Caller, Priority, list_budgets, take
from channel.limits import CHINA_DAY, HOUR, MINUTE, Limit, limits_of
from core.clock import CHINA
from domain.directory.accounts import ChannelKind

BANK = Caller(ChannelKind.OFFICIAL_ACCOUNT, "wx1")
CORP = Caller(ChannelKind.WECOM_APP, "ww1", "1000002")
OTHER_APP = Caller(ChannelKind.WECOM_APP, "ww1", "1000003")
API = "/cgi-bin/counted"


@pytest.fixture
def limited(redis, monkeypatch):
    """Sets what holds for ``API``."""

    def limited(*them: Limit) -> None:
        monkeypatch.setitem(limits.WECHAT, API, them)

    return limited


def day(calls, **more):
    return Limit(calls, CHINA_DAY, "a page", **more)


def taken(priority, caller=BANK, api=API):
    """How many calls a priority may make at once."""
    count = 0
    try:
        while count < 10_000:
            take(caller, api, priority)
            count += 1
    except BudgetExhausted:
        return count
    raise AssertionError("nothing ends it")


def test_calls_are_counted_until_the_days_quota_is_used_up(limited):
    limited(day(3))

    assert taken(Priority.WELCOME) == 3

    with pytest.raises(BudgetExhausted) as refused:
        take(BANK, API, Priority.WELCOME)
    assert 0 < refused.value.retry_after_seconds <= CHINA_DAY
    assert str(refused.value.retry_after_seconds) in refused.value.sentence
    assert not refused.value.may_have_arrived


def test_the_days_quota_comes_back_at_midnight_in_china(limited, redis):
    limited(day(3))
    taken(Priority.WELCOME)

    with pytest.raises(BudgetExhausted) as refused:
        take(BANK, API, Priority.WELCOME)
    until = redis.time()[0] + refused.value.retry_after_seconds
    past_midnight = datetime.fromtimestamp(until, CHINA)
    assert (past_midnight.hour, past_midnight.minute) == (0, 0)

    yesterday = redis.hget("xq:budget:wx1|/cgi-bin/counted|day", "window")
    redis.hset("xq:budget:wx1|/cgi-bin/counted|day", "window", int(yesterday) - 1)
    assert taken(Priority.WELCOME) == 3


@pytest.mark.parametrize(
    ("priority", "may_take"),
    [
        (Priority.WELCOME, 100),
        (Priority.PAYSLIP, 90),
        (Priority.NOTICE, 70),
        (Priority.SYNC, 50),
    ],
)
def test_a_priority_leaves_those_above_it_their_part(limited, priority, may_take):
    limited(day(100))

    assert taken(priority) == may_take
    assert taken(Priority.WELCOME) == 100 - may_take


def test_what_only_one_kind_of_work_uses_is_not_reserved(limited):
    limited(day(10, is_shared=False))

    assert taken(Priority.SYNC) == 10


def test_a_minutes_quota_lets_a_burst_through_and_then_a_steady_rate(limited):
    limited(Limit(1200, MINUTE, "a page"))

    began = time.monotonic()
    burst = taken(Priority.WELCOME)
    started = time.monotonic()
    time.sleep(0.2)
    more = taken(Priority.WELCOME)
    a_second = 1200 * 0.8 / MINUTE
    steady = (time.monotonic() - started) * a_second

    # A busy machine takes its time to use up the burst, and gets more meanwhile.
    assert 240 <= burst <= 241 + (started - began) * a_second
    assert steady - 1 <= more <= steady + 1


def test_no_window_of_a_minute_sees_more_than_its_quota(redis):
    for limit in (*limits.WECOM_ANY, *(limits.WECOM["/cgi-bin/ticket/get"])):
        burst = limit.calls * limit.burst_share
        filling = (limit.calls - burst) / limit.seconds
        assert burst + filling * limit.seconds <= limit.calls


def test_every_limit_of_an_api_holds(limited):
    limited(Limit(1000, HOUR, "a page"), day(5))

    assert taken(Priority.WELCOME) == 5


def test_owners_apps_and_apis_have_buckets_of_their_own(limited, monkeypatch):
    limited(day(2))
    monkeypatch.setitem(limits.WECOM, API, (Limit(2, CHINA_DAY, "a page", counts="app"),))

    assert taken(Priority.WELCOME) == 2
    assert taken(Priority.WELCOME, Caller(ChannelKind.OFFICIAL_ACCOUNT, "wx2")) == 2
    assert taken(Priority.WELCOME, CORP) == 2
    assert taken(Priority.WELCOME, OTHER_APP) == 2


def test_apis_that_are_counted_together_share_a_bucket(redis, monkeypatch):
    together = (day(4, api="links"),)
    monkeypatch.setitem(limits.WECHAT, "/a", together)
    monkeypatch.setitem(limits.WECHAT, "/b", together)

    take(BANK, "/a", Priority.WELCOME)

    assert taken(Priority.WELCOME, api="/b") == 3


def test_all_corps_of_this_address_share_its_bucket(redis, monkeypatch):
    ours = (Limit(3, CHINA_DAY, "a page", api="*", counts="address"),)
    monkeypatch.setattr(limits, "WECOM_ANY", ours)

    take(CORP, "/a", Priority.WELCOME)
    take(Caller(ChannelKind.WECOM_APP, "ww2", "1"), "/b", Priority.WELCOME)

    assert taken(Priority.WELCOME, CORP, "/c") == 1


def test_many_are_taken_at_once_as_far_as_they_last(limited):
    limited(day(250))

    granted = [take(BANK, API, Priority.WELCOME, 100) for _ in range(3)]

    assert granted == [100, 100, 50]
    with pytest.raises(BudgetExhausted):
        take(BANK, API, Priority.WELCOME, 100)


def test_threads_together_get_no_more_than_there_is(limited):
    limited(day(100))

    def ask(_):
        try:
            return take(BANK, API, Priority.WELCOME, 3)
        except BudgetExhausted:
            return 0

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(200))) == 100


def test_an_api_without_a_known_limit_may_be_called(redis):
    assert limits_of(ChannelKind.OFFICIAL_ACCOUNT, "/cgi-bin/unheard-of") == ()

    assert [take(BANK, "/cgi-bin/unheard-of", Priority.SYNC, 9) for _ in range(3)] == [9] * 3


def test_a_window_that_the_platform_says_is_used_up_is_waited_for(redis):
    waits = []
    for _ in range(3):
        budget.block("wx1", API)
        with pytest.raises(BudgetExhausted) as refused:
            take(BANK, API, Priority.WELCOME)
        waits.append(refused.value.retry_after_seconds)
        redis.delete(f"xq:budget-blocked:wx1:{API}")  # the window ends

    assert waits[:2] == [60, 3600]
    assert 0 < waits[2] <= CHINA_DAY
    take(BANK, API, Priority.WELCOME)


def test_a_block_holds_one_api_of_one_owner(redis):
    budget.block("wx1", API)

    assert take(BANK, "/cgi-bin/another", Priority.SYNC) == 1
    assert take(Caller(ChannelKind.OFFICIAL_ACCOUNT, "wx2"), API, Priority.SYNC) == 1
    with pytest.raises(BudgetExhausted):
        take(BANK, API, Priority.WELCOME)


def test_the_platforms_own_number_replaces_the_assumed_one(limited):
    limited(day(2))
    assert taken(Priority.WELCOME) == 2
    with pytest.raises(BudgetExhausted) as refused:
        take(BANK, API, Priority.WELCOME)
    assert refused.value.is_assumed

    budget.learn_daily_limit(BANK, API, 5)

    assert taken(Priority.WELCOME) == 3
    with pytest.raises(BudgetExhausted) as refused:
        take(BANK, API, Priority.WELCOME)
    assert not refused.value.is_assumed


def test_a_page_can_show_what_is_used_left_and_blocked(limited, redis):
    limited(Limit(100, MINUTE, "a page"), day(10))
    take(BANK, API, Priority.WELCOME, 4)
    budget.block("wx9", "/cgi-bin/blocked")

    by_day, by_minute, blocked = list_budgets()

    assert (by_day.owner, by_day.api, by_day.window) == ("wx1", API, "day")
    assert (by_day.used, by_day.left, by_day.limit) == (4, 6, 10)
    assert (by_minute.window, by_minute.used, by_minute.left) == ("minute", 4, 96)
    assert by_day.blocked_until is None
    assert (blocked.owner, blocked.api, blocked.limit) == ("wx9", "/cgi-bin/blocked", None)
    in_a_minute = datetime.fromtimestamp(redis.time()[0] + 60, UTC)
    assert abs(blocked.blocked_until - in_a_minute) <= timedelta(seconds=2)


def test_a_page_forgets_what_is_over(limited, redis):
    limited(day(10))
    take(BANK, API, Priority.WELCOME)
    budget.block("wx9", "/cgi-bin/blocked")
    redis.delete("xq:budget:wx1|/cgi-bin/counted|day", "xq:budget-blocked:wx9:/cgi-bin/blocked")

    assert list_budgets() == []
    assert redis.scard("xq:budgets") == 0


def test_yesterdays_calls_are_not_shown_as_todays(limited, redis):
    limited(day(10))
    take(BANK, API, Priority.WELCOME)
    redis.hincrby("xq:budget:wx1|/cgi-bin/counted|day", "window", -1)

    assert [(row.used, row.left) for row in list_budgets()] == [(0, 10)]


def test_without_redis_calls_go_on_and_it_is_said_once(limited, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    limited(day(1))

    def away():
        raise RedisAway("away")

    monkeypatch.setattr(budget, "redis", away)
    monkeypatch.setattr(budget, "_quiet_until", {})

    assert [take(BANK, API, Priority.SYNC, 7) for _ in range(1000)] == [7] * 1000
    budget.block("wx1", API)
    assert caplog.text.count("budget not counted") == 1
    assert caplog.text.count("block not kept") == 1


def test_a_restarted_redis_learns_the_script_again(limited, redis):
    limited(day(2))
    take(BANK, API, Priority.WELCOME)
    redis.script_flush()

    assert taken(Priority.WELCOME) == 1


def test_one_call_costs_one_round_trip(limited, redis, monkeypatch):
    limited(*limits.WECOM_ANY)
    take(BANK, API, Priority.WELCOME)
    asked = []
    real = redis.execute_command
    monkeypatch.setattr(redis, "execute_command", lambda *a, **k: asked.append(a) or real(*a, **k))

    take(BANK, API, Priority.WELCOME)

    assert [command[0] for command in asked] == ["EVALSHA"]


def test_every_limit_names_its_source():
    tables = [*limits.WECOM.values(), *limits.WECHAT.values(), limits.WECOM_ANY]

    for limit in (limit for table in tables for limit in table):
        assert limit.source.startswith("https://")
        assert limit.calls > 0


def test_what_is_left_is_a_gauge_and_a_block_leaves_nothing(limited, redis):
    limited(day(10))
    take(BANK, API, Priority.WELCOME, 3)
    (gauge,) = budget.GAUGES

    assert gauge.ask() == {("wx1", API, "day"): 7.0}
    budget.block("wx1", API)

    assert gauge.ask() == {("wx1", API, "day"): 0.0, ("wx1", API, ""): 0.0}


@pytest.mark.parametrize("count", [1, 3])
def test_budgets_are_listed_in_three_trips_however_many(limited, redis, monkeypatch, count):
    limited(day(10))
    for number in range(count):
        take(Caller(ChannelKind.OFFICIAL_ACCOUNT, f"wx{number}"), API, Priority.WELCOME)
    asked = []
    real = redis.execute_command
    monkeypatch.setattr(redis, "execute_command", lambda *a, **k: asked.append(a) or real(*a, **k))

    assert len(budget.list_budgets()) == count

    assert [command[0] for command in asked] == ["TIME", "SMEMBERS"]  # and one pipeline
