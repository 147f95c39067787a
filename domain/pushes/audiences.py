"""Who a campaign is for: named questions, so that a worker can ask again where it stopped.

A room that sends to many registers its question here when it is imported.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select

# The id it is asked for → SELECT subject_id, employee_id; subject ids are unique and not ordered.
Audience = Callable[[int], Select[Any]]

_audiences: dict[str, Audience] = {}


def audience(name: str) -> Callable[[Audience], Audience]:
    """Register a question under a name that is stored with campaigns: it may not be renamed."""

    def register(ask: Audience) -> Audience:
        _audiences[name] = ask
        return ask

    return register


def audience_of(name: str, audience_id: int) -> Select[Any]:
    return _audiences[name](audience_id)
