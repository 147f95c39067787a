"""The audit row: ids and counts, no names, no amounts."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Key, Model, ShortText
from domain.directory.access import ActorKind, OrgOwned


class AuditEvent(OrgOwned, Model):
    __tablename__ = "audit_events"

    id: Mapped[Key]
    at: Mapped[datetime]
    actor_kind: Mapped[ActorKind]
    actor_id: Mapped[int]
    action: Mapped[ShortText]
    subject: Mapped[ShortText]
    subject_id: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    request_id: Mapped[ShortText]
