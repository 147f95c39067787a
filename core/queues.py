"""Background work: named queues, named jobs, enqueued only after the commit and by id only."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from core.clock import utc_now
from core.db import after_commit
from core.log import logger
from core.redis import queue_redis

# What a worker keeps of a finished or failed job; the ledger in the database is the truth.
RESULT_TTL_SECONDS = 60
FAILURE_TTL_SECONDS = 7 * 24 * 3600
# Among so many at its head the oldest job of a queue is looked for: urgent ones go before it.
LOOKED_AT = 10


class QueueName(StrEnum):
    """One queue per worker process (see docs/runbook.md)."""

    URGENT = "urgent"  # what is worth nothing in twenty seconds, and the short work of the clock
    INBOX = "inbox"
    PUSH = "push"
    PAYROLL = "payroll"


class Job(StrEnum):
    """Every job by the dotted name of its entry point."""

    HANDLE_INBOX_EVENTS = "workers.jobs.handle_inbox_events"
    PREPARE_CAMPAIGN = "workers.jobs.prepare_campaign"
    FEED_PUSHES = "workers.jobs.feed_pushes"
    SEND_PUSHES = "workers.jobs.send_pushes"
    READ_PAYROLL_SHEET = "workers.jobs.read_payroll_sheet"
    SWEEP = "workers.jobs.sweep"
    ENQUEUE_TEMPLATE_SYNCS = "workers.jobs.enqueue_template_syncs"
    SYNC_TEMPLATES = "workers.jobs.sync_templates"


TIMEOUT_SECONDS = {
    Job.HANDLE_INBOX_EVENTS: 120,
    Job.PREPARE_CAMPAIGN: 600,
    Job.FEED_PUSHES: 60,
    Job.SEND_PUSHES: 120,
    Job.READ_PAYROLL_SHEET: 600,
    Job.SWEEP: 120,
    Job.ENQUEUE_TEMPLATE_SYNCS: 60,
    Job.SYNC_TEMPLATES: 120,
}


def get_queue(name: QueueName) -> Queue:
    return Queue(name.value, connection=queue_redis(), serializer=JSONSerializer)


def queue_length(name: QueueName) -> int:
    """How many jobs wait."""
    return get_queue(name).count


def oldest_wait(name: QueueName) -> timedelta:
    """How long the oldest waiting job has waited."""
    now = utc_now()
    since = [job.enqueued_at for job in _jobs(get_queue(name).get_job_ids(0, LOOKED_AT))]
    return now - min((at for at in since if at), default=now)


def name_of(job: Job, *args: int | str) -> str:
    """What a job does: its id begins so, that a look at the ids of a queue tells what waits."""
    return "-".join(map(str, (job.name.lower(), *args)))


def under_way(name: QueueName, alive_for: timedelta) -> set[str]:
    """The names of the jobs that wait, and of those begun within ``alive_for``: RQ notices minutes
    later that the worker of an older one has died."""
    queue = get_queue(name)
    begun = _jobs(queue.started_job_registry.get_job_ids(cleanup=False))
    since = utc_now() - alive_for
    alive = [job.id for job in begun if job.started_at and job.started_at > since]
    return {job_id.rpartition("-")[0] for job_id in (*queue.get_job_ids(), *alive)}


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that was given up. ``error`` is the last traceback and may hold anything."""

    id: str
    job: str | None
    args: tuple[Any, ...]
    failed_at: datetime
    error: str


def count_failed_jobs(name: QueueName) -> int:
    return _failed(name).get_job_count(cleanup=False)


def list_failed_jobs(name: QueueName, limit: int) -> list[FailedJob]:
    """The newest first."""
    ids = _failed(name).get_job_ids(0, limit - 1, desc=True, cleanup=False)
    # The registry knows whole seconds only.
    found = [_failed_job(job) for job in _jobs(ids)]
    return sorted(found, key=lambda job: job.failed_at, reverse=True)


def _failed(name: QueueName) -> FailedJobRegistry:
    return FailedJobRegistry(queue=get_queue(name))


def _failed_job(job: RqJob) -> FailedJob:
    result = job.latest_result()
    error = (result.exc_string if result else None) or ""
    failed_at = job.ended_at or job.created_at  # a dead worker's job did not end
    return FailedJob(job.id, job.func_name, tuple(job.args), failed_at, error)


def _jobs(ids: Sequence[str]) -> list[RqJob]:
    """Without those that are gone meanwhile."""
    found = RqJob.fetch_many(ids, connection=queue_redis(), serializer=JSONSerializer)
    return [job for job in found if job]


def enqueue(queue: QueueName, job: Job, *args: int | str, is_urgent: bool = False) -> None:
    """``is_urgent``: before all that waits in this queue."""
    _enqueue(queue, job, [args], is_urgent=is_urgent)


def enqueue_after_commit(queue: QueueName, job: Job, *args: int | str) -> None:
    """Enqueue when the open transaction is committed: a worker never looks for a missing row."""
    after_commit(lambda: _enqueue(queue, job, [args]))


def enqueue_many_after_commit(
    queue: QueueName, job: Job, each: Sequence[int | tuple[int, ...]]
) -> None:
    """One job per id, or per tuple of ids that share one; all in one round trip to Redis."""
    if each:
        arguments = [one if isinstance(one, tuple) else (one,) for one in each]
        after_commit(lambda: _enqueue(queue, job, arguments))


def enqueue_once(queue: QueueName, job: Job, *args: int | str, job_id: str) -> bool:
    """Enqueue under a fixed id: while it is there, a second one is not added. Without a retry:
    whoever enqueues so comes again by the clock."""
    try:
        get_queue(queue).enqueue_call(
            job.value,
            args,
            timeout=TIMEOUT_SECONDS[job],
            result_ttl=RESULT_TTL_SECONDS,
            failure_ttl=FAILURE_TTL_SECONDS,
            job_id=job_id,
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True


def _enqueue(
    queue: QueueName,
    job: Job,
    arguments: Sequence[tuple[int | str, ...]],
    *,
    is_urgent: bool = False,
) -> None:
    prepared = [
        Queue.prepare_data(
            job.value,
            args,
            job_id=f"{name_of(job, *args)}-{secrets.token_hex(8)}",
            timeout=TIMEOUT_SECONDS[job],
            result_ttl=RESULT_TTL_SECONDS,
            failure_ttl=FAILURE_TTL_SECONDS,
            # A killed worker's job runs again only if it has a retry left.
            retry=Retry(max=1),
            at_front=is_urgent,
        )
        for args in arguments
    ]
    try:
        get_queue(queue).enqueue_many(prepared)
    except RedisError:
        # The row is there: the sweeper enqueues it when Redis is back.
        logger.warning("queue unreachable", extra={"job": job.name, "count": len(prepared)})
