"""What can be asked of the ledger."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from core.clock import utc_now
from core.db import reading
from core.paging import PAGE_SIZE, Page, page_of
from domain.directory.access import Actor, Permission
from domain.pushes.models import MessageKind, Push, PushStatus
from domain.pushes.policy import REPORT_LIFE

_REASONS = {
    "not-bound": "员工还没有绑定微信",
    "not-following": "员工没有关注公众号",
    "muted": "员工关闭了这类消息",
    "user block": "员工拒收公众号消息",
    "gave-up": "多次发送都没有成功",
    "template": "消息模板没有配置好，请联系银行",
}


@dataclass(frozen=True, slots=True)
class PushCounts:
    """Totals of one topic. ``waiting`` covers everything not yet decided, ``awaited`` what was
    sent a moment ago and will still be reported by the platform."""

    total: int
    waiting: int
    sent: int
    delivered: int
    failed: int
    awaited: int

    @property
    def is_moving(self) -> bool:
        return bool(self.waiting or self.awaited)


@dataclass(frozen=True, slots=True)
class PushRow:
    id: int
    kind: MessageKind
    employee_id: int
    status: PushStatus
    reason: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None


def reason_in_words(reason: str | None) -> str:
    return _REASONS.get(reason or "", "" if reason is None else "平台没有送达，稍后可再试")


def count_topic(topic: str) -> PushCounts:
    """For a caller that has already established that the topic is the actor's."""
    lately = case((Push.sent_at > utc_now() - REPORT_LIFE, 1))
    query = (
        select(Push.status, func.count(), func.count(lately))
        .where(Push.topic == topic)
        .group_by(Push.status)
    )
    rows = reading().execute(query).all()
    counts = {status: count for status, count, _ in rows}
    awaited = sum(recent for status, _, recent in rows if status is PushStatus.SENT)
    delivered = counts.get(PushStatus.DELIVERED, 0)
    failed = counts.get(PushStatus.PERMANENT_FAILURE, 0) + counts.get(PushStatus.UNKNOWN, 0)
    sent = counts.get(PushStatus.SENT, 0) + delivered
    total = sum(counts.values())
    return PushCounts(total, total - sent - failed, sent, delivered, failed, awaited)


def list_pushes(actor: Actor, *, before: int | None = None) -> Page[PushRow]:
    """The newest first."""
    actor.require(Permission.PUSHES_READ)
    query = select(Push).where(Push.visible_to(actor)).order_by(Push.id.desc())
    if before is not None:
        query = query.where(Push.id < before)
    rows = [_row(push) for push in reading().scalars(query.limit(PAGE_SIZE + 1))]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


def _row(push: Push) -> PushRow:
    return PushRow(
        id=push.id,
        kind=push.kind,
        employee_id=push.employee_id,
        status=push.status,
        reason=reason_in_words(push.reason),
        attempts=push.attempts,
        created_at=push.created_at,
        sent_at=push.sent_at,
        delivered_at=push.delivered_at,
    )
