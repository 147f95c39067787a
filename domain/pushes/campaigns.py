"""Campaigns: request one, expand it into the ledger, hand its pushes to workers, control it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Subquery, Text, cast, func, insert, literal, null, or_, select, update
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import after_commit, reading, transaction
from core.log import logger
from core.queues import Job, QueueName, enqueue, enqueue_after_commit
from core.redis import PREFIX, redis
from core.settings import get_settings
from domain.audit import service as audit
from domain.directory.access import Actor, Permission
from domain.pushes.audiences import audience_of
from domain.pushes.errors import CampaignNotFound, CampaignNotPaused, CampaignOver, NothingToResend
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
    Urgency,
)
from domain.pushes.policy import LADDERS, URGENCIES, expiry, may_be_fed

# Rows of the ledger that one transaction writes: SQLite's only writer is not held for long.
SLICE = 10_000
# Pushes that one job sends, and how many such jobs of one account may be under way together.
CHUNK = 1_000
WINDOW = 4
# Longer than a chunk takes: what is older was lost with its worker, or with Redis.
CHUNK_LIFE = timedelta(seconds=75)

RESENDABLE = (
    Push.status == PushStatus.PERMANENT_FAILURE,
    or_(Push.tried.is_(null()), cast(Push.tried, Text).not_like('%"in_doubt"%')),
)
OPEN = (PushStatus.CREATED, PushStatus.SENDING, PushStatus.TEMPORARY_FAILURE)


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """``key`` makes it happen once: a second one with the same key is refused by the database."""

    org_path: str
    channel_account_id: int
    kind: MessageKind
    key: str
    params: Mapping[str, str]
    path: str
    starts_at: datetime | None = None
    is_gradual: bool = False
    requested_by: int | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    employee_id: int
    subject_id: int


# --- request --------------------------------------------------------------------------------


def request_campaign(
    session: Session, new: NewCampaign, *, audience: str, audience_id: int
) -> Campaign:
    """Write down who is to get what, in the caller's transaction; workers do the rest."""
    campaign = _add_campaign(session, new, audience, audience_id)
    enqueue_after_commit(QueueName.PUSH, Job.PREPARE_CAMPAIGN, campaign.id)
    return campaign


def request_notice(session: Session, new: NewCampaign, recipients: Sequence[Recipient]) -> Campaign:
    """A message to a few people who are known now: its pushes are written at once."""
    campaign = _add_campaign(session, new, None, None)
    campaign.fed_to = _newest_push_id(session)
    session.execute(
        insert(Push),
        [
            {
                "campaign_id": campaign.id,
                "employee_id": one.employee_id,
                "subject_id": one.subject_id,
                "route": campaign.ladder[0],
                "status": PushStatus.CREATED,
            }
            for one in recipients
        ],
    )
    campaign.last_id = _newest_push_id(session)
    campaign.total_count, campaign.prepared_at = len(recipients), campaign.created_at
    feed_after_commit(campaign.channel_account_id)
    return campaign


def _add_campaign(
    session: Session, new: NewCampaign, audience: str | None, audience_id: int | None
) -> Campaign:
    now = utc_now()
    starts_at, ladder = new.starts_at or now, _ladder(new.kind)
    campaign = Campaign(
        org_path=new.org_path,
        channel_account_id=new.channel_account_id,
        kind=new.kind,
        key=new.key,
        audience=audience,
        audience_id=audience_id,
        params=dict(new.params),
        path=new.path,
        ladder=ladder,
        nonce=secrets.token_hex(6),
        status=CampaignStatus.RUNNING,
        urgency=URGENCIES.get(new.kind, Urgency.BULK),
        is_gradual=new.is_gradual,
        requested_by=new.requested_by,
        created_at=now,
        starts_at=starts_at,
        expires_at=expiry(ladder, starts_at),
    )
    session.add(campaign)
    session.flush()
    return campaign


def _ladder(kind: MessageKind) -> list[str]:
    """Without a gateway nobody is left for a text message that cannot be sent."""
    left_out = set() if get_settings().sms_gateway else {Route.SMS}
    return [route.value for route in LADDERS[kind] if route not in left_out]


def _newest_push_id(session: Session) -> int:
    return session.scalar(select(func.max(Push.id))) or 0


# --- prepare --------------------------------------------------------------------------------


def prepare(campaign_id: int) -> None:
    """Expand a campaign into ledger rows, slice by slice. Broken off anywhere it goes on there;
    run twice, the second run waits for the first and finds nothing left."""
    while _prepare_slice(campaign_id):
        pass


def _prepare_slice(campaign_id: int) -> bool:
    """Write the next rows; whether there may be more."""
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
        if campaign.prepared_at or campaign.status is CampaignStatus.CANCELLED:
            return False
        if campaign.prepared_to == 0:
            campaign.fed_to = _newest_push_id(session)
        assert campaign.audience is not None
        assert campaign.audience_id is not None
        asked = audience_of(campaign.audience, campaign.audience_id).subquery()
        part = (
            select(asked.c.subject_id)
            .where(asked.c.subject_id > campaign.prepared_to)
            .order_by(asked.c.subject_id)
            .limit(SLICE)
            .subquery()
        )
        end, count = session.execute(
            select(func.max(part.c.subject_id), func.count()).select_from(part)
        ).one()
        if count:
            campaign.total_count += _write(session, campaign, asked, end)
            campaign.prepared_to = end
            campaign.last_id = _newest_push_id(session)
        if count < SLICE:
            campaign.prepared_at = utc_now()
        feed_after_commit(campaign.channel_account_id)
        return bool(count == SLICE)


def _write(session: Session, campaign: Campaign, asked: Subquery, end: int) -> int:
    """The database copies people into the ledger itself: no row passes through this process.

    By their ids and not by a count: who drops out of the audience meanwhile must not let somebody
    in whom the next slice will write too. How many were written.
    """
    columns = ["campaign_id", "employee_id", "subject_id", "route", "status", "attempts", "resends"]
    written = session.execute(
        insert(Push).from_select(
            columns,
            select(
                literal(campaign.id),
                asked.c.employee_id,
                asked.c.subject_id,
                literal(campaign.ladder[0]),
                literal(PushStatus.CREATED.value),
                literal(0),
                literal(0),
            )
            .where(asked.c.subject_id > campaign.prepared_to, asked.c.subject_id <= end)
            .order_by(asked.c.subject_id),
            include_defaults=False,
        )
    )
    return int(getattr(written, "rowcount", 0))


# --- feed -----------------------------------------------------------------------------------


def feed_after_commit(channel_account_id: int) -> None:
    after_commit(lambda: enqueue(QueueName.PUSH, Job.FEED_PUSHES, channel_account_id))


def feed(channel_account_id: int) -> int:
    """Hand chunks of an account's campaigns to workers, urgent campaigns first, those fed longest
    ago next, until a window is full; how many.

    The window is the account's: one bank with many campaigns does not fill the queue before
    another with one. Redis counts it; when Redis forgot, chunks are handed out again, which is
    harmless, because a worker only sends what it can claim in the ledger.
    """
    fed = 0
    while _has_room(channel_account_id):
        chunk = _next_chunk(channel_account_id)
        if chunk is None:
            break
        _hand_out(channel_account_id, chunk)
        fed += 1
    return fed


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pushes of a campaign with ids from ``first_id`` to ``last_id``, both included."""

    campaign_id: int
    first_id: int
    last_id: int
    is_urgent: bool = False

    @property
    def ids(self) -> tuple[int, int]:
        return self.first_id, self.last_id

    @property
    def name(self) -> str:
        return f"{self.campaign_id}:{self.first_id}:{self.last_id}"


def _next_chunk(channel_account_id: int) -> Chunk | None:
    now = utc_now()
    with transaction() as session:
        ready = (
            Campaign.status == CampaignStatus.RUNNING,
            Campaign.starts_at <= now,
            Campaign.expires_at > now,
            or_(Campaign.held_until.is_(None), Campaign.held_until <= now),
            Campaign.fed_to < Campaign.last_id,
        )
        ids = session.scalars(
            select(Campaign.id)
            .where(Campaign.channel_account_id == channel_account_id, *ready)
            # "urgent" sorts after "bulk"; who was never fed comes first in both databases.
            .order_by(Campaign.urgency.desc(), Campaign.fed_at, Campaign.id)
        ).all()
        for campaign_id in ids:
            campaign = session.scalar(
                select(Campaign).where(Campaign.id == campaign_id, *ready).with_for_update()
            )
            chunk = _cut(session, campaign, now) if campaign else None
            if campaign and chunk:
                campaign.fed_at = now
                return chunk
    return None


def _cut(session: Session, campaign: Campaign, now: datetime) -> Chunk | None:
    allowed = may_be_fed(
        campaign.total_count, now - campaign.starts_at, is_gradual=campaign.is_gradual
    )
    size = min(CHUNK, allowed - campaign.fed_count)
    if size < 1:
        return None
    ids = (
        select(Push.id)
        # A campaign's ids lie together. MySQL would rather look through all of it at each chunk.
        .with_hint(Push, "FORCE INDEX (PRIMARY)", "mysql")
        .with_hint(Push, "FORCE INDEX (PRIMARY)", "mariadb")
        .where(
            Push.campaign_id == campaign.id,
            # What was handed out before and is over does not count. Nothing that is new was sent,
            # or is past the first step: said aloud, it lets SQLite's index give the ids in order.
            Push.status == PushStatus.CREATED,
            Push.sent_at.is_(None),
            Push.route == Route(campaign.ladder[0]),
            Push.id > campaign.fed_to,
            Push.id <= campaign.last_id,
        )
        .order_by(Push.id)
        .limit(size)
        .subquery()
    )
    first, last, count = session.execute(
        select(func.min(ids.c.id), func.max(ids.c.id), func.count()).select_from(ids)
    ).one()
    campaign.fed_to = last if count else campaign.last_id
    campaign.fed_count += count
    return Chunk(campaign.id, first, last, campaign.urgency is Urgency.URGENT) if count else None


def _window(channel_account_id: int) -> str:
    return f"{PREFIX}push-window:{channel_account_id}"


def _has_room(channel_account_id: int) -> bool:
    key, now = _window(channel_account_id), utc_now().timestamp()
    try:
        redis().zremrangebyscore(key, "-inf", now - CHUNK_LIFE.total_seconds())
        return int(str(redis().zcard(key))) < WINDOW
    except RedisError:
        return False  # nor could anything be enqueued


def _hand_out(channel_account_id: int, chunk: Chunk) -> None:
    try:
        redis().zadd(_window(channel_account_id), {chunk.name: utc_now().timestamp()})
    except RedisError:
        logger.warning("window not counted", extra={"account_id": channel_account_id})
    send(chunk)


def send(chunk: Chunk) -> None:
    enqueue(
        QueueName.PUSH, Job.SEND_PUSHES, chunk.campaign_id, *chunk.ids, is_urgent=chunk.is_urgent
    )


def chunk_done(chunk: Chunk) -> None:
    """Give its place in the window to the next."""
    channel_account_id = reading().scalar(
        select(Campaign.channel_account_id).where(Campaign.id == chunk.campaign_id)
    )
    if channel_account_id is None:
        return
    try:
        redis().zrem(_window(channel_account_id), chunk.name)
    except RedisError:
        logger.warning("window not counted", extra={"account_id": channel_account_id})
    feed(channel_account_id)


def is_under_way(channel_account_id: int, campaign_id: int) -> bool:
    """Whether chunks of this campaign may still be in the queue or in a worker's hands. While
    Redis is away nobody knows, and nothing could be handed out."""
    since = utc_now().timestamp() - CHUNK_LIFE.total_seconds()
    try:
        names = redis().zrangebyscore(_window(channel_account_id), since, "+inf")
    except RedisError:
        return True
    return any(str(name).startswith(f"{campaign_id}:") for name in names)  # type: ignore[union-attr]


# --- control --------------------------------------------------------------------------------


def pause(actor: Actor, campaign_id: int) -> None:
    """Nothing more goes out; what is on its way is not called back."""
    with transaction() as session:
        campaign = _own_for_update(session, actor, campaign_id)
        if campaign.status is not CampaignStatus.RUNNING:
            raise CampaignOver
        campaign.status, campaign.reason = CampaignStatus.PAUSED, "by-hand"
        audit.record(session, actor, "pushes.campaign.paused", campaign)


def resume(actor: Actor, campaign_id: int) -> None:
    """Go on. The time that it stood still does not count against what may still be sent."""
    with transaction() as session:
        campaign = _own_for_update(session, actor, campaign_id)
        if campaign.status is not CampaignStatus.PAUSED:
            raise CampaignNotPaused
        campaign.status, campaign.reason = CampaignStatus.RUNNING, None
        campaign.expires_at = max(campaign.expires_at, expiry(campaign.ladder, utc_now()))
        audit.record(session, actor, "pushes.campaign.resumed", campaign)
        feed_after_commit(campaign.channel_account_id)


def cancel(actor: Actor, campaign_id: int) -> None:
    """Nobody else gets it. Final; the sweeper writes it into the rows."""
    with transaction() as session:
        campaign = _own_for_update(session, actor, campaign_id)
        if campaign.status not in {CampaignStatus.RUNNING, CampaignStatus.PAUSED}:
            raise CampaignOver
        campaign.status, campaign.ended_at = CampaignStatus.CANCELLED, utc_now()
        audit.record(session, actor, "pushes.campaign.cancelled", campaign)


def resend_failed(actor: Actor, campaign_id: int) -> int:
    """Try once more, from the first step of the ladder, for whom every step failed; how many.

    What may have arrived is left alone: what is ``unknown``, and whose story has a lost answer.
    """
    with transaction() as session:
        campaign = _own_for_update(session, actor, campaign_id)
        if campaign.status not in {CampaignStatus.RUNNING, CampaignStatus.FINISHED}:
            raise CampaignOver
        again = session.execute(
            update(Push)
            .where(Push.campaign_id == campaign.id, *RESENDABLE)
            .values(
                status=PushStatus.TEMPORARY_FAILURE,
                due_at=utc_now(),
                route=Route(campaign.ladder[0]),
                attempts=0,
                resends=Push.resends + 1,
                claim=None,
                in_doubt_since=None,
                reason=None,
                errcode=None,
                msgid=None,
                sent_at=None,
                tried=null(),
            )
            .execution_options(synchronize_session=False)
        )
        count = int(getattr(again, "rowcount", 0))
        if not count:
            raise NothingToResend
        campaign.status, campaign.ended_at = CampaignStatus.RUNNING, None
        campaign.expires_at = expiry(campaign.ladder, utc_now())
        audit.record(session, actor, "pushes.campaign.resent", campaign, pushes=count)
        after_commit(lambda: enqueue(QueueName.URGENT, Job.SWEEP))
    return count


def _own_for_update(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    actor.require(Permission.PUSHES_CONTROL)
    campaign = session.scalar(
        select(Campaign)
        .where(Campaign.id == campaign_id, Campaign.visible_to(actor))
        .with_for_update()
    )
    if campaign is None:
        raise CampaignNotFound
    return campaign
