import contextlib
import os
import signal

import pytest
from redis.exceptions import RedisError
from rq.registry import FailedJobRegistry

from channel import bulk
from core.queues import Job, QueueName, enqueue, get_queue
from domain.payroll import service as payroll
from domain.payroll.models import BatchStatus, PayrollBatch
from tests.factories import make_hr
from workers.worker import CHILD_MEMORY_BYTES, WORKER_CLASSES, work


@pytest.mark.parametrize("queue_name", [QueueName.URGENT, QueueName.INBOX, QueueName.PUSH])
def test_a_worker_works_off_its_queue_inside_the_application(app, committed, queue_name, queue):
    enqueue(queue_name, Job.SWEEP)

    work(app, queue_name, burst=True)

    assert queue.count == 0
    assert FailedJobRegistry(queue=get_queue(queue_name)).count == 0


async def _open_session():
    return bulk.http_session("http://platform.test")


def test_a_push_worker_leaves_no_connection_open(app, committed, queue):
    session = bulk.run(_open_session())

    work(app, QueueName.PUSH, burst=True)

    assert session.closed


def test_a_push_worker_that_ends_in_an_error_leaves_no_connection_open_either(
    app, committed, queue, monkeypatch
):
    def fail(*_args, **_kwargs):
        raise RedisError

    session = bulk.run(_open_session())
    monkeypatch.setattr(WORKER_CLASSES[QueueName.PUSH], "work", fail)

    with pytest.raises(RedisError):
        work(app, QueueName.PUSH, burst=True)

    assert session.closed


def test_a_push_worker_that_sent_nothing_begins_no_loop_to_close_it(
    app, committed, queue, monkeypatch
):
    def fail():
        raise AssertionError

    monkeypatch.setattr("channel.bulk.asyncio.Runner", fail)

    work(app, QueueName.PUSH, burst=True)


def test_a_sheet_is_read_in_a_child_of_the_worker(app, committed):
    batch = payroll.upload_sheet(make_hr(), b"%PDF-1.4", "工资.pdf")

    work(app, QueueName.PAYROLL, burst=True)

    stored = committed.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert FailedJobRegistry(queue=get_queue(QueueName.PAYROLL)).count == 0


@pytest.mark.parametrize("takes_memory", [False, True])
def test_a_sheet_that_kills_its_child_is_given_up_at_once(
    app, committed, monkeypatch, takes_memory
):
    def read(_batch_id):
        with contextlib.suppress(MemoryError):
            if takes_memory:
                bytearray(CHILD_MEMORY_BYTES)
                return
        os.kill(os.getpid(), signal.SIGKILL)  # as Rust does when there is no more memory

    monkeypatch.setattr("workers.jobs.payroll.read_sheet", read)
    batch = payroll.upload_sheet(make_hr(), b"%PDF-1.4", "工资.pdf")

    work(app, QueueName.PAYROLL, burst=True)

    stored = committed.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert "工资.pdf" in (stored.refusal_message or "")


def test_every_queue_has_its_kind_of_worker():
    assert set(WORKER_CLASSES) == set(QueueName)
