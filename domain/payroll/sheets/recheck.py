"""HR's second look at a held row, without the file."""

from collections.abc import Mapping
from dataclasses import replace

from .grid import Grid
from .judging import NET_LABEL, held_row, judge
from .lines import Line, Part, amounts_of, identity_texts
from .matching import Identifiers, Match, chosen_by_hr, match, read_identifiers
from .report import AcceptedRow, Column, HeldRow, Layout, Reason, SheetLayout
from .roster import Roster

# HR decides these by naming the employee; correcting cells alone does not settle them.
_NEEDS_A_PERSON = (Reason.DUPLICATE, Reason.HIDDEN_ROW)


def recheck(
    held: HeldRow,
    cells: Mapping[str, str],
    layout: Layout,
    roster: Roster,
    *,
    employee_id: str | None = None,
) -> AcceptedRow | HeldRow:
    """Read a held row again with HR's corrections (by column label), maybe HR's choice of person.

    A choice settles who it is, and that a hidden or doubled row is meant; the money rules stay. The
    caller must still refuse a second payslip for one person in one batch.
    """
    part = Part.of(_with_net(layout.parts[held.layout]))
    merged = {**held.cells, **cells}
    texts = [""] * len(part.layout.columns)
    for column in part.layout.columns:
        if column.label:
            texts[column.index] = str(merged.get(column.label, "")).strip()
    amounts = amounts_of(texts, part, Grid(held.sheet, []), held.row - 1)
    line = Line(held.row - 1, held.layout, texts, amounts, hidden=False)
    row = read_identifiers(identity_texts(texts, part))
    found = _found_again(row, roster, part.layout, employee_id)
    result = judge(line, row, found, part, [])
    kept = [reason for reason in held.reasons if reason in _NEEDS_A_PERSON]
    if employee_id is None and kept:
        return _still_held(result, kept, line, row, found, part)
    return result


def _with_net(layout: SheetLayout) -> SheetLayout:
    if layout.role("net"):
        return layout
    net = Column(len(layout.columns), NET_LABEL, "", NET_LABEL, "net", "total")
    return replace(layout, columns=(*layout.columns, net))


def _found_again(
    row: Identifiers, roster: Roster, layout: SheetLayout, employee_id: str | None
) -> Match:
    if employee_id is None:
        return match(row, roster, sheet_has_keys=layout.has_keys)
    person = roster.get(employee_id)
    if person is None:
        return Match(reasons=(Reason.NOT_FOUND,), message="选择的员工不在花名册里，请重新选择")
    agreeing = [
        kind
        for kind, reading in row.keys.items()
        if any(person is other for other in roster.holding(kind, reading))
    ]
    return Match(person, ("hr", *agreeing), chosen_by_hr(row, person, agreeing))


def _still_held(
    result: AcceptedRow | HeldRow,
    kept: list[Reason],
    line: Line,
    row: Identifiers,
    found: Match,
    part: Part,
) -> HeldRow:
    sentence = "请选定员工，确认这一行（隐藏或重复）要发放"
    if isinstance(result, HeldRow):
        reasons = tuple(dict.fromkeys([*result.reasons, *kept]))
        return replace(result, reasons=reasons, message=f"{result.message}；{sentence}")
    return replace(
        held_row(line, row, found, part, [(reason, sentence) for reason in kept]),
        reasons=tuple(kept),
    )
