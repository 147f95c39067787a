"""What is stored of push campaigns and of the messages in them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Key, Model, ShortText
from domain.directory.access import OrgOwned


class PushStatus(StrEnum):
    """created → sending → sent → delivered; from sending also into a failure.

    ``temporary-failure`` goes back to sending; ``unknown`` means that nobody can say whether it
    went out, and it is never repeated by itself. A failure of one route may lead to the next:
    then the push is ``created`` again.
    """

    CREATED = "created"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    TEMPORARY_FAILURE = "temporary-failure"
    PERMANENT_FAILURE = "permanent-failure"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Route(StrEnum):
    """The steps of the ladder, the first one tried first."""

    TEMPLATE = "template"  # a template message of the official account
    MINIPROGRAM = "miniprogram"  # a subscription message of the mini-program
    WECOM = "wecom"  # a message of the WeCom app
    SMS = "sms"


class MessageKind(StrEnum):
    """Our messages; each is a file in ``templates/messages/`` and a template of the platform."""

    PAYSLIP_READY = "payslip_ready"
    PAYSLIP_REMINDER = "payslip_reminder"
    QUESTION_ANSWERED = "question_answered"


class CampaignStatus(StrEnum):
    """running ⇄ paused; both end as finished or cancelled. Finished is running again when
    somebody is sent to once more."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Urgency(StrEnum):
    """Of an account's campaigns the urgent ones are fed first."""

    URGENT = "urgent"
    BULK = "bulk"


class Campaign(OrgOwned, Model):
    """One message to many: payslips of a batch, or a notice to one person.

    ``audience`` and ``audience_id`` name who gets it (``audiences.py``); without an audience the
    pushes were given. ``params`` fill the message and hold nothing personal and no amount.
    ``path`` is where a tap leads, with the push's subject in place of ``{}``. ``nonce`` makes the
    ``client_msg_id`` of its pushes. Ids of its pushes up to ``fed_to`` were handed to workers;
    the last of them is not above ``last_id``.
    """

    __tablename__ = "push_campaigns"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_push_campaigns_account_status", "channel_account_id", "status"),
    )

    id: Mapped[Key]
    channel_account_id: Mapped[int] = mapped_column(ForeignKey("channel_accounts.id"))
    kind: Mapped[MessageKind]
    key: Mapped[ShortText]
    audience: Mapped[ShortText | None]
    audience_id: Mapped[int | None]
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    path: Mapped[str]
    ladder: Mapped[list[Any]] = mapped_column(JSON)
    nonce: Mapped[ShortText]
    status: Mapped[CampaignStatus]
    urgency: Mapped[Urgency]
    is_gradual: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[ShortText | None]
    prepared_to: Mapped[int] = mapped_column(default=0)
    prepared_at: Mapped[datetime | None]
    total_count: Mapped[int] = mapped_column(default=0)
    fed_to: Mapped[int] = mapped_column(default=0)
    fed_count: Mapped[int] = mapped_column(default=0)
    fed_at: Mapped[datetime | None]
    last_id: Mapped[int] = mapped_column(default=0)
    requested_by: Mapped[int | None]
    created_at: Mapped[datetime]
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    held_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Push(Model):
    """One message to one employee. Its organisation is its campaign's.

    ``claim`` is the number of the worker's turn that is sending it; ``due_at`` is when a failure
    is tried again, and when a claim is too old to be alive. ``in_doubt_since`` is the first try
    whose outcome is not known. ``tried`` tells of the routes before this one.
    """

    __tablename__ = "pushes"
    __table_args__ = (
        # One message per person and campaign.
        UniqueConstraint("campaign_id", "employee_id"),
        # Covers the counts and the rate of a campaign, not its reasons: counting those of 20,000
        # failures takes 60 ms, and another index would be written at every step of every push.
        Index("ix_pushes_campaign_status", "campaign_id", "status", "sent_at", "route"),
        Index("ix_pushes_status_due", "status", "due_at"),
        Index("ix_pushes_msgid", "msgid"),
    )

    id: Mapped[Key]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("push_campaigns.id"))
    employee_id: Mapped[int] = mapped_column(index=True)
    subject_id: Mapped[int]
    route: Mapped[Route]
    status: Mapped[PushStatus]
    reason: Mapped[ShortText | None]
    errcode: Mapped[int | None]
    msgid: Mapped[ShortText | None]
    attempts: Mapped[int] = mapped_column(default=0)
    resends: Mapped[int] = mapped_column(default=0)
    claim: Mapped[int | None] = mapped_column(BigInteger())
    due_at: Mapped[datetime | None]
    in_doubt_since: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    tried: Mapped[list[Any] | None] = mapped_column(JSON)


class Unreachable(Model):
    """What a platform said about a person: this kind of message (or, without one, none) will not
    reach them by this account before ``until``."""

    __tablename__ = "push_unreachables"
    __table_args__ = (UniqueConstraint("identity_id", "kind"),)

    id: Mapped[Key]
    identity_id: Mapped[int] = mapped_column(ForeignKey("identities.id"))
    kind: Mapped[ShortText]  # a MessageKind, or "" for all
    reason: Mapped[ShortText]
    noted_at: Mapped[datetime]
    until: Mapped[datetime]
