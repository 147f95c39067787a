"""Background work: named queues, named jobs, enqueued only after the commit and by id only."""

from collections.abc import Sequence
from enum import StrEnum

from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from core.db import after_commit
from core.log import logger
from core.redis import queue_redis

# What a worker keeps of a finished or failed job; the ledger in the database is the truth.
RESULT_TTL_SECONDS = 60
FAILURE_TTL_SECONDS = 7 * 24 * 3600


class QueueName(StrEnum):
    """One queue per worker process (see docs/runbook.md)."""

    INBOX = "inbox"
    PUSH = "push"
    PAYROLL = "payroll"


class Job(StrEnum):
    """Every job by the dotted name of its entry point."""

    HANDLE_INBOX_EVENT = "workers.jobs.handle_inbox_event"
    DELIVER_PUSH = "workers.jobs.deliver_push"
    READ_PAYROLL_SHEET = "workers.jobs.read_payroll_sheet"
    SWEEP = "workers.jobs.sweep"


TIMEOUT_SECONDS = {
    Job.HANDLE_INBOX_EVENT: 30,
    Job.DELIVER_PUSH: 60,
    Job.READ_PAYROLL_SHEET: 600,
    Job.SWEEP: 120,
}


def get_queue(name: QueueName) -> Queue:
    return Queue(name.value, connection=queue_redis(), serializer=JSONSerializer)


def enqueue(queue: QueueName, job: Job, *args: int | str) -> None:
    _enqueue(queue, job, [args])


def enqueue_after_commit(queue: QueueName, job: Job, *args: int | str) -> None:
    """Enqueue when the open transaction is committed: a worker never looks for a missing row."""
    after_commit(lambda: _enqueue(queue, job, [args]))


def enqueue_many_after_commit(queue: QueueName, job: Job, ids: Sequence[int]) -> None:
    """One job per id, all in one round trip to Redis."""
    after_commit(lambda: _enqueue(queue, job, [(one,) for one in ids]))


def enqueue_once(queue: QueueName, job: Job, *, job_id: str) -> bool:
    """Enqueue under a fixed id: the same slot of the timetable twice is one job."""
    try:
        get_queue(queue).enqueue_call(
            job.value,
            timeout=TIMEOUT_SECONDS[job],
            result_ttl=RESULT_TTL_SECONDS,
            failure_ttl=FAILURE_TTL_SECONDS,
            job_id=job_id,
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True


def _enqueue(queue: QueueName, job: Job, arguments: Sequence[tuple[int | str, ...]]) -> None:
    prepared = [
        Queue.prepare_data(
            job.value,
            args,
            timeout=TIMEOUT_SECONDS[job],
            result_ttl=RESULT_TTL_SECONDS,
            failure_ttl=FAILURE_TTL_SECONDS,
            # A killed worker's job runs again only if it has a retry left.
            retry=Retry(max=1),
        )
        for args in arguments
    ]
    try:
        get_queue(queue).enqueue_many(prepared)
    except RedisError:
        # The row is there: the sweeper enqueues it when Redis is back.
        logger.warning("queue unreachable", extra={"job": job.name, "count": len(prepared)})
