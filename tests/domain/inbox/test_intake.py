"""Many callbacks at once: one transaction, and each gets its own answer."""

import contextlib
import dataclasses
import threading
from datetime import UTC, datetime

import pytest
import time_machine
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSilent
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from core.clock import utc_now
from core.db import db, transaction
from core.queues import Job, QueueName, get_queue
from domain.inbox import intake
from domain.inbox.errors import NonceReused, NoncesUnknown
from domain.inbox.intake import Accepted, Callback, accept
from domain.inbox.models import InboxEvent
from domain.inbox.policy import FORGOTTEN_AFTER
from domain.inbox.service import sweep
from tests.factories import make_channel_account


def callback(number: int, deadline_at: datetime | None = None) -> Callback:
    body = f"<xml>{number}</xml>"
    return Callback("e", "", "oPerson", body, deadline_at=deadline_at)


@pytest.fixture
def crowd(monkeypatch):
    """The first transaction waits until ``size`` callbacks stand in the line behind it."""

    def gather(size: int) -> None:
        store, is_first = intake._store, threading.Event()

        def slow_store(together):
            if not is_first.is_set():
                is_first.set()
                while len(intake._line._waiting) < size:
                    pass
            store(together)

        monkeypatch.setattr(intake, "_store", slow_store)

    return gather


def test_callbacks_that_come_during_a_commit_share_the_next_one(committed, together, crowd, queue):
    account = make_channel_account()
    crowd(7)
    note = (commits := []).append
    event.listen(db.engine, "commit", note)

    results = together(*[lambda n=n: accept(account, callback(n)) for n in range(8)])

    event.remove(db.engine, "commit", note)
    assert len({accepted.event_id for accepted in results}) == 8
    assert len(commits) == 2
    committed.rollback()
    assert committed.scalar(select(func.count()).select_from(InboxEvent)) == 8
    assert sorted(len(args) for args in queue.args(Job.HANDLE_INBOX_EVENTS)) == [1, 7]


def test_one_that_cannot_be_stored_takes_no_other_along(committed, together, crowd):
    account = make_channel_account()
    removed = dataclasses.replace(account, id=account.id + 1000)
    crowd(3)

    results = together(
        *[lambda n=n: accept(account, callback(n)) for n in range(3)],
        lambda: accept(removed, callback(9)),
    )

    assert [type(one) for one in results[:3]] == [Accepted] * 3
    assert isinstance(results[3], IntegrityError)


def test_repeats_in_one_transaction_are_one_event(committed, together, crowd, queue):
    account = make_channel_account()
    accept(account, callback(0))
    crowd(4)

    results = together(
        lambda: accept(account, callback(0)),
        *[lambda: accept(account, callback(1))] * 4,
    )

    assert not results[0].is_new
    assert sum(accepted.is_new for accepted in results[1:]) == 1
    assert len({accepted.event_id for accepted in results[1:]}) == 1


def test_a_database_that_is_away_is_everybodys_error(session, monkeypatch):
    def away(_together):
        raise OperationalError("INSERT", {}, Exception("gone"))

    monkeypatch.setattr(intake, "_store", away)

    with pytest.raises(OperationalError):
        accept(make_channel_account(), callback(1))


def test_one_that_is_refused_alone_gets_that_error(session, monkeypatch):
    errors = iter([IntegrityError("", {}, Exception()), OperationalError("", {}, Exception())])

    def refuse(_together):
        raise next(errors)

    monkeypatch.setattr(intake, "_store", refuse)

    with pytest.raises(OperationalError):
        accept(make_channel_account(), callback(1))


@pytest.mark.parametrize("is_urgent", [True, False])
def test_a_crowd_is_enqueued_in_as_many_round_trips_as_one(session, queue, monkeypatch, is_urgent):
    execute, trips = Pipeline.execute, []
    monkeypatch.setattr(
        Pipeline, "execute", lambda *args, **kwargs: trips.append(1) or execute(*args, **kwargs)
    )

    def trips_for(count):
        trips.clear()
        with transaction():
            intake.enqueue_events(range(count), is_urgent=is_urgent)
        return len(trips)

    assert trips_for(1) == trips_for(intake.MOST_TOGETHER)
    assert sum(map(len, queue.args(Job.HANDLE_INBOX_EVENTS))) == 1 + intake.MOST_TOGETHER


@pytest.mark.parametrize(("fault", "enqueued"), [(RedisSilent(), 0), (RedisAway(), 1)])
def test_a_silent_redis_is_waited_for_once_only(session, queue, monkeypatch, fault, enqueued):
    def fail():
        raise fault

    monkeypatch.setattr(intake, "redis", fail)
    nonce = intake.Nonce("n1", seconds=600, must_hold=False)

    accept(make_channel_account(), dataclasses.replace(callback(1), nonce=nonce))

    assert queue.count == enqueued
    with time_machine.travel(utc_now() + FORGOTTEN_AFTER * 2):
        assert sweep() == 1


def test_what_is_urgent_has_a_queue_of_its_own(session, queue):
    account = make_channel_account()

    urgent = accept(account, callback(1, datetime(2100, 1, 1, tzinfo=UTC)))
    accept(account, callback(2))

    assert [job.args for job in get_queue(QueueName.URGENT).jobs] == [[urgent.event_id]]
    assert get_queue(QueueName.INBOX).count == 1


def test_what_is_answered_and_not_stored_spends_its_nonce_too(session):
    account, nonce = make_channel_account(), intake.Nonce("n1", seconds=600, must_hold=False)

    intake.spend(account, nonce, "echo")
    intake.spend(account, nonce, "echo")  # asked again

    with pytest.raises(NonceReused):
        intake.spend(account, nonce, "another")
    with pytest.raises(NonceReused):
        accept(account, dataclasses.replace(callback(1), nonce=nonce))
    intake.spend(make_channel_account(), nonce, "another")


@pytest.mark.parametrize("must_hold", [True, False])
def test_a_nonce_is_spent_unseen_while_redis_is_away_unless_it_must_hold(
    session, monkeypatch, must_hold
):
    account = make_channel_account()
    nonce = intake.Nonce("n1", seconds=600, must_hold=must_hold)

    def away(_self):
        raise RedisAway

    monkeypatch.setattr(Pipeline, "execute", away)

    with pytest.raises(NoncesUnknown) if must_hold else contextlib.nullcontext():
        intake.spend(account, nonce, "echo")
