"""Reading the audit trail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from core.db import reading
from core.paging import PAGE_SIZE, Page, page_of
from domain.audit.models import AuditEvent
from domain.directory.access import Actor, ActorKind, Permission


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: int
    at: datetime
    actor_kind: ActorKind
    actor_id: int
    action: str
    subject: str
    subject_id: int
    details: dict[str, Any]


def list_events(actor: Actor, *, before: int | None = None) -> Page[AuditRow]:
    """The newest first."""
    actor.require(Permission.AUDIT_READ)
    query = (
        select(
            AuditEvent.id,
            AuditEvent.at,
            AuditEvent.actor_kind,
            AuditEvent.actor_id,
            AuditEvent.action,
            AuditEvent.subject,
            AuditEvent.subject_id,
            AuditEvent.details,
        )
        .where(AuditEvent.visible_to(actor))
        .order_by(AuditEvent.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if before is not None:
        query = query.where(AuditEvent.id < before)
    rows = [AuditRow(*row) for row in reading().execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)
