"""When a payroll's notice goes out, and who is told once more."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from core.db import reading
from core.errors import Forbidden, NotFound
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import Role
from domain.directory.channel_accounts import channel_account_by_name
from domain.directory.models import Employee
from domain.payroll import service
from domain.payroll.errors import (
    BatchNotPublished,
    NothingToPublish,
    NoticesNotOpen,
    NoticeTimeWrong,
    NoticeUnderWay,
    RemindedLately,
)
from domain.payroll.models import BatchStatus, PayrollBatch
from domain.pushes import campaigns
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Push, PushStatus
from tests.factories import (
    ENTERPRISE,
    make_batch,
    make_campaign,
    make_channel_account,
    make_employee,
    make_hr,
    make_payslip,
    make_push,
    make_user,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def hr(session, clock):
    make_channel_account(name="notices")
    return make_hr()


def stored_campaigns(session) -> list[Campaign]:
    return list(session.scalars(select(Campaign).order_by(Campaign.id)))


def told(session, campaign_id) -> list[int]:
    """To whom a campaign goes."""
    campaigns.prepare(campaign_id)
    return list(session.scalars(select(Push.employee_id).where(Push.campaign_id == campaign_id)))


# --- when -----------------------------------------------------------------------------------


def test_a_notice_may_go_out_later_and_begin_with_a_few(session, hr):
    batch = make_batch(status=BatchStatus.DRAFT, payslips=1)
    later = NOON + service.NOTICE_WITHIN

    service.publish_batch(hr, batch.id, starts_at=later, is_gradual=True)

    [campaign] = stored_campaigns(session)
    assert (campaign.starts_at, campaign.is_gradual) == (later, True)
    stored = session.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.published_at == NOON


@pytest.mark.parametrize(
    "starts_at", [NOON, NOON + service.NOTICE_WITHIN + timedelta(microseconds=1)]
)
def test_a_time_that_is_over_or_too_far_away_is_refused(session, hr, starts_at):
    batch = make_batch(status=BatchStatus.DRAFT, payslips=1)

    with pytest.raises(NoticeTimeWrong):
        service.publish_batch(hr, batch.id, starts_at=starts_at)

    assert stored_campaigns(session) == []


def test_a_payroll_without_slips_has_nothing_to_tell(session, hr):
    with pytest.raises(NothingToPublish):
        service.publish_batch(hr, make_batch(status=BatchStatus.DRAFT).id)


# --- once more ------------------------------------------------------------------------------


def test_only_who_has_not_read_is_told_once_more(session, hr, queue, clock):
    batch = make_batch()
    make_payslip(make_employee(), batch, read_at=NOON)
    unread = [make_payslip(make_employee(), batch) for _ in range(2)]
    clock.shift(service.REMIND_AFTER)

    service.remind_unread(hr, batch.id)

    [campaign] = stored_campaigns(session)
    assert (campaign.kind, campaign.key) == (
        MessageKind.PAYSLIP_REMINDER,
        f"payroll:{batch.id}:reminder:1",
    )
    assert queue.jobs == [(Job.PREPARE_CAMPAIGN, (campaign.id,))]
    assert told(session, campaign.id) == [slip.employee_id for slip in unread]
    actions = session.scalars(select(AuditEvent.action)).all()
    assert actions == ["payroll.batch.reminded"]


def test_nobody_is_reminded_twice_within_half_a_day(session, hr, clock):
    batch = make_batch(payslips=1)
    for wait in (timedelta(0), service.REMIND_AFTER - timedelta(seconds=1)):
        clock.move_to(NOON + wait)
        with pytest.raises(RemindedLately):
            service.remind_unread(hr, batch.id)
    clock.move_to(NOON + service.REMIND_AFTER)
    service.remind_unread(hr, batch.id)

    with pytest.raises(NoticeUnderWay):  # the reminder is not out yet
        service.remind_unread(hr, batch.id)
    clock.shift(service.REMIND_AFTER)
    service.remind_unread(hr, batch.id)

    assert [campaign.key[-1] for campaign in stored_campaigns(session)] == ["1", "2"]


def tell(batch, *people, starts_at=NOON, key=None, **fields):
    """The notice of a batch: each of ``people`` with what became of their push."""
    campaign = make_campaign(
        channel_account_by_name("notices"),
        key=key or service.campaign_key(batch.id),
        org_path=batch.org_path,
        starts_at=starts_at,
        **fields,
    )
    for slip, became in people:
        employee = reading().get_one(Employee, slip.employee_id)
        make_push(employee, None, campaign=campaign, **became)


def slips_of(batch, count):
    return [make_payslip(make_employee(), batch) for _ in range(count)]


def test_a_notice_that_was_put_off_is_not_followed_by_a_reminder_at_once(session, hr, clock):
    batch = make_batch(payslips=1)
    later = NOON + timedelta(days=2)
    tell(batch, starts_at=later)
    for wait in (service.REMIND_AFTER, timedelta(days=2), timedelta(days=2, hours=11)):
        clock.move_to(NOON + wait)
        with pytest.raises((NoticeUnderWay, RemindedLately)):
            service.remind_unread(hr, batch.id)

    clock.move_to(later + service.REMIND_AFTER)
    service.remind_unread(hr, batch.id)

    assert stored_campaigns(session)[-1].key.endswith(":reminder:1")


def test_a_notice_that_was_taken_back_puts_no_reminder_off(session, hr, clock):
    batch = make_batch(payslips=1)
    tell(batch, starts_at=NOON + timedelta(days=2), status=CampaignStatus.CANCELLED)
    clock.shift(service.REMIND_AFTER)

    service.remind_unread(hr, batch.id)

    assert len(stored_campaigns(session)) == 2


def test_each_is_reminded_only_so_long_after_they_were_really_told(session, hr, clock):
    batch = make_batch()
    long_ago, lately, waiting, lost, unknown = slips = slips_of(batch, 5)
    now = NOON + timedelta(hours=13)
    sent = {"status": PushStatus.SENT}
    tell(
        batch,
        (long_ago, sent | {"sent_at": now - service.REMIND_AFTER}),
        (lately, sent | {"sent_at": now - service.REMIND_AFTER + timedelta(seconds=1)}),
        (waiting, {"status": PushStatus.CREATED}),
        (lost, {"status": PushStatus.PERMANENT_FAILURE}),
        (unknown, {"status": PushStatus.UNKNOWN}),
    )
    other = make_batch()
    tell(other, *[(slip, sent | {"sent_at": now}) for slip in slips])
    clock.move_to(now)

    service.remind_unread(hr, batch.id)

    reminded = told(session, stored_campaigns(session)[-1].id)
    assert reminded == [slip.employee_id for slip in (long_ago, lost, unknown)]


def test_while_all_who_have_not_read_were_told_lately_nobody_is_reminded(session, hr, clock):
    batch = make_batch()
    make_payslip(make_employee(), batch, read_at=NOON)
    [slip] = slips_of(batch, 1)
    tell(batch, (slip, {"status": PushStatus.SENT, "sent_at": NOON + timedelta(hours=6)}))
    clock.move_to(NOON + timedelta(hours=13))

    with pytest.raises(RemindedLately):
        service.remind_unread(hr, batch.id)

    assert len(stored_campaigns(session)) == 1


def why_not(hr, batch):
    refusal = service.find_reminder_refusal(hr, batch.id, batch.published_at)
    return refusal and refusal.sentence


@pytest.mark.parametrize(
    ("sent_at", "wait", "when"),
    [
        (NOON, timedelta(0), "明天 00:00"),
        (NOON, timedelta(hours=12), ""),
        (NOON + timedelta(hours=9), timedelta(hours=13), "今天 09:00"),
    ],
)
def test_from_when_on_a_reminder_is_possible_is_told(session, hr, clock, sent_at, wait, when):
    batch = make_batch()
    sent = {"status": PushStatus.SENT, "sent_at": sent_at}
    tell(batch, *[(slip, sent) for slip in slips_of(batch, 2)])
    clock.shift(wait)

    expected = f"12 小时内已经通知过，{when} 以后可以提醒" if when else None
    assert why_not(hr, batch) == expected


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (PushStatus.SENT, {"starts_at": NOON + timedelta(days=1)}),
        (PushStatus.SENT, {"prepared_at": None}),
        (PushStatus.CREATED, {}),
    ],
)
def test_while_the_notice_is_not_out_no_time_is_promised(session, hr, status, fields):
    batch = make_batch()
    [slip] = slips_of(batch, 1)
    tell(batch, (slip, {"status": status, "sent_at": NOON}), **fields)

    assert why_not(hr, batch) == "通知还没有发完，发完 12 小时后可以提醒"
    with pytest.raises(NoticeUnderWay):
        service.remind_unread(hr, batch.id)


def test_without_an_official_account_the_page_says_so_beforehand(session):
    assert why_not(make_hr(), make_batch(payslips=1)) == NoticesNotOpen.message


def test_a_draft_reminds_nobody(session, hr):
    with pytest.raises(BatchNotPublished):
        service.remind_unread(hr, make_batch(status=BatchStatus.DRAFT, payslips=1).id)


def test_a_stranger_reminds_nobody(session, hr, clock):
    batch = make_batch(payslips=1)
    clock.shift(service.REMIND_AFTER)

    with pytest.raises(NotFound):
        service.remind_unread(make_hr("/hq/bj/ent-2/"), batch.id)
    with pytest.raises(Forbidden):
        service.remind_unread(make_user(ENTERPRISE, Role.FINANCE), batch.id)

    assert stored_campaigns(session) == []


def test_without_an_official_account_nobody_can_be_reminded(session):
    with pytest.raises(NoticesNotOpen):
        service.remind_unread(make_hr(), make_batch(payslips=1).id)
