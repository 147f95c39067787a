"""Bring back what Redis or a dead worker lost, and end what is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import after_commit, reading, transaction
from core.log import logger
from core.queues import Job, QueueName, enqueue_once
from domain.pushes.campaigns import CHUNK, OPEN, feed, is_under_way
from domain.pushes.ledger import change, grouped
from domain.pushes.models import Campaign, CampaignStatus, Push, PushStatus
from domain.pushes.policy import REPEATABLE_FOR

SWEEP_LIMIT = 10_000
# What the sweeper enqueued and nobody did is enqueued again.
AGAIN_AFTER = timedelta(seconds=30)
# The rows of a campaign that was cancelled are closed by then.
CLOSED_WITHIN = timedelta(days=1)

EXPIRED = "expired"


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


def _too_old(now: datetime) -> ColumnElement[bool]:
    """What may have arrived so long ago that the platform would not drop its repeat."""
    return or_(
        *(
            and_(Push.route == route, Push.in_doubt_since <= now - life)
            for route, life in REPEATABLE_FOR.items()
        )
    )


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
    for campaign_id, group in grouped(rows, lambda row: row.campaign_id).items():
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
    if is_under_way(campaign.channel_account_id, campaign.id):
        return
    first, waiting = session.execute(
        select(func.min(Push.id), func.count()).where(
            Push.campaign_id == campaign.id, Push.status == PushStatus.CREATED
        )
    ).one()
    if first is None or first > campaign.fed_to:
        return
    campaign.fed_to, campaign.fed_count = first - 1, campaign.total_count - waiting


def _accounts_to_feed(now: datetime) -> Sequence[int]:
    query = select(Campaign.channel_account_id).where(
        Campaign.status == CampaignStatus.RUNNING,
        Campaign.starts_at <= now,
        Campaign.fed_to < Campaign.last_id,
    )
    return reading().scalars(query.distinct()).all()


def _enqueue_now_and_then(job: Job, *args: int) -> None:
    """However often the sweeper finds the same: once in a while, because the job may be lost."""
    turn = int(utc_now().timestamp() // AGAIN_AFTER.total_seconds())
    job_id = "-".join(map(str, (job.name.lower(), *args, turn)))
    try:
        enqueue_once(QueueName.PUSH, job, *args, job_id=job_id)
    except RedisError:
        logger.warning("queue unreachable", extra={"job": job.name, "count": 1})


def _change_some(session: Session, conditions: Sequence[Any], **values: Any) -> None:
    """By ids, as workers do: who locks the same rows in another order waits for ever in MySQL."""
    found = select(Push.id).where(*conditions).order_by(Push.id).limit(SWEEP_LIMIT)
    ids = session.scalars(found).all()
    if ids:
        change(session, (Push.id.in_(ids), *conditions), **values)
