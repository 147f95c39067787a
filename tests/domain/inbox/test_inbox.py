import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.errors import Forbidden
from core.queues import Job, QueueName, get_queue
from domain.audit.models import AuditEvent
from domain.directory.access import Actor
from domain.inbox import queries
from domain.inbox.errors import EventNotFound, RangeTooLong
from domain.inbox.intake import Callback, accept
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.policy import RETRY_AFTER, URGENT_RETRY_AFTER, retry_delay
from domain.inbox.queries import EventFilter
from domain.inbox.service import (
    claim,
    note_in_time,
    read_body,
    record_failed,
    record_processed,
    replay,
    replay_all,
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
    assert queue.args(Job.HANDLE_INBOX_EVENTS) == [(accepted.event_id,)]


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

    record_processed(claim(event_id), InboxState.IGNORED if is_ignored else InboxState.DONE)

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
    record_processed(claim(event_id), InboxState.DONE)

    record_failed(late, "too late")
    record_processed(late, InboxState.IGNORED)

    assert state(event_id) is InboxState.DONE


def test_a_claim_from_before_a_replay_is_not_taken_for_the_one_after_it(account, clock):
    event_id = accept(account, callback()).event_id
    late = claim(event_id)
    clock.shift(timedelta(minutes=3))
    sweep()
    replay(OPERATOR, [event_id])
    assert claim(event_id).attempts == late.attempts

    record_failed(late, "too late")
    record_processed(late, InboxState.IGNORED)

    assert state(event_id) is InboxState.PROCESSING


def test_the_sweeper_brings_back_what_a_dead_worker_held(account, queue, clock):
    event_id = accept(account, callback()).event_id
    claim(event_id)
    queue.clear()
    assert sweep() == 0

    clock.shift(timedelta(minutes=3))
    sweep()
    clock.shift(RETRY_AFTER[0])

    assert sweep() == 1
    assert queue.args(Job.HANDLE_INBOX_EVENTS) == [(event_id,)]
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

    assert queue.args(Job.HANDLE_INBOX_EVENTS) == [(event_id,)]


def test_finished_and_dead_events_can_be_replayed(session, account, queue):
    event_id = accept(account, callback()).event_id
    record_processed(claim(event_id), InboxState.IGNORED)
    queue.clear()

    assert replay(OPERATOR, [event_id, event_id + 1]) == 1

    assert state(event_id) is InboxState.RECEIVED
    assert queue.args(Job.HANDLE_INBOX_EVENTS) == [(event_id,)]
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
    record_processed(claim(ids[1]), InboxState.DONE)

    def listed(before=None, **filters):
        return [
            row.id
            for row in queries.list_events(OPERATOR, EventFilter(**filters), before=before).rows
        ]

    assert listed(account="demo-oa") == ids[::-1]
    assert listed(account="demo-oa", state=InboxState.DONE) == [ids[1]]
    assert listed(account="demo-oa", before=ids[2]) == [ids[1], ids[0]]
    page = queries.list_events(OPERATOR, EventFilter(account="demo-oa"), size=2)
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


# --- urgency --------------------------------------------------------------------------------


def urgent(seconds: float = 20, body: str = "<xml>welcome</xml>") -> Callback:
    return dataclasses.replace(callback(body), deadline_at=NOON + timedelta(seconds=seconds))


def test_an_urgent_event_is_tried_again_within_its_deadline(account, clock, queue):
    event_id = accept(account, urgent()).event_id
    queue.clear()

    record_failed(claim(event_id), "WeChatUnreachable")
    clock.shift(URGENT_RETRY_AFTER[0])
    assert sweep() == 1

    assert [job.args for job in get_queue(QueueName.URGENT).jobs] == [[event_id]]
    assert claim(event_id).attempts == 2


def test_past_its_deadline_an_urgent_event_waits_like_any_other(account, clock, queue):
    event_id = accept(account, urgent(seconds=1.5)).event_id
    clock.shift(timedelta(seconds=1))
    claimed = claim(event_id)
    assert not claimed.is_too_late
    clock.shift(timedelta(seconds=1))

    record_failed(claimed, "KeyError")
    queue.clear()
    clock.shift(RETRY_AFTER[0])
    assert sweep() == 1

    assert get_queue(QueueName.INBOX).count == 1
    assert claim(event_id).is_too_late


def test_redis_may_forget_an_urgent_event_for_three_seconds_only(account, clock, queue):
    event_id = accept(account, urgent()).event_id
    queue.clear()
    clock.shift(timedelta(seconds=4))

    assert sweep() == 1
    assert [job.args for job in get_queue(QueueName.URGENT).jobs] == [[event_id]]


def test_what_was_urgent_and_is_done_is_not_urgent_any_more(account, clock):
    claimed = claim(accept(account, urgent()).event_id)

    note_in_time(claimed)
    record_failed(claimed, "KeyError")

    clock.shift(RETRY_AFTER[0])
    again = claim(claimed.id)
    assert again.deadline_at is None
    note_in_time(claimed)  # the claim before changes nothing any more
    assert not again.is_too_late


def test_the_sweeper_leaves_a_long_queue_alone(account, queue, clock, monkeypatch):
    accept(account, callback())
    clock.shift(timedelta(minutes=2))
    monkeypatch.setattr("domain.inbox.service.queue_length", lambda _queue: 500)

    assert sweep() == 0


def test_the_sweeper_does_not_need_redis_to_look(account, clock, monkeypatch):
    def away(_queue):
        raise RedisError

    accept(account, callback())
    clock.shift(timedelta(minutes=2))
    monkeypatch.setattr("domain.inbox.service.queue_length", away)

    assert sweep() == 1


# --- replaying a stretch, counting, lag -----------------------------------------------------


def test_a_stretch_of_events_can_be_replayed(account, queue):
    other = make_channel_account(name="other-oa")
    ids = [accept(account, callback(f"<xml>{n}</xml>")).event_id for n in range(3)]
    ids.append(accept(other, callback()).event_id)
    for event_id in ids:
        record_processed(claim(event_id), InboxState.IGNORED)

    def replays(first, last, **more):
        return replay_all(OPERATOR, EventFilter(first_id=ids[first], last_id=ids[last], **more))

    assert replays(1, 3, account="demo-oa") == 2
    assert replays(0, 3, state=InboxState.IGNORED) == 2
    assert replays(0, 3, state=InboxState.DEAD) == 0


def test_what_a_replay_would_take_is_counted_before(account, clock):
    first = accept(account, Callback("subscribe", "", "o1", "<xml>1</xml>")).event_id
    clock.shift(timedelta(hours=1))
    second = accept(account, Callback("change", "add_tag", "o1", "<xml>2</xml>")).event_id
    in_hand = accept(account, Callback("subscribe", "", "o1", "<xml>3</xml>")).event_id
    claim(in_hand)

    def measured(most=10, **wanted):
        stretch = queries.measure_replay(OPERATOR, EventFilter(**wanted), most=most)
        return stretch.count, stretch.last_id

    assert measured() == (2, second)
    assert measured(most=1) == (1, second)
    assert measured(event="subscribe") == (1, first)
    assert measured(event="add_tag") == (1, second)
    assert measured(since=NOON + timedelta(minutes=30)) == (1, second)
    assert measured(until=NOON + timedelta(minutes=30)) == (1, first)
    assert measured(account="nobody") == (0, 0)


def test_when_each_account_was_last_called_back(account, clock, monkeypatch):
    assert queries.last_received(OPERATOR) == {}
    other = make_channel_account("/hq/sh/", name="other-oa")
    accept(other, callback())
    clock.shift(timedelta(hours=1))
    accept(account, callback("<xml>2</xml>"))

    late = NOON + timedelta(hours=1)
    assert queries.last_received(OPERATOR) == {other.id: NOON, account.id: late}
    assert set(queries.last_received(make_operator("/hq/sh/"))) == {other.id}
    monkeypatch.setattr(queries, "RECENT_EVENTS", 1)
    assert set(queries.last_received(OPERATOR)) == {account.id}


def test_too_long_a_stretch_is_refused(account, monkeypatch):
    monkeypatch.setattr("domain.inbox.service.REPLAY_LIMIT", 1)
    ids = [accept(account, callback(f"<xml>{n}</xml>")).event_id for n in range(2)]

    with pytest.raises(RangeTooLong):
        replay_all(OPERATOR, EventFilter(first_id=ids[0], last_id=ids[1]))


def test_events_are_counted_by_state(account, clock):
    accept(account, callback())
    record_processed(claim(accept(account, callback("<xml>2</xml>")).event_id), InboxState.DONE)

    counts = queries.count_by_state(OPERATOR)

    assert (counts[InboxState.RECEIVED], counts[InboxState.DONE]) == (1, 1)
    assert counts[InboxState.DEAD] == 0
    clock.shift(timedelta(hours=1))
    assert sum(queries.count_by_state(OPERATOR, since=NOON + timedelta(minutes=1)).values()) == 0


def test_the_lag_is_the_age_of_the_oldest_that_nobody_took(account, clock):
    assert queries.get_lag() == timedelta(0)
    first = accept(account, callback()).event_id
    clock.shift(timedelta(seconds=30))
    accept(account, callback("<xml>2</xml>"))

    assert queries.get_lag() == timedelta(seconds=30)
    claim(first)
    assert queries.get_lag() == timedelta(0)


def test_the_figures_for_the_watchers_are_told_without_the_finished_ones(account, clock):
    accept(account, callback())
    record_processed(claim(accept(account, callback("<xml>2</xml>")).event_id), InboxState.DONE)
    clock.shift(timedelta(seconds=30))

    figures = {gauge.name: gauge.ask() for gauge in queries.GAUGES}

    assert figures["xinqiao_inbox_lag_seconds"] == {"": 30}
    assert figures["xinqiao_inbox_events"] == {"received": 1, "processing": 0, "dead": 0}
