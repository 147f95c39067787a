"""What runs by the clock. Two timetables side by side are harmless: a slot is one job.

RQ's own cron gives up when Redis is away for a moment, and two of them enqueue twice; this loop
has neither fault.
"""

import threading
import time
from dataclasses import dataclass

from redis.exceptions import RedisError

from core.log import logger
from core.queues import Job, QueueName, enqueue_once


@dataclass(frozen=True, slots=True)
class Entry:
    job: Job
    queue: QueueName
    every_seconds: int

    def slot(self, now: float) -> str:
        return f"cron-{self.job.name.lower()}-{int(now // self.every_seconds)}"


ENTRIES = (
    Entry(Job.SWEEP, QueueName.URGENT, every_seconds=5),
    Entry(Job.ENQUEUE_TEMPLATE_SYNCS, QueueName.URGENT, every_seconds=3600),
)


def run(stop: threading.Event) -> None:
    """Enqueue what is due, once a second, until ``stop`` is set."""
    enqueued: dict[Job, str] = {}
    while not stop.wait(1):
        for entry in ENTRIES:
            slot = entry.slot(time.time())
            if enqueued.get(entry.job) == slot:
                continue
            try:
                enqueue_once(entry.queue, entry.job, job_id=slot)
                enqueued[entry.job] = slot
            except RedisError:
                logger.warning("timetable cannot reach redis", extra={"slot": slot})
