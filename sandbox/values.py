"""Small things both platforms count and hand out. Plain data; instants are unix seconds."""

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """How often in one period; ``period`` is a day, an hour or a minute since 1970."""

    period: int = 0
    count: int = 0


@dataclass(slots=True)
class Ticket:
    value: str = ""
    valid_until: float = 0.0
