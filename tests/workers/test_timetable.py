import math
import threading

from redis.exceptions import ConnectionError as RedisAway

from channel.wecom.messages import WELCOME_CODE_SECONDS
from core.queues import Job, QueueName
from domain.inbox.policy import URGENT_RETRY_AFTER
from workers import timetable
from workers.timetable import ENTRIES, Entry


def stop_after(turns: int) -> threading.Event:
    class Stop(threading.Event):
        left = turns

        def wait(self, timeout=None):
            self.left -= 1
            return self.left < 0

    return Stop()


def test_a_slot_is_one_job_even_with_two_timetables(queue, monkeypatch):
    monkeypatch.setattr(timetable.time, "time", lambda: 1_000_000.0)

    timetable.run(stop_after(3))
    timetable.run(stop_after(3))

    assert queue.names == [entry.job for entry in ENTRIES]


def test_the_sweep_comes_often_enough_for_every_urgent_try():
    [every_seconds] = [entry.every_seconds for entry in ENTRIES if entry.job is Job.SWEEP]
    now = 0.9 * every_seconds  # as late as can be for the sweep that comes next
    began_at = now

    for wait in URGENT_RETRY_AFTER:
        now = math.ceil((now + wait.total_seconds()) / every_seconds) * every_seconds
        now += 3  # a platform that answers late

    assert now - began_at < WELCOME_CODE_SECONDS


def test_the_next_slot_is_another_job(queue, monkeypatch):
    times = iter([1000.0, 1000.5, 1006.0])
    monkeypatch.setattr(timetable.time, "time", lambda: next(times))
    monkeypatch.setattr(timetable, "ENTRIES", (Entry(Job.SWEEP, QueueName.INBOX, 5),))

    timetable.run(stop_after(3))

    assert queue.count == 2


def test_a_redis_that_is_away_is_tried_again(queue, monkeypatch):
    answers = iter([RedisAway(), None])

    def enqueue_once(*_, **__):
        answer = next(answers)
        if answer:
            raise answer

    monkeypatch.setattr(timetable, "enqueue_once", enqueue_once)
    monkeypatch.setattr(timetable, "ENTRIES", (Entry(Job.SWEEP, QueueName.INBOX, 3600),))

    timetable.run(stop_after(2))

    assert next(answers, "used up") == "used up"
