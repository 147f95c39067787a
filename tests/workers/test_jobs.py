import pytest

from core.clock import utc_now
from core.db import transaction
from core.queues import Job
from domain.payroll import service as payroll
from domain.payroll.models import BatchStatus, PayrollBatch
from domain.pushes.models import Push, PushStatus
from domain.pushes.service import PushOutcome
from tests.factories import (
    make_binding,
    make_channel_account,
    make_employee,
    make_hr,
    make_push,
)
from workers import jobs


@pytest.fixture
def push(session) -> Push:
    account = make_channel_account()
    employee = make_employee()
    make_binding(employee, account)
    return make_push(employee, account)


def test_a_push_is_delivered_with_no_transaction_open(session, push, monkeypatch):
    seen = []

    def deliver(to_send):
        seen.append(to_send.id)
        return PushOutcome(PushStatus.SENT, msgid=42)

    monkeypatch.setattr(jobs.delivery, "deliver", deliver)

    jobs.deliver_push(push.id)
    jobs.deliver_push(push.id)

    stored = session.get_one(Push, push.id, populate_existing=True)
    assert (stored.status, stored.msgid) == (PushStatus.SENT, 42)
    assert seen == [push.id]


def test_a_reader_that_breaks_leaves_a_sentence_on_the_batch(session, monkeypatch):
    hr = make_hr()
    batch = payroll.upload_sheet(hr, b"x", "坏.csv")
    monkeypatch.setattr(payroll, "check_sheet", lambda *_, **__: 1 / 0)

    jobs.read_payroll_sheet(batch.id)

    stored = session.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert "坏.csv" in stored.refusal_message


def test_a_healthy_sheet_is_read(session):
    batch = payroll.upload_sheet(make_hr(), b"\xff\xfe\x00", "空.csv")

    jobs.read_payroll_sheet(batch.id)

    stored = session.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert stored.refusal_code != payroll.READ_FAILED


def test_the_sweeper_brings_back_what_redis_lost(session, push, queue):
    jobs.sweep()
    assert queue.count == 0
    with transaction():
        session.get_one(Push, push.id).created_at = utc_now() - payroll.READING_LIFE

    jobs.sweep()

    assert queue.args(Job.DELIVER_PUSH) == [(push.id,)]


def test_an_event_that_is_gone_is_no_error(session):
    jobs.handle_inbox_event(4711)
