"""What can be asked about callbacks received."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from core.clock import utc_now
from core.db import reading
from core.metrics import Gauge
from core.paging import PAGE_SIZE, Page, page_of
from domain.directory.access import Actor, Permission
from domain.directory.models import ChannelAccount
from domain.inbox.errors import EventNotFound
from domain.inbox.models import InboxEvent, InboxState

# Ids grow with the time of arrival, but for what several processes store at the same moment.
ORDER_SLACK = timedelta(minutes=1)
# Where the newest callback of each account is looked for: a quiet account must not cost a look
# at years of others' callbacks.
RECENT_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant; what is None narrows nothing. Both ids are included.

    ``event`` is the platform's word for an event or for its kind of change.
    """

    account: str | None = None
    state: InboxState | None = None
    event: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    first_id: int | None = None
    last_id: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        wanted: list[ColumnElement[bool]] = []
        if self.account is not None:
            named = select(ChannelAccount.id).where(ChannelAccount.name == self.account)
            wanted.append(InboxEvent.channel_account_id.in_(named))
        if self.state is not None:
            wanted.append(InboxEvent.state == self.state)
        if self.event is not None:
            words = (InboxEvent.event, InboxEvent.change_type)
            wanted.append(or_(*(word == self.event for word in words)))
        if self.since is not None:
            wanted += _received_since(self.since)
        if self.until is not None:
            wanted.append(InboxEvent.received_at < self.until)
        if self.first_id is not None:
            wanted.append(InboxEvent.id >= self.first_id)
        if self.last_id is not None:
            wanted.append(InboxEvent.id <= self.last_id)
        return wanted


ANY = EventFilter()


def _received_since(since: datetime) -> list[ColumnElement[bool]]:
    """By the primary key from the newest back, so that the history before it costs nothing."""
    before = (
        select(InboxEvent.id)
        .where(InboxEvent.received_at < since - ORDER_SLACK)
        .order_by(InboxEvent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return [InboxEvent.id > func.coalesce(before, 0), InboxEvent.received_at >= since]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a replay would take: how many events, and the newest of them."""

    count: int
    last_id: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """``account`` is the channel account's name."""

    id: int
    account: str
    event: str
    change_type: str
    openid: str
    state: InboxState
    attempts: int
    received_at: datetime
    deadline_at: datetime | None
    processed_at: datetime | None
    reason: str | None


def list_events(
    actor: Actor, wanted: EventFilter = ANY, *, before: int | None = None, size: int = PAGE_SIZE
) -> Page[EventRow]:
    """The newest first."""
    query = _rows(actor).where(*wanted.conditions())
    query = query.order_by(InboxEvent.id.desc()).limit(size + 1)
    if before is not None:
        query = query.where(InboxEvent.id < before)
    rows = [EventRow(*row) for row in reading().execute(query)]
    return page_of(rows, size, lambda row: row.id)


def get_event(actor: Actor, event_id: int) -> EventRow:
    row = reading().execute(_rows(actor).where(InboxEvent.id == event_id)).one_or_none()
    if row is None:
        raise EventNotFound(event_id=event_id)
    return EventRow(*row)


def _rows(
    actor: Actor,
) -> Select[Any]:
    actor.require(Permission.INBOX_READ)
    return (
        select(
            InboxEvent.id,
            ChannelAccount.name,
            InboxEvent.event,
            InboxEvent.change_type,
            InboxEvent.openid,
            InboxEvent.state,
            InboxEvent.attempts,
            InboxEvent.received_at,
            InboxEvent.deadline_at,
            InboxEvent.processed_at,
            InboxEvent.reason,
        )
        .join(ChannelAccount, ChannelAccount.id == InboxEvent.channel_account_id)
        .where(InboxEvent.visible_to(actor))
    )


def measure_replay(actor: Actor, wanted: EventFilter, *, most: int) -> Stretch:
    """How many events a replay of ``wanted`` would take, counted up to ``most``."""
    actor.require(Permission.INBOX_REPLAY)
    found = (
        select(InboxEvent.id)
        .where(
            *wanted.conditions(),
            InboxEvent.visible_to(actor),
            InboxEvent.state != InboxState.PROCESSING,
        )
        .order_by(InboxEvent.id.desc())
        .limit(most)
        .subquery()
    )
    count, last_id = reading().execute(select(func.count(), func.max(found.c.id))).one()
    return Stretch(count, last_id or 0)


def last_received(actor: Actor) -> dict[int, datetime]:
    """When each channel account was last called back, by its id.

    Accounts without any among the newest callbacks of all are left out.
    """
    actor.require(Permission.INBOX_READ)
    newest = select(func.max(InboxEvent.id)).scalar_subquery()
    query = (
        select(InboxEvent.channel_account_id, func.max(InboxEvent.received_at))
        .where(InboxEvent.id > newest - RECENT_EVENTS, InboxEvent.visible_to(actor))
        .group_by(InboxEvent.channel_account_id)
    )
    return dict(reading().execute(query).tuples().all())


def count_by_state(actor: Actor, *, since: datetime | None = None) -> dict[InboxState, int]:
    """How many events stand where; ``since`` looks at what was received after it."""
    actor.require(Permission.INBOX_READ)
    query = (
        select(InboxEvent.state, func.count())
        .where(InboxEvent.visible_to(actor))
        .group_by(InboxEvent.state)
    )
    if since is not None:
        query = query.where(*_received_since(since))
    counts = dict.fromkeys(InboxState, 0)
    counts.update({InboxState(state): count for state, count in reading().execute(query)})
    return counts


def get_lag() -> timedelta:
    """The age of the oldest event that nobody has taken yet; zero when none waits."""
    oldest = reading().scalar(
        select(func.min(InboxEvent.received_at)).where(
            InboxEvent.state == InboxState.RECEIVED, InboxEvent.try_after.is_(None)
        )
    )
    return utc_now() - oldest if oldest else timedelta(0)


def count_unfinished() -> dict[str, float]:
    """How many wait, are in hand, or were given up: by the index, however long the history is."""
    states = (InboxState.RECEIVED, InboxState.PROCESSING, InboxState.DEAD)
    query = (
        select(InboxEvent.state, func.count())
        .where(InboxEvent.state.in_(states))
        .group_by(InboxEvent.state)
    )
    counts = dict(reading().execute(query).tuples().all())
    return {state.value: counts.get(state, 0) for state in states}


GAUGES = (
    Gauge(
        "xinqiao_inbox_lag_seconds",
        "Age of the oldest callback that nobody has taken",
        lambda: {"": get_lag().total_seconds()},
    ),
    Gauge("xinqiao_inbox_events", "Callbacks not finished", count_unfinished, label="state"),
)
