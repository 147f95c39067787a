"""The sums a sheet keeps, and the rows that break them.

When the sheet shows its own totals of earnings and deductions, every row must add up to its net
pay. Sums of single columns are only asked for when most rows keep them: then the others are wrong,
otherwise we have not understood the columns.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from core.money import yuan_grouped

from .amounts import Problem
from .report import SheetLayout
from .words import is_explicit_group

Amounts = Sequence[int | Problem | None]  # by column index
_ENOUGH_ROWS = 3
_SAMPLE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Sides:
    """Column indexes on each side of net = earnings − deductions."""

    net: int | None
    earnings_total: int | None
    deductions_total: int | None
    earnings: tuple[int, ...]
    deductions: tuple[int, ...]
    later: tuple[int, ...]  # earnings that the sheet adds behind its own total
    explicit: bool

    @classmethod
    def of(cls, layout: SheetLayout) -> "Sides":
        seen = [c for c in layout.columns if c.role == "item" and not c.hidden]
        net = layout.role("net")

        def total(which: str) -> int | None:
            found = [c.index for c in seen if c.total == which]
            return found[0] if len(found) == 1 else None

        gross = total("earnings")
        earnings = [c for c in seen if c.kind == "earning"]
        deductions = [c for c in seen if c.kind == "deduction"]
        return cls(
            net.index if net else None,
            gross,
            total("deductions"),
            tuple(c.index for c in earnings if gross is None or c.index < gross),
            tuple(c.index for c in deductions),
            tuple(c.index for c in earnings if gross is not None and c.index > gross),
            bool(earnings and deductions)
            and all(is_explicit_group(c.group) for c in earnings + deductions),
        )


Rule = Callable[[Sides, Amounts, int], str | None]  # None: kept, or nothing to check


def _sum(amounts: Amounts, columns: Iterable[int]) -> int:
    # Only rows without problems come here: what is not None or 0 is a number.
    return sum(filter(None, map(amounts.__getitem__, columns)))  # type: ignore[arg-type]


def _at(amounts: Amounts, column: int | None) -> int | None:
    value = amounts[column] if column is not None else None
    return value if isinstance(value, int) else None


def _totals_give_net(sides: Sides, amounts: Amounts, sign: int) -> str | None:
    earned = _at(amounts, sides.earnings_total)
    taken = _at(amounts, sides.deductions_total)
    net = _at(amounts, sides.net)
    if net is None or earned is None:
        return None
    return _difference("应发合计", earned, sign * (taken or 0), net)


def _totals_and_later_give_net(sides: Sides, amounts: Amounts, sign: int) -> str | None:
    earned = _at(amounts, sides.earnings_total)
    net = _at(amounts, sides.net)
    if net is None or earned is None:
        return None
    taken = _at(amounts, sides.deductions_total) or 0
    return _difference("应发", earned + _sum(amounts, sides.later), sign * taken, net)


def _columns_give_net(sides: Sides, amounts: Amounts, sign: int) -> str | None:
    net = _at(amounts, sides.net)
    if net is None:
        return None
    earned = _at(amounts, sides.earnings_total)
    if earned is None:
        earned = _sum(amounts, sides.earnings)
    earned += _sum(amounts, sides.later)
    taken = _at(amounts, sides.deductions_total)
    if taken is None:
        taken = _sum(amounts, sides.deductions)
    return _difference("应发", earned, sign * taken, net)


def _difference(word: str, earned: int, taken: int, net: int) -> str | None:
    if earned - taken == net:
        return None
    return (
        f"{word} {yuan_grouped(earned)} 减扣款 {yuan_grouped(taken)}"
        f" 是 {yuan_grouped(earned - taken)}，"
        f"不等于实发 {yuan_grouped(net)}，请核对"
    )


def _earnings_add_up(sides: Sides, amounts: Amounts, _sign: int) -> str | None:
    total = _at(amounts, sides.earnings_total)
    return None if total is None else _sum_sentence("应发", _sum(amounts, sides.earnings), total)


def _deductions_add_up(sides: Sides, amounts: Amounts, _sign: int) -> str | None:
    total = _at(amounts, sides.deductions_total)
    return None if total is None else _sum_sentence("扣款", _sum(amounts, sides.deductions), total)


def _sum_sentence(word: str, columns: int, total: int) -> str | None:
    if columns == total:
        return None
    return f"各项{word}之和 {yuan_grouped(columns)} 不等于{word}合计 {yuan_grouped(total)}，请核对"


_RULES: dict[str, Rule] = {
    "totals": _totals_give_net,
    "totals and later": _totals_and_later_give_net,
    "net": _columns_give_net,
    "earnings": _earnings_add_up,
    "deductions": _deductions_add_up,
}


def learn_sums(layout: SheetLayout, rows: Sequence[Amounts]) -> SheetLayout:
    """Which sums this sheet keeps, and how it writes deductions."""
    sides = Sides.of(layout)
    sound = (row for row in rows if not any(isinstance(value, Problem) for value in row))
    rows = list(islice(sound, _SAMPLE_ROWS))
    sign = _deduction_sign(sides, rows)
    checks = []
    if sides.earnings_total is not None and sides.deductions_total is not None:
        later = sides.later and not _keeps("totals", sides, rows, sign)
        wide = later and _keeps("totals and later", sides, rows, sign)
        checks.append("totals and later" if wide else "totals")
    elif (sides.earnings or sides.earnings_total is not None) and _keeps(
        "net", sides, rows, sign, strict_when_few=sides.explicit
    ):
        checks.append("net")
    if sides.earnings and _keeps("earnings", sides, rows, sign):
        checks.append("earnings")
    if sides.deductions and _keeps("deductions", sides, rows, sign):
        checks.append("deductions")
    return replace(layout, deduction_sign=sign, checks=tuple(checks))


def _deduction_sign(sides: Sides, rows: Sequence[Amounts]) -> int:
    columns = (sides.deductions_total,) if sides.deductions_total is not None else sides.deductions
    values = [v for row in rows for c in columns if isinstance(v := row[c], int) and v]
    return -1 if sum(v < 0 for v in values) * 2 > len(values) else 1


def _keeps(
    name: str, sides: Sides, rows: Sequence[Amounts], sign: int, *, strict_when_few: bool = False
) -> bool:
    rule = _RULES[name]
    if len(rows) < _ENOUGH_ROWS:
        return strict_when_few
    return sum(rule(sides, row, sign) is None for row in rows) * 3 >= len(rows) * 2


def broken_sums(layout: SheetLayout, sides: Sides, amounts: Amounts) -> list[str]:
    """A sentence for each sum this row breaks."""
    sentences = (_RULES[name](sides, amounts, layout.deduction_sign) for name in layout.checks)
    return [sentence for sentence in sentences if sentence]


class RunningTotals:
    """Compares the sheet's subtotals and totals with the rows above them.

    A column in which some row's amount is unknown is not compared from there on.
    """

    def __init__(self, layout: SheetLayout) -> None:
        self._columns = [c for c in layout.columns if c.is_money and not c.hidden]
        self._all: dict[int, int] = dict.fromkeys((c.index for c in self._columns), 0)
        self._since: dict[str, dict[int, int]] = {}
        self._pending: list[Amounts] = []

    def add(self, amounts: Amounts) -> None:
        self._pending.append(amounts)

    def _sums(self) -> dict[int, int]:
        for column in list(self._all):
            values = [value for amounts in self._pending if (value := amounts[column])]
            if any(isinstance(value, Problem) for value in values):
                del self._all[column]
            else:
                self._all[column] += sum(value for value in values if isinstance(value, int))
        self._pending.clear()
        return self._all

    def wrong_columns(self, why: str, amounts: Amounts) -> list[tuple[str, int]]:
        """Labels and differences of the columns in which a total row of this kind is off."""
        sums = self._sums()
        before = self._since.get(why, {})
        self._since[why] = dict(sums)
        wrong = []
        for column in self._columns:
            written = amounts[column.index]
            if not isinstance(written, int) or column.index not in sums:
                continue
            everything = sums[column.index]
            part = everything - before.get(column.index, 0)
            if written not in (everything, part):
                wrong.append((column.label, abs(written - (part if before else everything))))
        return wrong

    def is_total(self, amounts: Amounts) -> bool:
        """An unlabelled row that repeats all sums so far."""
        sums = self._sums()
        written = [(c, v) for c in sums if isinstance(v := amounts[c], int) and v]
        return len(written) > 1 and all(sums[c] == v for c, v in written)
