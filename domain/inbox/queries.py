"""What can be asked about callbacks received."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from core.db import reading
from core.paging import PAGE_SIZE, Page, page_of
from domain.directory.access import Actor, Permission
from domain.directory.models import ChannelAccount
from domain.inbox.errors import EventNotFound
from domain.inbox.models import InboxEvent, InboxState


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
    processed_at: datetime | None
    reason: str | None


def list_events(
    actor: Actor,
    *,
    account: str | None = None,
    state: InboxState | None = None,
    before: int | None = None,
    size: int = PAGE_SIZE,
) -> Page[EventRow]:
    """The newest first."""
    query = _rows(actor).order_by(InboxEvent.id.desc()).limit(size + 1)
    if account is not None:
        query = query.where(ChannelAccount.name == account)
    if state is not None:
        query = query.where(InboxEvent.state == state)
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
) -> Select[tuple[int, str, str, str, str, InboxState, int, datetime, datetime | None, str | None]]:
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
            InboxEvent.processed_at,
            InboxEvent.reason,
        )
        .join(ChannelAccount, ChannelAccount.id == InboxEvent.channel_account_id)
        .where(InboxEvent.visible_to(actor))
    )
