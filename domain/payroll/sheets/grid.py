"""A sheet as texts: what every file kind is brought to before anything is understood."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

Merge = tuple[int, int, int, int]  # first row, first column, last row, last column; from 0
CellValue = int | float | str | bool | date | datetime | time | timedelta


@dataclass(slots=True)
class Grid:
    name: str
    rows: list[list[str]]
    merges: list[Merge] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    formulas: set[tuple[int, int]] = field(default_factory=set)
    visible: bool = True

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
    text = f"{value:.15g}"
    dot = text.find(".")
    if "e" in text:
        return text.upper()
    if 0 <= dot < len(text) - 3:
        near = round(value, 2)
        if abs(value - near) < 1e-6:
            return f"{near:.15g}"
    return text


def cell_text(value: CellValue) -> str:
    if type(value) is str:
        return value.strip()
    if type(value) is float or type(value) is int:
        return number_text(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return str(value)
