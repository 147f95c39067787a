import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.errors import Forbidden
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import Actor
from domain.inbox import queries
from domain.inbox.errors import EventNotFound
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.policy import RETRY_AFTER, retry_delay
from domain.inbox.service import (
    Callback,
    accept,
    claim,
    read_body,
    record_failed,
    record_processed,
    replay,
    sweep,
)
from tests.factories import make_channel_account, make_hr, make_operator

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
OPERATOR = Actor.system()


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa")


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def callback(body: str = "<xml>1</xml>", event: str = "subscribe") -> Callback:
    return Callback(event=event, change_type="", openid="oPerson", body=body)


def state(event_id: int) -> InboxState:
    return queries.get_event(OPERATOR, event_id).state


def test_an_accepted_callback_is_stored_sealed_and_enqueued(session, queue, account):
    accepted = accept(account, callback("<xml>a person's words</xml>"))

    stored = session.get(InboxEvent, accepted.event_id)
    assert accepted.is_new
    assert stored.state is InboxState.RECEIVED
    assert "words" not in stored.body_sealed
    assert queue.args(Job.HANDLE_INBOX_EVENT) == [(accepted.event_id,)]


def test_a_repeated_callback_is_the_same_row_and_enqueued_once(queue, account):
    first = accept(account, callback())
    again = [accept(account, callback()) for _ in range(2)]

    assert {repeat.event_id for repeat in again} == {first.event_id}
    assert not any(repeat.is_new for repeat in again)
    assert queue.count == 1


def test_the_same_body_for_another_account_is_another_event(session, account):
    other = make_channel_account(name="other-oa")

    assert accept(account, callback()).event_id != accept(other, callback()).event_id


def test_repeats_that_arrive_at_the_same_moment_become_one_row(committed, queue, together):
    account = make_channel_account(name="busy-oa")

    results = together(*[lambda: accept(account, callback())] * 8)

    assert sum(accepted.is_new for accepted in results) == 1
    assert len({accepted.event_id for accepted in results}) == 1
    assert queue.count == 1


def test_a_callback_that_the_database_refuses_is_not_called_a_repeat(account, queue):
    removed = dataclasses.replace(account, id=account.id + 1000)

    with pytest.raises(IntegrityError):
        accept(removed, callback())

    assert queue.count == 0


def test_words_of_the_platform_are_cut_to_what_the_table_holds(account):
    accepted = accept(account, callback(event="e" * 500))

    assert queries.get_event(OPERATOR, accepted.event_id).event == "e" * 64


def test_a_claimed_event_comes_with_its_body_and_is_nobody_elses(account):
    event_id = accept(account, callback("<xml>1</xml>")).event_id

    claimed = claim(event_id)

    assert (claimed.body, claimed.channel_account_id) == ("<xml>1</xml>", account.id)
    assert claim(event_id) is None
    assert claim(event_id + 1) is None
    assert "<xml>" not in repr(claimed)


@pytest.mark.parametrize(
    ("is_ignored", "becomes"), [(False, InboxState.DONE), (True, InboxState.IGNORED)]
)
def test_a_processed_event_is_finished(account, is_ignored, becomes):
    event_id = accept(account, callback()).event_id

    record_processed(claim(event_id), is_ignored=is_ignored)

    assert state(event_id) is becomes
    assert queries.get_event(OPERATOR, event_id).processed_at
    assert claim(event_id) is None


def test_a_failed_event_waits_before_it_is_tried_again(account, clock):
    event_id = accept(account, callback()).event_id

    record_failed(claim(event_id), "KeyError")

    assert queries.get_event(OPERATOR, event_id).reason == "KeyError"
    assert claim(event_id) is None
    clock.shift(RETRY_AFTER[0])
    assert claim(event_id).attempts == 2


def test_after_the_last_try_an_event_is_dead_with_its_reason(account, clock):
    event_id = accept(account, callback()).event_id

    for wait in (*RETRY_AFTER, timedelta(0)):
        record_failed(claim(event_id), "KeyError")
        clock.shift(wait)

    assert state(event_id) is InboxState.DEAD
    assert queries.get_event(OPERATOR, event_id).reason == "KeyError"
    assert claim(event_id) is None


@pytest.mark.parametrize(
    ("attempts", "delay"), [(1, RETRY_AFTER[0]), (5, RETRY_AFTER[4]), (6, None)]
)
def test_waits_grow_and_end(attempts, delay):
    assert retry_delay(attempts) == delay
    assert list(RETRY_AFTER) == sorted(RETRY_AFTER)


def test_a_worker_that_comes_back_from_the_dead_changes_nothing(account, clock):
    event_id = accept(account, callback()).event_id
    late = claim(event_id)
    clock.shift(timedelta(minutes=3))
    sweep()
    clock.shift(RETRY_AFTER[0])
    record_processed(claim(event_id))

    record_failed(late, "too late")
    record_processed(late, is_ignored=True)

    assert state(event_id) is InboxState.DONE


def test_the_sweeper_brings_back_what_a_dead_worker_held(account, queue, clock):
    event_id = accept(account, callback()).event_id
    claim(event_id)
    queue.clear()
    assert sweep() == 0

    clock.shift(timedelta(minutes=3))
    sweep()
    clock.shift(RETRY_AFTER[0])

    assert sweep() == 1
    assert queue.args(Job.HANDLE_INBOX_EVENT) == [(event_id,)]
    assert queries.get_event(OPERATOR, event_id).reason == "worker-died"


def test_an_event_that_kills_every_worker_is_dead_in_the_end(account, clock):
    event_id = accept(account, callback()).event_id

    for _ in range(len(RETRY_AFTER) + 1):
        assert claim(event_id)
        clock.shift(timedelta(minutes=3))
        sweep()
        clock.shift(timedelta(hours=3))

    assert state(event_id) is InboxState.DEAD


def test_the_sweeper_enqueues_again_what_redis_forgot(account, queue, clock):
    event_id = accept(account, callback()).event_id
    queue.clear()

    assert sweep() == 0
    clock.shift(timedelta(minutes=2))
    assert sweep() == 1

    assert queue.args(Job.HANDLE_INBOX_EVENT) == [(event_id,)]


def test_finished_and_dead_events_can_be_replayed(session, account, queue):
    event_id = accept(account, callback()).event_id
    record_processed(claim(event_id), is_ignored=True)
    queue.clear()

    assert replay(OPERATOR, [event_id, event_id + 1]) == 1

    assert state(event_id) is InboxState.RECEIVED
    assert queue.args(Job.HANDLE_INBOX_EVENT) == [(event_id,)]
    assert claim(event_id).attempts == 1
    actions = session.scalars(select(AuditEvent.action)).all()
    assert "inbox.event.replayed" in actions


def test_an_event_being_processed_is_not_replayed(account):
    event_id = accept(account, callback()).event_id
    claim(event_id)

    assert replay(OPERATOR, [event_id]) == 0
    assert state(event_id) is InboxState.PROCESSING


def test_events_are_listed_newest_first_by_account_and_state(session, account):
    other = make_channel_account(name="other-oa")
    ids = [accept(account, callback(f"<xml>{n}</xml>")).event_id for n in range(3)]
    accept(other, callback())
    record_processed(claim(ids[1]))

    def listed(**filters):
        return [row.id for row in queries.list_events(OPERATOR, **filters).rows]

    assert listed(account="demo-oa") == ids[::-1]
    assert listed(account="demo-oa", state=InboxState.DONE) == [ids[1]]
    assert listed(account="demo-oa", before=ids[2]) == [ids[1], ids[0]]
    page = queries.list_events(OPERATOR, account="demo-oa", size=2)
    assert ([row.id for row in page.rows], page.next_cursor) == (ids[:0:-1], ids[1])
    assert len(listed()) == 4


def test_a_row_says_what_the_command_shows(account, clock):
    event_id = accept(account, callback()).event_id

    row = queries.get_event(OPERATOR, event_id)

    assert (row.id, row.account, row.event, row.change_type) == (
        event_id,
        "demo-oa",
        "subscribe",
        "",
    )
    assert (row.state.value, row.attempts, row.received_at) == ("received", 0, NOON)


def test_reading_a_body_is_written_down(session, account):
    event_id = accept(account, callback("<xml>words</xml>")).event_id

    assert read_body(OPERATOR, event_id) == "<xml>words</xml>"

    looks = session.scalars(select(AuditEvent).where(AuditEvent.action == "inbox.event.read")).all()
    assert [look.subject_id for look in looks] == [event_id]
    assert looks[0].details == {}


def test_events_of_others_do_not_exist_for_a_stranger(session):
    account = make_channel_account("/hq/bj/", name="bj-oa")
    event_id = accept(account, callback()).event_id
    stranger = make_operator("/hq/sh/")

    assert replay(stranger, [event_id]) == 0
    assert queries.list_events(stranger).rows == []
    for ask in (queries.get_event, read_body):
        with pytest.raises(EventNotFound):
            ask(stranger, event_id)
    assert queries.get_event(make_operator("/hq/bj/"), event_id).id == event_id


def test_hr_has_no_business_in_the_inbox(session, account):
    hr = make_hr()
    for ask in (
        lambda: queries.list_events(hr),
        lambda: queries.get_event(hr, 1),
        lambda: read_body(hr, 1),
        lambda: replay(hr, [1]),
    ):
        with pytest.raises(Forbidden):
            ask()
