"""Keyset pages: the next page starts after the last key seen, however deep one reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """``next_cursor`` is None on the last page."""

    rows: Sequence[Row]
    next_cursor: int | None


def page_of(rows: Sequence[Row], size: int, cursor_of: Callable[[Row], int]) -> Page[Row]:
    """Make a page of ``size`` from a query that asked for ``size + 1`` rows."""
    if len(rows) > size:
        return Page(rows[:size], cursor_of(rows[size - 1]))
    return Page(rows, None)
