"""What ought to have moved and has not, and what nobody will try again.

The sweeper brings back whatever is lost within seconds. What is listed here it did not bring back:
it does not run, or cannot. Ids and counts only.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from core.clock import utc_now
from core.db import reading
from core.metrics import Gauge
from domain.directory.access import Actor, Permission
from domain.directory.models import ChannelAccount
from domain.pushes.campaigns import OPEN
from domain.pushes.models import Campaign, CampaignStatus, Push, PushStatus
from domain.pushes.policy import NOT_BOUND, REMEMBERED_FOR

# The sweeper comes every 5 seconds, and a job it enqueues may wait behind a full queue.
CLAIM_PATIENCE = timedelta(minutes=2)
RETRY_PATIENCE = timedelta(minutes=5)
PREPARE_PATIENCE = timedelta(minutes=5)
FEED_PATIENCE = timedelta(minutes=10)
# Closing goes ten thousand rows at a time.
CLOSE_PATIENCE = timedelta(minutes=30)
# What nobody tries again is shown for so long.
SHOWN_FOR = timedelta(days=7)
# Beyond so many rows, or campaigns, the exact number matters to nobody.
ROW_LIMIT = 100_000
CAMPAIGN_LIMIT = 500


class StuckKind(StrEnum):
    CLAIM = "dead-claim"
    RETRY = "late-retry"
    PREPARE = "not-prepared"
    FEED = "not-fed"
    CLOSE = "not-closed"
    UNKNOWN = "unknown"


WORDS = {
    StuckKind.CLAIM: "发送中断，没有收回",
    StuckKind.RETRY: "到点没有重试",
    StuckKind.PREPARE: "名单没有准备",
    StuckKind.FEED: "没有交给发送任务",
    StuckKind.CLOSE: "过期或取消后没有收尾",
    StuckKind.UNKNOWN: "不知道是否送达",
}
ADVICE = {
    StuckKind.CLAIM: "检查 timetable 和 urgent 队列的 worker 是否在运行",
    StuckKind.RETRY: "检查 push 队列的 worker 是否在运行，timetable 是否在运行",
    StuckKind.PREPARE: "检查 push 队列的 worker，再看 RQ 放弃的任务里有没有 prepare_campaign",
    StuckKind.FEED: "检查 push 队列的 worker 和 timetable，再看 RQ 放弃的任务",
    StuckKind.CLOSE: "检查 timetable 和 urgent 队列的 worker，再看 RQ 放弃的任务里有没有 sweep",
    StuckKind.UNKNOWN: "不会自动重发，可能已经收到；需要时请单位自行通知这些人",
}


@dataclass(frozen=True, slots=True)
class StuckRow:
    """Pushes of one campaign, or the campaign itself (``count`` is then of what is still open).
    ``since`` is when the oldest of them should have moved."""

    campaign_id: int
    account: str
    kind: StuckKind
    count: int
    since: datetime

    @property
    def is_stuck(self) -> bool:
        """What is unknown is where it belongs: a person may look at it, but nothing has stopped."""
        return self.kind is not StuckKind.UNKNOWN


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Messages of one account that ended for one reason which is not about their receivers;
    ``campaign_id`` is the newest campaign with such a message."""

    account: str
    status: PushStatus
    reason: str
    errcode: int | None
    count: int
    campaign_id: int


def list_stuck(actor: Actor) -> list[StuckRow]:
    """The oldest first."""
    actor.require(Permission.PUSHES_READ)
    now = utc_now()
    mine = Campaign.visible_to(actor)
    rows = [
        *_dead_claims(mine, now),
        *_late_retries(mine, now),
        *_not_prepared(mine, now),
        *_not_fed(mine, now),
        *_not_closed(mine, now),
        *_unknown(mine, now),
    ]
    return sorted(rows, key=lambda row: (not row.is_stuck, row.since, row.campaign_id))


# --- pushes ---------------------------------------------------------------------------------


def _dead_claims(mine: ColumnElement[bool], now: datetime) -> Iterable[StuckRow]:
    late = (Push.status == PushStatus.SENDING, Push.due_at <= now - CLAIM_PATIENCE)
    return _grouped(StuckKind.CLAIM, (mine, *late), Push.due_at)


def _late_retries(mine: ColumnElement[bool], now: datetime) -> Iterable[StuckRow]:
    """While an account is held nothing of it goes out, nor while its campaign is paused."""
    late = (Push.status == PushStatus.TEMPORARY_FAILURE, Push.due_at <= now - RETRY_PATIENCE)
    running = Campaign.status == CampaignStatus.RUNNING
    return _grouped(StuckKind.RETRY, (mine, *late, running, _is_free(now)), Push.due_at)


def _unknown(mine: ColumnElement[bool], now: datetime) -> Iterable[StuckRow]:
    recent = Campaign.starts_at > now - SHOWN_FOR
    unknown = Push.status == PushStatus.UNKNOWN
    since = func.coalesce(Push.in_doubt_since, Campaign.starts_at)
    return _grouped(StuckKind.UNKNOWN, (mine, recent, unknown), since)


def _grouped(kind: StuckKind, conditions: Sequence[Any], since: Any) -> Iterable[StuckRow]:
    found = (
        select(Push.campaign_id, ChannelAccount.name, since.label("since"))
        .join(Campaign, Campaign.id == Push.campaign_id)
        .join(ChannelAccount, ChannelAccount.id == Campaign.channel_account_id)
        .where(*conditions)
        .limit(ROW_LIMIT)
        .subquery()
    )
    count = func.count().label("people")
    query = (
        select(found.c.campaign_id, found.c.name, count, func.min(found.c.since).label("since"))
        .group_by(found.c.campaign_id, found.c.name)
        .order_by(count.desc())
        .limit(CAMPAIGN_LIMIT)
    )
    for row in reading().execute(query):
        yield StuckRow(row.campaign_id, row.name, kind, row.people, row.since)


# --- campaigns ------------------------------------------------------------------------------


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(Campaign.held_until.is_(None), Campaign.held_until <= now)


def _not_prepared(mine: ColumnElement[bool], now: datetime) -> Iterable[StuckRow]:
    late = now - PREPARE_PATIENCE
    for campaign, account in _campaigns(
        mine,
        Campaign.status == CampaignStatus.RUNNING,
        Campaign.prepared_at.is_(None),
        Campaign.starts_at <= late,
        Campaign.created_at <= late,
        Campaign.expires_at > now,
    ):
        since = max(campaign.starts_at, campaign.created_at)
        yield StuckRow(campaign.id, account, StuckKind.PREPARE, campaign.total_count, since)


def _not_fed(mine: ColumnElement[bool], now: datetime) -> Iterable[StuckRow]:
    """Campaigns of an account take turns: one that waits for its turn is not stuck. When none of
    them was fed for long, all that still have somebody waiting are."""
    running = [
        *_campaigns(
            mine,
            Campaign.status == CampaignStatus.RUNNING,
            Campaign.prepared_at.is_not(None),
            Campaign.starts_at <= now,
            Campaign.expires_at > now,
            _is_free(now),
        )
    ]
    moved: dict[int, datetime] = defaultdict(lambda: datetime.min.replace(tzinfo=now.tzinfo))
    for campaign, _ in running:
        account_id = campaign.channel_account_id
        moved[account_id] = max(moved[account_id], _moved_at(campaign))
    late = [one for one in running if moved[one[0].channel_account_id] <= now - FEED_PATIENCE]
    counts = _count_open([campaign.id for campaign, _ in late], (PushStatus.CREATED,))
    for campaign, account in late:
        if count := counts.get(campaign.id):
            yield StuckRow(campaign.id, account, StuckKind.FEED, count, _moved_at(campaign))


def _moved_at(campaign: Campaign) -> datetime:
    moments = (campaign.starts_at, campaign.prepared_at, campaign.fed_at, campaign.held_until)
    return max(moment for moment in moments if moment)


def _not_closed(mine: ColumnElement[bool], now: datetime) -> Iterable[StuckRow]:
    late = now - CLOSE_PATIENCE
    expired = and_(
        Campaign.status.in_([CampaignStatus.RUNNING, CampaignStatus.PAUSED]),
        Campaign.expires_at <= late,
    )
    cancelled = and_(
        Campaign.status == CampaignStatus.CANCELLED,
        Campaign.ended_at <= late,
        Campaign.ended_at > now - SHOWN_FOR,
    )
    found = [*_campaigns(mine, or_(expired, cancelled))]
    counts = _count_open([campaign.id for campaign, _ in found], OPEN)
    for campaign, account in found:
        is_cancelled = campaign.status is CampaignStatus.CANCELLED
        count = counts.get(campaign.id, 0)
        if count or not is_cancelled:
            since = campaign.ended_at if is_cancelled else None
            yield StuckRow(
                campaign.id, account, StuckKind.CLOSE, count, since or campaign.expires_at
            )


def _campaigns(*conditions: ColumnElement[bool]) -> Iterable[tuple[Campaign, str]]:
    query = (
        select(Campaign, ChannelAccount.name)
        .join(ChannelAccount, ChannelAccount.id == Campaign.channel_account_id)
        .where(*conditions)
        .order_by(Campaign.id)
        .limit(CAMPAIGN_LIMIT)
    )
    return reading().execute(query).tuples()


def _count_open(campaign_ids: Sequence[int], statuses: Sequence[PushStatus]) -> dict[int, int]:
    """By the index alone."""
    query = (
        select(Push.campaign_id, func.count())
        .where(Push.campaign_id.in_(campaign_ids), Push.status.in_(statuses))
        .group_by(Push.campaign_id)
    )
    return dict(reading().execute(query).tuples().all()) if campaign_ids else {}


# --- what nobody tries again ----------------------------------------------------------------

# These say something of one person, which HR sees beside their name; no operator can mend it.
ABOUT_A_PERSON = frozenset({NOT_BOUND, "sms-capped", *REMEMBERED_FOR})


def list_dead_letters(actor: Actor) -> list[DeadLetters]:
    """Of the campaigns of a week, the most frequent first."""
    actor.require(Permission.PUSHES_READ)
    found = (
        select(Push.campaign_id, Push.status, Push.reason, Push.errcode, ChannelAccount.name)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .join(ChannelAccount, ChannelAccount.id == Campaign.channel_account_id)
        .where(
            Campaign.visible_to(actor),
            Campaign.starts_at > utc_now() - SHOWN_FOR,
            or_(
                Push.status == PushStatus.UNKNOWN,
                and_(
                    Push.status == PushStatus.PERMANENT_FAILURE,
                    or_(Push.reason.is_(None), Push.reason.not_in(ABOUT_A_PERSON)),
                ),
            ),
        )
        .limit(ROW_LIMIT)
        .subquery()
    )
    groups = (found.c.name, found.c.status, found.c.reason, found.c.errcode)
    count = func.count().label("people")
    query = (
        select(*groups, count, func.max(found.c.campaign_id).label("newest"))
        .group_by(*groups)
        .order_by(count.desc())
        .limit(CAMPAIGN_LIMIT)
    )
    return [
        DeadLetters(row.name, row.status, row.reason or "", row.errcode, row.people, row.newest)
        for row in reading().execute(query)
    ]


def count_stuck() -> dict[str, float]:
    counts = dict.fromkeys((kind.value for kind in StuckKind), 0.0)
    for row in list_stuck(Actor.system()):
        # A campaign may be stuck with nobody left in it.
        counts[row.kind.value] += max(row.count, 1)
    return counts


GAUGES = (Gauge("xinqiao_pushes_stuck", "Pushes that ought to have moved", count_stuck, "kind"),)
