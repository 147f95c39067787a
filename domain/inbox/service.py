"""What can be done with callbacks: accept, claim, record what became of them, replay, sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import reading, transaction
from core.queues import Job, QueueName, enqueue_after_commit, enqueue_many_after_commit
from core.security import blind_index, seal, unseal
from domain.audit import service as audit
from domain.directory.access import Actor, Permission
from domain.directory.accounts import ChannelAccountCredentials
from domain.inbox.errors import EventNotFound
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.policy import CLAIM_LIFE, FORGOTTEN_AFTER, retry_delay

BODY = "inbox.body"
SWEEP_LIMIT = 500
LONGEST_WORD = 64
WORKER_DIED = "worker-died"


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified callback in plain values; ``body`` is decrypted."""

    event: str
    change_type: str
    openid: str
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    event_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    id: int
    channel_account_id: int
    attempts: int
    received_at: datetime
    body: str = field(repr=False)


def accept(account: ChannelAccountCredentials, callback: Callback) -> Accepted:
    """Store a callback; the same body of the same account is stored, and enqueued, once.

    Returns only after the commit: what is acknowledged to the platform is in the database.
    """
    body_index = blind_index(BODY, callback.body)
    event = InboxEvent(
        org_path=account.org_path,
        channel_account_id=account.id,
        body_index=body_index,
        event=callback.event[:LONGEST_WORD],
        change_type=callback.change_type[:LONGEST_WORD],
        openid=callback.openid[:LONGEST_WORD],
        body_sealed=seal(BODY, callback.body),
        state=InboxState.RECEIVED,
        received_at=utc_now(),
    )
    try:
        with transaction() as session:
            session.add(event)
            session.flush()
            _enqueue(event.id)
    except IntegrityError:
        # The platform repeats until it hears us; the unique key has the last word.
        stored = _find_event_id(account.id, body_index)
        if stored is None:
            raise
        return Accepted(stored, is_new=False)
    return Accepted(event.id, is_new=True)


def claim(event_id: int) -> ClaimedEvent | None:
    """Take an event for handling; None when it is not due, not there, or another worker's."""
    now = utc_now()
    with transaction() as session:
        claimed = session.execute(
            update(InboxEvent)
            .where(
                InboxEvent.id == event_id,
                InboxEvent.state == InboxState.RECEIVED,
                or_(InboxEvent.try_after.is_(None), InboxEvent.try_after <= now),
            )
            .values(
                state=InboxState.PROCESSING,
                claimed_at=now,
                attempts=InboxEvent.attempts + 1,
            )
            .execution_options(synchronize_session=False)
        )
        if getattr(claimed, "rowcount", 0) != 1:
            return None
        event = session.get_one(InboxEvent, event_id, populate_existing=True)
        return ClaimedEvent(
            id=event.id,
            channel_account_id=event.channel_account_id,
            attempts=event.attempts,
            received_at=event.received_at,
            body=unseal(BODY, event.body_sealed),
        )


def record_processed(claimed: ClaimedEvent, *, is_ignored: bool = False) -> None:
    """Write down that a claimed event is finished. A claim that was taken over changes nothing."""
    with transaction() as session:
        event = _get_claimed(session, claimed)
        if event:
            event.state = InboxState.IGNORED if is_ignored else InboxState.DONE
            event.processed_at, event.reason = utc_now(), None


def record_failed(claimed: ClaimedEvent, reason: str) -> None:
    """Plan another try of a claimed event, or give it up for a person to look at."""
    with transaction() as session:
        event = _get_claimed(session, claimed)
        if event:
            _retry_or_bury(event, reason)


def replay(actor: Actor, event_ids: Sequence[int]) -> int:
    """Handle finished or dead events again. Returns how many were found."""
    actor.require(Permission.INBOX_REPLAY)
    with transaction() as session:
        events = session.scalars(
            select(InboxEvent)
            .where(
                InboxEvent.id.in_(event_ids),
                InboxEvent.visible_to(actor),
                InboxEvent.state != InboxState.PROCESSING,
            )
            .with_for_update()
        ).all()
        for event in events:
            event.state, event.attempts, event.try_after = InboxState.RECEIVED, 0, None
            event.processed_at, event.reason = None, None
            audit.record(session, actor, "inbox.event.replayed", event)
            _enqueue(event.id)
    return len(events)


def read_body(actor: Actor, event_id: int) -> str:
    """What the platform sent, decrypted; that somebody looked is written down."""
    actor.require(Permission.INBOX_REPLAY)
    with transaction() as session:
        event = session.scalar(
            select(InboxEvent).where(InboxEvent.id == event_id, InboxEvent.visible_to(actor))
        )
        if event is None:
            raise EventNotFound(event_id=event_id)
        audit.record(session, actor, "inbox.event.read", event)
        return unseal(BODY, event.body_sealed)


def sweep() -> int:
    """Bring back what was lost: dead workers' claims, due retries, rows Redis forgot."""
    now = utc_now()
    with transaction() as session:
        stuck = session.scalars(
            select(InboxEvent)
            .where(
                InboxEvent.state == InboxState.PROCESSING,
                InboxEvent.claimed_at < now - CLAIM_LIFE,
            )
            .limit(SWEEP_LIMIT)
            .with_for_update()
        ).all()
        for event in stuck:
            _retry_or_bury(event, WORKER_DIED)
        session.flush()
        due = session.scalars(
            select(InboxEvent.id)
            .where(
                InboxEvent.state == InboxState.RECEIVED,
                or_(
                    InboxEvent.try_after <= now,
                    InboxEvent.try_after.is_(None)
                    & (InboxEvent.received_at < now - FORGOTTEN_AFTER),
                ),
            )
            .order_by(InboxEvent.id)
            .limit(SWEEP_LIMIT)
        ).all()
        if due:
            enqueue_many_after_commit(QueueName.INBOX, Job.HANDLE_INBOX_EVENT, list(due))
    return len(due)


def _enqueue(event_id: int) -> None:
    enqueue_after_commit(QueueName.INBOX, Job.HANDLE_INBOX_EVENT, event_id)


def _find_event_id(account_id: int, body_index: str) -> int | None:
    return reading().scalar(
        select(InboxEvent.id).where(
            InboxEvent.channel_account_id == account_id, InboxEvent.body_index == body_index
        )
    )


def _get_claimed(session: Session, claimed: ClaimedEvent) -> InboxEvent | None:
    return session.scalar(
        select(InboxEvent)
        .where(
            InboxEvent.id == claimed.id,
            InboxEvent.state == InboxState.PROCESSING,
            InboxEvent.attempts == claimed.attempts,
        )
        .with_for_update()
    )


def _retry_or_bury(event: InboxEvent, reason: str) -> None:
    delay, now = retry_delay(event.attempts), utc_now()
    event.reason = reason[:LONGEST_WORD]
    if delay is None:
        event.state, event.processed_at = InboxState.DEAD, now
    else:
        event.state, event.try_after = InboxState.RECEIVED, now + delay
