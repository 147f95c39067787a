"""RQ workers of the house: one queue each, an application context around every job."""

import gc
import resource
from contextlib import nullcontext
from typing import Any

from flask import Flask
from rq import SimpleWorker, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker.base import BaseWorker

from channel import bulk
from channel.clients import forget_http
from core.db import dispose_after_fork
from core.queues import QueueName, get_queue
from core.redis import forget_connections, queue_redis
from domain.payroll import service as payroll
from workers import write_behind

# A worker that was killed is noticed within about 75 seconds (dependencies: RQ).
WORKER_TTL_SECONDS = 30
JOB_MONITORING_SECONDS = 5
MAINTENANCE_SECONDS = 10
# The largest sheets that are accepted need a fourth of it.
CHILD_MEMORY_BYTES = 2 << 30


class InProcessWorker(SimpleWorker):
    """For short jobs that wait for others: no fork, so one process keeps its connections."""

    app: Flask

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        with self.app.app_context():
            return bool(super().perform_job(job, *args, **kwargs))


class ForkingWorker(Worker):
    """For jobs that read what strangers upload: whatever a file does, it does to a child."""

    app: Flask

    def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
        with self.app.app_context():
            dispose_after_fork()
        forget_connections()
        forget_http()
        resource.setrlimit(resource.RLIMIT_DATA, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))
        super().main_work_horse(*args, **kwargs)

    def handle_work_horse_killed(self, job: Job, *args: Any) -> None:
        """The file that killed the child would kill the next one too: tell who uploaded it."""
        super().handle_work_horse_killed(job, *args)  # type: ignore[no-untyped-call]  # RQ's
        with self.app.app_context():
            payroll.give_up_reading(job.args[0])

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        with self.app.app_context():
            return bool(super().perform_job(job, *args, **kwargs))


WORKER_CLASSES: dict[QueueName, type[BaseWorker]] = {
    QueueName.URGENT: InProcessWorker,
    QueueName.INBOX: InProcessWorker,
    QueueName.PUSH: InProcessWorker,
    QueueName.PAYROLL: ForkingWorker,
}


def work(app: Flask, queue: QueueName, *, burst: bool = False) -> None:
    """Work on one queue until TERM (the job in hand is finished first) or, in a burst, until the
    queue is empty."""
    worker_class: Any = WORKER_CLASSES[queue]
    worker = worker_class(
        [get_queue(queue)],
        connection=queue_redis(),
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_SECONDS,
        job_monitoring_interval=JOB_MONITORING_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        log_job_description=False,
    )
    worker.app = app
    # What is imported by now stays: the collector need not walk through it at every message.
    gc.collect()
    gc.freeze()
    # In a burst each job leaves nothing undone: an empty queue is the end.
    is_behind = queue is QueueName.PUSH and not burst
    try:
        with write_behind.beside(app) if is_behind else nullcontext():
            worker.work(burst=burst, logging_level="WARNING")
    finally:
        if queue is QueueName.PUSH:
            bulk.close()
