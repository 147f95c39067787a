"""What can be done with stored callbacks: claim, record what became of them, replay, sweep.

They are stored by ``intake.accept``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from core.queues import QueueName, queue_length
from core.security import unseal
from domain.audit import service as audit
from domain.directory.access import Actor, Permission
from domain.inbox.errors import EventNotFound, RangeTooLong
from domain.inbox.intake import BODY, LONGEST_WORD, enqueue_events
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.policy import (
    CLAIM_LIFE,
    FORGOTTEN_AFTER,
    URGENT_FORGOTTEN_AFTER,
    retry_delay,
)
from domain.inbox.queries import EventFilter

SWEEP_LIMIT = 500
REPLAY_LIMIT = 10_000
WORKER_DIED = "worker-died"


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    id: int
    channel_account_id: int
    attempts: int
    claimed_at: datetime
    deadline_at: datetime | None
    body: str = field(repr=False)

    @property
    def is_too_late(self) -> bool:
        return self.deadline_at is not None and utc_now() >= self.deadline_at


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
            claimed_at=now,
            deadline_at=event.deadline_at,
            body=unseal(BODY, event.body_sealed),
        )


def record_processed(claimed: ClaimedEvent, state: InboxState) -> None:
    """Write down how a claimed event ended. A claim that was taken over changes nothing."""
    with transaction() as session:
        session.execute(
            update(InboxEvent)
            .where(*_is_claimed(claimed))
            .values(state=state, processed_at=utc_now(), reason=None)
            .execution_options(synchronize_session=False)
        )


def note_in_time(claimed: ClaimedEvent) -> None:
    """What was urgent is done: if the rest fails and comes again, it is not done again."""
    with transaction() as session:
        event = _get_claimed(session, claimed)
        if event:
            event.deadline_at = None


def record_failed(claimed: ClaimedEvent, reason: str) -> None:
    """Plan another try of a claimed event, or give it up for a person to look at."""
    with transaction() as session:
        event = _get_claimed(session, claimed)
        if event:
            _retry_or_bury(event, reason)


def replay(actor: Actor, event_ids: Sequence[int]) -> int:
    """Handle finished or dead events again. Returns how many were found."""
    return _replay(actor, InboxEvent.id.in_(event_ids))


def replay_all(actor: Actor, wanted: EventFilter) -> int:
    """Handle a stretch of events again: after a fault of ours, say.

    Returns how many were found; raises RangeTooLong for more than ``REPLAY_LIMIT``.
    """
    return _replay(actor, *wanted.conditions())


def _replay(actor: Actor, *conditions: ColumnElement[bool]) -> int:
    actor.require(Permission.INBOX_REPLAY)
    with transaction() as session:
        events = session.scalars(
            select(InboxEvent)
            .where(
                *conditions,
                InboxEvent.visible_to(actor),
                InboxEvent.state != InboxState.PROCESSING,
            )
            .order_by(InboxEvent.id)
            .limit(REPLAY_LIMIT + 1)
            .with_for_update()
        ).all()
        if len(events) > REPLAY_LIMIT:
            raise RangeTooLong(limit=REPLAY_LIMIT)
        for event in events:
            event.state, event.attempts, event.try_after = InboxState.RECEIVED, 0, None
            event.processed_at, event.reason = None, None
            audit.record(session, actor, "inbox.event.replayed", event)
        enqueue_events([event.id for event in events])
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
        found = 0
        for is_urgent, queue in ((True, QueueName.URGENT), (False, QueueName.INBOX)):
            # A queue that is still long has forgotten nothing: twice in it is no quicker.
            if _length(queue) < SWEEP_LIMIT:
                due = session.scalars(_due(now, is_urgent=is_urgent)).all()
                enqueue_events(due, is_urgent=is_urgent)
                found += len(due)
    return found


def _due(now: datetime, *, is_urgent: bool) -> Select[tuple[int]]:
    forgotten_after = URGENT_FORGOTTEN_AFTER if is_urgent else FORGOTTEN_AFTER
    urgent = InboxEvent.deadline_at > now
    return (
        select(InboxEvent.id)
        .where(
            InboxEvent.state == InboxState.RECEIVED,
            urgent if is_urgent else or_(InboxEvent.deadline_at.is_(None), ~urgent),
            or_(
                InboxEvent.try_after <= now,
                InboxEvent.try_after.is_(None) & (InboxEvent.received_at < now - forgotten_after),
            ),
        )
        .order_by(InboxEvent.id)
        .limit(SWEEP_LIMIT)
    )


def _length(queue: QueueName) -> int:
    try:
        return queue_length(queue)
    except RedisError:
        return 0  # enqueueing says so, and says it once


def _get_claimed(session: Session, claimed: ClaimedEvent) -> InboxEvent | None:
    return session.scalar(select(InboxEvent).where(*_is_claimed(claimed)).with_for_update())


def _is_claimed(claimed: ClaimedEvent) -> tuple[ColumnElement[bool], ...]:
    """Still in hand under this very claim. A replay begins to count the attempts anew."""
    return (
        InboxEvent.id == claimed.id,
        InboxEvent.state == InboxState.PROCESSING,
        InboxEvent.claimed_at == claimed.claimed_at,
    )


def _retry_or_bury(event: InboxEvent, reason: str) -> None:
    now = utc_now()
    left = event.deadline_at - now if event.deadline_at else None
    delay = retry_delay(event.attempts, left)
    event.reason = reason[:LONGEST_WORD]
    if delay is None:
        event.state, event.processed_at = InboxState.DEAD, now
    else:
        event.state, event.try_after = InboxState.RECEIVED, now + delay
