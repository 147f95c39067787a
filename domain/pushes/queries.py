"""What can be asked of campaigns and of the ledger."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from core.clock import utc_now
from core.db import reading
from core.metrics import Gauge
from core.paging import PAGE_SIZE, Page, page_of
from domain.directory.access import Actor, Permission
from domain.directory.models import ChannelAccount, Employee
from domain.pushes.campaigns import OPEN, RESENDABLE
from domain.pushes.errors import CampaignNotFound
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
    Urgency,
)
from domain.pushes.policy import ALL_AFTER, REPORT_LIFE, REPORTING

_REASONS = {
    "not-bound": "员工还没有绑定微信",
    "not-following": "员工没有关注公众号",
    "not-a-member": "不在企业微信通讯录里",
    "muted": "员工关闭了这类消息",
    "user block": "员工拒收公众号消息",
    "blacklisted": "员工在公众号的黑名单里",
    "openid": "微信号与公众号对不上，请员工重新绑定",
    "gave-up": "多次发送都没有成功",
    "expired": "过了有效期还没有发出",
    "sms-capped": "今天发给这个手机号的短信已到上限",
    "sms-refused": "短信网关没有接受",
    "sms-off": "没有开通短信",
    "sms-busy": "短信网关忙，稍后再发",
    "sms-uncounted": "暂时无法统计短信次数，稍后再发",
    "sms-unreachable": "短信网关没有回应，稍后再发",
    "member-limit": "发给这位成员的消息太多，稍后再发",
    "template": "消息模板没有配置好，请联系银行",
    "no-account": "没有可用的账号，请联系银行",
    "account_unknown": "账号已停用，启用后继续",
    "quiet-hours": "夜间不打扰，早上 8 点以后再发",
    "wechat_budget_exhausted": "接口的调用额度已用完，恢复后继续",
    "wechat_breaker_open": "账号暂时不能调用接口，已暂停请求，稍后继续",
    "wechat_refused": "平台没有接受，稍后再试",
    "wechat_unreachable": "平台没有回应，稍后再试",
}

_UNNAMED = "平台没有送达，稍后可再试"

FAILED = (PushStatus.PERMANENT_FAILURE, PushStatus.UNKNOWN)
ACCEPTED = (PushStatus.SENT, PushStatus.DELIVERED)
# The rate is that of the last minute, or of the time since its first message when that is less.
RATE_WINDOW = timedelta(seconds=60)
SHORTEST_WINDOW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class PushCounts:
    """Totals of one campaign. ``waiting`` covers everything not yet decided, ``awaited`` what was
    sent a moment ago by a route that reports and will still be reported."""

    total: int
    waiting: int
    sent: int
    delivered: int
    failed: int
    awaited: int
    cancelled: int = 0
    sending: int = 0

    @property
    def decided(self) -> int:
        return self.total - self.waiting

    @property
    def is_moving(self) -> bool:
        return bool(self.waiting or self.awaited)


class CampaignPhase(StrEnum):
    """Where a campaign stands, as people are told it."""

    SCHEDULED = "scheduled"
    PREPARING = "preparing"
    SENDING = "sending"
    HELD = "held"  # the account may not send before ``held_until``
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """``is_final``: nobody tries again by itself. Else ``due_at`` is when the first is tried."""

    status: PushStatus
    reason: str
    words: str
    count: int
    is_final: bool
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignRow:
    id: int
    kind: MessageKind
    key: str
    status: CampaignStatus
    phase: CampaignPhase
    urgency: Urgency
    reason: str | None
    params: dict[str, Any]
    total_count: int
    is_prepared: bool
    is_gradual: bool
    created_at: datetime
    starts_at: datetime
    held_until: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignDetail:
    """``per_minute`` is how fast messages are accepted now; ``seconds_left`` at that rate.
    ``resendable`` are those whom no step of the ladder reached, the only ones sent to again."""

    row: CampaignRow
    counts: PushCounts
    reasons: tuple[ReasonCount, ...]
    resendable: int
    per_minute: int
    seconds_left: int | None

    @property
    def is_moving(self) -> bool:
        """Whether the numbers are about to change by themselves."""
        return has_moving(self.row, self.counts)

    @property
    def can_pause(self) -> bool:
        return self.row.status is CampaignStatus.RUNNING

    @property
    def can_resume(self) -> bool:
        return self.row.status is CampaignStatus.PAUSED

    @property
    def can_cancel(self) -> bool:
        return self.can_pause or self.can_resume

    @property
    def can_resend(self) -> bool:
        is_alive = self.row.status in {CampaignStatus.RUNNING, CampaignStatus.FINISHED}
        return is_alive and self.resendable > 0


@dataclass(frozen=True, slots=True)
class TriedRow:
    """A step of the ladder that failed."""

    route: Route
    words: str
    errcode: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class PushRow:
    """One person's message: where it stands, and the steps that failed before. ``reason`` is
    empty when those say it already."""

    id: int
    employee_id: int
    name: str
    route: Route
    status: PushStatus
    reason: str
    errcode: int | None
    attempts: int
    due_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    tried: tuple[TriedRow, ...]

    @property
    def is_lost(self) -> bool:
        """Whether nobody tries again by itself."""
        return self.status is PushStatus.PERMANENT_FAILURE


class PushFilter(StrEnum):
    ALL = "all"
    FAILED = "failed"
    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"


_FILTERS = {
    PushFilter.FAILED: FAILED,
    PushFilter.WAITING: (PushStatus.CREATED, PushStatus.SENDING, PushStatus.TEMPORARY_FAILURE),
    PushFilter.SENT: (PushStatus.SENT,),
    PushFilter.DELIVERED: (PushStatus.DELIVERED,),
}


def reason_in_words(reason: str | None) -> str:
    return _REASONS.get(reason, _UNNAMED) if reason else ""


# --- campaigns ------------------------------------------------------------------------------


def count_campaign(key: str) -> PushCounts:
    """For a caller that has already established that the campaign is the actor's."""
    found = (
        reading()
        .execute(select(Campaign.id, Campaign.total_count).where(Campaign.key == key))
        .first()
    )
    return _counts(found.id, found.total_count) if found else PushCounts(0, 0, 0, 0, 0, 0)


def has_moving(row: "CampaignRow", counts: PushCounts) -> bool:
    """A paused campaign, or one that begins later, moves no more once its last call ended."""
    match row.phase:
        case CampaignPhase.PAUSED | CampaignPhase.SCHEDULED:
            return bool(counts.sending or counts.awaited)
        case CampaignPhase.PREPARING:
            return True
        case _:
            return counts.is_moving


def list_campaigns_about(actor: Actor, key: str) -> list[CampaignRow]:
    """The campaign with this key and those that followed it, the first one first."""
    query = _visible(actor).where(about(key)).order_by(Campaign.id)
    return [_campaign_row(one) for one in reading().scalars(query)]


def about(key: str) -> ColumnElement[bool]:
    """The campaign with this key, and those that followed it."""
    return or_(Campaign.key == key, Campaign.key.startswith(f"{key}:", autoescape=True))


def told_since(key: str, since: datetime) -> Select[tuple[int]]:
    """Employees to whom one of these campaigns was sent after ``since``, or will be."""
    return (
        select(Push.employee_id)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .where(about(key), or_(Push.status.in_(OPEN), Push.sent_at > since))
    )


def list_campaigns(actor: Actor, *, before: int | None = None) -> Page[CampaignRow]:
    """The newest first."""
    query = _visible(actor).order_by(Campaign.id.desc())
    if before is not None:
        query = query.where(Campaign.id < before)
    rows = [_campaign_row(one) for one in reading().scalars(query.limit(PAGE_SIZE + 1))]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


def counts_of(campaigns: Sequence[CampaignRow]) -> dict[int, PushCounts]:
    """For a page of campaigns, in one question."""
    rows = _grouped_counts([row.id for row in campaigns])
    return {row.id: _sum(rows.get(row.id, []), row.total_count) for row in campaigns}


def get_campaign(actor: Actor, campaign_id: int) -> CampaignDetail:
    campaign = reading().scalar(_visible(actor).where(Campaign.id == campaign_id))
    if campaign is None:
        raise CampaignNotFound
    counts, reasons = _counts(campaign.id, campaign.total_count), _reasons(campaign.id)
    rate = _per_minute(campaign.id)
    return CampaignDetail(
        row=_campaign_row(campaign),
        counts=counts,
        reasons=reasons,
        resendable=_count_resendable(campaign.id) if counts.failed else 0,
        per_minute=rate,
        seconds_left=_seconds_left(campaign, counts.waiting, rate),
    )


def _count_resendable(campaign_id: int) -> int:
    query = select(func.count()).where(Push.campaign_id == campaign_id, *RESENDABLE)
    return reading().scalar(query) or 0


def _seconds_left(campaign: Campaign, waiting: int, rate: int) -> int | None:
    """At the rate seen, from when all may be sent."""
    if not rate or not waiting:
        return None
    begins = campaign.starts_at + ALL_AFTER if campaign.is_gradual else campaign.starts_at
    held = max((begins - utc_now()) // timedelta(seconds=1), 0)
    return held + waiting * 60 // rate


def _visible(actor: Actor) -> Select[tuple[Campaign]]:
    actor.require(Permission.PUSHES_READ)
    return select(Campaign).where(Campaign.visible_to(actor))


def _phase(campaign: Campaign, now: datetime) -> CampaignPhase:
    if campaign.status is not CampaignStatus.RUNNING:
        return CampaignPhase(campaign.status.value)
    if campaign.starts_at > now:
        return CampaignPhase.SCHEDULED
    if campaign.prepared_at is None:
        return CampaignPhase.PREPARING
    is_held = campaign.held_until is not None and campaign.held_until > now
    return CampaignPhase.HELD if is_held else CampaignPhase.SENDING


def _campaign_row(campaign: Campaign) -> CampaignRow:
    return CampaignRow(
        id=campaign.id,
        kind=campaign.kind,
        key=campaign.key,
        status=campaign.status,
        phase=_phase(campaign, utc_now()),
        urgency=campaign.urgency,
        reason=campaign.reason,
        params=campaign.params,
        total_count=campaign.total_count,
        is_prepared=campaign.prepared_at is not None,
        is_gradual=campaign.is_gradual,
        created_at=campaign.created_at,
        starts_at=campaign.starts_at,
        held_until=campaign.held_until,
        ended_at=campaign.ended_at,
    )


# --- counting, by the index alone -----------------------------------------------------------


def _counts(campaign_id: int, total: int) -> PushCounts:
    counts = _sum(_grouped_counts([campaign_id]).get(campaign_id, []), total)
    return replace(counts, awaited=_count_awaited(campaign_id)) if counts.sent else counts


def _grouped_counts(campaign_ids: Sequence[int]) -> dict[int, list[Any]]:
    query = (
        select(Push.campaign_id, Push.status, func.count())
        .where(Push.campaign_id.in_(campaign_ids))
        .group_by(Push.campaign_id, Push.status)
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for campaign_id, status, count in reading().execute(query):
        found[campaign_id].append((status, count))
    return found


def _sum(rows: Sequence[Any], total: int) -> PushCounts:
    counts: dict[PushStatus, int] = dict(rows)
    delivered = counts.get(PushStatus.DELIVERED, 0)
    failed = sum(counts.get(status, 0) for status in FAILED)
    sent = counts.get(PushStatus.SENT, 0) + delivered
    cancelled = counts.get(PushStatus.CANCELLED, 0)
    total = max(total, sum(counts.values()))
    return PushCounts(
        total=total,
        waiting=total - sent - failed - cancelled,
        sent=sent,
        delivered=delivered,
        failed=failed,
        awaited=0,
        cancelled=cancelled,
        sending=counts.get(PushStatus.SENDING, 0),
    )


def _count_awaited(campaign_id: int) -> int:
    query = select(func.count()).where(
        Push.campaign_id == campaign_id,
        Push.status == PushStatus.SENT,
        Push.route.in_(REPORTING),
        Push.sent_at > utc_now() - REPORT_LIFE,
    )
    return reading().scalar(query) or 0


def _per_minute(campaign_id: int) -> int:
    now = utc_now()
    query = select(func.count(), func.min(Push.sent_at)).where(
        Push.campaign_id == campaign_id,
        Push.status.in_(ACCEPTED),
        Push.sent_at > now - RATE_WINDOW,
    )
    count, first = reading().execute(query).one()
    window = max(now - first, SHORTEST_WINDOW) if count else RATE_WINDOW
    per_minute: int = round(count * (timedelta(minutes=1) / window))
    return per_minute


def _reasons(campaign_id: int) -> tuple[ReasonCount, ...]:
    """Why people were not reached, and why others have to wait; the most frequent first."""
    troubled = (*FAILED, PushStatus.TEMPORARY_FAILURE)
    rows = reading().execute(
        select(
            Push.reason,
            Push.status,
            func.count().label("people"),
            func.min(Push.due_at).label("due_at"),
        )
        .where(Push.campaign_id == campaign_id, Push.status.in_(troubled))
        .group_by(Push.reason, Push.status)
        .order_by(func.count().desc())
    )
    return tuple(
        ReasonCount(
            status=row.status,
            reason=row.reason or "",
            words=_status_words(row.status, row.reason),
            count=row.people,
            is_final=row.status in FAILED,
            due_at=row.due_at,
        )
        for row in rows
    )


def _status_words(status: PushStatus, reason: str | None) -> str:
    match status:
        case PushStatus.UNKNOWN:
            return "不知道是否送达：平台没有回应，没有重复发送"
        case PushStatus.TEMPORARY_FAILURE:
            return reason_in_words(reason) or "稍后再发"
        case PushStatus.PERMANENT_FAILURE:
            return reason_in_words(reason) or _UNNAMED
        case _:
            return ""


# --- people ---------------------------------------------------------------------------------


def list_pushes(
    actor: Actor, campaign_id: int, *, only: PushFilter = PushFilter.ALL, after: int = 0
) -> Page[PushRow]:
    """In the order in which they were written."""
    actor.require(Permission.PUSHES_READ)
    query = (
        select(Push, Employee.name)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .join(Employee, Employee.id == Push.employee_id)
        .where(Campaign.id == campaign_id, Campaign.visible_to(actor), Push.id > after)
        .order_by(Push.id)
        .limit(PAGE_SIZE + 1)
    )
    if only is not PushFilter.ALL:
        query = query.where(Push.status.in_(_FILTERS[only]))
    rows = [_push_row(push, name) for push, name in reading().execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


def _push_row(push: Push, name: str) -> PushRow:
    tried = push.tried or []
    is_said = push.status is PushStatus.PERMANENT_FAILURE and any(
        one["reason"] == push.reason for one in tried
    )
    return PushRow(
        id=push.id,
        employee_id=push.employee_id,
        name=name,
        # Of the steps behind the last one tried nobody is known: they would only puzzle.
        route=Route(tried[-1]["route"]) if is_said else push.route,
        status=push.status,
        reason="" if is_said else _status_words(push.status, push.reason),
        errcode=push.errcode,
        attempts=push.attempts,
        due_at=push.due_at,
        sent_at=push.sent_at,
        delivered_at=push.delivered_at,
        tried=tuple(
            TriedRow(
                route=Route(one["route"]),
                words=reason_in_words(one["reason"]) or _UNNAMED,
                errcode=one["errcode"],
                at=datetime.fromisoformat(one["at"]),
            )
            for one in tried
        ),
    )


# --- what operations watch ------------------------------------------------------------------


def count_open_by_account() -> dict[str, float]:
    """How many pushes wait to be sent, by channel account."""
    rows = reading().execute(
        select(ChannelAccount.name, func.count())
        .join(Campaign, Campaign.channel_account_id == ChannelAccount.id)
        .join(Push, Push.campaign_id == Campaign.id)
        .where(
            Campaign.status == CampaignStatus.RUNNING,
            Push.status.in_([PushStatus.CREATED, PushStatus.TEMPORARY_FAILURE]),
        )
        .group_by(ChannelAccount.name)
    )
    return {name: float(count) for name, count in rows}


GAUGES = (
    Gauge(
        "xinqiao_pushes_waiting", "Pushes that wait to be sent", count_open_by_account, "account"
    ),
)
