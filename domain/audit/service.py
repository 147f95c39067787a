"""Writing the audit trail."""

from typing import Protocol

from sqlalchemy.orm import Session

from core.clock import utc_now
from core.log import request_id
from domain.audit.models import AuditEvent
from domain.directory.access import Actor


class Subject(Protocol):
    """A stored row of one organisation."""

    __tablename__: str

    @property
    def id(self) -> int: ...

    @property
    def org_path(self) -> str: ...


def record(
    session: Session, actor: Actor, action: str, subject: Subject, **details: int | str | bool
) -> None:
    """Add one row to the caller's transaction. ``details`` are ids, counts and codes only."""
    session.flush()  # a new subject gets its id
    session.add(
        AuditEvent(
            org_path=subject.org_path,
            at=utc_now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            subject=subject.__tablename__,
            subject_id=subject.id,
            details=details,
            request_id=request_id.get(),
        )
    )
