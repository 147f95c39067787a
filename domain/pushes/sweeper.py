"""Bring back what Redis or a dead worker lost, and end what is over."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from core import queues
from core.clock import utc_now
from core.db import reading, transaction
from core.log import logger
from core.queues import Job, QueueName, enqueue, name_of
from domain.pushes.campaigns import (
    CHUNK,
    CHUNK_LIFE,
    OPEN,
    WINDOW,
    Chunk,
    feed,
    is_under_way,
    send,
)
from domain.pushes.ledger import change, grouped
from domain.pushes.models import Campaign, CampaignStatus, Push, PushStatus, Urgency
from domain.pushes.policy import CLAIM_LIFE, REPEATABLE_FOR

SWEEP_LIMIT = 10_000
# By so much the clocks of two machines may differ, or a look at one be old.
CLOCKS_DIFFER = timedelta(minutes=1)
# The rows of a campaign that was cancelled are closed by then.
CLOSED_WITHIN = timedelta(days=1)

EXPIRED = "expired"


def sweep() -> int:
    """Bring back what was lost: dead workers' claims, due retries, chunks that Redis forgot."""
    now = utc_now()
    with transaction() as session:
        _let_go_of_dead_claims(session, now)
    under_way = _under_way()
    found = _hand_out_due(now, under_way)
    for campaign in _moving(now):
        _tend(campaign, now, under_way)
    for account_id in _accounts_to_feed(now):
        feed(account_id)
    return found


def _under_way() -> Collection[str] | None:
    """What the workers will do, or are doing: twice in the queue is no quicker. None while Redis
    is away: nothing could be enqueued."""
    try:
        return queues.under_way(QueueName.PUSH, CHUNK_LIFE)
    except RedisError:
        logger.warning("queue unreachable", extra={"queue": QueueName.PUSH.value})
        return None


def _let_go_of_dead_claims(session: Session, now: datetime) -> None:
    """A worker died between claim and record: nobody knows what arrived. No living claim ends so
    far ahead as one made before the clock was set back."""
    latest = now + CLAIM_LIFE + CLOCKS_DIFFER
    is_dead = or_(Push.due_at <= now, Push.due_at > latest)
    dead = (Push.status == PushStatus.SENDING, is_dead)
    waiting = (Push.status == PushStatus.TEMPORARY_FAILURE, Push.due_at <= now)
    too_old = _too_old(now)
    _change_some(session, (*dead, too_old), status=PushStatus.UNKNOWN, claim=None, due_at=None)
    _change_some(session, (*waiting, too_old), status=PushStatus.UNKNOWN, due_at=None)
    _change_some(session, dead, status=PushStatus.TEMPORARY_FAILURE, claim=None, due_at=now)


def _too_old(now: datetime) -> ColumnElement[bool]:
    """What may have arrived so long ago that the platform would not drop its repeat."""
    return or_(
        # The clock was set back meanwhile: nobody can say how long ago.
        Push.in_doubt_since > now + CLOCKS_DIFFER,
        *(
            and_(Push.route == route, Push.in_doubt_since <= now - life)
            for route, life in REPEATABLE_FOR.items()
        ),
    )


def _hand_out_due(now: datetime, under_way: Collection[str] | None) -> int:
    """Of each account the urgent ones first, then the oldest, and together no more than its
    window holds: the rest comes with the next sweeps."""
    rows = _due(now)
    for of_account in grouped(rows, lambda row: row.channel_account_id).values():
        for chunk in _chunks(of_account)[:WINDOW]:
            name = name_of(Job.SEND_PUSHES, chunk.campaign_id, *chunk.ids)
            if under_way is not None and name not in under_way:
                send(chunk)
    return len(rows)


def _due(now: datetime) -> Sequence[Any]:
    # "urgent" sorts after "bulk".
    order = (Campaign.urgency.desc(), Push.due_at, Push.id)
    place = func.row_number().over(partition_by=Campaign.channel_account_id, order_by=order)
    campaign = (Push.campaign_id, Campaign.channel_account_id, Campaign.urgency)
    due = (
        select(Push.id, *campaign, place.label("place"))
        .join(Campaign, Campaign.id == Push.campaign_id)
        .where(
            Push.status == PushStatus.TEMPORARY_FAILURE,
            Push.due_at <= now,
            Campaign.status == CampaignStatus.RUNNING,
            Campaign.expires_at > now,
        )
        .subquery()
    )
    of_each = select(due).where(due.c.place <= WINDOW * CHUNK).order_by(due.c.place, due.c.id)
    return reading().execute(of_each).all()


def _chunks(rows: Iterable[Any]) -> list[Chunk]:
    """In the order of their campaigns' first rows."""
    chunks = []
    for campaign_id, group in grouped(rows, lambda row: row.campaign_id).items():
        is_urgent = group[0].urgency is Urgency.URGENT
        ids = sorted(row.id for row in group)
        for start in range(0, len(ids), CHUNK):
            part = ids[start : start + CHUNK]
            chunks.append(Chunk(campaign_id, part[0], part[-1], is_urgent))
    return chunks


def _moving(now: datetime) -> Sequence[Any]:
    """Campaigns that should have begun and have not ended, or ended with pushes still open."""
    is_open = select(Push.id).where(Push.campaign_id == Campaign.id, Push.status.in_(OPEN)).exists()
    cancelled = Campaign.status == CampaignStatus.CANCELLED
    columns = (
        *(Campaign.id, Campaign.channel_account_id, Campaign.status, Campaign.expires_at),
        *(Campaign.prepared_at, Campaign.total_count, Campaign.fed_to),
    )
    query = select(*columns).where(
        or_(
            (Campaign.status == CampaignStatus.RUNNING) & (Campaign.starts_at <= now),
            (Campaign.status == CampaignStatus.PAUSED) & (Campaign.expires_at <= now),
            cancelled & (Campaign.ended_at > now - CLOSED_WITHIN) & is_open,
        )
    )
    return reading().execute(query).all()


def _tend(campaign: Any, now: datetime, under_way: Collection[str] | None) -> None:
    """Most campaigns need nothing: that is found by reading, without a lock."""
    if campaign.status is CampaignStatus.CANCELLED or campaign.expires_at <= now:
        _end(campaign.id, now)
    elif not campaign.prepared_at:
        _prepare_again(campaign.id, under_way)
    elif _has_open(reading(), campaign.id):
        _feed_again(campaign, under_way)
    else:
        _end(campaign.id, now)


def _prepare_again(campaign_id: int, under_way: Collection[str] | None) -> None:
    name = name_of(Job.PREPARE_CAMPAIGN, campaign_id)
    if under_way is not None and name not in under_way:
        enqueue(QueueName.PUSH, Job.PREPARE_CAMPAIGN, campaign_id)


def _end(campaign_id: int, now: datetime) -> None:
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
        if campaign.status is CampaignStatus.CANCELLED:
            _close(session, campaign, PushStatus.CANCELLED, None)
            return
        if campaign.expires_at <= now:
            _close(session, campaign, PushStatus.PERMANENT_FAILURE, EXPIRED)
            campaign.prepared_at = campaign.prepared_at or now
        if campaign.prepared_at and not _has_open(session, campaign.id):
            campaign.status, campaign.ended_at = CampaignStatus.FINISHED, now


def _close(session: Session, campaign: Campaign, status: PushStatus, reason: str | None) -> None:
    """Some thousand rows at a time: the next sweep goes on."""
    waiting = (
        Push.campaign_id == campaign.id,
        Push.status.in_([PushStatus.CREATED, PushStatus.TEMPORARY_FAILURE]),
    )
    doubtful = (*waiting, Push.in_doubt_since.is_not(None))
    _change_some(session, doubtful, status=PushStatus.UNKNOWN, due_at=None)
    _change_some(session, waiting, status=status, reason=reason, due_at=None)


def _has_open(session: Session, campaign_id: int) -> bool:
    found = select(Push.id).where(Push.campaign_id == campaign_id, Push.status.in_(OPEN)).limit(1)
    return session.scalar(found) is not None


def _feed_again(campaign: Any, under_way: Collection[str] | None) -> None:
    """Chunks that nobody sends any more: Redis was emptied, or a worker died before its claim."""
    sends = name_of(Job.SEND_PUSHES, campaign.id, "")
    if under_way is None or any(name.startswith(sends) for name in under_way):
        return
    if is_under_way(campaign.channel_account_id, campaign.id):
        return
    query = select(func.min(Push.id), func.count()).where(
        Push.campaign_id == campaign.id, Push.status == PushStatus.CREATED
    )
    first, waiting = reading().execute(query).one()
    if first is None or first > campaign.fed_to:
        return
    fed = {"fed_to": first - 1, "fed_count": campaign.total_count - waiting}
    with transaction() as session:
        # Unless it was fed since it was looked at.
        same = (Campaign.id == campaign.id, Campaign.fed_to == campaign.fed_to)
        session.execute(update(Campaign).where(*same).values(fed))


def _accounts_to_feed(now: datetime) -> Sequence[int]:
    query = select(Campaign.channel_account_id).where(
        Campaign.status == CampaignStatus.RUNNING,
        Campaign.starts_at <= now,
        Campaign.fed_to < Campaign.last_id,
    )
    return reading().scalars(query.distinct()).all()


def _change_some(session: Session, conditions: Sequence[Any], **values: Any) -> None:
    """By ids, as workers do: who locks the same rows in another order waits for ever in MySQL."""
    found = select(Push.id).where(*conditions).order_by(Push.id).limit(SWEEP_LIMIT)
    ids = session.scalars(found).all()
    if ids:
        change(session, (Push.id.in_(ids), *conditions), **values)
