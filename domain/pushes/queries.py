"""What can be asked of campaigns and of the ledger."""

from collections import Counter, defaultdict
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
from domain.pushes.policy import ALL_AFTER, GRADUAL, REPORT_LIFE, REPORTING, may_be_fed

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
    "wechat_budget_exhausted": "接口的调用额度已用完",
    "wechat_breaker_open": "账号暂时不能调用接口，已暂停请求",
    "wechat_refused": "平台没有接受",
    "wechat_unreachable": "平台没有回应",
}

_UNNAMED = "平台没有送达，稍后可再试"
_TEMPLATE_GONE = "消息模板在公众号里已被删除，请联系银行"
_ACCOUNT_TROUBLE = "账号暂时不能发送，需要银行处理"
_VALUE_REFUSED = 47003
# What a platform said, where that tells more than our own word for it.
_SAID = {
    -1: "平台忙，稍后再发",
    45009: "平台的发送额度已用完",
    45011: "发送得太快，平台要求等一会儿",
    45033: "发送得太快，平台要求等一会儿",
    _VALUE_REFUSED: "消息内容不符合微信的规则，请联系银行",
    **dict.fromkeys((40013, 40125, 40164, 40243, 43107, 48001, 48002, 48004), _ACCOUNT_TROUBLE),
    **dict.fromkeys((48009, 50002, 50003, 60011, 60020, 301002), _ACCOUNT_TROUBLE),
}
# With these a step of the ladder ends: who still waits, waits for the next one.
_ENDS_A_STEP = frozenset(
    {"not-following", "not-a-member", "muted", "user block", "blacklisted", "openid"}
)

FAILED = (PushStatus.PERMANENT_FAILURE, PushStatus.UNKNOWN)
ACCEPTED = (PushStatus.SENT, PushStatus.DELIVERED)
# The rate is that of the last minute, or of the time since its first message when that is less.
RATE_WINDOW = timedelta(seconds=60)
SHORTEST_WINDOW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class PushCounts:
    """Totals of one campaign. ``waiting`` covers everything not yet decided, ``awaited`` what was
    sent a moment ago by a route that reports and will still be reported, ``silent`` what was sent
    by one that never does. ``by_route`` is how many were sent by each."""

    total: int
    waiting: int
    sent: int
    delivered: int
    failed: int
    awaited: int
    cancelled: int = 0
    sending: int = 0
    silent: int = 0
    by_route: tuple[tuple[Route, int], ...] = ()

    @property
    def decided(self) -> int:
        """Sent, or lost for good."""
        return self.sent + self.failed

    @property
    def unreported(self) -> int:
        """Sent by a route that reports, which has not done so in time."""
        return self.sent - self.delivered - self.silent - self.awaited

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
    """``is_final``: nobody tries again by itself. Else ``due_at`` is when the first is tried, by
    ``next_route`` when the step before has ended."""

    words: str
    count: int
    is_final: bool
    due_at: datetime | None
    next_route: Route | None


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
class GradualPart:
    """From ``at`` on the first ``reaching`` people may be sent to: ``people`` more than before."""

    at: datetime
    reaching: int
    people: int


@dataclass(frozen=True, slots=True)
class CampaignDetail:
    """``per_minute`` is how fast messages are accepted now; ``seconds_left`` at that rate.
    ``resendable`` are those whom no step of the ladder reached, the only ones sent to again.
    ``parts`` of a gradual start are still to come. ``held_why`` is empty when nobody knows."""

    row: CampaignRow
    counts: PushCounts
    reasons: tuple[ReasonCount, ...]
    resendable: int
    per_minute: int
    seconds_left: int | None
    parts: tuple[GradualPart, ...]

    @property
    def retry_at(self) -> datetime | None:
        """When the first is tried again, if all who wait were tried before."""
        waits = [one for one in self.reasons if not one.is_final]
        if not waits or sum(one.count for one in waits) < self.counts.waiting:
            return None
        return min((one.due_at for one in waits if one.due_at), default=None)

    @property
    def held_why(self) -> str:
        causes = (one.words for one in self.reasons if not (one.is_final or one.next_route))
        return next(causes, "")

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
    empty when those say it already. ``is_unbound``: no step before the one taken was possible."""

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
    is_unbound: bool

    @property
    def is_moved_on(self) -> bool:
        """Whether it waits for the step after the last one tried."""
        return self.status is PushStatus.TEMPORARY_FAILURE and bool(self.tried) and not self.reason

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
    CANCELLED = "cancelled"


_FILTERS = {
    PushFilter.FAILED: FAILED,
    PushFilter.WAITING: (PushStatus.CREATED, PushStatus.SENDING, PushStatus.TEMPORARY_FAILURE),
    PushFilter.SENT: (PushStatus.SENT,),
    PushFilter.DELIVERED: (PushStatus.DELIVERED,),
    PushFilter.CANCELLED: (PushStatus.CANCELLED,),
}


def reason_in_words(reason: str | None, errcode: int | None = None) -> str:
    if not reason:
        return ""
    said = _SAID.get(errcode or 0) if reason in {"wechat_refused", "template"} else None
    return said or _REASONS.get(reason, _UNNAMED)


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


def list_held(actor: Actor) -> dict[tuple[int, MessageKind], datetime]:
    """Until when nothing of a kind goes out by an account, where that is so."""
    actor.require(Permission.PUSHES_READ)
    held = reading().execute(
        select(Campaign.channel_account_id, Campaign.kind, func.max(Campaign.held_until))
        .where(
            Campaign.visible_to(actor),
            Campaign.status == CampaignStatus.RUNNING,
            Campaign.held_until > utc_now(),
        )
        .group_by(Campaign.channel_account_id, Campaign.kind)
    )
    return {(account_id, kind): until for account_id, kind, until in held}


def counts_of(campaigns: Sequence[CampaignRow]) -> dict[int, PushCounts]:
    """For a page of campaigns, in one question."""
    rows = _grouped_counts([row.id for row in campaigns])
    return {row.id: _sum(rows.get(row.id, []), row.total_count) for row in campaigns}


def get_campaign(actor: Actor, campaign_id: int) -> CampaignDetail:
    campaign = reading().scalar(_visible(actor).where(Campaign.id == campaign_id))
    if campaign is None:
        raise CampaignNotFound
    counts, reasons = _counts(campaign.id, campaign.total_count), _reasons(campaign)
    retried = sum(one.count for one in reasons if not one.is_final)
    rate = _per_minute(campaign.id)
    return CampaignDetail(
        row=_campaign_row(campaign),
        counts=counts,
        reasons=reasons,
        resendable=_count_resendable(campaign.id) if counts.failed else 0,
        per_minute=rate,
        seconds_left=_seconds_left(campaign, counts.waiting - retried, rate),
        parts=_parts(campaign, utc_now()),
    )


def _parts(campaign: Campaign, now: datetime) -> tuple[GradualPart, ...]:
    if not campaign.is_gradual:
        return ()
    parts, before = [], campaign.fed_count
    for begins, _ in GRADUAL:
        at = campaign.starts_at + begins
        reaching = may_be_fed(campaign.total_count, begins, is_gradual=True)
        if reaching > before:
            parts.append(GradualPart(at, reaching, reaching - before))
            before = reaching
    return tuple(part for part in parts if part.at > now)


def _count_resendable(campaign_id: int) -> int:
    query = select(func.count()).where(Push.campaign_id == campaign_id, *RESENDABLE)
    return reading().scalar(query) or 0


def _seconds_left(campaign: Campaign, waiting: int, rate: int) -> int | None:
    """At the rate seen, from when all may be sent; who waits for another try is left out."""
    if not rate or waiting < 1:
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
    if not counts.sent:
        return counts
    routes = _count_routes(campaign_id)
    by_route = [(route, sum(routes[route, status] for status in ACCEPTED)) for route in Route]
    return replace(
        counts,
        awaited=_count_awaited(campaign_id),
        silent=sum(routes[route, PushStatus.SENT] for route in Route if route not in REPORTING),
        by_route=tuple((route, count) for route, count in by_route if count),
    )


def _count_routes(campaign_id: int) -> Counter[tuple[Route, PushStatus]]:
    query = (
        select(Push.route, Push.status, func.count())
        .where(Push.campaign_id == campaign_id, Push.status.in_(ACCEPTED))
        .group_by(Push.status, Push.route)
    )
    rows = reading().execute(query)
    return Counter({(route, status): count for route, status, count in rows})


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


def _reasons(campaign: Campaign) -> tuple[ReasonCount, ...]:
    """Why people were not reached, and why others have to wait; the most frequent first."""
    troubled = (*FAILED, PushStatus.TEMPORARY_FAILURE)
    rows = reading().execute(
        select(
            Push.reason,
            Push.errcode,
            Push.route,
            Push.status,
            func.count().label("people"),
            func.min(Push.due_at).label("due_at"),
        )
        .where(Push.campaign_id == campaign.id, Push.status.in_(troubled))
        .group_by(Push.reason, Push.errcode, Push.route, Push.status)
    )
    told = rows.all()
    # Who was not asked any more after a refusal waits for the same reason, without its errcode.
    said = {(row.reason, row.route): row.errcode for row in told if row.errcode}
    found: dict[Any, ReasonCount] = {}
    for row in told:
        one = _reason_count(campaign, row, row.errcode or said.get((row.reason, row.route)))
        key = (one.words, one.is_final, one.next_route)
        found[key] = _together(found[key], one) if key in found else one
    return tuple(sorted(found.values(), key=lambda one: -one.count))


def _reason_count(campaign: Campaign, row: Any, errcode: int | None) -> ReasonCount:
    is_final = row.status in FAILED
    due_at = row.due_at
    if due_at and campaign.held_until and row.route is Route.TEMPLATE:
        due_at = max(due_at, campaign.held_until)
    return ReasonCount(
        words=_status_words(row.status, row.reason, errcode),
        count=row.people,
        is_final=is_final,
        due_at=due_at,
        next_route=row.route if not is_final and _is_over(row.reason, errcode) else None,
    )


def _together(one: ReasonCount, other: ReasonCount) -> ReasonCount:
    due_at = min((at for at in (one.due_at, other.due_at) if at), default=None)
    return replace(one, count=one.count + other.count, due_at=due_at)


def _is_over(reason: str | None, errcode: int | None) -> bool:
    """Whether this ended the step, so that who still waits does so for the next one."""
    return reason in _ENDS_A_STEP or errcode == _VALUE_REFUSED


def _status_words(status: PushStatus, reason: str | None, errcode: int | None = None) -> str:
    match status:
        case PushStatus.UNKNOWN:
            return "不知道是否送达：平台没有回应，没有重复发送"
        case PushStatus.TEMPORARY_FAILURE:
            if reason == "template" and not errcode:
                return _TEMPLATE_GONE
            return reason_in_words(reason, errcode) or "稍后再发"
        case PushStatus.PERMANENT_FAILURE:
            return reason_in_words(reason, errcode) or _UNNAMED
        case _:
            return ""


# --- people ---------------------------------------------------------------------------------


def list_pushes(
    actor: Actor, campaign_id: int, *, only: PushFilter = PushFilter.ALL, after: int = 0
) -> Page[PushRow]:
    """In the order in which they were written."""
    actor.require(Permission.PUSHES_READ)
    query = (
        select(Push, Employee.name, Campaign.ladder)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .join(Employee, Employee.id == Push.employee_id)
        .where(Campaign.id == campaign_id, Campaign.visible_to(actor), Push.id > after)
        .order_by(Push.id)
        .limit(PAGE_SIZE + 1)
    )
    if only is not PushFilter.ALL:
        query = query.where(Push.status.in_(_FILTERS[only]))
    rows = [_push_row(*found) for found in reading().execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


def _push_row(push: Push, name: str, ladder: Sequence[str]) -> PushRow:
    tried = push.tried or []
    is_lost = push.status is PushStatus.PERMANENT_FAILURE
    is_said = is_lost and any(one["reason"] == push.reason for one in tried)
    is_moved_on = (
        push.status is PushStatus.TEMPORARY_FAILURE
        and bool(tried)
        and tried[-1]["reason"] == push.reason
        and not push.attempts
    )
    return PushRow(
        id=push.id,
        employee_id=push.employee_id,
        name=name,
        # Of the steps behind the last one tried nobody is known: they would only puzzle.
        route=Route(tried[-1]["route"]) if is_said else push.route,
        status=push.status,
        reason=""
        if is_said or is_moved_on
        else _status_words(push.status, push.reason, push.errcode),
        errcode=push.errcode,
        attempts=push.attempts,
        due_at=push.due_at,
        sent_at=push.sent_at,
        delivered_at=push.delivered_at,
        tried=tuple(
            TriedRow(
                route=Route(one["route"]),
                words=reason_in_words(one["reason"], one["errcode"]) or _UNNAMED,
                errcode=one["errcode"],
                at=datetime.fromisoformat(one["at"]),
            )
            for one in tried
        ),
        is_unbound=not tried and not is_lost and push.route != ladder[0],
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
