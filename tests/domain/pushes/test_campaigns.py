"""Campaigns: asked for once, written slice by slice, handed out fairly, held in hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import Integer, delete, literal, select, union_all, update
from sqlalchemy.exc import IntegrityError

import core.redis
from core import queues
from core.db import reading, transaction
from core.errors import Forbidden
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import Role
from domain.directory.models import Employee
from domain.pushes import audiences, campaigns, sweeper
from domain.pushes.audiences import audience, audience_of
from domain.pushes.campaigns import Chunk, NewCampaign, Recipient
from domain.pushes.claims import claim
from domain.pushes.errors import CampaignNotFound, CampaignNotPaused, CampaignOver, NothingToResend
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
    Urgency,
)
from domain.pushes.policy import EXPIRES_AFTER, GRADUAL, LEAST_AT_FIRST
from tests.counting import count_queries
from tests.factories import (
    ENTERPRISE,
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_employees,
    make_hr,
    make_operator,
    make_org,
    make_push,
    make_user,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def staff(monkeypatch):
    """An audience: every employee there is, under ids of their own."""
    monkeypatch.setattr(audiences, "_audiences", dict(audiences._audiences))

    @audience("staff")
    def ask(first: int):
        subject = (Employee.id * 10).label("subject_id")
        return select(subject, Employee.id.label("employee_id")).where(Employee.id >= first)

    return "staff"


def new(account, **fields) -> NewCampaign:
    values = {
        "org_path": ENTERPRISE,
        "channel_account_id": account.id,
        "kind": MessageKind.PAYSLIP_READY,
        "key": "payroll:1",
        "params": {"period": "2026-03"},
        "path": "/me/payslips/{}",
    }
    return NewCampaign(**values | fields)


def request(account, name="staff", **fields) -> int:
    with transaction() as session:
        asked = campaigns.request_campaign(
            session, new(account, **fields), audience=name, audience_id=0
        )
    return asked.id


def notice(account, recipients, **fields) -> int:
    with transaction() as session:
        return campaigns.request_notice(session, new(account, **fields), recipients).id


def stored(campaign_id) -> Campaign:
    return reading().get_one(Campaign, campaign_id, populate_existing=True)


def ledger(campaign_id) -> list[Push]:
    return list(
        reading().scalars(
            select(Push)
            .where(Push.campaign_id == campaign_id)
            .order_by(Push.id)
            .execution_options(populate_existing=True)
        )
    )


def make_waiting(account, count=1, **fields) -> Campaign:
    """A campaign whose pushes are written and were handed to nobody."""
    campaign = make_campaign(account, **fields)
    for _ in range(count):
        make_push(make_employee(), account, campaign=campaign)
    change(campaign, fed_to=0)
    return campaign


def change(campaign, **values) -> None:
    with transaction() as session:
        session.execute(update(Campaign).where(Campaign.id == campaign.id).values(**values))


def change_pushes(campaign_id, **values) -> None:
    with transaction() as session:
        session.execute(update(Push).where(Push.campaign_id == campaign_id).values(**values))


def fed(queue) -> list[tuple[int, int]]:
    """Campaign and size of each chunk that was handed out."""
    return [(args[0], args[2] - args[1] + 1) for args in queue.args(Job.SEND_PUSHES)]


# --- request --------------------------------------------------------------------------------


def test_a_requested_campaign_is_a_row_and_a_job(account, queue, staff, clock):
    campaign_id = request(account, requested_by=7)

    campaign = stored(campaign_id)
    assert (campaign.status, campaign.urgency) == (CampaignStatus.RUNNING, Urgency.BULK)
    assert (campaign.starts_at, campaign.expires_at) == (NOON, NOON + EXPIRES_AFTER)
    assert (campaign.prepared_at, campaign.requested_by) == (None, 7)
    assert queue.jobs == [(Job.PREPARE_CAMPAIGN, (campaign_id,))]


def test_a_scheduled_campaign_expires_so_long_after_its_beginning(account, staff, clock):
    later = NOON + timedelta(days=2)

    assert stored(request(account, starts_at=later)).expires_at == later + EXPIRES_AFTER


def test_the_same_key_twice_is_refused_and_nothing_is_enqueued(account, queue, staff):
    first = request(account)
    queue.clear()

    with pytest.raises(IntegrityError):
        request(account)

    assert queue.count == 0
    assert reading().scalars(select(Campaign.id)).all() == [first]


def test_a_gateway_for_text_messages_adds_the_last_step(account, staff, monkeypatch):
    without = stored(request(account)).ladder
    given = campaigns.get_settings().model_copy(update={"sms_gateway": "file"})
    monkeypatch.setattr(campaigns, "get_settings", lambda: given)

    with_it = stored(request(account, key="payroll:2")).ladder

    assert without == ["template", "miniprogram", "wecom"]
    assert with_it == [*without, "sms"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_notice_is_written_and_handed_out_at_once(account, queue, count, clock):
    make_push(make_employee(), account)
    people = make_employees(count)

    campaign_id = notice(
        account,
        [Recipient(one.id, 70 + one.id) for one in people],
        kind=MessageKind.QUESTION_ANSWERED,
    )

    rows = ledger(campaign_id)
    assert [(row.employee_id, row.subject_id) for row in rows] == [
        (one.id, 70 + one.id) for one in people
    ]
    assert {(row.status, row.route, row.attempts) for row in rows} == {
        (PushStatus.CREATED, Route.TEMPLATE, 0)
    }
    campaign = stored(campaign_id)
    assert (campaign.total_count, campaign.prepared_at) == (count, NOON)
    assert campaign.urgency is Urgency.URGENT
    assert queue.jobs == [(Job.FEED_PUSHES, (account.id,))]
    campaigns.feed(account.id)
    assert queue.args(Job.SEND_PUSHES) == [(campaign_id, rows[0].id, rows[-1].id)]


def test_nobody_is_told_twice_by_one_notice(account, queue):
    person = make_employee()

    with pytest.raises(IntegrityError):
        notice(account, [Recipient(person.id, 1), Recipient(person.id, 2)])

    assert queue.count == 0


# --- prepare --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_everybody_is_written_once_whatever_the_slices(account, queue, staff, size, monkeypatch):
    monkeypatch.setattr(campaigns, "SLICE", size)
    make_push(make_employee(), account)
    people = reading().scalars(select(Employee.id)).all() + [one.id for one in make_employees(3)]
    campaign_id = request(account)

    campaigns.prepare(campaign_id)

    rows, campaign = ledger(campaign_id), stored(campaign_id)
    assert [(row.employee_id, row.subject_id) for row in rows] == [
        (one, one * 10) for one in people
    ]
    assert {(row.status, row.route) for row in rows} == {(PushStatus.CREATED, Route.TEMPLATE)}
    assert {(row.attempts, row.resends, row.tried) for row in rows} == {(0, 0, None)}
    assert (campaign.total_count, campaign.last_id) == (4, rows[-1].id)
    assert campaign.fed_to < rows[0].id
    assert campaign.prepared_at
    assert (Job.FEED_PUSHES, (account.id,)) in queue.jobs


def test_prepared_twice_is_prepared_once(account, staff):
    make_employees(3)
    campaign_id = request(account)
    campaigns.prepare(campaign_id)
    make_employee()

    campaigns.prepare(campaign_id)

    assert stored(campaign_id).total_count == len(ledger(campaign_id)) == 3


def test_broken_off_it_goes_on_where_it_stopped(account, staff, monkeypatch):
    monkeypatch.setattr(campaigns, "SLICE", 2)
    people = make_employees(5)
    campaign_id = request(account)
    write, written = campaigns._write, []

    def die_half_way(*args):
        written.append(write(*args))
        if len(written) == 2:
            raise InterruptedError
        return written[-1]

    with monkeypatch.context() as patch:
        patch.setattr(campaigns, "_write", die_half_way)
        with pytest.raises(InterruptedError):
            campaigns.prepare(campaign_id)
    assert len(ledger(campaign_id)) == stored(campaign_id).total_count == 2

    campaigns.prepare(campaign_id)

    assert [row.employee_id for row in ledger(campaign_id)] == [one.id for one in people]


def test_who_drops_out_while_a_slice_is_written_lets_nobody_in_twice(account, staff, monkeypatch):
    monkeypatch.setattr(campaigns, "SLICE", 2)
    people = make_employees(5)
    campaign_id = request(account)
    write = campaigns._write

    def after_one_left(session, *args):
        session.execute(delete(Employee).where(Employee.id == people[0].id))
        return write(session, *args)

    monkeypatch.setattr(campaigns, "_write", after_one_left)
    campaigns.prepare(campaign_id)

    assert [row.employee_id for row in ledger(campaign_id)] == [one.id for one in people[1:]]
    assert stored(campaign_id).total_count == 4


def test_two_workers_prepare_it_together(committed, together, staff, monkeypatch):
    monkeypatch.setattr(campaigns, "SLICE", 2)
    people = make_employees(7)
    campaign_id = request(make_channel_account())

    done = together(*[lambda: campaigns.prepare(campaign_id)] * 3)

    assert done == [None] * 3
    committed.rollback()
    assert [row.employee_id for row in ledger(campaign_id)] == [one.id for one in people]
    assert stored(campaign_id).total_count == 7


def test_what_is_fed_while_it_is_prepared_is_fed_once(account, queue, staff, clock, monkeypatch):
    monkeypatch.setattr(campaigns, "SLICE", 2)
    monkeypatch.setattr(campaigns, "WINDOW", 100)
    make_employees(5)
    campaign_id = request(account)

    while campaigns._prepare_slice(campaign_id):
        campaigns.feed(account.id)
    campaigns.feed(account.id)

    assert fed(queue) == [(campaign_id, 2), (campaign_id, 2), (campaign_id, 1)]
    assert stored(campaign_id).fed_count == 5


def test_a_cancelled_campaign_is_not_prepared(account, staff):
    make_employees(2)
    campaign_id = request(account)
    campaigns.cancel(make_hr(), campaign_id)

    campaigns.prepare(campaign_id)

    assert ledger(campaign_id) == []


def test_an_audience_of_nobody_is_prepared_and_ends(account, staff, clock):
    campaign_id = request(account)

    campaigns.prepare(campaign_id)
    sweeper.sweep()

    assert stored(campaign_id).total_count == 0
    assert stored(campaign_id).status is CampaignStatus.FINISHED


def test_a_person_twice_in_an_audience_is_refused(account, monkeypatch):
    monkeypatch.setattr(audiences, "_audiences", {})
    person = make_employee()

    @audience("twice")
    def ask(_id: int):
        rows = (
            select(literal(n, Integer).label("subject_id"), literal(person.id).label("employee_id"))
            for n in (1, 2)
        )
        together = union_all(*rows).subquery()
        return select(together)

    campaign_id = request(account, "twice")

    with pytest.raises(IntegrityError):
        campaigns.prepare(campaign_id)
    assert ledger(campaign_id) == []


def test_a_slice_is_written_in_as_many_statements_however_many_are_in_it(account, staff):
    def statements(key):
        campaign_id = request(account, key=key)
        with count_queries() as made:
            campaigns.prepare(campaign_id)
        return made.count

    make_push(make_employee(), account)
    for_one = statements("payroll:1")
    make_employees(6)

    assert statements("payroll:2") == for_one


def test_an_audience_is_asked_by_its_name(session, staff):
    people = make_employees(2)

    rows = reading().execute(audience_of(staff, people[1].id)).all()

    assert [tuple(row) for row in rows] == [(people[1].id * 10, people[1].id)]


# --- feed -----------------------------------------------------------------------------------


def test_a_campaign_is_handed_out_in_chunks_until_the_window_is_full(
    account, queue, clock, monkeypatch
):
    monkeypatch.setattr(campaigns, "CHUNK", 2)
    monkeypatch.setattr(campaigns, "WINDOW", 2)
    campaign = make_waiting(account, 5)

    assert campaigns.feed(account.id) == 2
    assert campaigns.feed(account.id) == 0
    assert fed(queue) == [(campaign.id, 2)] * 2

    for args in queue.args(Job.SEND_PUSHES):
        campaigns.chunk_done(Chunk(*args))
    assert fed(queue) == [(campaign.id, 2), (campaign.id, 2), (campaign.id, 1)]
    assert stored(campaign.id).fed_count == 5


def test_a_lost_chunk_gives_its_place_back(account, queue, clock, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    monkeypatch.setattr(campaigns, "WINDOW", 1)
    make_waiting(account, 2)
    campaigns.feed(account.id)
    assert campaigns.feed(account.id) == 0

    clock.shift(campaigns.CHUNK_LIFE)

    assert campaigns.feed(account.id) == 1


def test_one_accounts_window_is_not_anothers(account, queue, clock, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    monkeypatch.setattr(campaigns, "WINDOW", 1)
    other = make_channel_account()
    make_waiting(account, 9)
    small = make_waiting(other, 1)
    campaigns.feed(account.id)

    assert campaigns.feed(other.id) == 1
    assert fed(queue)[-1] == (small.id, 1)


def test_urgent_campaigns_come_first_and_to_the_front(account, queue, clock, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    bulk = make_waiting(account, 2)
    campaigns.feed(account.id)
    urgent = make_waiting(account, 2, kind=MessageKind.QUESTION_ANSWERED)
    change(bulk, fed_to=0, fed_count=0)

    campaigns.feed(account.id)

    # Both went to the front of the queue, the second before the first.
    assert [one for one, _ in fed(queue)] == [urgent.id, urgent.id, bulk.id, bulk.id]


def test_campaigns_of_one_account_take_turns(account, queue, clock, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    monkeypatch.setattr(campaigns, "WINDOW", 1)
    first, second = make_waiting(account, 3), make_waiting(account, 3)

    for _ in range(6):
        campaigns.feed(account.id)
        campaigns.chunk_done(Chunk(*queue.args(Job.SEND_PUSHES)[-1]))
        clock.shift(1)

    assert [one for one, _ in fed(queue)][:6] == [first.id, second.id] * 3


@pytest.mark.parametrize(
    "values",
    [
        {"status": CampaignStatus.PAUSED},
        {"status": CampaignStatus.CANCELLED},
        {"starts_at": NOON + timedelta(seconds=1)},
        {"expires_at": NOON},
        {"held_until": NOON + timedelta(seconds=1)},
    ],
)
def test_a_campaign_that_may_not_send_is_not_fed(account, queue, clock, values):
    change(make_waiting(account), **values)

    assert campaigns.feed(account.id) == 0
    assert queue.count == 0


def test_a_held_campaign_is_fed_when_its_time_is_up(account, queue, clock):
    change(make_waiting(account), held_until=NOON)

    assert campaigns.feed(account.id) == 1


def test_a_gradual_campaign_begins_with_a_few(account, queue, clock):
    campaign = make_waiting(account, LEAST_AT_FIRST + 2, is_gradual=True)
    change(campaign, total_count=LEAST_AT_FIRST * 11)

    sizes = []
    for begins, _ in GRADUAL:
        clock.move_to(NOON + begins)
        campaigns.feed(account.id)
        sizes.append(stored(campaign.id).fed_count)

    assert sizes == [LEAST_AT_FIRST, LEAST_AT_FIRST + 2, LEAST_AT_FIRST + 2]


def test_a_gradual_campaign_that_has_its_share_lets_others_go(account, queue, clock):
    gradual = make_waiting(account, LEAST_AT_FIRST + 1, is_gradual=True)
    other = make_waiting(account)

    campaigns.feed(account.id)

    assert fed(queue) == [(gradual.id, LEAST_AT_FIRST), (other.id, 1)]


def test_what_is_over_is_passed_by(account, queue, clock):
    campaign = make_waiting(account, 3)
    rows = ledger(campaign.id)
    with transaction() as session:
        session.execute(update(Push).where(Push.id != rows[1].id).values(status=PushStatus.SENT))

    campaigns.feed(account.id)

    assert queue.args(Job.SEND_PUSHES) == [(campaign.id, rows[1].id, rows[1].id)]
    assert campaigns.feed(account.id) == 0
    assert stored(campaign.id).fed_to == rows[2].id


def test_two_feeders_at_once_hand_out_everything_once(committed, together, queue, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    monkeypatch.setattr(campaigns, "WINDOW", 100)
    account = make_channel_account()
    campaign = make_waiting(account, 6)

    done = together(*[lambda: campaigns.feed(account.id)] * 3)

    assert sum(done) == 6
    committed.rollback()
    ids = [row.id for row in ledger(campaign.id)]
    assert sorted(args[1] for args in queue.args(Job.SEND_PUSHES)) == ids


def test_while_redis_is_away_nothing_is_handed_out(account, clock, monkeypatch):
    campaign = make_waiting(account)
    away = core.redis.connect("unix:///nowhere/redis.sock", decode=True)
    monkeypatch.setattr(campaigns, "redis", lambda: away)

    assert campaigns.feed(account.id) == 0
    campaigns.chunk_done(Chunk(campaign.id, 1, 2))
    assert campaigns.is_under_way(account.id, campaign.id)
    assert stored(campaign.id).fed_to == 0


def test_redis_that_goes_away_in_between_loses_nobody(account, queue, clock, monkeypatch):
    campaign = make_waiting(account)
    away = core.redis.connect("unix:///nowhere/redis.sock", decode=False)
    with monkeypatch.context() as patch:
        room = iter([True, False])
        patch.setattr(campaigns, "_has_room", lambda _account_id: next(room))
        patch.setattr(campaigns, "redis", lambda: away)
        patch.setattr(queues, "queue_redis", lambda: away)
        assert campaigns.feed(account.id) == 1
    assert queue.count == 0

    sweeper.sweep()

    assert fed(queue) == [(campaign.id, 1)]


def test_a_chunk_of_no_campaign_is_done_without_ado(session, queue):
    campaigns.chunk_done(Chunk(4711, 1, 2))

    assert queue.count == 0


# --- control --------------------------------------------------------------------------------

ACTIONS = [campaigns.pause, campaigns.resume, campaigns.cancel, campaigns.resend_failed]


def audit_of(campaign_id) -> list[str]:
    rows = reading().scalars(
        select(AuditEvent).where(AuditEvent.subject_id == campaign_id).order_by(AuditEvent.id)
    )
    return [row.action for row in rows]


def test_a_paused_campaign_stands_still_until_it_is_resumed(account, queue, clock):
    hr, campaign = make_hr(), make_waiting(account)

    campaigns.pause(hr, campaign.id)
    assert stored(campaign.id).status is CampaignStatus.PAUSED
    assert campaigns.feed(account.id) == 0
    clock.shift(EXPIRES_AFTER - timedelta(hours=1))
    campaigns.resume(hr, campaign.id)

    assert stored(campaign.id).status is CampaignStatus.RUNNING
    assert stored(campaign.id).expires_at == NOON + 2 * EXPIRES_AFTER - timedelta(hours=1)
    assert queue.jobs == [(Job.FEED_PUSHES, (account.id,))]
    assert campaigns.feed(account.id) == 1
    assert audit_of(campaign.id) == ["pushes.campaign.paused", "pushes.campaign.resumed"]


def test_chunks_that_met_the_pause_are_found_again(account, queue, clock):
    hr, campaign = make_hr(), make_waiting(account, 2)
    campaigns.feed(account.id)
    [chunk] = [Chunk(*args) for args in queue.args(Job.SEND_PUSHES)]
    campaigns.pause(hr, campaign.id)
    assert claim(chunk) is None
    campaigns.chunk_done(chunk)
    campaigns.resume(hr, campaign.id)
    queue.clear()

    sweeper.sweep()

    assert queue.args(Job.SEND_PUSHES) == [(campaign.id, *chunk.ids)]


def test_a_cancelled_campaign_is_over_for_good(account, queue, clock):
    hr, campaign = make_hr(), make_waiting(account, 2)

    campaigns.cancel(hr, campaign.id)
    sweeper.sweep()

    assert (stored(campaign.id).status, stored(campaign.id).ended_at) == (
        CampaignStatus.CANCELLED,
        NOON,
    )
    assert {row.status for row in ledger(campaign.id)} == {PushStatus.CANCELLED}
    assert audit_of(campaign.id) == ["pushes.campaign.cancelled"]
    for act, refusal in zip(
        ACTIONS, [CampaignOver, CampaignNotPaused, CampaignOver, CampaignOver], strict=True
    ):
        with pytest.raises(refusal):
            act(hr, campaign.id)
    assert queue.count == 0


def test_a_paused_campaign_can_be_cancelled(account):
    campaign = make_waiting(account, status=CampaignStatus.PAUSED)

    campaigns.cancel(make_hr(), campaign.id)

    assert stored(campaign.id).status is CampaignStatus.CANCELLED


def test_a_finished_campaign_is_neither_paused_nor_cancelled(account):
    campaign = make_waiting(account, status=CampaignStatus.FINISHED)

    for act in (campaigns.pause, campaigns.cancel):
        with pytest.raises(CampaignOver):
            act(make_hr(), campaign.id)
    assert audit_of(campaign.id) == []


def test_what_failed_is_sent_again_and_what_may_have_arrived_is_not(account, queue, clock):
    campaign = make_campaign(account, status=CampaignStatus.FINISHED, ended_at=NOON)
    failed, _, sent = [
        make_push(
            make_employee(),
            account,
            campaign=campaign,
            status=status,
            route=Route.WECOM,
            reason="muted",
            attempts=6,
            sent_at=NOON,
        )
        for status in (PushStatus.PERMANENT_FAILURE, PushStatus.UNKNOWN, PushStatus.SENT)
    ]
    make_binding(reading().get_one(Employee, failed.employee_id), account)
    clock.shift(EXPIRES_AFTER)

    assert campaigns.resend_failed(make_hr(), campaign.id) == 1

    assert queue.names == [Job.SWEEP]
    again, *others = ledger(campaign.id)
    assert (again.status, again.route, again.attempts) == (
        PushStatus.TEMPORARY_FAILURE,
        Route.TEMPLATE,
        0,
    )
    assert (again.reason, again.tried, again.sent_at) == (None, None, None)
    assert [row.status for row in others] == [PushStatus.UNKNOWN, PushStatus.SENT]
    assert stored(campaign.id).status is CampaignStatus.RUNNING
    assert audit_of(campaign.id) == ["pushes.campaign.resent"]
    [to_send] = claim(Chunk(campaign.id, failed.id, sent.id)).pushes
    # Another message for the platform, which would drop a repeat of the first.
    assert to_send.client_msg_id == f"{campaign.nonce}-{failed.id:x}-1"


def test_with_nobody_failed_there_is_nothing_to_resend(account, queue):
    campaign = make_waiting(account)

    with pytest.raises(NothingToResend):
        campaigns.resend_failed(make_hr(), campaign.id)
    assert (audit_of(campaign.id), queue.count) == ([], 0)


def test_what_ended_in_doubt_is_not_resent_after_a_cancelled_or_expired_campaign(account, clock):
    campaign = make_waiting(account)
    change_pushes(
        campaign.id, status=PushStatus.TEMPORARY_FAILURE, in_doubt_since=NOON, due_at=None
    )
    clock.shift(EXPIRES_AFTER)
    sweeper.sweep()

    with pytest.raises(NothingToResend):
        campaigns.resend_failed(make_hr(), campaign.id)


@pytest.mark.parametrize("act", ACTIONS)
def test_a_stranger_finds_no_campaign(account, queue, act):
    make_org("/hq/bj/ent-10/")
    campaign = make_waiting(account)

    for stranger in (make_hr("/hq/bj/ent-10/"), make_operator("/hq/sh/")):
        with pytest.raises(CampaignNotFound):
            act(stranger, campaign.id)

    assert (audit_of(campaign.id), queue.count) == ([], 0)
    assert stored(campaign.id).status is CampaignStatus.RUNNING


@pytest.mark.parametrize("act", ACTIONS)
def test_control_is_a_permission(account, act):
    campaign = make_waiting(account)

    for actor in (make_user(ENTERPRISE, Role.FINANCE), replace(make_hr(), permissions=frozenset())):
        with pytest.raises(Forbidden):
            act(actor, campaign.id)
    assert audit_of(campaign.id) == []


def test_the_bank_above_may_stop_an_enterprises_campaign(account):
    campaign = make_waiting(account)

    campaigns.pause(make_operator("/hq/"), campaign.id)

    assert stored(campaign.id).status is CampaignStatus.PAUSED
