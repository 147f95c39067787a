"""The ledger: every push goes out once, whoever dies on the way."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select, update

import core.redis
from core import queues
from core.db import reading, transaction
from core.queues import Job
from domain.directory.accounts import ChannelKind
from domain.directory.models import EmployeeBinding
from domain.pushes import addresses, campaigns, claims, outcomes, queries, reports, sweeper
from domain.pushes.campaigns import Chunk, _window
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
    Unreachable,
)
from domain.pushes.outcomes import PushOutcome, record_outcomes
from domain.pushes.policy import (
    CLAIM_LIFE,
    EXPIRES_AFTER,
    REMEMBERED_FOR,
    REPEATABLE_FOR,
    RETRY_AFTER,
    STILL_NEWS,
)
from tests.counting import count_queries
from tests.factories import (
    ENTERPRISE,
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_push,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)
WINDOW = REPEATABLE_FOR[Route.TEMPLATE]
SECOND = timedelta(seconds=1)
SENT = PushOutcome(PushStatus.SENT, msgid="2000000000000000001")
SILENCE = PushOutcome(PushStatus.UNKNOWN, reason="wechat_unreachable")
CROWDED = PushOutcome(PushStatus.TEMPORARY_FAILURE, errcode=45033, reason="wechat_refused")
MUTED = PushOutcome(PushStatus.PERMANENT_FAILURE, errcode=43101, reason="muted")
LEFT = PushOutcome(PushStatus.PERMANENT_FAILURE, errcode=43004, reason="not-following")
BAD = PushOutcome(PushStatus.PERMANENT_FAILURE, errcode=47003, reason="template")
NOT_ASKED = PushOutcome(PushStatus.CREATED)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def wecom(session):
    return make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1000002")


@pytest.fixture
def miniprogram(session):
    return make_channel_account(kind=ChannelKind.MINIPROGRAM)


def make_due(account, **fields) -> Push:
    """A push to an employee who is bound."""
    employee = make_employee()
    make_binding(employee, account)
    return make_push(employee, account, **fields)


def make_many(account, count, campaign=None) -> list[Push]:
    campaign = campaign or make_campaign(account)
    return [make_due(account, campaign=campaign) for _ in range(count)]


def chunk_of(*some: Push) -> Chunk:
    return Chunk(some[0].campaign_id, some[0].id, some[-1].id)


def claim(*some: Push):
    return claims.claim(chunk_of(*some))


def send(outcome, *some: Push):
    """One turn of a worker."""
    claimed = claim(*some)
    record_outcomes(claimed, {push.id: outcome for push in claimed.pushes})
    return claimed


def stored(push: Push) -> Push:
    return reading().get_one(Push, push.id, populate_existing=True)


def stored_campaign(push: Push) -> Campaign:
    return reading().get_one(Campaign, push.campaign_id, populate_existing=True)


def change(thing, **values) -> None:
    with transaction() as session:
        session.execute(update(type(thing)).where(type(thing).id == thing.id).values(**values))


def change_campaign(push, **values) -> None:
    with transaction() as session:
        session.execute(update(Campaign).where(Campaign.id == push.campaign_id).values(**values))


def refusals() -> dict[tuple[int, str], str]:
    rows = reading().scalars(select(Unreachable).execution_options(populate_existing=True))
    return {(row.identity_id, row.kind): row.reason for row in rows}


# --- claim ----------------------------------------------------------------------------------


def test_a_claimed_chunk_carries_what_the_gatehouse_needs(account, clock):
    employee = make_employee()
    identity = make_binding(employee, account)
    campaign = make_campaign(account, params={"period": "2026-03"}, nonce="abc")
    push = make_push(employee, account, campaign=campaign, subject_id=9)

    claimed = claim(push)

    assert (claimed.campaign_id, claimed.channel_account_id) == (campaign.id, account.id)
    assert (claimed.params, claimed.path) == ({"period": "2026-03"}, "/me/payslips/{}")
    assert claimed.accounts == {Route.TEMPLATE: account.id}
    [to_send] = claimed.pushes
    assert (to_send.address, to_send.identity_id) == (identity.openid, identity.id)
    assert (to_send.route, to_send.subject_id, to_send.attempts) == (Route.TEMPLATE, 9, 1)
    assert to_send.client_msg_id == f"abc-{push.id:x}-0"
    assert identity.openid not in repr(claimed)
    row = stored(push)
    assert (row.status, row.attempts, row.claim) == (PushStatus.SENDING, 1, claimed.claim)
    assert (row.due_at, row.in_doubt_since) == (NOON + CLAIM_LIFE, NOON)


def test_what_is_claimed_cannot_be_claimed_again(account):
    push = make_due(account)
    assert claim(push)

    assert claim(push) is None
    assert stored(push).attempts == 1


def test_a_chunk_of_no_campaign_or_of_no_push_is_nothing(account):
    assert claims.claim(Chunk(4711, 1, 9)) is None
    assert claims.claim(Chunk(make_campaign(account).id, 1, 9)) is None


@pytest.mark.parametrize(
    "status", [status for status in PushStatus if status not in {"created", "temporary-failure"}]
)
def test_only_what_waits_can_be_claimed(account, status):
    push = make_due(account, status=status)

    assert claim(push) is None
    assert stored(push).status is status


def test_a_chunk_takes_what_waits_and_leaves_the_rest_and_other_campaigns(account):
    first, second, third = make_many(account, 3)
    other = make_due(account)
    change(second, status=PushStatus.SENT)

    claimed = claims.claim(Chunk(first.campaign_id, first.id, other.id))

    assert [push.id for push in claimed.pushes] == [first.id, third.id]
    assert stored(other).status is PushStatus.CREATED


@pytest.mark.parametrize(
    "values",
    [
        {"status": CampaignStatus.PAUSED},
        {"status": CampaignStatus.CANCELLED},
        {"status": CampaignStatus.FINISHED},
        {"starts_at": NOON + SECOND},
        {"expires_at": NOON},
    ],
)
def test_a_campaign_that_may_not_send_gives_nothing_out(account, clock, values):
    push = make_due(account)
    change_campaign(push, **values)

    assert claim(push) is None
    assert (stored(push).status, stored(push).attempts) == (PushStatus.CREATED, 0)


def test_a_retry_cannot_be_claimed_before_its_time(account, clock):
    push = make_due(
        account, status=PushStatus.TEMPORARY_FAILURE, attempts=1, due_at=NOON + RETRY_AFTER[0]
    )
    assert claim(push) is None

    clock.shift(RETRY_AFTER[0])

    assert claim(push).pushes[0].attempts == 2


def test_a_chunk_is_claimed_in_as_many_statements_however_many_are_in_it(account):
    few, many = make_many(account, 1), make_many(account, 7)

    chunks = chunk_of(*few), chunk_of(*many)

    with count_queries() as for_few:
        claims.claim(chunks[0])
    with count_queries() as for_many:
        claims.claim(chunks[1])

    assert for_few.count == for_many.count


def test_a_range_that_grew_too_long_is_shared_with_another_job(account, queue, monkeypatch):
    monkeypatch.setattr(claims, "CHUNK", 2)
    some = make_many(account, 5)
    change(some[1], status=PushStatus.SENT)

    claimed = claim(*some)

    assert [push.id for push in claimed.pushes] == [some[0].id, some[2].id]
    assert queue.args(Job.SEND_PUSHES) == [(some[0].campaign_id, some[3].id, some[4].id)]
    assert len(claim(some[3], some[4]).pushes) == 2


def test_a_long_range_with_few_in_it_is_claimed_at_once(account, queue, monkeypatch):
    monkeypatch.setattr(claims, "CHUNK", 2)
    first, *_, last = some = make_many(account, 4)
    for push in some[1:3]:
        change(push, status=PushStatus.DELIVERED)

    assert [push.id for push in claim(*some).pushes] == [first.id, last.id]
    assert queue.count == 0


def test_workers_at_the_same_moment_send_each_push_once(committed, together):
    account = make_channel_account()
    some = make_many(account, 20)
    chunk = chunk_of(*some)

    taken = together(*[lambda: claims.claim(chunk)] * 4)

    assert not [one for one in taken if isinstance(one, Exception)]
    ids = [push.id for one in taken if one for push in one.pushes]
    assert sorted(ids) == [push.id for push in some]
    committed.rollback()
    assert {stored(push).attempts for push in some} == {1}


def test_workers_and_the_sweeper_do_not_stand_in_each_others_way(committed, together):
    account = make_channel_account()
    some = make_many(account, 30)
    due = datetime.now(UTC) - SECOND
    with transaction() as session:
        session.execute(
            update(Push).values(status=PushStatus.TEMPORARY_FAILURE, due_at=due, attempts=1)
        )
    halves = [chunk_of(*some[:20]), chunk_of(*some[10:])]

    done = together(
        lambda: claims.claim(halves[0]),
        sweeper.sweep,
        lambda: claims.claim(halves[1]),
        sweeper.sweep,
    )

    assert not [one for one in done if isinstance(one, Exception)]
    taken = [push.id for one in (done[0], done[2]) if one for push in one.pushes]
    assert sorted(taken) == [push.id for push in some]


# --- the ladder: where a person can be reached ------------------------------------------------


def test_who_is_bound_nowhere_gets_nothing_and_hr_sees_why(account):
    push = make_push(make_employee(), account)

    assert claim(push).pushes == ()

    row = stored(push)
    assert (row.status, row.reason) == (PushStatus.PERMANENT_FAILURE, addresses.NOT_BOUND)
    assert (row.claim, row.due_at, row.in_doubt_since) == (None, None, None)


def test_a_binding_at_another_official_account_is_no_address(account):
    employee = make_employee()
    make_binding(employee, make_channel_account())
    push = make_push(employee, account)

    assert claim(push).pushes == ()
    assert stored(push).reason == addresses.NOT_BOUND


def test_who_is_bound_only_in_wecom_gets_it_there(account, wecom):
    employee = make_employee()
    member = make_binding(employee, wecom)
    push = make_push(employee, account, attempts=2)

    claimed = claim(push)

    assert claimed.accounts[Route.WECOM] == wecom.id
    assert (claimed.pushes[0].route, claimed.pushes[0].address) == (Route.WECOM, member.openid)
    assert claimed.pushes[0].attempts == stored(push).attempts == 1
    assert stored(push).route is Route.WECOM
    assert not stored(push).tried


def test_of_several_apps_the_nearest_above_the_sender_that_is_on_is_taken(account, wecom):
    near = make_channel_account("/hq/bj/", kind=ChannelKind.WECOM_APP, agentid="1")
    make_channel_account(ENTERPRISE, kind=ChannelKind.WECOM_APP, agentid="2", is_enabled=False)
    make_channel_account("/hq/sh/", kind=ChannelKind.WECOM_APP, agentid="3")
    push = make_due(account)

    assert claim(push).accounts == {Route.TEMPLATE: account.id, Route.WECOM: near.id}


def test_without_other_steps_no_other_account_is_looked_for(account, wecom):
    push = make_due(account, campaign=make_campaign(account, ladder=["template"]))

    assert claim(push).accounts == {Route.TEMPLATE: account.id}


def test_a_phone_is_the_last_step_and_only_for_those_who_need_it(account):
    campaign = make_campaign(account, ladder=["template", "sms"])
    bound = make_due(account, campaign=campaign)
    unbound = make_push(make_employee(phone="13900000001"), account, campaign=campaign)
    nobody = make_push(make_employee(phone=""), account, campaign=campaign)

    claimed = claim(bound, unbound, nobody)

    assert [(push.id, push.route) for push in claimed.pushes] == [
        (bound.id, Route.TEMPLATE),
        (unbound.id, Route.SMS),
    ]
    assert claimed.pushes[1].address == "13900000001"
    assert "13900000001" not in repr(claimed)
    assert stored(nobody).reason == addresses.NOT_BOUND


def test_a_person_who_muted_one_kind_still_gets_another(account, clock):
    employee = make_employee()
    make_binding(employee, account)
    send(MUTED, make_push(employee, account))

    again = make_push(employee, account)
    other = make_push(employee, account, kind=MessageKind.QUESTION_ANSWERED)

    assert claim(again).pushes == ()
    assert stored(again).reason == "muted"
    assert len(claim(other).pushes) == 1


def test_who_does_not_follow_gets_no_kind_by_this_account_until_it_is_forgotten(account, clock):
    employee = make_employee()
    identity = make_binding(employee, account)
    send(LEFT, make_push(employee, account))
    assert refusals() == {(identity.id, ""): "not-following"}

    assert claim(make_push(employee, account, kind=MessageKind.QUESTION_ANSWERED)).pushes == ()

    clock.shift(REMEMBERED_FOR["not-following"])
    assert len(claim(make_push(employee, account)).pushes) == 1


def test_a_remembered_refusal_sends_the_next_campaign_by_the_next_step(account, wecom, clock):
    employee = make_employee()
    make_binding(employee, account)
    make_binding(employee, wecom)
    send(MUTED, make_push(employee, account))

    push = make_push(employee, account)
    [to_send] = claim(push).pushes

    assert to_send.route is Route.WECOM
    [said] = stored(push).tried
    assert (said["route"], said["reason"]) == ("template", "muted")


def test_what_is_said_again_is_remembered_for_longer(account, clock):
    employee = make_employee()
    identity = make_binding(employee, account)
    first, second = make_push(employee, account), make_push(employee, account)
    claims = claim(first), claim(second)
    record_outcomes(claims[0], {first.id: LEFT})
    clock.shift(60)
    blocked = replace(LEFT, errcode=43019, reason="blacklisted")

    record_outcomes(claims[1], {second.id: blocked})

    [row] = reading().scalars(select(Unreachable).execution_options(populate_existing=True))
    assert (row.identity_id, row.reason) == (identity.id, "blacklisted")
    assert row.until == NOON + timedelta(minutes=1) + REMEMBERED_FOR["blacklisted"]


# --- outcomes -------------------------------------------------------------------------------


def test_a_sent_push_keeps_the_platforms_message_id(account, clock):
    first, second = make_many(account, 2)
    claimed = claim(first, second)

    record_outcomes(claimed, {first.id: SENT, second.id: replace(SENT, msgid=None)})

    assert [stored(push).msgid for push in (first, second)] == [SENT.msgid, None]
    for row in (stored(first), stored(second)):
        assert (row.status, row.sent_at) == (PushStatus.SENT, NOON)
        assert (row.claim, row.due_at, row.in_doubt_since) == (None, None, None)


def test_outcomes_are_written_in_as_many_statements_however_many(account):
    few, many = make_many(account, 2), make_many(account, 8)

    def record(some):
        claimed = claim(*some)
        outcomes = {push.id: (SENT, CROWDED)[push.id % 2] for push in claimed.pushes}
        with count_queries() as made:
            record_outcomes(claimed, outcomes)
        return made.count

    assert record(few) == record(many)


def test_people_are_remembered_in_as_many_statements_however_many(account):
    few, many = make_many(account, 2), make_many(account, 9)

    def record(some):
        claimed = claim(*some)
        outcomes = {push.id: (LEFT, MUTED)[push.id % 2] for push in claimed.pushes}
        with count_queries() as made:
            record_outcomes(claimed, outcomes)
        return made.count

    assert record(few) == record(many)
    assert len(refusals()) == 11


def test_a_person_with_two_employments_is_remembered_once(account):
    identity = make_identity(account)
    campaign = make_campaign(account)
    some = []
    for _ in range(2):
        employee = make_employee()
        make_binding(employee, account, identity=identity)
        some.append(make_push(employee, account, campaign=campaign))

    send(LEFT, *some)

    assert refusals() == {(identity.id, ""): "not-following"}


def test_workers_that_hear_of_the_same_people_at_once_do_not_stop_each_other(committed, together):
    account = make_channel_account()
    employees = [make_employee() for _ in range(40)]
    identities = [make_binding(one, account).id for one in employees]
    first, second = make_campaign(account), make_campaign(account)
    # The second names the same people in another order.
    pushes = [
        [make_push(one, account, campaign=first) for one in employees],
        [make_push(one, account, campaign=second) for one in reversed(employees)],
    ]
    claimed = [claim(*some) for some in pushes]

    done = together(
        *[
            lambda one=one: record_outcomes(one, {push.id: LEFT for push in one.pushes})
            for one in claimed
        ],
        lambda: reports.note_return(identities[0]),
        lambda: reports.note_return(identities[-1]),
    )

    assert done == [None] * 4
    committed.rollback()
    remembered = {identity_id for identity_id, _ in refusals()}
    assert remembered >= set(identities[1:-1])
    assert {stored(push).status for some in pushes for push in some} <= {
        PushStatus.TEMPORARY_FAILURE,
        PushStatus.PERMANENT_FAILURE,
    }


def test_nothing_to_write_is_no_error(account):
    push = make_due(account)
    claimed = claim(push)

    record_outcomes(claimed, {})

    assert (stored(push).status, stored(push).claim) == (PushStatus.SENDING, claimed.claim)
    assert refusals() == {}


def test_each_failure_waits_longer_until_it_gives_up(account, clock):
    push = make_due(account, campaign=make_campaign(account, ladder=["template"]))

    for delay in RETRY_AFTER:
        send(CROWDED, push)
        assert stored(push).status is PushStatus.TEMPORARY_FAILURE
        assert stored(push).errcode == CROWDED.errcode
        clock.shift(delay - SECOND)
        assert claim(push) is None
        clock.shift(1)
    send(replace(CROWDED, reason=None), push)

    row = stored(push)
    assert (row.status, row.reason) == (PushStatus.PERMANENT_FAILURE, outcomes.GAVE_UP)
    assert row.attempts == len(RETRY_AFTER) + 1


def test_who_gives_up_on_one_step_begins_the_next(account, wecom, queue, clock):
    push = make_due(account, attempts=len(RETRY_AFTER))
    make_binding(reading().get_one(type(make_employee()), push.employee_id), wecom)

    send(CROWDED, push)

    row = stored(push)
    assert (row.status, row.route, row.attempts) == (
        PushStatus.TEMPORARY_FAILURE,
        Route.MINIPROGRAM,
        0,
    )
    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, push.id, push.id)]
    assert claim(push).pushes[0].route is Route.WECOM


def test_a_permanent_refusal_moves_on_at_once_and_its_story_is_kept(account, wecom, queue, clock):
    employee = make_employee()
    make_binding(employee, account)
    make_binding(employee, wecom)
    push = make_push(employee, account)

    send(MUTED, push)
    [retry] = queue.args(Job.SEND_PUSHES)
    claimed = claims.claim(Chunk(*retry))
    record_outcomes(claimed, {push.id: replace(MUTED, errcode=60111, reason="not-a-member")})

    row = stored(push)
    assert [(one["route"], one["reason"], one["errcode"]) for one in row.tried] == [
        ("template", "muted", 43101),
        ("wecom", "not-a-member", 60111),
    ]
    # The first step is the one that a person can do something about.
    assert (row.status, row.reason) == (PushStatus.PERMANENT_FAILURE, "muted")


def test_after_a_refusal_nobody_else_knows_the_person(account, queue):
    push = make_due(account)
    send(MUTED, push)

    [retry] = queue.args(Job.SEND_PUSHES)
    assert claims.claim(Chunk(*retry)).pushes == ()

    row = stored(push)
    assert (row.status, row.reason) == (PushStatus.PERMANENT_FAILURE, "muted")


def test_a_bad_template_moves_on_too_and_is_nobodys_fault(account, miniprogram, queue):
    employee = make_employee()
    for one in (account, miniprogram):
        make_binding(employee, one)
    push = make_push(employee, account)

    send(BAD, push)

    assert claim(push).pushes[0].route is Route.MINIPROGRAM
    assert refusals() == {}


def test_a_refused_phone_is_remembered_of_nobody(account):
    campaign = make_campaign(account, ladder=["sms"])
    push = make_push(make_employee(), account, campaign=campaign, route=Route.SMS)

    send(replace(LEFT, reason="blacklisted"), push)

    assert stored(push).status is PushStatus.PERMANENT_FAILURE
    assert refusals() == {}


@pytest.mark.parametrize("due_at", [None, NOON + timedelta(hours=1)])
def test_who_was_not_asked_about_loses_no_try(account, clock, queue, due_at):
    push = make_due(account)

    send(replace(NOT_ASKED, due_at=due_at), push)

    row = stored(push)
    assert (row.status, row.attempts) == (PushStatus.TEMPORARY_FAILURE, 0)
    assert (row.due_at, row.in_doubt_since) == (due_at or NOON, None)
    assert queue.count == (0 if due_at else 1)


def test_a_used_up_budget_holds_the_accounts_campaigns(account, clock):
    push, sibling, other = make_due(account), make_due(account), make_due(make_channel_account())
    until = NOON + timedelta(minutes=5)

    send(replace(NOT_ASKED, due_at=until, held_until=until), push)

    assert stored_campaign(push).held_until == until
    assert stored_campaign(sibling).held_until == until
    assert stored_campaign(other).held_until is None


def test_a_template_that_is_gone_holds_only_the_messages_it_carries(account, clock):
    push = make_due(account)
    same, other = (
        make_campaign(account, kind=kind)
        for kind in (MessageKind.PAYSLIP_READY, MessageKind.QUESTION_ANSWERED)
    )
    later = NOON + timedelta(minutes=10)
    gone = replace(
        NOT_ASKED, reason="template", due_at=later, held_until=later, holds_kind_only=True
    )

    send(gone, push)

    held = [reading().get_one(Campaign, one.id, populate_existing=True) for one in (same, other)]
    assert [one.held_until for one in held] == [later, None]
    row = stored(push)
    assert (row.status, row.route) == (PushStatus.TEMPORARY_FAILURE, Route.TEMPLATE)
    assert (row.due_at, row.attempts) == (later, 0)


def test_a_hold_is_never_shortened_and_reaches_who_is_paused(account, clock):
    push, paused = make_due(account), make_due(account)
    change_campaign(paused, status=CampaignStatus.PAUSED)
    late, soon = NOON + timedelta(hours=5), NOON + timedelta(seconds=15)
    change_campaign(push, held_until=late)

    send(replace(NOT_ASKED, due_at=soon, held_until=soon), make_due(account))

    assert stored_campaign(push).held_until == late
    assert stored_campaign(paused).held_until == soon


def test_an_outcome_that_comes_too_late_changes_nothing(account, clock):
    push = make_due(account)
    late = claim(push)
    clock.shift(CLAIM_LIFE)
    sweeper.sweep()
    newer = claim(push)

    for outcome in (SENT, CROWDED):
        record_outcomes(late, {push.id: outcome})

    assert (stored(push).status, stored(push).claim) == (PushStatus.SENDING, newer.claim)
    assert stored(push).msgid is None


# --- doubt ----------------------------------------------------------------------------------


def test_a_lost_answer_is_repeated_under_the_same_id(account, clock):
    push = make_due(account)
    first = send(SILENCE, push)
    assert stored(push).status is PushStatus.TEMPORARY_FAILURE
    assert stored(push).in_doubt_since == NOON
    clock.move_to(stored(push).due_at)

    second = send(SENT, push)

    assert second.pushes[0].client_msg_id == first.pushes[0].client_msg_id
    assert (stored(push).status, stored(push).in_doubt_since) == (PushStatus.SENT, None)


def test_a_lost_answer_is_never_repeated_later_than_the_platform_drops_repeats(account, clock):
    push = make_due(account)
    while send(SILENCE, push) and stored(push).status is PushStatus.TEMPORARY_FAILURE:
        clock.move_to(stored(push).due_at)
        assert stored(push).due_at < NOON + WINDOW

    clock.shift(timedelta(days=1))
    sweeper.sweep()

    assert stored(push).status is PushStatus.UNKNOWN
    assert claim(push) is None


def test_doubt_outlasts_a_clear_refusal(account, clock):
    push = make_due(account)
    send(SILENCE, push)
    clock.shift(RETRY_AFTER[0])

    send(CROWDED, push)

    assert stored(push).in_doubt_since == NOON


def test_who_gives_up_in_doubt_does_not_know(account, clock):
    push = make_due(
        account,
        status=PushStatus.TEMPORARY_FAILURE,
        attempts=len(RETRY_AFTER),
        in_doubt_since=NOON - SECOND,
        due_at=NOON,
    )

    send(CROWDED, push)

    assert (stored(push).status, stored(push).route) == (PushStatus.UNKNOWN, Route.TEMPLATE)


def test_a_miniprograms_message_is_never_repeated(account, miniprogram, clock):
    employee = make_employee()
    make_binding(employee, miniprogram)
    asked, died = make_push(employee, account), make_push(employee, account)
    send(SILENCE, asked)
    claim(died)
    clock.shift(CLAIM_LIFE)

    sweeper.sweep()

    assert {stored(push).status for push in (asked, died)} == {PushStatus.UNKNOWN}


def test_a_job_that_waited_too_long_does_not_repeat_what_is_in_doubt(account, clock):
    push = make_due(account)
    send(SILENCE, push)
    clock.shift(WINDOW)

    assert claim(push).pushes == ()
    assert stored(push).status is PushStatus.UNKNOWN


def test_what_may_have_arrived_is_not_sent_by_another_route(account, wecom, clock):
    employee = make_employee()
    make_binding(employee, account)
    make_binding(employee, wecom)
    push = make_push(employee, account)
    send(SILENCE, push)
    send(LEFT, make_push(employee, account))
    clock.shift(RETRY_AFTER[0])

    assert claim(push).pushes == ()

    assert (stored(push).status, stored(push).route) == (PushStatus.UNKNOWN, Route.TEMPLATE)


def test_what_may_have_arrived_is_not_called_lost_when_the_person_unbinds(account, clock):
    push = make_due(account)
    send(SILENCE, push)
    with transaction() as session:
        session.query(EmployeeBinding).delete()
    clock.shift(RETRY_AFTER[0])

    assert claim(push).pushes == ()
    assert stored(push).status is PushStatus.UNKNOWN


# --- delivery reports -----------------------------------------------------------------------


def make_sent(account, **fields) -> Push:
    return make_due(account, status=PushStatus.SENT, msgid="5", sent_at=NOON, **fields)


def report(account, reason=None) -> bool:
    return reports.record_delivery(account.id, 5, is_delivered=reason is None, reason=reason)


def test_a_report_finishes_the_push(account, clock):
    push = make_sent(account)

    assert report(account)

    assert (stored(push).status, stored(push).delivered_at) == (PushStatus.DELIVERED, NOON)


def test_a_late_no_sends_it_by_the_next_step(account, wecom, queue, clock):
    push = make_sent(account, campaign=make_campaign(account, status=CampaignStatus.FINISHED))
    make_binding(reading().get_one(type(make_employee()), push.employee_id), wecom)

    assert report(account, "user block")

    row = stored(push)
    assert (row.status, row.route) == (PushStatus.TEMPORARY_FAILURE, Route.MINIPROGRAM)
    assert [one["reason"] for one in row.tried] == ["user block"]
    assert stored_campaign(push).status is CampaignStatus.RUNNING
    [retry] = queue.args(Job.SEND_PUSHES)
    assert claims.claim(Chunk(*retry)).pushes[0].route is Route.WECOM
    assert "user block" in refusals().values()


@pytest.mark.parametrize(
    "values",
    [
        {"ladder": ["template"]},
        {"status": CampaignStatus.CANCELLED},
        {"expires_at": NOON},
    ],
)
def test_a_late_no_ends_the_push_when_nothing_may_follow(account, queue, clock, values):
    push = make_sent(account, campaign=make_campaign(account, **values))

    assert report(account, "system failed")

    row = stored(push)
    assert (row.status, row.reason) == (PushStatus.PERMANENT_FAILURE, "system failed")
    assert (row.tried[0]["reason"], queue.count) == ("system failed", 0)


def test_a_report_before_its_message_id_is_recorded_asks_to_come_again(account):
    push = make_due(account)
    claimed = claim(push)
    assert report(account) is False

    record_outcomes(claimed, {push.id: replace(SENT, msgid="5")})

    assert report(account) is True
    assert stored(push).status is PushStatus.DELIVERED


def test_another_accounts_report_is_not_ours(account):
    push = make_sent(account)

    assert not report(make_channel_account())
    assert stored(push).status is PushStatus.SENT


def test_a_second_report_does_not_turn_the_first_over(account):
    push = make_sent(account)
    report(account)

    assert report(account, "user block")

    assert (stored(push).status, stored(push).reason) == (PushStatus.DELIVERED, None)


# --- people who come back ---------------------------------------------------------------------


def make_failed(employee, account, reason, **fields) -> Push:
    campaign = make_campaign(account, status=CampaignStatus.FINISHED, **fields)
    return make_push(
        employee, account, campaign=campaign, status=PushStatus.PERMANENT_FAILURE, reason=reason
    )


def test_who_follows_again_gets_what_could_not_reach_them(account, queue, clock):
    employee = make_employee()
    identity = make_binding(employee, account)
    send(LEFT, make_push(employee, account))
    queue.clear()
    missed = make_failed(employee, account, "not-following")
    others = [
        make_failed(employee, account, "muted"),
        make_failed(make_employee(), account, "not-following"),
        make_failed(employee, account, "not-following", created_at=NOON - STILL_NEWS),
    ]
    gone = make_failed(employee, account, "not-bound")
    change_campaign(gone, status=CampaignStatus.CANCELLED)

    reports.note_return(identity.id)

    assert refusals() == {}
    assert queue.args(Job.SEND_PUSHES) == [(missed.campaign_id, missed.id, missed.id)]
    assert stored_campaign(missed).status is CampaignStatus.RUNNING
    assert stored_campaign(missed).expires_at == NOON + EXPIRES_AFTER
    assert len(claim(missed).pushes) == 1
    for push in (*others, gone):
        assert stored(push).status is PushStatus.PERMANENT_FAILURE


SMS_REFUSED = PushOutcome(PushStatus.PERMANENT_FAILURE, reason="sms-refused")


@pytest.fixture
def to_the_end(account, clock):
    """A push that the official account refused, and the text message after it too."""
    employee = make_employee()
    identity = make_binding(employee, account)
    push = make_push(employee, account, campaign=make_campaign(account, ladder=["template", "sms"]))
    send(LEFT, push)
    send(SMS_REFUSED, push)
    assert stored(push).status is PushStatus.PERMANENT_FAILURE
    return push, identity


def test_who_was_passed_on_and_lost_later_gets_it_after_following_again(to_the_end, queue, clock):
    push, identity = to_the_end
    before = stored(push).resends
    queue.clear()

    reports.note_return(identity.id)

    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, push.id, push.id)]
    [again] = claim(push).pushes
    assert (again.route, again.address, again.tried) == (Route.TEMPLATE, identity.openid, ())
    assert again.client_msg_id.endswith(f"-{before + 1}")
    assert (stored(push).msgid, stored(push).errcode, stored(push).sent_at) == (None, None, None)


def test_who_got_it_by_another_step_gets_nothing_after_following_again(account, queue):
    employee = make_employee()
    identity = make_binding(employee, account)
    push = make_push(employee, account, campaign=make_campaign(account, ladder=["template", "sms"]))
    send(LEFT, push)
    send(SENT, push)
    queue.clear()

    reports.note_return(identity.id)

    assert queue.count == 0
    assert (stored(push).status, stored(push).route) == (PushStatus.SENT, Route.SMS)


def test_a_story_with_a_lost_answer_is_not_begun_again(account, queue, clock):
    employee = make_employee()
    identity = make_binding(employee, account)
    push = make_push(employee, account, campaign=make_campaign(account, ladder=["template"]))
    send(SILENCE, push)
    clock.shift(RETRY_AFTER[0])
    send(LEFT, push)
    assert stored(push).status is PushStatus.PERMANENT_FAILURE
    queue.clear()

    reports.note_return(identity.id)

    assert queue.count == 0
    assert stored(push).status is PushStatus.PERMANENT_FAILURE


def test_a_person_who_binds_gets_what_no_text_message_could_tell_them(account, queue):
    employee = make_employee()
    push = make_push(employee, account, campaign=make_campaign(account, ladder=["template", "sms"]))
    send(SMS_REFUSED, push)
    assert (stored(push).reason, stored(push).route) == ("sms-refused", Route.SMS)
    identity = make_binding(employee, account)

    with transaction() as session:
        reports.wake(session, [employee.id], reports.MENDED_BY_BINDING)

    [again] = claim(push).pushes
    assert (again.route, again.address) == (Route.TEMPLATE, identity.openid)


def test_who_binds_gets_the_notice_once_and_none_of_its_reminders(account, queue, clock):
    employee = make_employee()
    kinds = (MessageKind.PAYSLIP_READY, MessageKind.PAYSLIP_REMINDER, MessageKind.PAYSLIP_REMINDER)
    campaigns_of = [make_campaign(account, kind=kind, ladder=["template"]) for kind in kinds]
    notice, *reminders = [
        make_push(employee, account, campaign=one, subject_id=9) for one in campaigns_of
    ]
    for push in (notice, *reminders):
        claim(push)
    make_binding(employee, account)

    with transaction() as session:
        reports.wake(session, [employee.id], reports.MENDED_BY_BINDING)

    assert stored(notice).status is PushStatus.TEMPORARY_FAILURE
    assert {stored(one).status for one in reminders} == {PushStatus.PERMANENT_FAILURE}


def test_what_may_have_arrived_is_not_resent(account, queue, clock):
    hr = make_hr()
    campaign = make_campaign(account, ladder=["template"])
    doubtful, clear = make_many(account, 2, campaign)
    send(SILENCE, doubtful)
    clock.shift(timedelta(seconds=20))
    send(LEFT, doubtful)
    send(LEFT, clear)
    assert {stored(one).status for one in (doubtful, clear)} == {PushStatus.PERMANENT_FAILURE}
    assert queries.get_campaign(hr, campaign.id).resendable == 1

    assert campaigns.resend_failed(hr, campaign.id) == 1

    assert stored(doubtful).status is PushStatus.PERMANENT_FAILURE
    assert stored(clear).status is PushStatus.TEMPORARY_FAILURE


def test_a_follower_whom_nobody_knows_wakes_nothing(account, queue):
    reports.note_return(make_identity(account).id)

    assert queue.count == 0


# --- the sweeper ----------------------------------------------------------------------------


def test_a_dead_workers_claim_comes_back_under_the_same_id(account, queue, clock):
    push = make_due(account)
    first = claim(push)
    clock.shift(CLAIM_LIFE - SECOND)
    assert sweeper.sweep() == 0

    clock.shift(1)

    assert sweeper.sweep() == 1
    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, push.id, push.id)]
    second = claim(push)
    assert second.pushes[0].client_msg_id == first.pushes[0].client_msg_id


def test_a_claim_that_died_long_ago_is_not_repeated(account, queue, clock):
    push = make_due(account)
    claim(push)
    clock.shift(WINDOW)

    assert sweeper.sweep() == 0

    assert (stored(push).status, stored(push).claim) == (PushStatus.UNKNOWN, None)
    assert queue.count == 0


def test_sweeping_twice_is_sweeping_once(account, queue, clock):
    some = make_many(account, 3)
    send(CROWDED, *some)
    clock.shift(RETRY_AFTER[0])

    assert [sweeper.sweep(), sweeper.sweep()] == [3, 3]

    assert queue.args(Job.SEND_PUSHES) == [(some[0].campaign_id, some[0].id, some[2].id)]


def test_due_retries_go_out_in_chunks(account, queue, clock, monkeypatch):
    monkeypatch.setattr(sweeper, "CHUNK", 2)
    some = make_many(account, 3)
    for push in some:
        change(push, status=PushStatus.TEMPORARY_FAILURE, due_at=NOON)

    sweeper.sweep()

    assert [args[1:] for args in queue.args(Job.SEND_PUSHES)] == [
        (some[0].id, some[1].id),
        (some[2].id, some[2].id),
    ]


@pytest.mark.parametrize(
    "status",
    [PushStatus.SENT, PushStatus.DELIVERED, PushStatus.PERMANENT_FAILURE, PushStatus.UNKNOWN],
)
def test_a_campaign_whose_pushes_are_decided_is_finished(account, queue, clock, status):
    push = make_due(account, status=status)

    assert sweeper.sweep() == 0

    campaign = stored_campaign(push)
    assert (campaign.status, campaign.ended_at) == (CampaignStatus.FINISHED, NOON)
    assert (stored(push).status, queue.count) == (status, 0)


def test_a_campaign_without_anybody_is_finished(account, clock):
    campaign = make_campaign(account)

    sweeper.sweep()

    assert reading().get_one(Campaign, campaign.id).status is CampaignStatus.FINISHED


@pytest.mark.parametrize(
    "status", [PushStatus.CREATED, PushStatus.SENDING, PushStatus.TEMPORARY_FAILURE]
)
def test_a_campaign_with_somebody_left_goes_on(account, clock, status):
    push = make_due(account, status=status, due_at=NOON + timedelta(hours=1))

    sweeper.sweep()

    assert stored_campaign(push).status is CampaignStatus.RUNNING


def test_a_campaign_that_has_not_begun_is_left_alone(account, queue, clock):
    make_due(account, campaign=make_campaign(account, starts_at=NOON + timedelta(hours=1)))

    sweeper.sweep()

    assert queue.count == 0


@pytest.mark.parametrize("status", [CampaignStatus.RUNNING, CampaignStatus.PAUSED])
def test_after_its_time_a_campaign_ends_and_says_so(account, clock, status):
    campaign = make_campaign(account, status=status, prepared_at=None)
    waiting, sending, doubtful = make_many(account, 3, campaign)
    change(sending, status=PushStatus.SENDING, due_at=NOON + EXPIRES_AFTER + CLAIM_LIFE)
    change(doubtful, status=PushStatus.TEMPORARY_FAILURE, due_at=None, in_doubt_since=NOON)
    clock.shift(EXPIRES_AFTER)

    sweeper.sweep()

    assert (stored(waiting).status, stored(waiting).reason) == (
        PushStatus.PERMANENT_FAILURE,
        sweeper.EXPIRED,
    )
    assert stored(doubtful).status is PushStatus.UNKNOWN
    assert stored_campaign(sending).status is status

    change(sending, status=PushStatus.SENT)
    sweeper.sweep()
    assert stored_campaign(sending).status is CampaignStatus.FINISHED


def test_a_cancelled_campaign_is_closed_some_at_a_time(account, clock, monkeypatch):
    monkeypatch.setattr(sweeper, "SWEEP_LIMIT", 2)
    some = make_many(account, 3)
    change_campaign(some[0], status=CampaignStatus.CANCELLED, ended_at=NOON)

    left = []
    for _ in range(3):
        sweeper.sweep()
        left.append([stored(push).status for push in some].count(PushStatus.CREATED))

    assert left == [1, 0, 0]
    assert {stored(push).status for push in some} == {PushStatus.CANCELLED}


def test_an_unprepared_campaign_is_prepared_again(account, queue, clock):
    campaign = make_campaign(account, prepared_at=None)

    sweeper.sweep()
    sweeper.sweep()

    assert queue.args(Job.PREPARE_CAMPAIGN) == [(campaign.id,)]


def test_when_redis_was_emptied_everybody_is_fed_again_and_gets_one(account, queue, redis, clock):
    some = make_many(account, 3)
    change_campaign(some[0], fed_to=0)
    campaigns.feed(account.id)
    redis.flushdb()

    sweeper.sweep()
    chunks = [Chunk(*args) for args in queue.args(Job.SEND_PUSHES)]
    taken = [claims.claim(chunk) for chunk in [*chunks, *chunks]]

    assert sorted(push.id for one in taken if one for push in one.pushes) == [
        push.id for push in some
    ]


def test_what_is_still_under_way_is_not_fed_again(account, queue, clock):
    some = make_many(account, 3)
    change_campaign(some[0], fed_to=0)
    campaigns.feed(account.id)

    sweeper.sweep()

    assert len(queue.args(Job.SEND_PUSHES)) == 1


def test_a_lost_push_between_sent_ones_is_found_again(account, queue, redis, clock, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    some = make_many(account, 6)
    for push in (some[1], some[2], some[4]):
        change(push, status=PushStatus.SENT)
    change_campaign(some[0], fed_count=6)

    sweeper.sweep()

    assert [args[1:] for args in queue.args(Job.SEND_PUSHES)] == [
        (some[n].id, some[n].id) for n in (0, 3, 5)
    ]
    assert stored_campaign(some[0]).fed_count == 6


def test_a_campaign_whose_time_has_come_is_fed(account, queue, clock):
    push = make_due(account, campaign=make_campaign(account, starts_at=NOON + SECOND))
    change_campaign(push, fed_to=0)
    sweeper.sweep()
    assert queue.count == 0

    clock.shift(1)
    sweeper.sweep()

    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, push.id, push.id)]


def test_while_redis_is_away_the_ledger_waits(account, clock, monkeypatch):
    away = core.redis.connect("unix:///nowhere/redis.sock", decode=True)
    fed, due, lost = (make_due(account) for _ in range(3))
    unprepared = make_campaign(account, prepared_at=None)
    change(due, status=PushStatus.TEMPORARY_FAILURE, due_at=NOON)
    change_campaign(fed, fed_to=0)
    for name, module in (("redis", campaigns), ("queue_redis", queues)):
        monkeypatch.setattr(module, name, lambda: away)

    sweeper.sweep()
    send(LEFT, lost)
    campaigns.chunk_done(chunk_of(lost))

    assert stored(fed).status is PushStatus.CREATED
    assert stored_campaign(fed).fed_to == 0
    assert stored(lost).route is Route.MINIPROGRAM
    monkeypatch.undo()
    assert sweeper.sweep() == 2
    assert unprepared.id in {args[0] for args in _enqueued(Job.PREPARE_CAMPAIGN)}
    assert {args[1] for args in _enqueued(Job.SEND_PUSHES)} == {fed.id, due.id, lost.id}


def _enqueued(job: Job):
    jobs = queues.get_queue(queues.QueueName.PUSH).jobs
    return [tuple(one.args) for one in jobs if one.func_name == job.value]


def test_the_window_holds_names_of_chunks_and_nothing_personal(account, redis, clock):
    push = make_due(account)
    change_campaign(push, fed_to=0)

    campaigns.feed(account.id)

    names = redis.zrange(_window(account.id), 0, -1)
    assert names == [f"{push.campaign_id}:{push.id}:{push.id}"]
    assert json.dumps(names)
