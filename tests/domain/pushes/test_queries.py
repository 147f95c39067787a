"""What HR and operations are told about campaigns and their pushes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core import paging
from core.clock import utc_now
from core.errors import Forbidden
from domain.directory.access import Role
from domain.pushes import queries
from domain.pushes.errors import CampaignNotFound
from domain.pushes.models import CampaignStatus, MessageKind, PushStatus, Route
from domain.pushes.policy import ALL_AFTER, REPORT_LIFE
from domain.pushes.queries import CampaignPhase, PushCounts, PushFilter
from tests.counting import count_queries
from tests.factories import (
    make_campaign,
    make_channel_account,
    make_employee,
    make_hr,
    make_push,
    make_user,
)

LATER = timedelta(hours=1)


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def hr(session):
    return make_hr()


@pytest.fixture
def campaign(account):
    return make_campaign(account, key="payroll:7")


@pytest.fixture
def add(account, campaign):
    """Another person of the campaign."""
    return lambda **fields: make_push(make_employee(), account, campaign=campaign, **fields)


# --- counting -------------------------------------------------------------------------------


def test_every_push_of_a_campaign_is_counted_once(add, account):
    for status in PushStatus:
        add(status=status)
    make_push(make_employee(), account, key="payroll:8")

    counts = queries.count_campaign("payroll:7")

    assert counts == PushCounts(
        total=8,
        waiting=3,
        sent=2,
        delivered=1,
        failed=2,
        awaited=0,
        cancelled=1,
        sending=1,
        by_route=((Route.TEMPLATE, 2),),
    )
    assert counts.decided == 4


def test_what_was_sent_long_ago_is_awaited_no_more(add):
    for age in (timedelta(minutes=1), REPORT_LIFE):
        add(status=PushStatus.SENT, sent_at=utc_now() - age)

    counts = queries.count_campaign("payroll:7")

    assert (counts.sent, counts.awaited, counts.is_moving) == (2, 1, True)


def test_a_route_that_never_reports_is_not_awaited(add):
    for route in Route:
        add(status=PushStatus.SENT, sent_at=utc_now(), route=route)

    counts = queries.count_campaign("payroll:7")

    assert (counts.sent, counts.awaited) == (len(Route), 1)


def test_what_was_sent_adds_up(add):
    """Delivered, awaited, by a route that never reports, and what was not reported in time."""
    add(status=PushStatus.DELIVERED, sent_at=utc_now())
    for route in (Route.TEMPLATE, Route.SMS, Route.SMS, Route.WECOM):
        add(status=PushStatus.SENT, sent_at=utc_now(), route=route)
    add(status=PushStatus.SENT, sent_at=utc_now() - REPORT_LIFE)
    add(status=PushStatus.PERMANENT_FAILURE, route=Route.SMS)

    counts = queries.count_campaign("payroll:7")

    assert (counts.sent, counts.delivered, counts.awaited) == (6, 1, 1)
    assert (counts.silent, counts.unreported) == (3, 1)
    assert counts.by_route == ((Route.TEMPLATE, 3), (Route.WECOM, 1), (Route.SMS, 2))


def test_without_a_campaign_nothing_is_counted(session):
    assert queries.count_campaign("payroll:7") == PushCounts(0, 0, 0, 0, 0, 0)


def test_what_is_held_is_told_by_account_and_kind(account, hr):
    until = utc_now() + LATER
    make_campaign(account, key="a", held_until=until - timedelta(minutes=1))
    make_campaign(account, key="b", held_until=until)
    make_campaign(account, key="c", kind=MessageKind.QUESTION_ANSWERED)
    make_campaign(account, key="d", held_until=until, org_path="/hq/other/")
    reminder = {"kind": MessageKind.PAYSLIP_REMINDER}
    make_campaign(account, key="e", held_until=until, status=CampaignStatus.FINISHED, **reminder)
    make_campaign(account, key="f", held_until=utc_now() - LATER, **reminder)

    assert queries.list_held(hr) == {(account.id, MessageKind.PAYSLIP_READY): until}
    with pytest.raises(Forbidden):
        queries.list_held(make_user("/hq/", Role.AUDITOR))


def test_a_page_of_campaigns_is_counted_in_one_question(add, account, hr):
    add(status=PushStatus.DELIVERED)
    add()
    make_campaign(account, total_count=5)
    rows = queries.list_campaigns(hr).rows

    with count_queries() as made:
        counts = queries.counts_of(rows)

    assert made.count == 1
    assert [(counts[row.id].total, counts[row.id].waiting) for row in rows] == [(5, 5), (2, 1)]


# --- campaigns ------------------------------------------------------------------------------


def test_campaigns_are_listed_newest_first_and_page_by_page(account, hr, monkeypatch):
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    campaigns = [make_campaign(account) for _ in range(3)]

    first = queries.list_campaigns(hr)
    second = queries.list_campaigns(hr, before=first.next_cursor)

    listed = [row.id for row in (*first.rows, *second.rows)]
    assert listed == [one.id for one in reversed(campaigns)]
    assert second.next_cursor is None
    assert paging.PAGE_SIZE == 50


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_is_one_query_however_long(account, hr, count):
    for _ in range(count):
        make_campaign(account)

    with count_queries() as made:
        assert len(queries.list_campaigns(hr).rows) == count

    assert made.count == 1


def test_a_campaign_is_found_with_those_that_followed_it(account, hr):
    for key in ("payroll:7", "payroll:70", "payroll:7:reminder:1"):
        make_campaign(account, key=key)

    found = queries.list_campaigns_about(hr, "payroll:7")

    assert [row.key for row in found] == ["payroll:7", "payroll:7:reminder:1"]


@pytest.mark.parametrize(
    ("fields", "phase"),
    [
        ({}, CampaignPhase.SENDING),
        ({"starts_at": utc_now() + LATER, "prepared_at": None}, CampaignPhase.SCHEDULED),
        ({"prepared_at": None}, CampaignPhase.PREPARING),
        ({"held_until": utc_now() + LATER}, CampaignPhase.HELD),
        ({"held_until": utc_now() - LATER}, CampaignPhase.SENDING),
        ({"status": CampaignStatus.PAUSED}, CampaignPhase.PAUSED),
        ({"status": CampaignStatus.CANCELLED}, CampaignPhase.CANCELLED),
        ({"status": CampaignStatus.FINISHED}, CampaignPhase.FINISHED),
    ],
)
def test_the_phase_says_where_a_campaign_stands(account, hr, fields, phase):
    campaign = make_campaign(account, **fields)

    assert queries.get_campaign(hr, campaign.id).row.phase is phase


@pytest.mark.parametrize(
    ("fields", "status", "is_moving"),
    [
        ({}, PushStatus.CREATED, True),
        ({}, PushStatus.DELIVERED, False),
        ({"prepared_at": None}, PushStatus.DELIVERED, True),
        ({"starts_at": utc_now() + LATER}, PushStatus.CREATED, False),
        ({"status": CampaignStatus.PAUSED}, PushStatus.CREATED, False),
        ({"status": CampaignStatus.PAUSED}, PushStatus.SENDING, True),
    ],
)
def test_numbers_move_while_somebody_is_sent_to(account, hr, fields, status, is_moving):
    campaign = make_campaign(account, **fields)
    make_push(make_employee(), account, campaign=campaign, status=status)

    assert queries.get_campaign(hr, campaign.id).is_moving is is_moving


@pytest.mark.parametrize(
    ("status", "controls"),
    [
        (CampaignStatus.RUNNING, (True, False, True, True)),
        (CampaignStatus.PAUSED, (False, True, True, False)),
        (CampaignStatus.FINISHED, (False, False, False, True)),
        (CampaignStatus.CANCELLED, (False, False, False, False)),
    ],
)
def test_what_can_be_done_depends_on_the_state(account, hr, status, controls):
    campaign = make_campaign(account, status=status)
    for failed in (PushStatus.PERMANENT_FAILURE, PushStatus.UNKNOWN):
        make_push(make_employee(), account, campaign=campaign, status=failed)

    found = queries.get_campaign(hr, campaign.id)

    assert (found.can_pause, found.can_resume, found.can_cancel, found.can_resend) == controls
    assert found.resendable == 1


@pytest.mark.parametrize(("seconds", "rate"), [(30, 4), (1, 24), (90, 0)])
def test_the_rate_is_that_of_the_last_minute(add, hr, campaign, seconds, rate):
    for _ in range(2):
        add(status=PushStatus.SENT, sent_at=utc_now() - timedelta(seconds=seconds))
    add()

    found = queries.get_campaign(hr, campaign.id)

    assert found.per_minute == rate
    assert found.seconds_left == (60 // rate if rate else None)


def test_a_gradual_campaign_takes_the_time_in_which_most_are_held_back(account, hr):
    campaign = make_campaign(account, is_gradual=True, starts_at=utc_now())
    sent = {"status": PushStatus.SENT, "sent_at": utc_now() - timedelta(seconds=30)}
    for fields in (sent, sent, {}):
        make_push(make_employee(), account, campaign=campaign, **fields)

    found = queries.get_campaign(hr, campaign.id)

    held = ALL_AFTER.total_seconds()
    assert held + 10 < found.seconds_left <= held + 15


def test_the_parts_of_a_gradual_start_that_are_still_to_come(account, hr):
    now = utc_now()
    campaign = make_campaign(account, is_gradual=True, starts_at=now, total_count=500, fed_count=20)

    parts = queries.get_campaign(hr, campaign.id).parts

    assert [(part.at - now, part.reaching, part.people) for part in parts] == [
        (timedelta(minutes=1), 50, 30),
        (timedelta(minutes=2), 500, 450),
    ]


@pytest.mark.parametrize(
    "fields",
    [{}, {"is_gradual": True, "fed_count": 500}, {"is_gradual": True, "started": timedelta(-1)}],
)
def test_no_part_is_to_come_once_all_may_be_sent(account, hr, fields):
    starts_at = utc_now() + fields.pop("started", timedelta())
    campaign = make_campaign(account, total_count=500, starts_at=starts_at, **fields)

    assert queries.get_campaign(hr, campaign.id).parts == ()


def test_when_all_who_wait_were_tried_before_the_next_try_is_told_and_no_rate(add, hr, campaign):
    due_at = utc_now() + LATER
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "wechat_unreachable"}
    add(status=PushStatus.SENT, sent_at=utc_now() - timedelta(seconds=30))
    add(**waits, due_at=due_at)

    found = queries.get_campaign(hr, campaign.id)
    assert (found.retry_at, found.seconds_left) == (due_at, None)

    add()
    found = queries.get_campaign(hr, campaign.id)
    assert (found.retry_at, found.seconds_left) == (None, 30)


def test_while_the_account_is_held_nobody_waits_for_a_time_before(account, hr):
    held_until = utc_now() + LATER
    campaign = make_campaign(account, held_until=held_until)

    def add(**fields):
        make_push(make_employee(), account, campaign=campaign, **fields)

    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "wechat_refused"}
    add(**waits, due_at=utc_now() - LATER, errcode=45009)
    add(**waits, due_at=utc_now())
    add(status=PushStatus.TEMPORARY_FAILURE, reason="sms-busy", route=Route.SMS, due_at=utc_now())

    found = queries.get_campaign(hr, campaign.id)

    first, second = found.reasons
    assert (first.words, first.count, first.due_at) == ("平台的发送额度已用完", 2, held_until)
    assert second.due_at < held_until
    assert found.held_why == "平台的发送额度已用完"


def test_who_waits_for_the_next_step_of_the_ladder_is_told_so(add, hr, campaign):
    at = utc_now().isoformat()
    story = [{"route": "template", "reason": "not-following", "errcode": 43004, "at": at}]
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "not-following", "errcode": 43004}
    add(**waits, route=Route.WECOM, tried=story, due_at=utc_now())
    add(status=PushStatus.SENT, sent_at=utc_now(), route=Route.WECOM)

    found = queries.get_campaign(hr, campaign.id)
    moved, unbound = queries.list_pushes(hr, campaign.id).rows

    assert [(one.words, one.next_route) for one in found.reasons] == [
        ("员工没有关注公众号", Route.WECOM)
    ]
    assert found.held_why == ""
    assert (moved.is_moved_on, moved.reason, moved.is_unbound) == (True, "", False)
    assert (unbound.is_moved_on, unbound.is_unbound) == (False, True)


def test_who_is_lost_stands_with_the_step_that_was_tried(add, hr, campaign):
    story = [
        {"route": "template", "reason": "muted", "errcode": 43101, "at": utc_now().isoformat()}
    ]
    lost = {"status": PushStatus.PERMANENT_FAILURE, "reason": "muted", "tried": story}
    add(**lost, route=Route.SMS)

    [row] = queries.list_pushes(hr, campaign.id).rows

    assert row.route is Route.TEMPLATE


def test_reasons_are_told_the_most_frequent_first(add, hr, campaign):
    due_at = utc_now() + LATER
    lost = {"status": PushStatus.PERMANENT_FAILURE, "reason": "not-bound"}
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "wechat_budget_exhausted"}
    for _ in range(3):
        add(**lost)
    add(**waits, due_at=due_at + LATER)
    add(**waits, due_at=due_at)
    add(status=PushStatus.UNKNOWN, reason="wechat_unreachable")

    reasons = queries.get_campaign(hr, campaign.id).reasons

    assert [(one.words, one.count, one.is_final, one.due_at) for one in reasons] == [
        ("员工还没有绑定微信", 3, True, None),
        ("接口的调用额度已用完", 2, False, due_at),
        ("不知道是否送达：平台没有回应，没有重复发送", 1, True, None),
    ]


# --- people ---------------------------------------------------------------------------------


def test_people_are_listed_in_their_order_and_page_by_page(add, hr, campaign, monkeypatch):
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    pushes = [add() for _ in range(3)]

    first = queries.list_pushes(hr, campaign.id)
    second = queries.list_pushes(hr, campaign.id, after=first.next_cursor)

    assert [row.id for row in (*first.rows, *second.rows)] == [one.id for one in pushes]
    assert second.next_cursor is None


@pytest.mark.parametrize("count", [1, 3])
def test_people_are_one_query_however_many(add, hr, campaign, count):
    for _ in range(count):
        add()

    with count_queries() as made:
        assert len(queries.list_pushes(hr, campaign.id).rows) == count

    assert made.count == 1


@pytest.mark.parametrize(
    ("only", "count"),
    [
        (PushFilter.ALL, 8),
        (PushFilter.FAILED, 2),
        (PushFilter.WAITING, 3),
        (PushFilter.SENT, 1),
        (PushFilter.DELIVERED, 1),
        (PushFilter.CANCELLED, 1),
    ],
)
def test_people_are_filtered_by_what_became_of_them(add, hr, campaign, only, count):
    for status in PushStatus:
        add(status=status)

    assert len(queries.list_pushes(hr, campaign.id, only=only).rows) == count


@pytest.mark.parametrize(
    ("status", "reason", "sentence"),
    [
        (PushStatus.CREATED, None, ""),
        (PushStatus.TEMPORARY_FAILURE, None, "稍后再发"),
        (PushStatus.TEMPORARY_FAILURE, "quiet-hours", "夜间不打扰，早上 8 点以后再发"),
        (PushStatus.PERMANENT_FAILURE, "user block", "员工拒收公众号消息"),
        (PushStatus.PERMANENT_FAILURE, "system failed", "平台没有送达，稍后可再试"),
        (PushStatus.PERMANENT_FAILURE, None, "平台没有送达，稍后可再试"),
        (PushStatus.UNKNOWN, None, "不知道是否送达：平台没有回应，没有重复发送"),
    ],
)
def test_a_reason_is_said_in_words(add, hr, campaign, status, reason, sentence):
    add(status=status, reason=reason)

    (row,) = queries.list_pushes(hr, campaign.id).rows

    assert row.reason == sentence


@pytest.mark.parametrize(
    ("status", "reason", "errcode", "sentence"),
    [
        (PushStatus.PERMANENT_FAILURE, "template", None, "消息模板没有配置好，请联系银行"),
        (
            PushStatus.PERMANENT_FAILURE,
            "template",
            47003,
            "消息内容不符合微信的规则，请联系银行",
        ),
        (
            PushStatus.TEMPORARY_FAILURE,
            "template",
            None,
            "消息模板在公众号里已被删除，请联系银行",
        ),
        (PushStatus.TEMPORARY_FAILURE, "wechat_refused", 45011, "发送得太快，平台要求等一会儿"),
        (PushStatus.TEMPORARY_FAILURE, "wechat_refused", 99999, "平台没有接受"),
    ],
)
def test_what_the_platform_said_is_told(add, hr, campaign, status, reason, errcode, sentence):
    add(status=status, reason=reason, errcode=errcode)

    (row,) = queries.list_pushes(hr, campaign.id).rows
    (counted,) = queries.get_campaign(hr, campaign.id).reasons

    assert row.reason == counted.words == sentence


def test_the_story_of_a_person_names_every_step_once(add, hr, campaign):
    tried = [
        {"route": "template", "reason": "muted", "errcode": 43101, "at": utc_now().isoformat()},
        {"route": "sms", "reason": None, "errcode": None, "at": utc_now().isoformat()},
    ]
    add(status=PushStatus.PERMANENT_FAILURE, reason="muted", route=Route.SMS, tried=tried)
    add(status=PushStatus.PERMANENT_FAILURE, reason="expired", tried=tried)

    done, expired = queries.list_pushes(hr, campaign.id).rows

    assert [(one.route, one.words, one.errcode) for one in done.tried] == [
        (Route.TEMPLATE, "员工关闭了这类消息", 43101),
        (Route.SMS, "平台没有送达，稍后可再试", None),
    ]
    assert (done.reason, done.is_lost) == ("", True)
    assert expired.reason == "过了有效期还没有发出"


# --- who may --------------------------------------------------------------------------------


def test_another_enterprises_campaigns_stay_unseen(add, campaign):
    add()
    neighbour = make_hr("/hq/bj/ent-10/")

    assert queries.list_campaigns(neighbour).rows == []
    assert queries.list_campaigns_about(neighbour, campaign.key) == []
    assert queries.list_pushes(neighbour, campaign.id).rows == []
    with pytest.raises(CampaignNotFound):
        queries.get_campaign(neighbour, campaign.id)
    assert len(queries.list_campaigns(make_user("/hq/", Role.BANK_OPERATIONS)).rows) == 1


def test_who_may_not_see_pushes_is_refused(hr, campaign):
    nobody = replace(hr, permissions=frozenset())

    for ask in (
        lambda: queries.list_campaigns(nobody),
        lambda: queries.list_campaigns_about(nobody, campaign.key),
        lambda: queries.get_campaign(nobody, campaign.id),
        lambda: queries.list_pushes(nobody, campaign.id),
    ):
        with pytest.raises(Forbidden):
            ask()


# --- what operations watch ------------------------------------------------------------------


def test_what_waits_is_counted_by_account(add, account):
    add()
    add(status=PushStatus.TEMPORARY_FAILURE)
    add(status=PushStatus.SENT)
    paused = make_campaign(account, status=CampaignStatus.PAUSED)
    make_push(make_employee(), account, campaign=paused)
    other = make_channel_account("/hq/bj/")
    make_push(make_employee(), other, kind=MessageKind.QUESTION_ANSWERED)

    assert queries.count_open_by_account() == {account.name: 2.0, other.name: 1.0}
