"""A sheet as texts: what every file kind is brought to before anything is understood."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine as calamine

Merge = tuple[int, int, int, int]  # first row, first column, last row, last column; from 0


@dataclass(slots=True)
class Grid:
    name: str
    rows: list[list[str]]
    merges: list[Merge] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    formulas: set[tuple[int, int]] = field(default_factory=set)
    visible: bool = True
    _by_row: dict[int, list[Merge]] | None = None

    def __post_init__(self) -> None:
        # Empty cells may be merged far outside of what was written.
        height, width = len(self.rows), self.width
        self.merges = [m for m in self.merges if m[0] < height and m[1] < width]

    def merges_from(self, row: int) -> list[Merge]:
        """The merged cells that begin in ``row``. Slips have thousands: looked up, not searched."""
        if self._by_row is None:
            self._by_row = {}
            for merge in self.merges:
                self._by_row.setdefault(merge[0], []).append(merge)
        return self._by_row.get(row, [])

    @property
    def width(self) -> int:
        return len(self.rows[0]) if self.rows else 0


def squared(rows: list[list[str]]) -> list[list[str]]:
    """The same rows, all as wide as the widest."""
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def number_text(value: float) -> str:
    """A number as Excel keeps it: 15 digits, longer whole numbers in scientific notation.

    A double that is 5123.45 but for the noise of binary sums is 5123.45: under a millionth of a
    yuan is no amount that anybody wrote. Real third decimals stay and are refused later.
    """
    text = repr(value)
    if len(text) <= 15 and "." in text[-3:-1]:  # most are short: at most two decimals, no exponent
        return text.removesuffix(".0")
    text = f"{value:.15g}"
    if text[-3:-2] != "." and "." in text:
        near = round(value, 2)
        if abs(value - near) < 1e-6:
            text = f"{near:.15g}"
    return text.upper()


def _moment_text(value: datetime) -> str:
    return value.date().isoformat() if value.time() == time() else value.isoformat(" ")


_TEXT_OF: dict[type, Callable[[Any], str]] = {
    str: str.strip,
    float: number_text,
    int: number_text,
    bool: lambda value: "TRUE" if value else "FALSE",
    datetime: _moment_text,
    date: str,
    time: str,
    timedelta: str,
}


def texts_of(sheet: calamine.CalamineSheet) -> list[list[str]]:
    """Every cell from A1 on as text."""
    rows = sheet.to_python(skip_empty_area=False)
    return [[_TEXT_OF[type(value)](value) for value in row] for row in rows]
