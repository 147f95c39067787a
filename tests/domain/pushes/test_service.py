"""The ledger: every push goes out once, whoever dies on the way."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.db import transaction
from core.queues import Job
from domain.pushes import service as pushes
from domain.pushes.models import MessageKind, Push, PushStatus
from domain.pushes.policy import CLAIM_LIFE, REPEATABLE_FOR, RETRY_AFTER
from domain.pushes.service import NewPush, PushOutcome
from tests.factories import (
    make_binding,
    make_channel_account,
    make_employee,
    make_employees,
    make_push,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)
SENT = PushOutcome(PushStatus.SENT, msgid=2_000_000_000_000_000_001, errcode=0)
SILENCE = PushOutcome(PushStatus.UNKNOWN)
BUSY = PushOutcome(PushStatus.TEMPORARY_FAILURE, errcode=-1, reason="busy")


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def make_due_push(**fields):
    """A push to an employee who is bound."""
    account, employee = make_channel_account(), make_employee()
    make_binding(employee, account)
    return make_push(employee, account, **fields)


def request(employees, account, *, keys=None):
    with transaction() as session:
        pushes.request_pushes(
            session,
            org_path=employees[0].org_path,
            channel_account_id=account.id,
            kind=MessageKind.PAYSLIP_READY,
            topic="payroll:1",
            params={"month": "2026年3月"},
            pushes=[
                NewPush(one.id, key, f"/me/payslips/{one.id}")
                for one, key in zip(
                    employees, keys or [f"payslip:{one.id}" for one in employees], strict=True
                )
            ],
        )


# --- request --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_each_requested_push_is_a_row_and_a_job(session, queue, count):
    account, employees = make_channel_account(), make_employees(count)

    request(employees, account)

    rows = session.scalars(select(Push).order_by(Push.id)).all()
    assert [row.employee_id for row in rows] == [one.id for one in employees]
    assert {row.status for row in rows} == {PushStatus.CREATED}
    assert len({row.client_msg_id for row in rows}) == count
    assert queue.args(Job.DELIVER_PUSH) == [(row.id,) for row in rows]


def test_more_pushes_than_one_statement_takes_are_all_written(session, queue, monkeypatch):
    monkeypatch.setattr(pushes, "BULK", 2)
    account, employees = make_channel_account(), make_employees(5)

    request(employees, account)

    assert queue.count == 5
    assert len(session.scalars(select(Push.id)).all()) == 5


def test_the_same_key_twice_is_refused_and_nothing_is_enqueued(session, queue):
    account, employees = make_channel_account(), make_employees(2)
    request(employees[:1], account, keys=["payslip:7"])
    queue.clear()

    with pytest.raises(IntegrityError):
        request(employees[1:], account, keys=["payslip:7"])

    assert queue.count == 0
    assert session.scalars(select(Push.employee_id)).all() == [employees[0].id]


# --- claim ----------------------------------------------------------------------------------


def test_a_claimed_push_carries_what_the_gatehouse_needs(session):
    account, employee = make_channel_account(), make_employee()
    identity = make_binding(employee, account)
    push = make_push(employee, account, params={"month": "2026年3月"}, path="/me/payslips/9")

    claimed = pushes.claim(push.id)

    assert claimed.openid == identity.openid
    assert claimed.channel_account_id == account.id
    assert (claimed.params, claimed.path) == ({"month": "2026年3月"}, "/me/payslips/9")
    assert claimed.client_msg_id == push.client_msg_id
    assert (push.status, push.attempts) == (PushStatus.SENDING, 1)


def test_a_claimed_push_cannot_be_claimed_again(session):
    push = make_due_push()
    assert pushes.claim(push.id)

    assert pushes.claim(push.id) is None
    assert push.attempts == 1


def test_a_push_that_does_not_exist_cannot_be_claimed(session):
    assert pushes.claim(4711) is None


@pytest.mark.parametrize(
    "status", [status for status in PushStatus if status not in {"created", "temporary-failure"}]
)
def test_only_waiting_pushes_can_be_claimed(session, status):
    push = make_due_push(status=status)

    assert pushes.claim(push.id) is None
    assert push.status is status


def test_a_retry_cannot_be_claimed_before_its_time(session, clock):
    push = make_due_push(
        status=PushStatus.TEMPORARY_FAILURE, attempts=1, try_after=NOON + timedelta(seconds=15)
    )
    assert pushes.claim(push.id) is None

    clock.shift(15)

    assert pushes.claim(push.id)
    assert push.attempts == 2


def test_workers_at_the_same_moment_claim_a_push_once(committed, together):
    ids = [make_due_push().id for _ in range(5)]

    for push_id in ids:
        claims = together(*[lambda push_id=push_id: pushes.claim(push_id)] * 4)
        assert not [claim for claim in claims if isinstance(claim, Exception)]
        assert [claim.id for claim in claims if claim] == [push_id]


def test_who_is_not_bound_gets_nothing_and_hr_sees_why(session):
    push = make_push(make_employee(), make_channel_account())

    assert pushes.claim(push.id) is None

    assert (push.status, push.reason) == (PushStatus.PERMANENT_FAILURE, pushes.NOT_BOUND)


def test_a_binding_at_another_account_is_no_address(session):
    account, other, employee = make_channel_account(), make_channel_account(), make_employee()
    make_binding(employee, other)
    push = make_push(employee, account)

    assert pushes.claim(push.id) is None

    assert push.reason == pushes.NOT_BOUND


# --- outcomes -------------------------------------------------------------------------------


def test_a_sent_push_keeps_the_platforms_message_id(session, clock):
    push = make_due_push()
    pushes.claim(push.id)

    pushes.record_outcome(push.id, SENT)

    assert (push.status, push.msgid) == (PushStatus.SENT, SENT.msgid)
    assert (push.errcode, push.sent_at) == (0, NOON)


def test_a_permanent_refusal_ends_the_push(session):
    push = make_due_push()
    pushes.claim(push.id)

    pushes.record_outcome(
        push.id, PushOutcome(PushStatus.PERMANENT_FAILURE, errcode=43004, reason="not-following")
    )

    assert (push.status, push.reason) == (PushStatus.PERMANENT_FAILURE, "not-following")
    assert (push.errcode, push.sent_at) == (43004, None)


def test_each_failure_waits_longer_until_it_gives_up(session, clock):
    push = make_due_push()

    for delay in RETRY_AFTER:
        assert pushes.claim(push.id)
        pushes.record_outcome(push.id, BUSY)
        assert push.status is PushStatus.TEMPORARY_FAILURE
        clock.shift(delay - timedelta(seconds=1))
        assert pushes.claim(push.id) is None
        clock.shift(1)
    assert pushes.claim(push.id)
    pushes.record_outcome(push.id, PushOutcome(PushStatus.TEMPORARY_FAILURE, errcode=-1))

    assert (push.status, push.reason) == (PushStatus.PERMANENT_FAILURE, pushes.GAVE_UP)
    assert push.attempts == len(RETRY_AFTER) + 1


def test_a_lost_answer_is_repeated_while_wechat_still_drops_duplicates(session, clock):
    push = make_due_push()
    first = pushes.claim(push.id)
    clock.shift(REPEATABLE_FOR - timedelta(seconds=1))

    pushes.record_outcome(push.id, SILENCE)

    assert push.status is PushStatus.TEMPORARY_FAILURE
    clock.move_to(push.try_after)
    assert pushes.claim(push.id).client_msg_id == first.client_msg_id


def test_a_lost_answer_is_never_repeated_after_that(session, queue, clock):
    push = make_due_push()
    pushes.claim(push.id)
    clock.shift(REPEATABLE_FOR)

    pushes.record_outcome(push.id, SILENCE)
    clock.shift(timedelta(days=1))
    pushes.sweep()

    assert push.status is PushStatus.UNKNOWN
    assert pushes.claim(push.id) is None
    assert queue.count == 0


def test_the_first_try_decides_how_long_a_push_may_be_repeated(session, clock):
    push = make_due_push()
    pushes.claim(push.id)
    pushes.record_outcome(push.id, SILENCE)
    clock.shift(REPEATABLE_FOR)
    pushes.claim(push.id)

    pushes.record_outcome(push.id, SILENCE)

    assert push.status is PushStatus.UNKNOWN


@pytest.mark.parametrize("status", [PushStatus.SENT, PushStatus.DELIVERED, PushStatus.UNKNOWN])
def test_an_outcome_that_comes_too_late_changes_nothing(session, status):
    push = make_due_push(status=status, errcode=0)

    pushes.record_outcome(push.id, BUSY)

    assert (push.status, push.errcode) == (status, 0)


def test_an_outcome_of_no_push_changes_nothing(session):
    pushes.record_outcome(4711, SENT)


# --- delivery reports -----------------------------------------------------------------------


def test_a_report_finishes_the_push(session, clock):
    push = make_due_push(status=PushStatus.SENT, msgid=5)

    assert pushes.record_delivery(push.channel_account_id, 5, is_delivered=True, reason=None)

    assert (push.status, push.delivered_at) == (PushStatus.DELIVERED, NOON)


def test_a_report_says_why_it_was_not_delivered(session):
    push = make_due_push(status=PushStatus.SENT, msgid=5)

    assert pushes.record_delivery(
        push.channel_account_id, 5, is_delivered=False, reason="user block"
    )

    assert (push.status, push.reason) == (PushStatus.PERMANENT_FAILURE, "user block")
    assert push.delivered_at is None


def test_a_report_before_its_message_id_is_recorded_asks_to_come_again(session):
    push = make_due_push()
    pushes.claim(push.id)

    def report():
        return pushes.record_delivery(
            push.channel_account_id, SENT.msgid, is_delivered=True, reason=None
        )

    assert report() is False
    pushes.record_outcome(push.id, SENT)

    assert report() is True
    assert push.status is PushStatus.DELIVERED


def test_another_accounts_report_is_not_ours(session):
    push = make_due_push(status=PushStatus.SENT, msgid=5)
    other = make_channel_account()

    assert not pushes.record_delivery(other.id, 5, is_delivered=True, reason=None)
    assert push.status is PushStatus.SENT


def test_a_second_report_does_not_turn_the_first_over(session):
    push = make_due_push(status=PushStatus.DELIVERED, msgid=5)

    assert pushes.record_delivery(
        push.channel_account_id, 5, is_delivered=False, reason="user block"
    )

    assert (push.status, push.reason) == (PushStatus.DELIVERED, None)


# --- the sweeper ----------------------------------------------------------------------------


def test_a_dead_workers_claim_comes_back(session, queue, clock):
    push = make_due_push()
    pushes.claim(push.id)
    clock.shift(CLAIM_LIFE)
    assert pushes.sweep() == 0

    clock.shift(1)

    assert pushes.sweep() == 1
    assert queue.args(Job.DELIVER_PUSH) == [(push.id,)]
    assert pushes.claim(push.id)


def test_a_claim_that_died_long_ago_is_not_repeated(session, queue, clock):
    push = make_due_push()
    pushes.claim(push.id)
    clock.shift(REPEATABLE_FOR)

    assert pushes.sweep() == 0

    assert push.status is PushStatus.UNKNOWN
    assert queue.count == 0


def test_a_push_that_redis_forgot_is_enqueued_again(session, queue, clock):
    push = make_due_push()
    clock.shift(pushes.FORGOTTEN_AFTER)
    assert pushes.sweep() == 0

    clock.shift(1)

    assert pushes.sweep() == 1
    assert queue.args(Job.DELIVER_PUSH) == [(push.id,)]


def test_a_retry_is_swept_when_it_is_due(session, queue, clock):
    push = make_due_push()
    pushes.claim(push.id)
    pushes.record_outcome(push.id, BUSY)
    assert pushes.sweep() == 0

    clock.move_to(push.try_after)

    assert pushes.sweep() == 1
    assert queue.args(Job.DELIVER_PUSH) == [(push.id,)]


@pytest.mark.parametrize(
    "status",
    [PushStatus.SENT, PushStatus.DELIVERED, PushStatus.PERMANENT_FAILURE, PushStatus.UNKNOWN],
)
def test_what_is_decided_is_left_alone(session, queue, clock, status):
    make_due_push(status=status)
    clock.shift(timedelta(days=1))

    assert pushes.sweep() == 0
    assert queue.count == 0
