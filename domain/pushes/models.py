"""What is stored of a push."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Key, Model, ShortText
from domain.directory.access import OrgOwned


class PushStatus(StrEnum):
    """created → sending → sent → delivered; from sending also into a failure.

    ``temporary-failure`` goes back to sending; ``unknown`` means that nobody can say whether it
    went out, and it is never repeated by itself.
    """

    CREATED = "created"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    TEMPORARY_FAILURE = "temporary-failure"
    PERMANENT_FAILURE = "permanent-failure"
    UNKNOWN = "unknown"


class MessageKind(StrEnum):
    """Our messages; each is a file in ``templates/messages/`` and a template of the platform."""

    PAYSLIP_READY = "payslip_ready"
    QUESTION_ANSWERED = "question_answered"


class Push(OrgOwned, Model):
    """``params`` fill the message and hold nothing personal and no amount; ``path`` is where a
    tap leads; ``topic`` groups the pushes of one cause, e.g. ``payroll:12``."""

    __tablename__ = "pushes"
    __table_args__ = (
        UniqueConstraint("key"),
        UniqueConstraint("client_msg_id"),
        Index("ix_pushes_msgid", "channel_account_id", "msgid"),
        Index("ix_pushes_topic_status", "topic", "status"),
        Index("ix_pushes_status_try_after", "status", "try_after"),
    )

    id: Mapped[Key]
    channel_account_id: Mapped[int] = mapped_column(ForeignKey("channel_accounts.id"))
    employee_id: Mapped[int] = mapped_column(index=True)
    kind: Mapped[MessageKind]
    topic: Mapped[ShortText]
    key: Mapped[ShortText]
    client_msg_id: Mapped[str] = mapped_column(String(32))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    path: Mapped[str]
    status: Mapped[PushStatus]
    reason: Mapped[ShortText | None]
    attempts: Mapped[int] = mapped_column(default=0)
    errcode: Mapped[int | None]
    msgid: Mapped[int | None]
    created_at: Mapped[datetime]
    first_tried_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    try_after: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
