"""The ledger: claim a chunk for sending, record what became of it, sweep up what was lost."""

import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, Table, and_, delete, func, null, or_, select, update
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import after_commit, insert_new, reading, set_each, transaction
from core.log import logger
from core.queues import Job, QueueName, enqueue_after_commit, enqueue_once
from core.security import unseal
from domain.directory.accounts import ChannelKind
from domain.directory.models import (
    PERSONAL,
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
)
from domain.pushes.campaigns import CHUNK, OPEN, Chunk, feed, is_under_way
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
    Unreachable,
)
from domain.pushes.policy import (
    ABOUT_ALL_KINDS,
    CLAIM_LIFE,
    EXPIRES_AFTER,
    REMEMBERED_FOR,
    REPEATABLE_FOR,
    STILL_NEWS,
    after_lost_answer,
    client_msg_id,
    next_route,
    retry_delay,
)

T = TypeVar("T")
K = TypeVar("K")

SWEEP_LIMIT = 10_000
# What the sweeper enqueued and nobody did is enqueued again.
AGAIN_AFTER = timedelta(seconds=30)
# The rows of a campaign that was cancelled are closed by then.
CLOSED_WITHIN = timedelta(days=1)

NOT_BOUND = "not-bound"
NOT_FOLLOWING = "not-following"
GAVE_UP = "gave-up"
EXPIRED = "expired"

ROUTE_KINDS = {
    Route.TEMPLATE: ChannelKind.OFFICIAL_ACCOUNT,
    Route.MINIPROGRAM: ChannelKind.MINIPROGRAM,
    Route.WECOM: ChannelKind.WECOM_APP,
}


@dataclass(frozen=True, slots=True)
class PushToSend:
    """A claimed push in plain values. ``address`` is an openid, a userid or a phone number."""

    id: int
    route: Route
    address: str = field(repr=False)
    client_msg_id: str
    subject_id: int
    attempts: int
    in_doubt_since: datetime
    identity_id: int | None = None
    tried: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimedChunk:
    """``accounts``: through which channel account each route goes."""

    campaign_id: int
    channel_account_id: int
    org_path: str
    kind: MessageKind
    params: dict[str, Any]
    path: str
    ladder: tuple[Route, ...]
    claim: int
    at: datetime
    accounts: dict[Route, int]
    pushes: tuple[PushToSend, ...]


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What the platform said; ``status`` is SENT, a failure, UNKNOWN when it said nothing, or
    CREATED when it was not asked: then ``due_at`` says when it may be. ``held_until``: the whole
    account has to wait so long."""

    status: PushStatus
    msgid: str | None = None
    errcode: int | None = None
    reason: str | None = None
    due_at: datetime | None = None
    held_until: datetime | None = None


# --- claim ----------------------------------------------------------------------------------


def claim(chunk: Chunk) -> ClaimedChunk | None:
    """Take what is due in a chunk for sending; None when nothing is, or another worker has it.

    Who cannot be reached by a step of the ladder is moved to the next at once; who cannot be
    reached by any ends as a permanent failure that the sender sees.
    """
    now, mine = utc_now(), secrets.randbits(62)
    with transaction() as session:
        campaign = session.get(Campaign, chunk.campaign_id)
        if campaign is None or not _may_send(campaign, now):
            return None
        due = and_(Push.status == PushStatus.TEMPORARY_FAILURE, Push.due_at <= now)
        waiting = or_(Push.status == PushStatus.CREATED, due)
        chunk = _not_too_long(session, chunk, waiting)
        in_chunk = (Push.campaign_id == chunk.campaign_id, Push.id.between(*chunk.ids))
        _change(
            session,
            (*in_chunk, waiting),
            status=PushStatus.SENDING,
            claim=mine,
            attempts=Push.attempts + 1,
            due_at=now + CLAIM_LIFE,
            in_doubt_since=func.coalesce(Push.in_doubt_since, now),
        )
        columns = (
            *(Push.id, Push.employee_id, Push.subject_id, Push.route, Push.resends),
            *(Push.tried, Push.attempts, Push.in_doubt_since),
        )
        rows = session.execute(select(*columns).where(*in_chunk, Push.claim == mine)).all()
        if not rows:
            return None
        book = _book(session, campaign, rows, now)
        ready, lost, doubtful = [], [], []
        for row in rows:
            step = book.step_for(row.employee_id, row.route)
            if _is_too_doubtful(row, step, now):
                doubtful.append(row.id)
            elif step is None:
                lost.append((row.id, book.reason_for(row.employee_id, row.tried or ())))
            else:
                ready.append(_to_send(campaign, row, step))
        _write_steps(session, ready, {row.id: row.route for row in rows})
        _write_lost(session, lost)
        _write_doubtful(session, doubtful)
        return ClaimedChunk(
            campaign_id=campaign.id,
            channel_account_id=campaign.channel_account_id,
            org_path=campaign.org_path,
            kind=campaign.kind,
            params=campaign.params,
            path=campaign.path,
            ladder=tuple(Route(step) for step in campaign.ladder),
            claim=mine,
            at=now,
            accounts=book.accounts,
            pushes=tuple(ready),
        )


def _may_send(campaign: Campaign, now: datetime) -> bool:
    return (
        campaign.status is CampaignStatus.RUNNING
        and campaign.starts_at <= now < campaign.expires_at
    )


def _not_too_long(session: Session, chunk: Chunk, waiting: ColumnElement[bool]) -> Chunk:
    """The range of a few late pushes may hold very many others: the rest is a chunk of its own."""
    if chunk.last_id - chunk.first_id < CHUNK:
        return chunk
    too_many = session.scalar(
        select(Push.id)
        .where(Push.campaign_id == chunk.campaign_id, Push.id.between(*chunk.ids), waiting)
        .order_by(Push.id)
        .offset(CHUNK)
        .limit(1)
    )
    if too_many is None:
        return chunk
    _enqueue_after_commit(replace(chunk, first_id=too_many))
    return replace(chunk, last_id=too_many - 1)


def _too_old(now: datetime) -> ColumnElement[bool]:
    """What may have arrived so long ago that the platform would not drop its repeat."""
    return or_(
        *(
            and_(Push.route == route, Push.in_doubt_since <= now - life)
            for route, life in REPEATABLE_FOR.items()
        )
    )


def _is_too_doubtful(row: Any, step: "_Step | None", now: datetime) -> bool:
    """It may have arrived, and its repeat would not be dropped: by now it is too late, or it would
    go by another route."""
    if row.in_doubt_since >= now:  # nothing went out before
        return False
    is_same = step is not None and step.route is row.route
    return not is_same or row.in_doubt_since <= now - REPEATABLE_FOR[row.route]


def _to_send(campaign: Campaign, row: Any, step: "_Step") -> PushToSend:
    return PushToSend(
        id=row.id,
        route=step.route,
        address=step.address,
        client_msg_id=client_msg_id(campaign.nonce, row.id, row.resends),
        subject_id=row.subject_id,
        attempts=row.attempts if step.route is row.route else 1,
        in_doubt_since=row.in_doubt_since,
        identity_id=step.identity_id,
        tried=(*(row.tried or ()), *step.passed),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """Where on the ladder a person can be reached; ``passed`` are the steps that we know fail."""

    route: Route
    address: str = field(repr=False)
    identity_id: int | None
    passed: tuple[dict[str, Any], ...]


@dataclass(slots=True)
class _Book:
    """The addresses of the people of a chunk, and what platforms said about them before."""

    ladder: tuple[Route, ...]
    accounts: dict[Route, int]
    people: dict[tuple[Route, int], tuple[int, str]]
    refusals: dict[int, str]
    at: datetime
    phones: dict[int, str] = field(default_factory=dict)

    def step_for(self, employee_id: int, route: Route) -> _Step | None:
        passed: list[dict[str, Any]] = []
        for step in self.ladder[self.ladder.index(route) :]:
            if step is Route.SMS:
                phone = self.phones.get(employee_id)
                return _Step(step, phone, None, tuple(passed)) if phone else None
            identity_id, address = self.people.get((step, employee_id), (0, ""))
            if not identity_id:
                continue
            if identity_id not in self.refusals:
                return _Step(step, address, identity_id, tuple(passed))
            passed.append(tried_entry(step, self.refusals[identity_id], None, self.at))
        return None

    def reason_for(self, employee_id: int, tried: Sequence[Any]) -> str:
        """Why nobody could be reached: what a platform said first, else that we know nobody."""
        if tried:
            return str(tried[0]["reason"])
        known = [self.people.get((step, employee_id), (0, ""))[0] for step in self.ladder]
        said = [self.refusals[one] for one in known if one in self.refusals]
        return said[0] if said else NOT_BOUND


def _book(session: Session, campaign: Campaign, rows: Sequence[Any], now: datetime) -> _Book:
    ladder = tuple(Route(step) for step in campaign.ladder)
    employee_ids = [row.employee_id for row in rows]
    accounts = _accounts(session, campaign, ladder)
    people = _people(session, accounts, employee_ids)
    refusals = _refusals(session, [one for one, _ in people.values()], campaign.kind, now)
    book = _Book(ladder, accounts, people, refusals, now)
    if Route.SMS in ladder:
        lost = [one for one in rows if book.step_for(one.employee_id, one.route) is None]
        book.phones = _phones(session, [row.employee_id for row in lost])
    return book


def _accounts(session: Session, campaign: Campaign, ladder: Sequence[Route]) -> dict[Route, int]:
    """The campaign's own official account, and of the other kinds the nearest above the sender."""
    found = {Route.TEMPLATE: campaign.channel_account_id}
    kinds = {ROUTE_KINDS[route]: route for route in ladder if route in ROUTE_KINDS}
    kinds.pop(ChannelKind.OFFICIAL_ACCOUNT, None)
    if not kinds:
        return found
    rows = session.execute(
        select(ChannelAccount.id, ChannelAccount.kind, ChannelAccount.org_path).where(
            ChannelAccount.kind.in_(kinds), ChannelAccount.is_enabled
        )
    ).all()
    for row in sorted(rows, key=lambda row: (len(row.org_path), -row.id)):
        if campaign.org_path.startswith(row.org_path):
            found[kinds[row.kind]] = row.id
    return found


def _people(
    session: Session, accounts: dict[Route, int], employee_ids: Sequence[int]
) -> dict[tuple[Route, int], tuple[int, str]]:
    routes = {account_id: route for route, account_id in accounts.items()}
    rows = session.execute(
        select(
            EmployeeBinding.channel_account_id,
            EmployeeBinding.employee_id,
            Identity.id,
            Identity.openid,
        )
        .join(Identity, Identity.id == EmployeeBinding.identity_id)
        .where(
            EmployeeBinding.employee_id.in_(employee_ids),
            EmployeeBinding.channel_account_id.in_(routes),
        )
    )
    return {(routes[row[0]], row[1]): (row[2], row[3]) for row in rows}


def _refusals(
    session: Session, identity_ids: Sequence[int], kind: MessageKind, now: datetime
) -> dict[int, str]:
    rows = session.execute(
        select(Unreachable.identity_id, Unreachable.reason).where(
            Unreachable.identity_id.in_(identity_ids),
            Unreachable.kind.in_(["", kind.value]),
            Unreachable.until > now,
        )
    )
    return {row.identity_id: row.reason for row in rows}


def _phones(session: Session, employee_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(
        select(Employee.id, Employee.personal_sealed).where(Employee.id.in_(employee_ids))
    )
    found = {row.id: json.loads(unseal(PERSONAL, row.personal_sealed))["phone"] for row in rows}
    return {employee_id: phone for employee_id, phone in found.items() if phone}


def book_of_one(session: Session, campaign: Campaign, employee_id: int) -> _Book:
    """Where this campaign, which need not be stored, would find one person now."""
    push = Push(employee_id=employee_id, route=Route(campaign.ladder[0]))
    return _book(session, campaign, [push], utc_now())


def _write_steps(session: Session, ready: Sequence[PushToSend], routes: dict[int, Route]) -> None:
    """Most stay where they are; who moved on does so with others of the same story."""
    moved = [push for push in ready if push.route is not routes[push.id]]
    for (route, story), pushes in _grouped(
        moved, lambda push: (push.route, json.dumps(push.tried))
    ).items():
        _change(
            session,
            [Push.id.in_([push.id for push in pushes])],
            route=route,
            tried=json.loads(story),
            attempts=1,
        )


def _write_lost(session: Session, lost: Sequence[tuple[int, str]]) -> None:
    for reason, group in _grouped(lost, lambda one: one[1]).items():
        _change(
            session,
            [Push.id.in_([push_id for push_id, _ in group])],
            status=PushStatus.PERMANENT_FAILURE,
            reason=reason,
            in_doubt_since=None,
            due_at=None,
            claim=None,
        )


def _write_doubtful(session: Session, push_ids: Sequence[int]) -> None:
    if push_ids:
        ours = [Push.id.in_(push_ids)]
        _change(session, ours, status=PushStatus.UNKNOWN, due_at=None, claim=None)


# --- record ---------------------------------------------------------------------------------


def record_outcomes(claimed: ClaimedChunk, outcomes: Mapping[int, PushOutcome]) -> None:
    """Write down what became of pushes of a claimed chunk, in a few statements however many.

    An outcome for a push that is no longer ours (its claim was too old) changes nothing.
    """
    now = utc_now()
    sent = [(one, what.msgid) for one, what in outcomes.items() if what.status is PushStatus.SENT]
    rest = [
        (push, _entry(claimed, push, outcomes[push.id], now))
        for push in claimed.pushes
        if push.id in outcomes and outcomes[push.id].status is not PushStatus.SENT
    ]
    with transaction() as session:
        _write_sent(session, claimed.claim, sent, now)
        for entry, group in _grouped(rest, lambda one: one[1]).items():
            ours = [Push.id.in_([push.id for push, _ in group]), Push.claim == claimed.claim]
            _change(session, ours, **entry.values())
        # In one order everywhere: two workers that note the same people do not lock each other.
        for push, _ in sorted(rest, key=lambda one: one[0].identity_id or 0):
            _remember(session, push.identity_id, claimed.kind, outcomes[push.id].reason, now)
        moved = [push.id for push, entry in rest if entry.due_at == now]
        if moved:
            _enqueue_after_commit(Chunk(claimed.campaign_id, min(moved), max(moved)))
        held = [what.held_until for what in outcomes.values() if what.held_until]
        if held:
            _hold(session, claimed.channel_account_id, max(held))
    counts = Counter(what.status.value for what in outcomes.values())
    logger.info("pushes recorded", extra={"campaign_id": claimed.campaign_id, "outcomes": counts})


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is written of a push that was not sent; equal ones go into one statement."""

    status: PushStatus
    route: Route
    reason: str | None
    errcode: int | None
    due_at: datetime | None
    in_doubt_since: datetime | None
    attempts: int
    story: str

    def values(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "route": self.route,
            "reason": self.reason,
            "errcode": self.errcode,
            "due_at": self.due_at,
            "in_doubt_since": self.in_doubt_since,
            "attempts": self.attempts,
            "tried": json.loads(self.story) or null(),
            "claim": None,
        }


def _entry(claimed: ClaimedChunk, push: PushToSend, what: PushOutcome, now: datetime) -> _Entry:
    since = push.in_doubt_since if push.in_doubt_since < claimed.at else None
    known = _Entry(
        what.status,
        push.route,
        what.reason,
        what.errcode,
        None,
        since,
        push.attempts,
        json.dumps(push.tried),
    )
    match what.status:
        case PushStatus.CREATED:
            status, at = PushStatus.TEMPORARY_FAILURE, what.due_at or now
            return replace(known, status=status, due_at=at, attempts=push.attempts - 1)
        case PushStatus.UNKNOWN:
            return _tried_again(replace(known, in_doubt_since=push.in_doubt_since), now)
        case PushStatus.TEMPORARY_FAILURE:
            entry = _tried_again(known, now)
            given_up = entry.status is PushStatus.PERMANENT_FAILURE
            return _moved_on(claimed, push, entry, now) if given_up else entry
        case _:
            return _moved_on(claimed, push, replace(known, in_doubt_since=None), now)


def _tried_again(entry: _Entry, now: datetime) -> _Entry:
    """When the next try is, if it still is one: what may have arrived is not repeated later than
    the platform drops repeats."""
    delay = retry_delay(entry.attempts)
    if entry.in_doubt_since is not None:
        status = after_lost_answer(entry.route, now + (delay or timedelta()) - entry.in_doubt_since)
        if status is PushStatus.UNKNOWN or delay is None:
            return replace(entry, status=PushStatus.UNKNOWN)
    if delay is None:
        return replace(entry, status=PushStatus.PERMANENT_FAILURE, reason=entry.reason or GAVE_UP)
    return replace(entry, status=PushStatus.TEMPORARY_FAILURE, due_at=now + delay)


def _moved_on(claimed: ClaimedChunk, push: PushToSend, entry: _Entry, now: datetime) -> _Entry:
    """After a final no: the next step of the ladder, or the end."""
    story = [*push.tried, tried_entry(push.route, entry.reason, entry.errcode, now)]
    step = next_route(claimed.ladder, push.route)
    if step is None:
        reason = str(story[0]["reason"])
        return replace(
            entry, status=PushStatus.PERMANENT_FAILURE, reason=reason, story=json.dumps(story)
        )
    return replace(
        entry,
        status=PushStatus.TEMPORARY_FAILURE,
        route=step,
        due_at=now,
        attempts=0,
        story=json.dumps(story),
    )


def tried_entry(
    route: Route, reason: str | None, errcode: int | None, at: datetime
) -> dict[str, Any]:
    return {"route": route.value, "reason": reason, "errcode": errcode, "at": at.isoformat()}


def _write_sent(
    session: Session, claim: int, sent: Sequence[tuple[int, str | None]], now: datetime
) -> None:
    if not sent:
        return
    set_each(session, cast(Table, Push.__table__), "msgid", sent, claim)
    ours = [Push.id.in_([push_id for push_id, _ in sent]), Push.claim == claim]
    _change(
        session,
        ours,
        status=PushStatus.SENT,
        sent_at=now,
        reason=None,
        errcode=None,
        due_at=None,
        in_doubt_since=None,
        claim=None,
    )


def _remember(
    session: Session, identity_id: int | None, kind: MessageKind, reason: str | None, now: datetime
) -> None:
    """What a platform said about a person, so that the next campaign takes another step."""
    life = REMEMBERED_FOR.get(reason or "")
    if life is None or identity_id is None:
        return
    about = "" if reason in ABOUT_ALL_KINDS else kind.value
    values = {"reason": reason, "noted_at": now, "until": now + life}
    if not insert_new(session, Unreachable, identity_id=identity_id, kind=about, **values):
        session.execute(
            update(Unreachable)
            .where(Unreachable.identity_id == identity_id, Unreachable.kind == about)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def _hold(session: Session, channel_account_id: int, until: datetime) -> None:
    """The account's budget is used up: none of its campaigns is fed before."""
    session.execute(
        update(Campaign)
        .where(
            Campaign.channel_account_id == channel_account_id,
            Campaign.status == CampaignStatus.RUNNING,
        )
        .values(held_until=until)
        .execution_options(synchronize_session=False)
    )


def _change(session: Session, conditions: Sequence[Any], **values: Any) -> int:
    changed = session.execute(
        update(Push)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(getattr(changed, "rowcount", 0))


def _grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups


def _enqueue_now_and_then(job: Job, *args: int) -> None:
    """However often the sweeper finds the same: once in a while, because the job may be lost."""
    turn = int(utc_now().timestamp() // AGAIN_AFTER.total_seconds())
    job_id = "-".join(map(str, (job.name.lower(), *args, turn)))
    try:
        enqueue_once(QueueName.PUSH, job, *args, job_id=job_id)
    except RedisError:
        logger.warning("queue unreachable", extra={"job": job.name, "count": 1})


def _enqueue_after_commit(chunk: Chunk) -> None:
    enqueue_after_commit(QueueName.PUSH, Job.SEND_PUSHES, chunk.campaign_id, *chunk.ids)


# --- what is heard later --------------------------------------------------------------------


def record_delivery(
    channel_account_id: int, msgid: int, *, is_delivered: bool, reason: str | None
) -> bool:
    """Write the platform's own report. False when no push carries this message id (yet)."""
    now = utc_now()
    with transaction() as session:
        row = session.execute(
            select(Push, Campaign)
            .join(Campaign, Campaign.id == Push.campaign_id)
            .where(
                Push.msgid == str(msgid),
                Push.route == Route.TEMPLATE,
                Campaign.channel_account_id == channel_account_id,
            )
            .with_for_update(of=Push)
        ).first()
        if row is None:
            return False
        push, campaign = row
        if push.status is not PushStatus.SENT:
            return True
        if is_delivered:
            push.status, push.delivered_at = PushStatus.DELIVERED, now
        else:
            _fall_back(session, push, campaign, reason, now)
    return True


def _fall_back(
    session: Session, push: Push, campaign: Campaign, reason: str | None, now: datetime
) -> None:
    """Accepted, and then not delivered: the next step of the ladder is due."""
    identity_id = session.scalar(
        select(EmployeeBinding.identity_id).where(
            EmployeeBinding.employee_id == push.employee_id,
            EmployeeBinding.channel_account_id == campaign.channel_account_id,
        )
    )
    _remember(session, identity_id, campaign.kind, reason, now)
    push.tried = [*(push.tried or ()), tried_entry(push.route, reason, None, now)]
    step = next_route(campaign.ladder, push.route)
    is_over = campaign.status is CampaignStatus.CANCELLED or campaign.expires_at <= now
    if step is None or is_over:
        push.status, push.reason = PushStatus.PERMANENT_FAILURE, reason
        return
    push.route, push.attempts, push.sent_at = step, 0, None
    _send_again(campaign, push, now)


def _send_again(campaign: Campaign, push: Push, now: datetime) -> None:
    push.status, push.due_at, push.reason = PushStatus.TEMPORARY_FAILURE, now, None
    if campaign.status is CampaignStatus.FINISHED:
        campaign.status, campaign.ended_at = CampaignStatus.RUNNING, None
    _enqueue_after_commit(Chunk(campaign.id, push.id, push.id))


def wake(session: Session, employee_ids: Sequence[int], reasons: Collection[str]) -> None:
    """What could not be sent to these people goes out now: they have bound their WeChat, or
    follow again."""
    now = utc_now()
    rows = session.execute(
        select(Push, Campaign)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .where(
            Push.employee_id.in_(employee_ids),
            Push.status == PushStatus.PERMANENT_FAILURE,
            Push.reason.in_(reasons),
            Campaign.created_at > now - STILL_NEWS,
            Campaign.status != CampaignStatus.CANCELLED,
        )
        .with_for_update(of=Push)
    ).all()
    for push, campaign in rows:
        push.route, push.attempts, push.tried = Route(campaign.ladder[0]), 0, None
        campaign.expires_at = max(campaign.expires_at, now + EXPIRES_AFTER)
        _send_again(campaign, push, now)


def note_return(identity_id: int) -> None:
    """A person follows the account (again): what was refused before may reach them now."""
    with transaction() as session:
        forget_refusals(session, identity_id)
        employee_ids = session.scalars(
            select(EmployeeBinding.employee_id).where(EmployeeBinding.identity_id == identity_id)
        ).all()
        wake(session, employee_ids, {NOT_FOLLOWING, NOT_BOUND})


def forget_refusals(session: Session, identity_id: int) -> None:
    """The person follows us anew: what was said about them before may be over."""
    session.execute(
        delete(Unreachable)
        .where(Unreachable.identity_id == identity_id)
        .execution_options(synchronize_session=False)
    )


# --- sweep ----------------------------------------------------------------------------------


def sweep() -> int:
    """Bring back what was lost: dead workers' claims, due retries, chunks that Redis forgot."""
    now = utc_now()
    with transaction() as session:
        _let_go_of_dead_claims(session, now)
    found = _hand_out_due(now)
    for campaign_id in _moving(now):
        _tend(campaign_id, now)
    for account_id in _accounts_to_feed(now):
        feed(account_id)
    return found


def _let_go_of_dead_claims(session: Session, now: datetime) -> None:
    """A worker died between claim and record: nobody knows what arrived."""
    dead = (Push.status == PushStatus.SENDING, Push.due_at <= now)
    waiting = (Push.status == PushStatus.TEMPORARY_FAILURE, Push.due_at <= now)
    too_old = _too_old(now)
    _change_some(session, (*dead, too_old), status=PushStatus.UNKNOWN, claim=None, due_at=None)
    _change_some(session, (*waiting, too_old), status=PushStatus.UNKNOWN, due_at=None)
    _change_some(session, dead, status=PushStatus.TEMPORARY_FAILURE, claim=None)


def _change_some(session: Session, conditions: Sequence[Any], **values: Any) -> None:
    """By ids, as workers do: who locks the same rows in another order waits for ever in MySQL."""
    found = select(Push.id).where(*conditions).order_by(Push.id).limit(SWEEP_LIMIT)
    ids = session.scalars(found).all()
    if ids:
        _change(session, (Push.id.in_(ids), *conditions), **values)


def _hand_out_due(now: datetime) -> int:
    rows = (
        reading()
        .execute(
            select(Push.campaign_id, Push.id)
            .join(Campaign, Campaign.id == Push.campaign_id)
            .where(
                Push.status == PushStatus.TEMPORARY_FAILURE,
                Push.due_at <= now,
                Campaign.status == CampaignStatus.RUNNING,
            )
            .order_by(Push.due_at, Push.id)
            .limit(SWEEP_LIMIT)
        )
        .all()
    )
    for campaign_id, group in _grouped(rows, lambda row: row.campaign_id).items():
        ids = sorted(row.id for row in group)
        for start in range(0, len(ids), CHUNK):
            part = ids[start : start + CHUNK]
            _enqueue_now_and_then(Job.SEND_PUSHES, campaign_id, part[0], part[-1])
    return len(rows)


def _moving(now: datetime) -> Sequence[int]:
    """Campaigns that should have begun and have not ended, or ended with pushes still open."""
    is_open = select(Push.id).where(Push.campaign_id == Campaign.id, Push.status.in_(OPEN)).exists()
    cancelled = Campaign.status == CampaignStatus.CANCELLED
    query = select(Campaign.id).where(
        or_(
            (Campaign.status == CampaignStatus.RUNNING) & (Campaign.starts_at <= now),
            (Campaign.status == CampaignStatus.PAUSED) & (Campaign.expires_at <= now),
            cancelled & (Campaign.ended_at > now - CLOSED_WITHIN) & is_open,
        )
    )
    return reading().scalars(query).all()


def _tend(campaign_id: int, now: datetime) -> None:
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
        if campaign.status is CampaignStatus.CANCELLED:
            _close(session, campaign, PushStatus.CANCELLED, None)
        elif campaign.expires_at <= now:
            _close(session, campaign, PushStatus.PERMANENT_FAILURE, EXPIRED)
            campaign.prepared_at = campaign.prepared_at or now
            _finish_if_done(session, campaign, now)
        elif not campaign.prepared_at:
            after_commit(lambda: _enqueue_now_and_then(Job.PREPARE_CAMPAIGN, campaign_id))
        elif not _finish_if_done(session, campaign, now):
            _feed_again(session, campaign)


def _close(session: Session, campaign: Campaign, status: PushStatus, reason: str | None) -> None:
    """Some thousand rows at a time: the next sweep goes on."""
    waiting = (
        Push.campaign_id == campaign.id,
        Push.status.in_([PushStatus.CREATED, PushStatus.TEMPORARY_FAILURE]),
    )
    doubtful = (*waiting, Push.in_doubt_since.is_not(None))
    _change_some(session, doubtful, status=PushStatus.UNKNOWN, due_at=None)
    _change_some(session, waiting, status=status, reason=reason, due_at=None)


def _finish_if_done(session: Session, campaign: Campaign, now: datetime) -> bool:
    is_open = session.scalar(
        select(Push.id).where(Push.campaign_id == campaign.id, Push.status.in_(OPEN)).limit(1)
    )
    if is_open:
        return False
    campaign.status, campaign.ended_at = CampaignStatus.FINISHED, now
    return True


def _feed_again(session: Session, campaign: Campaign) -> None:
    """Chunks that nobody sends any more: Redis was emptied, or a worker died before its claim."""
    first, waiting = session.execute(
        select(func.min(Push.id), func.count()).where(
            Push.campaign_id == campaign.id, Push.status == PushStatus.CREATED
        )
    ).one()
    if first is None or first > campaign.fed_to:
        return
    if is_under_way(campaign.channel_account_id, campaign.id):
        return
    campaign.fed_to, campaign.fed_count = first - 1, campaign.total_count - waiting


def _accounts_to_feed(now: datetime) -> Sequence[int]:
    query = select(Campaign.channel_account_id).where(
        Campaign.status == CampaignStatus.RUNNING,
        Campaign.starts_at <= now,
        Campaign.fed_to < Campaign.last_id,
    )
    return reading().scalars(query.distinct()).all()
