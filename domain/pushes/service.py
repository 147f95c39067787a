"""What can be done with pushes: request, claim, record what became of them, sweep."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from core.log import logger
from core.queues import Job, QueueName, enqueue_many_after_commit
from domain.directory.models import EmployeeBinding, Identity
from domain.pushes.models import MessageKind, Push, PushStatus
from domain.pushes.policy import CLAIM_LIFE, STILL_NEWS, after_lost_answer, retry_delay

BULK = 1000
SWEEP_LIMIT = 500
# Redis may have lost a job that the ledger still waits for.
FORGOTTEN_AFTER = timedelta(minutes=2)

NOT_BOUND = "not-bound"
GAVE_UP = "gave-up"


@dataclass(frozen=True, slots=True)
class NewPush:
    """``key`` makes the push happen once: a second one with the same key is refused by MySQL."""

    employee_id: int
    key: str
    path: str


@dataclass(frozen=True, slots=True)
class PushToSend:
    """A claimed push in plain values, ready to leave the house."""

    id: int
    channel_account_id: int
    openid: str
    kind: MessageKind
    client_msg_id: str
    params: dict[str, Any]
    path: str


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What the platform said; ``status`` is SENT, a failure, or UNKNOWN when it said nothing."""

    status: PushStatus
    msgid: int | None = None
    errcode: int | None = None
    reason: str | None = None


def request_pushes(
    session: Session,
    *,
    org_path: str,
    channel_account_id: int,
    kind: MessageKind,
    topic: str,
    params: dict[str, str],
    pushes: Sequence[NewPush],
) -> None:
    """Write the ledger rows in the caller's transaction; jobs follow its commit."""
    now = utc_now()
    for start in range(0, len(pushes), BULK):
        session.execute(
            insert(Push),
            [
                {
                    "org_path": org_path,
                    "channel_account_id": channel_account_id,
                    "employee_id": push.employee_id,
                    "kind": kind,
                    "topic": topic,
                    "key": push.key,
                    "client_msg_id": secrets.token_hex(16),
                    "params": params,
                    "path": push.path,
                    "status": PushStatus.CREATED,
                    "attempts": 0,
                    "created_at": now,
                }
                for push in pushes[start : start + BULK]
            ],
        )
    keys = [push.key for push in pushes]
    ids: list[int] = []
    for start in range(0, len(keys), BULK):
        ids += session.scalars(select(Push.id).where(Push.key.in_(keys[start : start + BULK])))
    enqueue_many_after_commit(QueueName.PUSH, Job.DELIVER_PUSH, sorted(ids))


def claim(push_id: int) -> PushToSend | None:
    """Take a push for sending; None when it is not due, not there, or another worker's.

    Whoever is not bound to a WeChat gets no message: the push ends as a permanent failure that
    HR sees, and the payslip waits for the person to bind.
    """
    now = utc_now()
    with transaction() as session:
        claimed = session.execute(
            update(Push)
            .where(
                Push.id == push_id,
                Push.status.in_([PushStatus.CREATED, PushStatus.TEMPORARY_FAILURE]),
                or_(Push.try_after.is_(None), Push.try_after <= now),
            )
            .values(status=PushStatus.SENDING, claimed_at=now, attempts=Push.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if getattr(claimed, "rowcount", 0) != 1:
            return None
        push = session.get_one(Push, push_id, populate_existing=True)
        push.first_tried_at = push.first_tried_at or now
        openid = session.scalar(
            select(Identity.openid)
            .join(EmployeeBinding, EmployeeBinding.identity_id == Identity.id)
            .where(
                EmployeeBinding.employee_id == push.employee_id,
                EmployeeBinding.channel_account_id == push.channel_account_id,
            )
        )
        if openid is None:
            push.status, push.reason = PushStatus.PERMANENT_FAILURE, NOT_BOUND
            return None
        return PushToSend(
            id=push.id,
            channel_account_id=push.channel_account_id,
            openid=openid,
            kind=push.kind,
            client_msg_id=push.client_msg_id,
            params=push.params,
            path=push.path,
        )


def record_outcome(push_id: int, outcome: PushOutcome) -> None:
    """Write down what became of a claimed push. An outcome for any other push changes nothing."""
    now = utc_now()
    with transaction() as session:
        push = session.scalar(select(Push).where(Push.id == push_id).with_for_update())
        if push is None or push.status is not PushStatus.SENDING:
            return
        push.errcode, push.reason = outcome.errcode, outcome.reason
        if outcome.status is PushStatus.SENT:
            push.msgid, push.sent_at = outcome.msgid, now
        status = outcome.status
        if status is PushStatus.UNKNOWN:
            status = after_lost_answer(now - (push.first_tried_at or now))
        if status is PushStatus.TEMPORARY_FAILURE:
            status = _plan_retry(push, now)
        push.status = status
    logger.info(
        "push recorded",
        extra={"push_id": push_id, "status": push.status.value, "errcode": outcome.errcode},
    )


def _plan_retry(push: Push, now: datetime) -> PushStatus:
    delay = retry_delay(push.attempts)
    if delay is None:
        push.reason = push.reason or GAVE_UP
        return PushStatus.PERMANENT_FAILURE
    push.try_after = now + delay
    return PushStatus.TEMPORARY_FAILURE


def record_delivery(
    channel_account_id: int, msgid: int, *, is_delivered: bool, reason: str | None
) -> bool:
    """Write the platform's own report. False when no push carries this message id (yet)."""
    with transaction() as session:
        push = session.scalar(
            select(Push)
            .where(Push.channel_account_id == channel_account_id, Push.msgid == msgid)
            .with_for_update()
        )
        if push is None:
            return False
        if push.status is PushStatus.SENT:
            push.status = PushStatus.DELIVERED if is_delivered else PushStatus.PERMANENT_FAILURE
            push.delivered_at = utc_now() if is_delivered else None
            push.reason = reason
        return True


def wake_unbound(session: Session, employee_id: int) -> None:
    """Somebody has bound their WeChat: what could not be sent to them goes out now."""
    waiting = session.scalars(
        select(Push)
        .where(
            Push.employee_id == employee_id,
            Push.status == PushStatus.PERMANENT_FAILURE,
            Push.reason == NOT_BOUND,
            Push.created_at > utc_now() - STILL_NEWS,
        )
        .with_for_update()
    ).all()
    for push in waiting:
        push.status, push.reason = PushStatus.CREATED, None
        push.attempts, push.first_tried_at = 0, None
    if waiting:
        ids = [push.id for push in waiting]
        enqueue_many_after_commit(QueueName.PUSH, Job.DELIVER_PUSH, ids)


def sweep() -> int:
    """Bring back what was lost: dead workers' claims, due retries, rows Redis forgot."""
    now = utc_now()
    with transaction() as session:
        stuck = session.scalars(
            select(Push)
            .where(Push.status == PushStatus.SENDING, Push.claimed_at < now - CLAIM_LIFE)
            .limit(SWEEP_LIMIT)
            .with_for_update()
        ).all()
        for push in stuck:
            push.status = after_lost_answer(now - (push.first_tried_at or now))
        session.flush()
        due = session.scalars(
            select(Push.id)
            .where(
                or_(
                    (Push.status == PushStatus.CREATED) & (Push.created_at < now - FORGOTTEN_AFTER),
                    (Push.status == PushStatus.TEMPORARY_FAILURE)
                    & or_(Push.try_after.is_(None), Push.try_after <= now),
                )
            )
            .order_by(Push.id)
            .limit(SWEEP_LIMIT)
        ).all()
        if due:
            enqueue_many_after_commit(QueueName.PUSH, Job.DELIVER_PUSH, due)
    return len(due)
