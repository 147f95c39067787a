"""Pure rules of pushing, by table."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.pushes.models import MessageKind, PushStatus, Route
from domain.pushes.policy import (
    ABOUT_ALL_KINDS,
    CLAIM_LIFE,
    LADDERS,
    LEAST_AT_FIRST,
    REMEMBERED_FOR,
    REPEATABLE_FOR,
    after_lost_answer,
    client_msg_id,
    may_be_fed,
    next_route,
    quiet_until,
    retry_delay,
)

WECHAT_DROPS_REPEATS_FOR = timedelta(minutes=10)
WECOM_DROPS_REPEATS_FOR = timedelta(minutes=30)
LADDER = ["template", "miniprogram", "wecom"]


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 15), (2, 60), (3, 300), (4, 1800), (5, 7200), (6, None)]
)
def test_retries_wait_longer_and_end(attempts, seconds):
    delay = retry_delay(attempts)

    assert (delay and delay.total_seconds()) == seconds


@pytest.mark.parametrize(
    ("route", "age", "status"),
    [
        (Route.TEMPLATE, timedelta(0), PushStatus.TEMPORARY_FAILURE),
        (Route.TEMPLATE, timedelta(minutes=8, seconds=59), PushStatus.TEMPORARY_FAILURE),
        (Route.TEMPLATE, timedelta(minutes=9), PushStatus.UNKNOWN),
        (Route.TEMPLATE, timedelta(days=1), PushStatus.UNKNOWN),
        (Route.WECOM, timedelta(minutes=28), PushStatus.TEMPORARY_FAILURE),
        (Route.WECOM, timedelta(minutes=29), PushStatus.UNKNOWN),
        (Route.MINIPROGRAM, timedelta(0), PushStatus.UNKNOWN),
        (Route.SMS, timedelta(minutes=9), PushStatus.UNKNOWN),
    ],
)
def test_a_lost_answer_is_repeated_while_the_platform_drops_repeats(route, age, status):
    assert after_lost_answer(route, age) is status


def test_a_dead_workers_push_comes_back_while_a_repetition_is_harmless():
    assert CLAIM_LIFE < REPEATABLE_FOR[Route.TEMPLATE] < WECHAT_DROPS_REPEATS_FOR
    assert CLAIM_LIFE < REPEATABLE_FOR[Route.WECOM] < WECOM_DROPS_REPEATS_FOR
    assert set(REPEATABLE_FOR) == set(Route)


@pytest.mark.parametrize(
    ("route", "after"),
    [
        (Route.TEMPLATE, Route.MINIPROGRAM),
        (Route.MINIPROGRAM, Route.WECOM),
        (Route.WECOM, None),
        (Route.SMS, None),  # a step that this campaign does not have
    ],
)
def test_each_step_leads_to_the_next(route, after):
    assert next_route(LADDER, route) is after


def test_every_message_has_a_ladder_that_begins_with_the_official_account():
    assert set(LADDERS) == set(MessageKind)
    assert {ladder[0] for ladder in LADDERS.values()} == {Route.TEMPLATE}


def test_what_is_about_a_person_as_a_whole_is_remembered():
    assert set(REMEMBERED_FOR) >= ABOUT_ALL_KINDS
    assert "muted" not in ABOUT_ALL_KINDS


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-04-05T07:59", "2026-04-05T08:00"),
        ("2026-04-05T08:00", None),
        ("2026-04-05T20:59", None),
        ("2026-04-05T21:00", "2026-04-06T08:00"),
        ("2026-04-05T00:00", "2026-04-05T08:00"),
    ],
)
def test_no_telephone_rings_at_night(at, until):
    def in_china(text):
        return datetime.fromisoformat(f"{text}:00+08:00")

    now = in_china(at).astimezone(UTC)

    assert quiet_until(Route.SMS, now) == (until and in_china(until))
    assert quiet_until(Route.TEMPLATE, now) is None


@pytest.mark.parametrize(
    ("total", "minutes", "allowed"),
    [
        (100_000, 0, 1_000),
        (100_000, 1, 10_000),
        (100_000, 2, 100_000),
        (100, 0, LEAST_AT_FIRST),
        (5, 0, 5),
    ],
)
def test_a_gradual_start_grows(total, minutes, allowed):
    running_for = timedelta(minutes=minutes)

    assert may_be_fed(total, running_for, is_gradual=True) == allowed
    assert may_be_fed(total, running_for, is_gradual=False) == total


def test_the_id_for_the_platform_is_short_and_another_after_a_resend():
    longest = client_msg_id("0123456789ab", 2**48, 255)

    assert len(longest) <= 32
    assert client_msg_id("a", 1, 0) != client_msg_id("a", 1, 1)
    assert client_msg_id("a", 1, 0) != client_msg_id("b", 1, 0)
