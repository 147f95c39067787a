"""One row about one person, and what is worked out once from its layout."""

from dataclasses import dataclass

from .amounts import UNCACHED, Problem, is_error, read_amount
from .arithmetic import Sides
from .grid import Grid
from .report import Column, SheetLayout
from .rows import Places

IDENTITY_ROLES = ("name", "phone", "id_no", "emp_no", "bank_card", "dept")
Amounts = list[int | Problem | None]  # by column index


@dataclass(slots=True)
class Line:
    """One row about one person, on its way."""

    row: int  # from 0
    part: int
    texts: list[str]
    amounts: Amounts
    hidden: bool


@dataclass(slots=True)
class Part:
    """A layout with what is worked out from it once."""

    layout: SheetLayout
    places: Places
    sides: Sides
    identity: tuple[tuple[str, int], ...]
    nets: tuple[int, ...]
    loose: tuple[int, ...]
    items: tuple[Column, ...]

    @classmethod
    def of(cls, layout: SheetLayout) -> "Part":
        columns = layout.columns
        return cls(
            layout,
            Places.of(layout),
            Sides.of(layout),
            tuple((c.role, c.index) for c in columns if c.role in IDENTITY_ROLES),
            tuple(c.index for c in columns if c.role == "net"),
            tuple(c.index for c in columns if c.role == "item" and c.loose),
            tuple(layout.visible_items),
        )


def amounts_of(texts: list[str], part: Part, grid: Grid, row: int) -> Amounts:
    amounts: Amounts = [None] * len(texts)
    for index in part.places.money:
        if text := texts[index]:
            amounts[index] = read_amount(text)
    for index in part.loose:
        if (text := texts[index]) and isinstance(amount := read_amount(text), int):
            amounts[index] = amount
    for net in part.nets:
        if amounts[net] == 0 and (row, net) in grid.formulas and _owes_something(amounts, part):
            # Programs that write formulas without computing them leave 0 behind.
            texts[net] = UNCACHED
            amounts[net] = read_amount(UNCACHED)
    return amounts


def _owes_something(amounts: Amounts, part: Part) -> bool:
    earned, taken = (
        amounts[column] if column is not None else None
        for column in (part.sides.earnings_total, part.sides.deductions_total)
    )
    if isinstance(earned, int) and isinstance(taken, int) and earned == abs(taken):
        return False
    return any(isinstance(amounts[c], int) and amounts[c] for c in part.places.money)


def identity_texts(texts: list[str], part: Part) -> dict[str, str]:
    return {
        role: "" if texts[index] == UNCACHED or is_error(texts[index]) else texts[index]
        for role, index in part.identity
    }
