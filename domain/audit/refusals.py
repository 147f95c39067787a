"""Refusals that somebody should hear of: a try at what is another's, a sign-in that was stopped."""

from collections.abc import Callable
from functools import wraps
from typing import ClassVar, Concatenate, ParamSpec, TypeVar

from core import ratelimit
from core.db import transaction
from core.errors import NotFound
from core.log import logger
from domain.audit import service as audit
from domain.directory.access import Actor, ActorKind

# Of one who tries, or of all who come to one account without a name. Beyond it only the log has
# them: nobody outside may fill the table.
REFUSALS_KEPT = "60/minute"


class NotYours(NotFound):
    """A row that is another's, or none at all: the answer is the same.

    Subclasses set ``action``, under which the owner's trail keeps the try.
    """

    code, message = "not_yours", "没有找到这项内容：链接可能不完整，或它不属于您"
    action: ClassVar[str]

    def __init__(self, model: type[audit.Subject], row_id: int) -> None:
        super().__init__()
        self.model, self.row_id = model, row_id


_P = ParamSpec("_P")
_R = TypeVar("_R")


def strangers_noted(
    deed: Callable[Concatenate[Actor, _P], _R],
) -> Callable[Concatenate[Actor, _P], _R]:
    """Write a try that ends in NotYours into the trail of whoever owns the row."""

    @wraps(deed)
    def noting(actor: Actor, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return deed(actor, *args, **kwargs)
        except NotYours as refusal:
            note_refusal(actor, refusal.action, refusal.model, refusal.row_id)
            raise

    return noting


def note_refusal(
    actor: Actor, action: str, model: type[audit.Subject], row_id: int, **details: int | str
) -> None:
    """In a transaction of its own, since the refused one is rolled back. Nothing for no row."""
    table = model.__tablename__
    is_nameless = actor.kind is ActorKind.VISITOR
    source = (table, str(row_id)) if is_nameless else (actor.kind.value, str(actor.id))
    logger.info("refused", extra={"action": action, "subject": table, "subject_id": row_id})
    if not ratelimit.allow(REFUSALS_KEPT, "refusals", *source):
        return
    with transaction() as session:
        subject = session.get(model, row_id)
        if subject is not None:
            audit.record(session, actor, action, subject, **details)
