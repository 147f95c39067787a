import pytest
from rq.registry import FailedJobRegistry

from core.queues import Job, QueueName, enqueue, get_queue
from domain.payroll import service as payroll
from domain.payroll.models import BatchStatus, PayrollBatch
from tests.factories import make_hr
from workers.worker import work


@pytest.mark.parametrize("queue_name", [QueueName.INBOX, QueueName.PUSH])
def test_a_worker_works_off_its_queue_inside_the_application(app, committed, queue_name, queue):
    enqueue(queue_name, Job.SWEEP)

    work(app, queue_name, burst=True)

    assert queue.count == 0
    assert FailedJobRegistry(queue=get_queue(queue_name)).count == 0


def test_a_sheet_is_read_in_a_child_of_the_worker(app, committed):
    batch = payroll.upload_sheet(make_hr(), b"%PDF-1.4", "工资.pdf")

    work(app, QueueName.PAYROLL, burst=True)

    stored = committed.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert FailedJobRegistry(queue=get_queue(QueueName.PAYROLL)).count == 0
