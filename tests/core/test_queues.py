"""Jobs follow the commit; when Redis is away, the row is still there."""

import logging
from datetime import timedelta

import pytest
import time_machine
from rq.serializers import JSONSerializer
from sqlalchemy import select

from core import queues
from core.clock import utc_now
from core.db import transaction
from core.queues import (
    Job,
    QueueName,
    count_failed_jobs,
    enqueue,
    enqueue_after_commit,
    enqueue_many_after_commit,
    enqueue_once,
    get_queue,
    list_failed_jobs,
    name_of,
    oldest_wait,
    under_way,
)
from core.redis import connect
from domain.directory.models import Org, OrgKind
from workers.worker import work


@pytest.fixture
def redis_is_away(monkeypatch):
    away = connect("unix:///nowhere/redis.sock", decode=False)
    monkeypatch.setattr(queues, "queue_redis", lambda: away)


def new_org():
    return Org(org_path="/hq/", kind=OrgKind.UNION, name="总行", created_at=utc_now())


def test_a_job_is_enqueued_when_the_row_is_there(session, queue):
    with transaction() as writing:
        writing.add(new_org())
        enqueue_after_commit(QueueName.PUSH, Job.FEED_PUSHES, 7)
        assert queue.count == 0

    assert queue.jobs == [(Job.FEED_PUSHES, (7,))]


def test_a_rolled_back_row_has_no_job(session, queue):
    def fail():
        with transaction():
            enqueue_after_commit(QueueName.PUSH, Job.FEED_PUSHES, 7)
            enqueue_many_after_commit(QueueName.PUSH, Job.FEED_PUSHES, [8, 9])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()

    assert queue.count == 0


def test_many_jobs_keep_their_order(session, queue):
    with transaction():
        enqueue_many_after_commit(QueueName.PUSH, Job.FEED_PUSHES, [3, 1, 2])

    assert queue.args(Job.FEED_PUSHES) == [(3,), (1,), (2,)]


def test_several_ids_may_share_a_job(session, queue):
    with transaction():
        enqueue_many_after_commit(QueueName.INBOX, Job.HANDLE_INBOX_EVENTS, [(3, 1), (2,)])
        enqueue_many_after_commit(QueueName.INBOX, Job.HANDLE_INBOX_EVENTS, [])

    assert queue.args(Job.HANDLE_INBOX_EVENTS) == [(3, 1), (2,)]


def test_each_queue_has_its_own_jobs(queue):
    enqueue(QueueName.INBOX, Job.HANDLE_INBOX_EVENTS, 1)
    enqueue(QueueName.PUSH, Job.SWEEP)

    assert [job.func_name for job in get_queue(QueueName.INBOX).jobs] == [
        Job.HANDLE_INBOX_EVENTS.value
    ]
    assert queue.names == [Job.HANDLE_INBOX_EVENTS, Job.SWEEP]


def test_a_job_is_json_and_carries_a_time_limit_and_a_retry(queue):
    enqueue(QueueName.PUSH, Job.FEED_PUSHES, 7)

    (job,) = get_queue(QueueName.PUSH).jobs
    assert job.serializer is JSONSerializer
    assert (job.timeout, job.retries_left) == (queues.TIMEOUT_SECONDS[Job.FEED_PUSHES], 1)


def test_an_urgent_job_goes_before_what_waits(queue):
    enqueue(QueueName.PUSH, Job.SEND_PUSHES, 1, 1, 9)
    enqueue(QueueName.PUSH, Job.SEND_PUSHES, 2, 1, 9, is_urgent=True)

    assert [args[0] for args in queue.args(Job.SEND_PUSHES)] == [2, 1]


def test_every_job_has_a_time_limit():
    assert set(queues.TIMEOUT_SECONDS) == set(Job)


def test_the_same_slot_of_the_timetable_is_one_job(queue):
    assert enqueue_once(QueueName.PUSH, Job.SWEEP, job_id="sweep-1200") is True
    assert enqueue_once(QueueName.PUSH, Job.SWEEP, job_id="sweep-1200") is False
    assert enqueue_once(QueueName.PUSH, Job.SWEEP, job_id="sweep-1201") is True

    assert queue.count == 2


def test_a_job_under_a_fixed_id_carries_its_arguments(queue):
    enqueue_once(QueueName.PUSH, Job.SEND_PUSHES, 3, 10, 19, job_id="send-3-10-19")

    assert queue.jobs == [(Job.SEND_PUSHES, (3, 10, 19))]


def test_what_waits_is_known_by_its_name(queue):
    enqueue(QueueName.PUSH, Job.SEND_PUSHES, 3, 10, 19)
    enqueue(QueueName.PUSH, Job.SEND_PUSHES, 3, 10, 19)
    enqueue(QueueName.INBOX, Job.HANDLE_INBOX_EVENTS, 7)

    waiting = under_way(QueueName.PUSH, timedelta(minutes=1))

    assert waiting == {name_of(Job.SEND_PUSHES, 3, 10, 19)} == {"send_pushes-3-10-19"}
    assert queue.count == 3


@pytest.mark.parametrize(("alive_for", "counts"), [(60, True), (0, False)])
def test_what_a_worker_has_begun_counts_for_a_while(app, queue, monkeypatch, alive_for, counts):
    seen = []

    def look(_account_id):
        seen.append(under_way(QueueName.PUSH, timedelta(seconds=alive_for)))

    monkeypatch.setattr("workers.jobs.campaigns.feed", look)
    enqueue(QueueName.PUSH, Job.FEED_PUSHES, 7)
    work(app, QueueName.PUSH, burst=True)

    assert seen == [{name_of(Job.FEED_PUSHES, 7)} if counts else set()]


def test_when_redis_is_away_the_row_is_kept_and_it_is_logged(session, caplog, redis_is_away):
    with caplog.at_level(logging.WARNING, "xinqiao"), transaction() as writing:
        writing.add(new_org())
        enqueue_many_after_commit(QueueName.PUSH, Job.FEED_PUSHES, [7, 8])

    assert session.scalars(select(Org.org_path)).all() == ["/hq/"]
    (record,) = caplog.records
    assert (record.getMessage(), record.job, record.count) == (
        "queue unreachable",
        "FEED_PUSHES",
        2,
    )


# --- what operations are told ---------------------------------------------------------------


def test_a_queue_is_as_old_as_its_oldest_job(queue):
    now = utc_now()
    assert oldest_wait(QueueName.PUSH) == timedelta(0)
    for minutes, is_urgent in ((5, False), (3, False), (1, True)):
        with time_machine.travel(now - timedelta(minutes=minutes), tick=False):
            enqueue(QueueName.PUSH, Job.FEED_PUSHES, 7, is_urgent=is_urgent)

    with time_machine.travel(now, tick=False):
        assert oldest_wait(QueueName.PUSH) == timedelta(minutes=5)
        assert oldest_wait(QueueName.INBOX) == timedelta(0)


def test_a_job_that_is_gone_while_it_is_looked_for_does_not_count(queue):
    enqueue(QueueName.PUSH, Job.FEED_PUSHES, 7)
    (job,) = get_queue(QueueName.PUSH).jobs
    job.delete(remove_from_queue=False)

    assert oldest_wait(QueueName.PUSH) == timedelta(0)


def test_jobs_that_were_given_up_are_listed_newest_first(app, queue, monkeypatch):
    def fail(account_id):
        raise LookupError(f"account {account_id}")

    monkeypatch.setattr("workers.jobs.campaigns.feed", fail)
    for account_id in (7, 8):
        enqueue(QueueName.PUSH, Job.FEED_PUSHES, account_id)
        work(app, QueueName.PUSH, burst=True)

    assert count_failed_jobs(QueueName.PUSH) == 2
    newest, first = list_failed_jobs(QueueName.PUSH, 5)
    assert (newest.args, first.args) == ((8,), (7,))
    assert newest.job == Job.FEED_PUSHES.value
    assert newest.failed_at > first.failed_at
    assert newest.error.splitlines()[-1] == "LookupError: account 8"
    assert len(list_failed_jobs(QueueName.PUSH, 1)) == 1
    assert count_failed_jobs(QueueName.INBOX) == 0
