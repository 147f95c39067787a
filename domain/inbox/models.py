"""What is stored of a callback."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Key, LongText, Model, ShortText
from domain.directory.access import OrgOwned


class InboxState(StrEnum):
    """received → processing → done, ignored or too late; after failures received again, at last
    dead."""

    RECEIVED = "received"
    PROCESSING = "processing"
    DONE = "done"
    IGNORED = "ignored"  # nobody listens to this event
    TOO_LATE = "too-late"  # what had to be done within seconds was not even tried
    DEAD = "dead"


class InboxEvent(OrgOwned, Model):
    """``body_index`` is a keyed hash of the decrypted body: the same callback is one row.

    ``event`` and ``change_type`` are the platform's own words. ``reason`` is an error's class,
    never its text: a text may hold what a person wrote.
    """

    __tablename__ = "inbox_events"
    __table_args__ = (
        UniqueConstraint("channel_account_id", "body_index"),
        Index("ix_inbox_events_state_try_after", "state", "try_after"),
    )

    id: Mapped[Key]
    channel_account_id: Mapped[int] = mapped_column(ForeignKey("channel_accounts.id"))
    body_index: Mapped[str] = mapped_column(String(64))
    event: Mapped[ShortText]
    change_type: Mapped[ShortText]
    openid: Mapped[ShortText]
    body_sealed: Mapped[LongText]
    state: Mapped[InboxState]
    attempts: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime]
    deadline_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    try_after: Mapped[datetime | None]
    processed_at: Mapped[datetime | None]
    reason: Mapped[ShortText | None]
