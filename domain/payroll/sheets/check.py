"""From a file and a roster to accepted and held rows."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from . import words
from .files import read_grids
from .grid import Grid
from .headers import missing_columns
from .judging import judge
from .lines import IDENTITY_ROLES, Line, Part, identity_texts
from .matching import Identifiers, Match, match, read_identifiers
from .period import period_of
from .reading import SheetRead, find_headers, read_sheet
from .report import AcceptedRow, Layout, Notice, Reason, Refusal, SheetLayout, SheetReport
from .roster import Roster
from .unreadable import Unreadable

Progress = Callable[[int, int], None]
# A month's net pay from which a slip of the hand is likelier than the pay.
_UNUSUAL_NET_FEN = 100_000_000
_MOST_PLACES = 5
_PROGRESS_EVERY = 500


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
    parts: list[Part] = []
    reads = [
        (grid, read_sheet(grid, headers, roster, parts))
        for grid in grids
        if grid.visible and (headers := find_headers(grid))
    ]
    if not reads:
        raise Unreadable(Reason.NOT_PAYROLL, _no_payroll_sentence(grids))
    for grid, read in reads:
        if any(words.is_other_unit(title) for title in read.titles):
            raise Unreadable(
                Reason.NOT_PAYROLL,
                f"工作表“{grid.name}”的金额单位不是元，请把金额换成元、改掉表头的单位后再上传",
            )
    if not any(read.lines for _, read in reads):
        names = "、".join(grid.name for grid, _ in reads)
        raise Unreadable(
            Reason.EMPTY_FILE, f"工作表（{names}）只有表头，没有员工的行，请填写后再上传"
        )
    _judge_all(reads, parts, roster, report, on_progress)
    _warn_of_high_nets(report)
    _describe(reads, parts, report)
    found = next((p for g, r in reads if (p := period_of(r.titles, g.name, filename))), None)
    if period and found and period != found:
        report.warnings.append(
            Notice("PERIOD_DIFFERS", f"表里写的是 {found}，上传时选的是 {period}，请核对月份")
        )
    layout = Layout(tuple(part.layout for part in parts))
    return replace(report, period=period or found, layout=layout)


def _no_payroll_sentence(grids: list[Grid]) -> str:
    names = "、".join(grid.name for grid in grids if grid.visible)
    if not any(any(any(row) for row in grid.rows) for grid in grids):
        return "文件里没有内容，请检查后重新上传"
    for grid in grids:
        for number, row in enumerate(grid.rows, 1):
            if missing := missing_columns(row):
                return (
                    f"在工作表“{grid.name}”第{number}行找到了表头，但缺少{missing}。"
                    "请在表里加上、每个人都填好后重新上传"
                )
    return (
        f"在工作表（{names}）里没有找到工资表："
        "需要一行表头，其中有姓名（或工号、手机号、身份证号）和实发工资等列。请检查后重新上传"
    )


def _warn_of_high_nets(report: SheetReport) -> None:
    rows = [row for row in report.accepted if row.net_fen >= _UNUSUAL_NET_FEN]
    if rows:
        places = "、".join(f"“{row.sheet}”第{row.row}行" for row in rows[:_MOST_PLACES])
        sentence = f"{places}（共 {len(rows)} 行）的实发在一百万元以上，发布前请核对是否多写了数字"
        report.warnings.append(Notice("UNUSUAL_NET", sentence))


def _judge_all(
    reads: list[tuple[Grid, SheetRead]],
    parts: list[Part],
    roster: Roster,
    report: SheetReport,
    on_progress: Progress,
) -> None:
    total = sum(len(read.lines) for _, read in reads)
    done = 0
    matches: list[tuple[Line, Identifiers, Match]] = []
    for _, read in reads:
        for line in read.lines:
            layout = parts[line.part].layout
            row = read_identifiers(identity_texts(line.texts, parts[line.part]))
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
        result = judge(line, row, found, parts[line.part], places)
        if isinstance(result, AcceptedRow):
            report.accepted.append(result)
        else:
            report.held.append(result)
    on_progress(total, total)


def _describe(reads: list[tuple[Grid, SheetRead]], parts: list[Part], report: SheetReport) -> None:
    for grid, read in reads:
        report.sheets.append(grid.name)
        report.skipped.extend(read.skipped)
        report.warnings.extend(read.notices)
    for part in parts:
        _describe_columns(part.layout, report)
    report.hidden_columns[:] = dict.fromkeys(report.hidden_columns)


def _describe_columns(layout: SheetLayout, report: SheetReport) -> None:
    if layout.role("net") is None:
        sentence = (
            f"工作表“{layout.sheet}”第{layout.header_rows[1] + 1}行的表头里没有“实发工资”列，"
            "每一行都要补上实发才能发。人多时请放弃这一批，在表里加上这一列后重新上传"
        )
        report.warnings.append(Notice("NET_COLUMN_MISSING", sentence))
    columns = report.columns.setdefault(layout.sheet, {})
    for column in layout.columns:
        if column.hidden and column.label:
            report.hidden_columns.append(column.label)
        if column.role in (*IDENTITY_ROLES, "net"):
            columns.setdefault(column.role, column.index + 1)
        elif column.role == "item" and not column.hidden:
            columns.setdefault(column.label, column.index + 1)
        elif column.role == "unlabeled" and not column.hidden:
            sentence = f"工作表“{layout.sheet}”第{column.index + 1}列没有列名，员工看不到这一列"
            report.warnings.append(Notice("UNLABELED_COLUMN", sentence))
