"""From one grid to lines about people, with what each other row is skipped for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from core.money import yuan_grouped

from . import words
from .arithmetic import RunningTotals, learn_sums
from .grid import Grid
from .headers import Header, header_at, is_header_row, key_words, layout_of
from .identity import State, read_emp_no, read_id, read_phone
from .lines import Amounts, Line, Part, amounts_of
from .matching import LABELS
from .report import Column, Notice, Reason, SheetLayout, SkippedRow
from .roster import Roster
from .rows import is_section, kind_of_row, merged_texts

_KEY_ROLES = ("phone", "id_no", "emp_no", "bank_card")
_SAMPLE_ROWS = 200


@dataclass(slots=True)
class SheetRead:
    lines: list[Line] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


def find_headers(grid: Grid) -> list[Header]:
    headers: list[Header] = []
    seen: set[str] = set()  # once a header is found, later ones repeat one of its key words
    ceiling = 0
    for row, texts in enumerate(grid.rows):
        if row < ceiling or (seen and seen.isdisjoint(texts)) or not is_header_row(texts):
            continue
        header = header_at(grid, row, ceiling)
        if header:
            headers.append(header)
            ceiling = header.bottom + 1
            seen.update(key_words(texts))
    return headers


def read_sheet(grid: Grid, headers: list[Header], roster: Roster, parts: list[Part]) -> SheetRead:
    read = SheetRead()
    for row in range(headers[0].top):
        if any(grid.rows[row]):
            read.titles.append(" ".join(filter(None, grid.rows[row])))
            read.skipped.append(SkippedRow(grid.name, row + 1, "title"))
    known: dict[tuple[tuple[str, ...], ...], int] = {}
    ends = [header.top for header in headers[1:]] + [len(grid.rows)]
    stretches: dict[int, list[range]] = {}
    for header, end in zip(headers, ends, strict=True):
        if header.paths not in known:
            known[header.paths] = len(parts)
            parts.append(Part.of(layout_of(grid, header)))
        part = known[header.paths]
        read.skipped.extend(
            SkippedRow(grid.name, row + 1, "header") for row in range(header.top, header.bottom + 1)
        )
        stretches.setdefault(part, []).append(range(header.bottom + 1, end))
    for part, ranges in stretches.items():
        _read_part(grid, part, ranges, roster, parts, read)
    read.lines.sort(key=lambda line: line.row)
    read.skipped.sort(key=lambda row: row.row)
    return read


def _read_part(
    grid: Grid,
    index: int,
    ranges: list[range],
    roster: Roster,
    parts: list[Part],
    read: SheetRead,
) -> None:
    rows = [row for stretch in ranges for row in stretch]
    layout = _understood(grid, parts[index].layout, rows, roster)
    part = Part.of(layout)
    lent = merged_texts(grid, layout)
    running = RunningTotals(layout)
    own: list[Line] = []
    for row in rows:
        texts = _with_lent(grid.rows[row], row, lent)
        kind = kind_of_row(texts, part.places, roster)
        if kind == "blank":
            continue
        if kind == "data" and is_section(grid, row, part.places):
            kind = "section"
        amounts = amounts_of(texts, part, grid, row)
        nameless = part.places.name is None or not texts[part.places.name]
        if kind == "data" and nameless and _is_unlabelled_total(texts, part, running, amounts):
            kind = "total"
        if kind == "data":
            running.add(amounts)
            own.append(Line(row, index, texts, amounts, row in grid.hidden_rows))
            continue
        read.skipped.append(SkippedRow(grid.name, row + 1, kind))
        if kind in ("total", "subtotal", "page_subtotal"):
            _compare_total(grid.name, row, kind, running, amounts, read)
    parts[index] = Part.of(learn_sums(layout, [line.amounts for line in own]))
    read.lines.extend(own)


def _with_lent(texts: list[str], row: int, lent: dict[tuple[int, int], str]) -> list[str]:
    if not lent:
        return texts
    return [text or lent.get((row, column), "") for column, text in enumerate(texts)]


def _is_unlabelled_total(
    texts: list[str], part: Part, running: RunningTotals, amounts: Amounts
) -> bool:
    return not any(texts[c] for c in part.places.keys) and running.is_total(amounts)


def _compare_total(
    sheet: str,
    row: int,
    kind: str,
    running: RunningTotals,
    amounts: Amounts,
    read: SheetRead,
) -> None:
    wrong = running.wrong_columns(kind, amounts)
    if not wrong:
        return
    what = "；".join(f"“{label}”相差 {yuan_grouped(off)} 元" for label, off in wrong[:3])
    read.notices.append(
        Notice(
            str(Reason.TOTAL_MISMATCH),
            f"工作表“{sheet}”第{row + 1}行的合计与各行之和不一致：{what}，请核对",
        )
    )


def _understood(grid: Grid, layout: SheetLayout, rows: list[int], roster: Roster) -> SheetLayout:
    columns = list(layout.columns)
    sample = rows[:_SAMPLE_ROWS]
    for column in layout.columns:
        if column.role != "unlabeled":
            continue
        values = [grid.rows[row][column.index] for row in sample if grid.rows[row][column.index]]
        role = _role_by_content(values, roster)
        if role and not any(c.role == role for c in columns):
            columns[column.index] = replace(column, role=role, label=LABELS[role])
        else:
            columns[column.index] = replace(column, role="unlabeled" if values else "ignored")
    columns = _without_false_numbers(grid, columns, rows, roster)
    has_keys = any(column.role in _KEY_ROLES for column in columns)
    return replace(layout, columns=tuple(columns), has_keys=has_keys)


def _role_by_content(values: list[str], roster: Roster) -> str | None:
    """An unlabelled column is an identifier when four in five of its values read as one."""
    tests: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("id_no", lambda text: read_id(text).state is State.GOOD),
        ("phone", lambda text: read_phone(text).state is State.GOOD),
        ("name", lambda text: bool(roster.named(text))),
    )
    for role, test in tests:
        if values and sum(map(test, values)) * 5 >= len(values) * 4:
            return role
    return None


def _without_false_numbers(
    grid: Grid, columns: list[Column], rows: list[int], roster: Roster
) -> list[Column]:
    """A column called just 编号 is often 1, 2, 3 …: it is the 工号 only if the names say so."""
    number = next((c for c in columns if c.role == "emp_no"), None)
    name = next((c for c in columns if c.role == "name"), None)
    if number is None or name is None or not words.is_weak_emp_no(number.leaf):
        return columns
    right = wrong = 0
    for row in rows:
        namesakes = roster.named(grid.rows[row][name.index])
        holders = roster.holding("emp_no", read_emp_no(grid.rows[row][number.index]))
        if namesakes and any(person is other for person in namesakes for other in holders):
            right += 1
        elif namesakes:
            wrong += 1
    if right > wrong:
        return columns
    return [replace(c, role="ignored") if c is number else c for c in columns]
