"""Pure rules of pushing, by table."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.pushes.models import MessageKind, PushStatus, Route
from domain.pushes.policy import (
    ABOUT_ALL_KINDS,
    CLAIM_LIFE,
    EXPIRES_AFTER,
    LADDERS,
    LEAST_AT_FIRST,
    MORNING,
    REMEMBERED_FOR,
    REPEATABLE_FOR,
    after_lost_answer,
    client_msg_id,
    expiry,
    is_mended,
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


def in_china(text):
    return datetime.fromisoformat(f"2026-04-{text}:00+08:00")


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("05T12:00", "08T12:00"),
        ("05T20:59", "08T20:59"),
        ("05T21:00", "09T12:00"),
        ("05T00:30", "08T12:00"),
        ("05T08:00", "08T12:00"),
        ("05T11:59", "08T12:00"),
    ],
)
def test_who_waits_for_the_morning_is_not_given_up_in_the_night(begins, ends):
    begins_at = in_china(begins).astimezone(UTC)

    assert expiry([*LADDER, "sms"], begins_at) == in_china(ends)
    assert expiry(LADDER, begins_at) == begins_at + EXPIRES_AFTER


@pytest.mark.parametrize("hour", range(24))
def test_whoever_is_told_to_wait_for_the_morning_has_time_then(hour):
    ends_at = expiry(["template", "sms"], in_china(f"05T{hour:02}:00"))

    last_morning = quiet_until(Route.SMS, ends_at - timedelta(seconds=1))
    assert last_morning is None
    assert quiet_until(Route.SMS, ends_at - MORNING) is None


def step(route, reason, **more):
    return {"route": route, "reason": reason, "errcode": None, "at": "", **more}


LEFT = step("template", "not-following")


@pytest.mark.parametrize(
    ("route", "reason", "tried", "is_over"),
    [
        ("template", "not-bound", [], True),
        ("template", "muted", [], False),
        ("sms", "not-following", [LEFT, step("sms", "sms-refused")], True),
        ("sms", "expired", [LEFT], True),
        ("wecom", "muted", [step("template", "muted"), step("wecom", "not-a-member")], False),
        # Not bound when it began, so the first step is not in the story.
        ("sms", "sms-capped", [step("sms", "sms-capped")], True),
        ("template", "expired", [], False),
        # Nobody knows whether one of the steps reached them.
        ("sms", "not-following", [LEFT, step("wecom", "not-a-member", in_doubt=True)], False),
    ],
)
def test_what_failed_is_mended_by_what_its_whole_story_lacked(route, reason, tried, is_over):
    ladder = [*LADDER, "sms"]

    assert is_mended(ladder, route, reason, tried, {"not-bound", "not-following"}) is is_over
    assert not is_mended(ladder, route, reason, tried, {"openid"})


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
