"""From a file and a roster to accepted and held rows."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from core.money import yuan_grouped

from . import words
from .amounts import UNCACHED, Problem, is_error, is_literal, read_amount
from .arithmetic import RunningTotals, Sides, broken_sums, learn_sums
from .files import read_grids
from .grid import Grid
from .headers import Header, header_at, is_header_row, key_words, layout_of
from .identity import State, read_emp_no, read_id, read_phone
from .matching import LABELS, Identifiers, Match, chosen_by_hr, match, read_identifiers
from .period import period_of
from .report import (
    AcceptedRow,
    Column,
    HeldRow,
    Item,
    Layout,
    Notice,
    Reason,
    Refusal,
    SheetLayout,
    SheetReport,
    SkippedRow,
)
from .roster import Person, Roster
from .rows import Places, is_section, kind_of_row, merged_texts
from .unreadable import Unreadable

Progress = Callable[[int, int], None]
_Amounts = list[int | Problem | None]  # by column index
_IDENTITY_ROLES = ("name", "phone", "id_no", "emp_no", "bank_card", "dept")
_KEY_ROLES = ("phone", "id_no", "emp_no", "bank_card")
_NET_LABEL = "实发工资"  # what HR's correction is called when the sheet has no such column
_PROGRESS_EVERY = 500
_SAMPLE_ROWS = 200
# HR decides these by naming the employee; correcting cells alone does not settle them.
_NEEDS_A_PERSON = (Reason.DUPLICATE, Reason.HIDDEN_ROW)


@dataclass(slots=True)
class _Line:
    """One row about one person, on its way."""

    row: int  # from 0
    part: int
    texts: list[str]
    amounts: _Amounts
    hidden: bool


@dataclass(slots=True)
class _SheetRead:
    lines: list[_Line] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


@dataclass(slots=True)
class _Part:
    """A layout with what is worked out from it once."""

    layout: SheetLayout
    places: Places
    sides: Sides
    identity: tuple[tuple[str, int], ...]
    nets: tuple[int, ...]
    loose: tuple[int, ...]
    items: tuple[Column, ...]

    @classmethod
    def of(cls, layout: SheetLayout) -> "_Part":
        columns = layout.columns
        return cls(
            layout,
            Places.of(layout),
            Sides.of(layout),
            tuple((c.role, c.index) for c in columns if c.role in _IDENTITY_ROLES),
            tuple(c.index for c in columns if c.role == "net"),
            tuple(c.index for c in columns if c.role == "item" and c.loose),
            tuple(layout.visible_items),
        )


def check_sheet(
    content: bytes,
    filename: str,
    roster: Roster,
    *,
    period: str | None = None,
    on_progress: Progress | None = None,
) -> SheetReport:
    """Read a payroll sheet against a roster. Bad input becomes ``refused``, never an exception."""
    try:
        with _without_collector():
            grids = read_grids(content, filename)
            return _check_grids(grids, filename, roster, period, on_progress or _silent)
    except Unreadable as error:
        return SheetReport(refused=Refusal(str(error.reason), error.sentence))


@contextmanager
def _without_collector() -> Iterator[None]:
    """A sheet is many small values without a cycle: collecting would only walk them again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _silent(_done: int, _total: int) -> None:
    return None


def _check_grids(
    grids: list[Grid], filename: str, roster: Roster, period: str | None, on_progress: Progress
) -> SheetReport:
    report = SheetReport(
        warnings=[
            Notice("HIDDEN_SHEET", f"工作表“{grid.name}”是隐藏的，没有读取")
            for grid in grids
            if not grid.visible
        ]
    )
    parts: list[_Part] = []
    reads = [
        (grid, _read_sheet(grid, headers, roster, parts))
        for grid in grids
        if grid.visible and (headers := _headers(grid))
    ]
    if not reads:
        raise Unreadable(Reason.NOT_PAYROLL, _no_payroll_sentence(grids, filename))
    for grid, read in reads:
        if any(words.is_other_unit(title) for title in read.titles):
            raise Unreadable(
                Reason.NOT_PAYROLL,
                f"工作表“{grid.name}”的金额单位不是元，请把金额换成元、改掉表头的单位后再上传",
            )
    _judge(reads, parts, roster, report, on_progress)
    _describe(reads, parts, report)
    found = next((p for g, r in reads if (p := period_of(r.titles, g.name, filename))), None)
    if period and found and period != found:
        report.warnings.append(
            Notice("PERIOD_DIFFERS", f"表里写的是 {found}，上传时选的是 {period}，请核对月份")
        )
    layout = Layout(tuple(part.layout for part in parts))
    return replace(report, period=period or found, layout=layout)


def _no_payroll_sentence(grids: list[Grid], filename: str) -> str:
    names = "、".join(grid.name for grid in grids if grid.visible)
    if not any(any(any(row) for row in grid.rows) for grid in grids):
        return f"文件“{filename}”里没有内容，请检查后重新上传"
    return (
        f"在文件“{filename}”的工作表（{names}）里没有找到工资表："
        "需要一行表头，其中有姓名（或工号、手机号、身份证号）和实发工资等列。请检查后重新上传"
    )


# --- reading one sheet ------------------------------------------------------------------------


def _headers(grid: Grid) -> list[Header]:
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


def _read_sheet(
    grid: Grid, headers: list[Header], roster: Roster, parts: list[_Part]
) -> _SheetRead:
    read = _SheetRead()
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
            parts.append(_Part.of(layout_of(grid, header)))
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
    parts: list[_Part],
    read: _SheetRead,
) -> None:
    rows = [row for stretch in ranges for row in stretch]
    layout = _understood(grid, parts[index].layout, rows, roster)
    part = _Part.of(layout)
    lent = merged_texts(grid, layout)
    running = RunningTotals(layout)
    own: list[_Line] = []
    for row in rows:
        texts = _with_lent(grid.rows[row], row, lent)
        kind = kind_of_row(texts, part.places, roster)
        if kind == "blank":
            continue
        if kind == "data" and is_section(grid, row, part.places):
            kind = "section"
        amounts = _amounts(texts, part, grid, row)
        nameless = part.places.name is None or not texts[part.places.name]
        if kind == "data" and nameless and _is_unlabelled_total(texts, part, running, amounts):
            kind = "total"
        if kind == "data":
            running.add(amounts)
            own.append(_Line(row, index, texts, amounts, row in grid.hidden_rows))
            continue
        read.skipped.append(SkippedRow(grid.name, row + 1, kind))
        if kind in ("total", "subtotal", "page_subtotal"):
            _compare_total(grid.name, row, kind, running, amounts, read)
    parts[index] = _Part.of(learn_sums(layout, [line.amounts for line in own]))
    read.lines.extend(own)


def _with_lent(texts: list[str], row: int, lent: dict[tuple[int, int], str]) -> list[str]:
    if not lent:
        return texts
    return [text or lent.get((row, column), "") for column, text in enumerate(texts)]


def _is_unlabelled_total(
    texts: list[str], part: _Part, running: RunningTotals, amounts: _Amounts
) -> bool:
    return not any(texts[c] for c in part.places.keys) and running.is_total(amounts)


def _compare_total(
    sheet: str,
    row: int,
    kind: str,
    running: RunningTotals,
    amounts: _Amounts,
    read: _SheetRead,
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


def _amounts(texts: list[str], part: _Part, grid: Grid, row: int) -> _Amounts:
    amounts: _Amounts = [None] * len(texts)
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


def _owes_something(amounts: _Amounts, part: _Part) -> bool:
    earned, taken = (
        amounts[column] if column is not None else None
        for column in (part.sides.earnings_total, part.sides.deductions_total)
    )
    if isinstance(earned, int) and isinstance(taken, int) and earned == abs(taken):
        return False
    return any(isinstance(amounts[c], int) and amounts[c] for c in part.places.money)


# --- understanding columns by what stands in them ----------------------------------------------


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


# --- judging rows -------------------------------------------------------------------------------


def _judge(
    reads: list[tuple[Grid, _SheetRead]],
    parts: list[_Part],
    roster: Roster,
    report: SheetReport,
    on_progress: Progress,
) -> None:
    total = sum(len(read.lines) for _, read in reads)
    done = 0
    matches: list[tuple[_Line, Identifiers, Match]] = []
    for _, read in reads:
        for line in read.lines:
            layout = parts[line.part].layout
            row = read_identifiers(_identity_texts(line.texts, parts[line.part]))
            matches.append((line, row, match(row, roster, sheet_has_keys=layout.has_keys)))
            done += 1
            if done % _PROGRESS_EVERY == 0:
                on_progress(done, total)
    where: dict[str, list[str]] = {}
    for line, _, found in matches:
        if found.person:
            sheet = parts[line.part].layout.sheet
            where.setdefault(found.person.entry.emp_id, []).append(f"“{sheet}”第{line.row + 1}行")
    for line, row, found in matches:
        places = where[found.person.entry.emp_id] if found.person else []
        result = _result(line, row, found, parts[line.part], places)
        (report.accepted if isinstance(result, AcceptedRow) else report.held).append(result)  # type: ignore[arg-type]
    on_progress(total, total)


def _identity_texts(texts: list[str], part: _Part) -> dict[str, str]:
    return {
        role: "" if texts[index] == UNCACHED or is_error(texts[index]) else texts[index]
        for role, index in part.identity
    }


def _result(
    line: _Line, row: Identifiers, found: Match, part: _Part, places: list[str]
) -> AcceptedRow | HeldRow:
    problems = [(reason, found.message) for reason in found.reasons]
    if found.reasons and _has_broken_identity(line.texts, part):
        problems.append((Reason.FORMULA_UNCACHED, "姓名、工号等列的公式没有计算结果，请改成文本"))
    if len(places) > 1:
        problems.append(
            (Reason.DUPLICATE, f"{'、'.join(places)}是同一个人，请保留一行或合并后再上传")
        )
    if line.hidden:
        problems.append((Reason.HIDDEN_ROW, "这一行在表里是隐藏的，请确认是否要发放"))
    problems.extend(_money_problems(line.amounts, part))
    if problems or found.person is None:
        return _held_row(line, row, found, part, problems)
    return _accepted_row(line, found.person, found.matched_by, found.warnings, part)


def _has_broken_identity(texts: list[str], part: _Part) -> bool:
    return any(texts[c] == UNCACHED or is_error(texts[c]) for _, c in part.identity)


def _money_problems(amounts: _Amounts, part: _Part) -> list[tuple[Reason, str]]:
    columns = part.layout.columns
    problems = [
        (value.reason, f"“{columns[index].label}”{value.sentence}")
        for index in part.places.money
        if isinstance(value := amounts[index], Problem) and not columns[index].hidden
    ]
    values = {amounts[index] for index in part.nets}
    if values <= {None}:
        problems.append((Reason.MISSING_NET, "没有实发工资，请填写（不发请删去这一行）"))
    elif len(values) > 1:
        problems.append((Reason.NET_MISMATCH, "表里有几列实发，数目不同，请只留一列"))
    net = amounts[part.nets[0]] if part.nets else None
    if isinstance(net, int) and net < 0:
        problems.append((Reason.NEGATIVE_NET, f"实发是负数 {yuan_grouped(net)}，请核对"))
    if not problems:
        broken = broken_sums(part.layout, part.sides, amounts)
        problems.extend((Reason.NET_MISMATCH, sentence) for sentence in broken)
    return problems


def _held_row(
    line: _Line, row: Identifiers, found: Match, part: _Part, problems: list[tuple[Reason, str]]
) -> HeldRow:
    people = (found.person,) if found.person else found.candidates
    identifiers = {"name": row.name} if row.name else {}
    identifiers.update({kind: r.text for kind, r in row.keys.items() if r.text})
    return HeldRow(
        sheet=part.layout.sheet,
        row=line.row + 1,
        reasons=tuple(dict.fromkeys(reason for reason, _ in problems)),
        message="；".join(dict.fromkeys(sentence for _, sentence in problems)),
        cells=_cells(line.texts, part.layout),
        identifiers=identifiers,
        candidates=tuple(person.entry.emp_id for person in people),
        layout=line.part,
    )


def _cells(texts: list[str], layout: SheetLayout) -> dict[str, str]:
    """All that HR may correct: what employees see, and identifiers even from hidden columns."""
    cells = {
        c.label: texts[c.index]
        for c in layout.columns
        if c.label and c.role != "ignored" and (not c.hidden or c.role in _IDENTITY_ROLES)
    }
    if layout.role("net") is None:
        cells[_NET_LABEL] = ""
    return cells


def _accepted_row(
    line: _Line,
    person: Person,
    matched_by: tuple[str, ...],
    warnings: tuple[Notice, ...],
    part: _Part,
) -> AcceptedRow:
    net_fen = line.amounts[part.nets[0]]
    if not isinstance(net_fen, int):  # pragma: no cover - _money_problems held the row
        raise TypeError("an accepted row has a net pay")
    notices = list(warnings)
    items = []
    for column in part.items:
        text, amount = line.texts[column.index], line.amounts[column.index]
        if column.kind == "info" and text:
            text = _shown(column, text, notices)
        # A Problem cannot be here: it would have held the row.
        items.append(Item(column.label, column.group, column.kind, text, amount))  # type: ignore[arg-type]
    return AcceptedRow(
        part.layout.sheet,
        line.row + 1,
        person.entry.emp_id,
        net_fen,
        tuple(items),
        matched_by,
        tuple(notices),
    )


def _shown(column: Column, text: str, notices: list[Notice]) -> str:
    """What the employee sees of a cell that is not money."""
    if text == UNCACHED or is_error(text):
        notices.append(Notice(str(Reason.FORMULA_UNCACHED), f"“{column.label}”的公式没有结果"))
        return ""
    if is_literal(text):
        sentence = f"“{column.label}”里的公式或网页代码按文字显示"
        notices.append(Notice(str(Reason.LITERAL_TEXT), sentence))
    return text


# --- the file as a whole ------------------------------------------------------------------------


def _describe(
    reads: list[tuple[Grid, _SheetRead]], parts: list[_Part], report: SheetReport
) -> None:
    for grid, read in reads:
        report.sheets.append(grid.name)
        report.skipped.extend(read.skipped)
        report.warnings.extend(read.notices)
    for part in parts:
        layout = part.layout
        columns = report.columns.setdefault(layout.sheet, {})
        for column in layout.columns:
            if column.hidden and column.label:
                report.hidden_columns.append(column.label)
            if column.role in (*_IDENTITY_ROLES, "net"):
                columns.setdefault(column.role, column.index + 1)
            elif column.role == "item" and not column.hidden:
                columns.setdefault(column.label, column.index + 1)
            elif column.role == "unlabeled" and not column.hidden:
                report.warnings.append(
                    Notice(
                        "UNLABELED_COLUMN",
                        f"工作表“{layout.sheet}”第{column.index + 1}列没有列名，员工看不到这一列",
                    )
                )
    report.hidden_columns[:] = dict.fromkeys(report.hidden_columns)


# --- HR's second look ---------------------------------------------------------------------------


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
    part = _Part.of(_with_net(layout.parts[held.layout]))
    merged = {**held.cells, **cells}
    texts = [""] * len(part.layout.columns)
    for column in part.layout.columns:
        if column.label:
            texts[column.index] = str(merged.get(column.label, "")).strip()
    amounts = _amounts(texts, part, Grid(held.sheet, []), held.row - 1)
    line = _Line(held.row - 1, held.layout, texts, amounts, hidden=False)
    row = read_identifiers(_identity_texts(texts, part))
    found = _found_again(row, roster, part.layout, employee_id)
    result = _result(line, row, found, part, [])
    kept = [reason for reason in held.reasons if reason in _NEEDS_A_PERSON]
    if employee_id is None and kept:
        return _still_held(result, kept, line, row, found, part)
    return result


def _with_net(layout: SheetLayout) -> SheetLayout:
    if layout.role("net"):
        return layout
    net = Column(len(layout.columns), _NET_LABEL, "", _NET_LABEL, "net", "total")
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
    line: _Line,
    row: Identifiers,
    found: Match,
    part: _Part,
) -> HeldRow:
    sentence = "请选定员工，确认这一行（隐藏或重复）要发放"
    if isinstance(result, HeldRow):
        reasons = tuple(dict.fromkeys([*result.reasons, *kept]))
        return replace(result, reasons=reasons, message=f"{result.message}；{sentence}")
    return replace(
        _held_row(line, row, found, part, [(reason, sentence) for reason in kept]),
        reasons=tuple(kept),
    )
