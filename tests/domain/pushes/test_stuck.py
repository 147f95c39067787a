"""What ought to have moved and has not is found; what waits with good reason is not."""

from datetime import timedelta

import pytest

from core.clock import utc_now
from core.errors import Forbidden
from domain.directory.access import Actor
from domain.pushes import stuck
from domain.pushes.models import CampaignStatus, PushStatus
from domain.pushes.stuck import GAUGES, StuckKind, list_dead_letters, list_stuck
from tests.counting import count_queries
from tests.factories import (
    make_campaign,
    make_channel_account,
    make_employee,
    make_hr,
    make_operator,
    make_push,
)

NOW, SOON, LONG = timedelta(0), timedelta(seconds=30), timedelta(hours=1)
SENDING, RETRY = PushStatus.SENDING, PushStatus.TEMPORARY_FAILURE


@pytest.fixture
def account(session):
    return make_channel_account(name="oa")


@pytest.fixture
def begin(account):
    """A campaign that began an hour ago and was fed then, unless the test says otherwise; moments
    are told by their distance from now."""

    def begin(**fields):
        moments = dict.fromkeys(("created_at", "starts_at", "prepared_at", "fed_at"), -LONG)
        given = {
            name: utc_now() + value if isinstance(value, timedelta) else value
            for name, value in (moments | fields).items()
        }
        return make_campaign(account, **given)

    return begin


@pytest.fixture
def add(account, begin):
    def add(campaign=None, **fields):
        return make_push(make_employee(), account, campaign=campaign or begin(), **fields)

    return add


def ago(length):
    return utc_now() - length


def found():
    return [(row.kind, row.campaign_id, row.count) for row in list_stuck(Actor.system())]


# --- pushes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kind"), [(SENDING, StuckKind.CLAIM), (RETRY, StuckKind.RETRY)])
def test_what_is_long_past_its_time_is_stuck(add, begin, status, kind):
    campaign = begin()
    for length in (LONG, 2 * LONG, SOON, -LONG):
        add(campaign, status=status, due_at=ago(length))

    (row,) = list_stuck(Actor.system())

    assert (row.kind, row.campaign_id, row.count, row.account) == (kind, campaign.id, 2, "oa")
    assert abs(utc_now() - row.since - 2 * LONG) < SOON
    assert row.is_stuck


@pytest.mark.parametrize(
    "fields",
    [{"status": CampaignStatus.PAUSED}, {"held_until": LONG}],
)
def test_retries_of_a_paused_or_held_campaign_wait_with_reason(add, begin, fields):
    add(begin(**fields), status=RETRY, due_at=ago(LONG))

    assert found() == []


def test_a_held_campaign_is_free_again_when_its_time_is_over(add, begin):
    campaign = begin(held_until=-LONG)
    add(campaign, status=RETRY, due_at=ago(LONG))

    assert found() == [(StuckKind.RETRY, campaign.id, 1)]


def test_unknown_is_shown_for_a_week_and_is_not_stuck(add, begin):
    campaign = begin(status=CampaignStatus.FINISHED)
    add(campaign, status=PushStatus.UNKNOWN)
    old = begin(status=CampaignStatus.FINISHED, starts_at=-timedelta(days=8))
    add(old, status=PushStatus.UNKNOWN)

    (row,) = list_stuck(Actor.system())

    assert (row.kind, row.campaign_id, row.is_stuck) == (StuckKind.UNKNOWN, campaign.id, False)
    assert row.since == campaign.starts_at


def test_what_is_unknown_comes_last_however_old(add, begin):
    add(status=PushStatus.UNKNOWN, in_doubt_since=ago(3 * LONG))
    add(status=SENDING, due_at=ago(LONG))
    add(status=SENDING, due_at=ago(2 * LONG))

    rows = list_stuck(Actor.system())

    assert [row.kind for row in rows] == [StuckKind.CLAIM, StuckKind.CLAIM, StuckKind.UNKNOWN]
    assert rows[0].since < rows[1].since


# --- campaigns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "is_stuck"),
    [
        ({}, True),
        ({"starts_at": NOW}, False),
        ({"created_at": NOW}, False),
        ({"status": CampaignStatus.PAUSED}, False),
        ({"prepared_at": NOW}, False),
    ],
)
def test_a_list_that_nobody_prepared_is_stuck(begin, fields, is_stuck):
    campaign = begin(**{"prepared_at": None} | fields)

    assert found() == ([(StuckKind.PREPARE, campaign.id, 0)] if is_stuck else [])


@pytest.mark.parametrize(
    ("fields", "is_stuck"),
    [
        ({}, True),
        ({"fed_at": None}, True),
        ({"fed_at": NOW}, False),
        ({"starts_at": LONG}, False),
        ({"held_until": LONG}, False),
        ({"held_until": -SOON}, False),
        ({"status": CampaignStatus.PAUSED}, False),
    ],
)
def test_who_waits_in_a_campaign_that_nobody_feeds_is_stuck(add, begin, fields, is_stuck):
    campaign = begin(**fields)
    add(campaign)
    add(campaign, status=PushStatus.SENT)

    assert found() == ([(StuckKind.FEED, campaign.id, 1)] if is_stuck else [])


def test_a_campaign_that_waits_for_its_turn_is_not_stuck(add, begin):
    add(begin())
    begin(fed_at=NOW)

    assert found() == []


def test_another_accounts_turns_do_not_hide_it(add, begin):
    campaign = begin()
    add(campaign)
    make_campaign(make_channel_account())

    assert found() == [(StuckKind.FEED, campaign.id, 1)]


@pytest.mark.parametrize(
    ("fields", "statuses", "count"),
    [
        ({"expires_at": -LONG}, [], 0),
        ({"expires_at": -LONG}, [PushStatus.CREATED, PushStatus.SENT], 1),
        ({"expires_at": -LONG, "status": CampaignStatus.PAUSED}, [RETRY], 1),
        ({"expires_at": -SOON}, [PushStatus.CREATED], None),
        (
            {"status": CampaignStatus.CANCELLED, "ended_at": -LONG},
            [PushStatus.CREATED],
            1,
        ),
        (
            {"status": CampaignStatus.CANCELLED, "ended_at": -LONG},
            [PushStatus.CANCELLED],
            None,
        ),
        (
            {"status": CampaignStatus.CANCELLED, "ended_at": -SOON},
            [PushStatus.CREATED],
            None,
        ),
        ({"status": CampaignStatus.FINISHED, "expires_at": -LONG}, [], None),
    ],
)
def test_what_is_over_and_still_open_is_stuck(add, begin, fields, statuses, count):
    campaign = begin(**fields)
    for status in statuses:
        add(campaign, status=status, due_at=utc_now() + LONG)

    assert found() == ([] if count is None else [(StuckKind.CLOSE, campaign.id, count)])


# --- what nobody tries again ----------------------------------------------------------------


def test_dead_letters_are_counted_without_what_is_about_people(add, begin):
    first, second = begin(), begin()
    lost = PushStatus.PERMANENT_FAILURE
    for campaign in (first, second):
        add(campaign, status=lost, reason="template", errcode=40037)
    add(first, status=lost, reason=None)
    add(first, status=PushStatus.UNKNOWN, reason="wechat_unreachable")
    for reason in ("not-bound", "muted", "not-following", "sms-capped"):
        add(first, status=lost, reason=reason)
    add(first, status=PushStatus.SENT)
    add(begin(starts_at=-timedelta(days=8)), status=lost, reason="template")

    rows = [
        (one.status, one.reason, one.errcode, one.count)
        for one in list_dead_letters(Actor.system())
    ]

    assert rows[0] == (lost, "template", 40037, 2)
    assert sorted(rows[1:]) == [
        (lost, "", None, 1),
        (PushStatus.UNKNOWN, "wechat_unreachable", None, 1),
    ]
    assert list_dead_letters(Actor.system())[0].campaign_id == second.id


# --- who may, and what it costs -------------------------------------------------------------


def test_another_bank_sees_none_of_it(add, begin):
    campaign = begin()
    add(campaign, status=SENDING, due_at=ago(LONG))
    add(campaign, status=PushStatus.UNKNOWN)
    neighbour = make_operator("/hq/sh/")

    assert list_stuck(neighbour) == []
    assert list_dead_letters(neighbour) == []
    assert len(list_stuck(make_operator("/hq/bj/"))) == 2


def test_who_may_not_see_pushes_is_refused(session):
    for ask in (list_stuck, list_dead_letters):
        with pytest.raises(Forbidden):
            ask(Actor.visitor())


def test_hr_sees_its_own(add, begin):
    add(status=SENDING, due_at=ago(LONG))

    assert len(list_stuck(make_hr())) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_it_is_asked_in_as_many_questions_however_much_is_stuck(add, begin, count):
    for _ in range(count):
        add(status=SENDING, due_at=ago(LONG))
        add()
        add(begin(expires_at=-LONG))

    with count_queries() as made:
        assert len(list_stuck(Actor.system())) == 3 * count

    assert made.count == 8


def test_no_more_rows_are_read_than_anybody_needs(add, begin, monkeypatch):
    monkeypatch.setattr(stuck, "ROW_LIMIT", 2)
    campaign = begin()
    for _ in range(3):
        add(campaign, status=SENDING, due_at=ago(LONG))

    assert found() == [(StuckKind.CLAIM, campaign.id, 2)]


def test_the_gauge_counts_every_kind(add, begin):
    campaign = begin()
    for _ in range(2):
        add(campaign, status=SENDING, due_at=ago(LONG))
    begin(expires_at=-LONG)

    (gauge,) = GAUGES

    assert gauge.ask() == {
        "dead-claim": 2.0,
        "late-retry": 0.0,
        "not-prepared": 0.0,
        "not-fed": 0.0,
        "not-closed": 1.0,
        "unknown": 0.0,
    }
