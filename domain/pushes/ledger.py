"""What the rooms around the ledger of pushes share."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.db import after_commit, reading
from domain.pushes.campaigns import Chunk, send
from domain.pushes.models import Campaign, Push, Route, Urgency

T = TypeVar("T")
K = TypeVar("K")


def change(session: Session, conditions: Sequence[Any], **values: Any) -> int:
    changed = session.execute(
        update(Push)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(getattr(changed, "rowcount", 0))


def grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups


def tried_entry(
    route: Route, reason: str | None, errcode: int | None, at: datetime
) -> dict[str, Any]:
    return {"route": route.value, "reason": reason, "errcode": errcode, "at": at.isoformat()}


def send_after_commit(chunk: Chunk) -> None:
    after_commit(lambda: _send(chunk))


def _send(chunk: Chunk) -> None:
    urgency = reading().scalar(select(Campaign.urgency).where(Campaign.id == chunk.campaign_id))
    send(replace(chunk, is_urgent=urgency is Urgency.URGENT))
