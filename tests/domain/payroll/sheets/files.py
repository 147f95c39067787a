"""Payroll files made for tests, in every kind and every way of being damaged."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import xlsxwriter
import xlwt

Cell = Any
Rows = Sequence[Sequence[Cell]]
Place = tuple[int, int]


def xlsx(
    rows: Rows,
    *,
    name: str = "工资表",
    merges: Iterable[tuple[int, int, int, int]] = (),
    formulas: Mapping[Place, tuple[str, Cell]] | None = None,
    hidden_columns: Iterable[int] = (),
    wide_columns: Iterable[int] = (),
    hidden_rows: Iterable[int] = (),
    before: Mapping[str, Rows] | None = None,
    hidden_sheets: Mapping[str, Rows] | None = None,
) -> bytes:
    """``formulas`` are (formula, cached value); rows and columns count from 0."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        for title, lines in (before or {}).items():
            _fill(book.add_worksheet(title), lines)
        sheet = book.add_worksheet(name)
        _fill(sheet, rows)
        for top, left, bottom, right in merges:
            sheet.merge_range(top, left, bottom, right, rows[top][left])
        for (row, column), (formula, cached) in (formulas or {}).items():
            sheet.write_formula(row, column, formula, None, cached)
        for column in wide_columns:
            sheet.set_column(column, column, 40)
        for column in hidden_columns:
            sheet.set_column(column, column, None, None, {"hidden": True})
        for row in hidden_rows:
            sheet.set_row(row, None, None, {"hidden": True})
        for title, lines in (hidden_sheets or {}).items():
            hidden = book.add_worksheet(title)
            _fill(hidden, lines)
            hidden.hide()
    return buffer.getvalue()


def _fill(sheet: Any, rows: Rows) -> None:
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                if cell:
                    sheet.write_string(row, column, cell)
            elif cell is not None:
                sheet.write(row, column, cell)


def edited(content: bytes, part: str, edit: Callable[[str], str]) -> bytes:
    """The archive with one part rewritten."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            data = old.read(info.filename)
            if info.filename == part:
                data = edit(data.decode()).encode()
            new.writestr(info.filename, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


FIRST_SHEET = "xl/worksheets/sheet1.xml"


def without_cached_values(content: bytes) -> bytes:
    """As openpyxl saves formulas: no result beside them."""
    return edited(content, FIRST_SHEET, lambda xml: re.sub(r"</f><v>[^<]*</v>", "</f><v></v>", xml))


def csv_bytes(rows: Rows, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def html(rows: Rows, encoding: str = "utf-8") -> bytes:
    lines = "".join(
        "<tr>" + "".join(f"<td>{'' if c is None else c}</td>" for c in row) + "</tr>"
        for row in rows
    )
    charset = f'<meta http-equiv="Content-Type" content="text/html; charset={encoding}">'
    return f"<html><head>{charset}</head><body><table>{lines}</table></body></html>".encode(
        encoding
    )


def xls(
    rows: Rows,
    *,
    formulas: Mapping[Place, str] | None = None,
    hidden_columns: Iterable[int] = (),
    wide_columns: Iterable[int] = (),
    hidden_rows: Iterable[int] = (),
    merges: Iterable[tuple[int, int, int, int]] = (),
    hidden_sheet: Rows | None = None,
) -> bytes:
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("工资表", cell_overwrite_ok=True)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell not in ("", None):
                sheet.write(row, column, cell)
    for (row, column), formula in (formulas or {}).items():
        sheet.write(row, column, xlwt.Formula(formula))
    for top, left, bottom, right in merges:
        sheet.merge(top, bottom, left, right)
    for column in wide_columns:
        sheet.col(column).width = 10_000
    for column in hidden_columns:
        sheet.col(column).hidden = True
    for row in hidden_rows:
        sheet.row(row).hidden = True
    if hidden_sheet is not None:
        other = book.add_sheet("隐藏表")
        other.write(0, 0, str(hidden_sheet))
        other.visibility = 1
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
