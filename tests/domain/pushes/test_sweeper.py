"""The sweeper: nothing twice into the queue, urgent ones first, each bank its share."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from core.db import reading, transaction
from core.queues import Job, QueueName, enqueue, get_queue
from domain.pushes import campaigns, claims, sweeper
from domain.pushes.campaigns import CHUNK_LIFE, WINDOW, Chunk
from domain.pushes.ledger import send_after_commit
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Push, PushStatus
from domain.pushes.policy import CLAIM_LIFE
from tests.counting import count_queries
from tests.factories import (
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_push,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
A_SWEEP = timedelta(seconds=5)
LATE = {"status": PushStatus.TEMPORARY_FAILURE, "due_at": NOON}


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def small_chunks(monkeypatch):
    for module in (sweeper, campaigns):
        monkeypatch.setattr(module, "CHUNK", 1)


def make_due(account, **fields) -> Push:
    employee = make_employee()
    make_binding(employee, account)
    return make_push(employee, account, **fields)


def make_late(account, count, campaign=None) -> list[Push]:
    campaign = campaign or make_campaign(account)
    return [make_due(account, campaign=campaign, **LATE) for _ in range(count)]


def make_urgent(account) -> Campaign:
    return make_campaign(account, kind=MessageKind.QUESTION_ANSWERED)


def stored(push: Push) -> Push:
    return reading().get_one(Push, push.id, populate_existing=True)


def claim(push: Push):
    return claims.claim(Chunk(push.campaign_id, push.id, push.id))


def sent_to(queue) -> list[int]:
    """The first push of each chunk in the queue."""
    return [args[1] for args in queue.args(Job.SEND_PUSHES)]


# --- nothing twice --------------------------------------------------------------------------


def test_while_no_worker_comes_the_queue_does_not_grow(account, queue, clock):
    campaign = make_campaign(account, total_count=3)
    late, *new = [make_due(account, campaign=campaign) for _ in range(3)]
    unprepared = make_campaign(account, prepared_at=None)
    with transaction() as session:
        row = session.get_one(Campaign, campaign.id)
        row.last_id, row.fed_to = new[-1].id, late.id - 1
        session.get_one(Push, late.id).status = PushStatus.TEMPORARY_FAILURE
        session.get_one(Push, late.id).due_at = NOON

    for _ in range(60):
        sweeper.sweep()
        clock.shift(A_SWEEP)

    assert sorted(queue.args(Job.SEND_PUSHES)) == [
        (campaign.id, late.id, late.id),
        (campaign.id, new[0].id, new[-1].id),
    ]
    assert queue.args(Job.PREPARE_CAMPAIGN) == [(unprepared.id,)]


def test_what_redis_forgot_comes_back_at_once(account, queue, clock):
    (late,) = make_late(account, 1)
    sweeper.sweep()
    queue.clear()

    sweeper.sweep()

    assert sent_to(queue) == [late.id]


def test_a_campaign_whose_request_still_waits_is_not_prepared_twice(account, queue, clock):
    campaign = make_campaign(account, prepared_at=None)
    enqueue(QueueName.PUSH, Job.PREPARE_CAMPAIGN, campaign.id)

    sweeper.sweep()

    assert queue.args(Job.PREPARE_CAMPAIGN) == [(campaign.id,)]


def test_a_campaign_that_is_being_prepared_is_left_to_its_worker(account, queue, clock):
    campaign = make_campaign(account, prepared_at=None)
    enqueue(QueueName.PUSH, Job.PREPARE_CAMPAIGN, campaign.id)
    begin_first()

    sweeper.sweep()
    assert queue.count == 0

    # By then the worker may be dead.
    clock.shift(CHUNK_LIFE)
    sweeper.sweep()
    assert queue.args(Job.PREPARE_CAMPAIGN) == [(campaign.id,)]


def begin_first() -> None:
    """What a worker does with the oldest job before it runs it."""
    rq = get_queue(QueueName.PUSH)
    job = rq.jobs[0]
    rq.remove(job)
    job.started_at = datetime.now(UTC)
    job.save()
    rq.connection.zadd(rq.started_job_registry.key, {f"{job.id}:1": 9e9})


# --- who goes first -------------------------------------------------------------------------


def test_a_late_urgent_message_goes_before_all_that_waits(account, queue, clock):
    enqueue(QueueName.PUSH, Job.SEND_PUSHES, make_campaign(account).id, 1, 1000)
    bulk, urgent = make_late(account, 1), make_late(account, 1, make_urgent(account))

    sweeper.sweep()

    assert sent_to(queue) == [urgent[0].id, 1, bulk[0].id]


def test_the_next_step_of_an_urgent_message_goes_before_all_that_waits(account, queue, clock):
    enqueue(QueueName.PUSH, Job.SEND_PUSHES, make_campaign(account).id, 1, 1000)
    for number, campaign in ((2, make_campaign(account)), (3, make_urgent(account))):
        with transaction():
            send_after_commit(Chunk(campaign.id, number, number))

    assert sent_to(queue) == [3, 1, 2]


def test_one_bank_that_sends_again_to_many_leaves_room_for_another(
    account, queue, clock, small_chunks
):
    many = make_late(account, 3 * WINDOW)
    other = make_late(make_channel_account(), 1)

    for _ in range(3):
        sweeper.sweep()

    assert sent_to(queue) == [*[push.id for push in many[:WINDOW]], other[0].id]


def test_what_had_no_room_goes_with_the_next_sweep_the_oldest_first(
    account, queue, clock, small_chunks
):
    some = make_late(account, WINDOW + 1)
    with transaction() as session:
        session.get_one(Push, some[-1].id).due_at = NOON - SECOND

    sweeper.sweep()
    oldest = [*some[: WINDOW - 1], some[-1]]
    assert sent_to(queue) == [push.id for push in oldest]
    for push in oldest:
        claim(push)
    queue.clear()
    sweeper.sweep()

    assert sent_to(queue) == [some[WINDOW - 1].id]


def test_of_a_campaign_that_is_over_nothing_takes_the_room_of_others(
    account, queue, clock, small_chunks, monkeypatch
):
    monkeypatch.setattr(sweeper, "SWEEP_LIMIT", 1)  # it is closed some at a time
    make_late(account, WINDOW + 1, make_campaign(account, expires_at=NOON))
    (late,) = make_late(account, 1)

    sweeper.sweep()

    assert sent_to(queue) == [late.id]


# --- clocks ---------------------------------------------------------------------------------


def test_a_claim_from_before_the_clock_was_set_back_is_let_go(account, queue, clock):
    began = NOON - timedelta(hours=5)
    first, again = (
        make_due(account, campaign=make_campaign(account, starts_at=began)) for _ in range(2)
    )
    for push in (first, again):
        claim(push)
    clock.move_to(NOON - timedelta(hours=1))
    with transaction() as session:
        session.get_one(Push, again.id).in_doubt_since = NOON - timedelta(hours=1, minutes=1)

    sweeper.sweep()

    # Nobody can say for how long the first may have been with its receiver.
    assert stored(first).status is PushStatus.UNKNOWN
    assert stored(again).status is PushStatus.TEMPORARY_FAILURE
    assert sent_to(queue) == [again.id]


def test_a_living_claim_by_a_clock_that_is_a_little_ahead_is_kept(account, clock):
    push = make_due(account, campaign=make_campaign(account, starts_at=NOON - CLAIM_LIFE))
    claim(push)
    clock.shift(-sweeper.CLOCKS_DIFFER)

    sweeper.sweep()

    assert stored(push).status is PushStatus.SENDING


# --- quietly --------------------------------------------------------------------------------


def test_campaigns_that_need_nothing_are_not_locked(account, queue, clock):
    sending = make_due(account)
    claim(sending)
    with count_queries() as alone:
        sweeper.sweep()
    for _ in range(3):
        make_due(account, **(LATE | {"due_at": NOON + SECOND}))

    with count_queries() as together:
        sweeper.sweep()

    written = [text for text in together.texts if not text.startswith("SELECT")]
    assert written == [text for text in alone.texts if not text.startswith("SELECT")]
    assert not any("FOR UPDATE" in text for text in together.texts)


def test_what_a_worker_finishes_just_now_is_not_fed_again(account, queue, clock, redis):
    push = make_due(account)
    with transaction() as session:
        session.get_one(Campaign, push.campaign_id).fed_to = 0
    campaigns.feed(account.id)
    queue.clear()  # its job has ended; that its place is free is not yet written

    sweeper.sweep()

    assert queue.count == 0


def test_what_was_fed_since_it_was_looked_at_is_not_fed_again(account, clock, monkeypatch):
    push = make_due(account)
    campaign_id = push.campaign_id
    with transaction() as session:
        session.get_one(Campaign, campaign_id).fed_to = push.id

    def feed_meanwhile(_account_id, campaign_id):
        with transaction() as session:
            session.get_one(Campaign, campaign_id).fed_to = push.id + 1
        return False

    monkeypatch.setattr(sweeper, "is_under_way", feed_meanwhile)

    sweeper.sweep()

    assert reading().get_one(Campaign, campaign_id, populate_existing=True).fed_to == push.id + 1


def test_an_end_that_was_put_off_since_it_was_looked_at_is_none(account, clock):
    campaign = make_campaign(account, prepared_at=None, status=CampaignStatus.RUNNING)

    sweeper._end(campaign.id, NOON)

    assert reading().get_one(Campaign, campaign.id).status is CampaignStatus.RUNNING
