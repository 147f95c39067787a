"""XLSX: the cells by calamine, what calamine does not tell by a look at the XML.

Every part is unpacked here, counted, and handed to calamine in a fresh archive: what was checked
is what is read, whatever sizes or doubled names the original archive claims. The XML is scanned
with linear patterns over bytes: ten times as fast as a parser, and nothing is ever expanded.
"""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial

import python_calamine as calamine

from .amounts import UNCACHED
from .grid import Grid, texts_of
from .report import Reason
from .unreadable import (
    LOCKED,
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_UNPACKED_BYTES,
    Unreadable,
    refuse_oversize,
)

_CHUNK = 1 << 20
_BIG = 30 << 20
_MAX_PARTS = 2_000
_MAX_MERGES = 50_000
_MAX_TAGS = MAX_CELLS * 5  # <c><f></f><v></v></c>, and shared strings have as many
_ENCRYPTED = 0x1
_NEEDED = re.compile(r"^(\[Content_Types\]\.xml|_rels/.*|xl/.*\.(xml|rels))$", re.IGNORECASE)
_UNUSED = re.compile(r"^xl/(drawings|charts|media|theme|pivot|comments|calcChain|externalLinks)")

_PREFIX = re.compile(rb"<([\w.-]+:)?(?:worksheet|workbook|Relationships)\b")
_ATTRIBUTE = re.compile(rb"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


@lru_cache(maxsize=16)
def _pattern(prefix: bytes, pattern: bytes, flags: int = 0) -> re.Pattern[bytes]:
    """``@tag`` in a pattern stands for ``<tag`` as this part writes it (some write ``<x:tag``)."""
    return re.compile(pattern.replace(b"@", b"<" + re.escape(prefix)), flags)


# No pattern looks beyond the next "<": on hostile XML that would take quadratic time.
_SHEET = rb"@sheet\b([^<>]*)>"
_RELATIONSHIP = rb"@Relationship\b([^<>]*)>"
_PLACELESS = rb'@(?:row|c)(?=[\s/>])(?! r=")(?![^<>]*\br=")'
_ROW = rb'@row\b[^<>]*?\br="(\d+)"'
_HIDDEN_ROW = rb'@row\b(?=[^<>]*\bhidden="(?:1|true)")[^<>]*?\br="(\d+)"'
_COL = rb"@col\b([^<>]*)>"
_CELL_HEAD = rb'@c\b([^<>/]*?\br="([A-Z]{1,3})(\d+)"[^<>/]*)>'
_FILLED = rb"@(?:v|is|f)\b"
_FORMULA = rb"@f\b"
_ERROR_TYPE = rb't="e"'
_VALUE = rb"@v>([^<]*)<"
# Columns a sheet has at most when no cell lies at or beyond this first of two letters.
_WIDTHS = ((b"A", 26), (b"B", 52), (b"C", 78), (b"E", 130), (b"I", 234))


@dataclass(slots=True)
class _Part:
    """One XML part, scanned."""

    xml: bytes
    prefix: bytes

    @classmethod
    def of(cls, xml: bytes) -> "_Part":
        match = _PREFIX.search(xml[:_CHUNK])
        return cls(xml, (match[1] or b"") if match else b"")

    def cells_with(self, pattern: bytes) -> Iterator[tuple[int, int, re.Match[bytes]]]:
        """Row, column and head of each cell that holds ``pattern``: found from the inside out,
        because few cells do and looking at the head of every cell is what takes time."""
        head, start = _pattern(self.prefix, _CELL_HEAD), b"<" + self.prefix + b"c "
        seen = 0
        for found in self.find(pattern):
            at = self.xml.rfind(start, seen, found.start())
            seen = found.start()
            if at >= 0 and (cell := head.match(self.xml, at)):
                yield int(cell[3]) - 1, _column(cell[2]), cell

    def find(self, pattern: bytes, end: int | None = None) -> Iterator[re.Match[bytes]]:
        compiled = _pattern(self.prefix, pattern)
        return compiled.finditer(self.xml, 0, len(self.xml) if end is None else end)


@dataclass(slots=True)
class _Marks:
    """What the XML says about a sheet beside its values. Everything counted from 0."""

    rows: int = 0
    columns: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    formulas: set[tuple[int, int]] = field(default_factory=set)
    text_formulas: set[tuple[int, int]] = field(default_factory=set)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)


def read_xlsx(archive: zipfile.ZipFile) -> list[Grid]:
    parts = _unpacked(archive)
    marks = {name: _marks(parts[path]) for name, path in _sheet_paths(parts).items()}
    for name, mark in marks.items():
        refuse_oversize(name, mark.rows, mark.columns)
    with calamine.CalamineWorkbook.from_filelike(_repacked(parts)) as book:
        return [
            _grid(book, meta, marks.get(meta.name, _Marks()))
            for meta in book.sheets_metadata
            if meta.typ == calamine.SheetTypeEnum.WorkSheet
        ]


def _unpacked(archive: zipfile.ZipFile) -> dict[str, bytes]:
    wanted = [
        i for i in archive.infolist() if _NEEDED.match(i.filename) and not _UNUSED.match(i.filename)
    ]
    if len(wanted) > _MAX_PARTS or sum(info.file_size for info in wanted) > MAX_UNPACKED_BYTES:
        raise _too_big()
    if any(info.flag_bits & _ENCRYPTED for info in wanted):
        raise Unreadable(Reason.CORRUPT_FILE, LOCKED)
    parts = {info.filename: _as_utf8(_read_part(archive, info)) for info in wanted}
    if sum(part.count(b"<") for part in parts.values()) > _MAX_TAGS:
        raise _too_big()
    return parts


def _too_big() -> Unreadable:
    return Unreadable(
        Reason.CORRUPT_FILE,
        f"文件解压后超过 {MAX_UNPACKED_BYTES >> 20} MB 或 {MAX_CELLS // 10_000} 万个单元格，"
        "不像正常的表格，已停止读取。请只保留要用的工作表，另存后上传",
    )


def _read_part(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """In steps: one read() would unfold everything before it looks at the declared size."""
    with archive.open(info) as stream:
        return b"".join(iter(partial(stream.read, _CHUNK), b""))


def _as_utf8(part: bytes) -> bytes:
    if part[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = part.decode("utf-16", errors="replace")
        part = re.sub(r"^<\?xml[^>]*\?>", "", text).encode()
    if b"<!DOCTYPE" in part[:_CHUNK]:
        raise Unreadable(
            Reason.CORRUPT_FILE, "文件里有不允许的内容（DOCTYPE），请用 Excel 另存后再上传"
        )
    return part


def _repacked(parts: dict[str, bytes]) -> io.BytesIO:
    """Takes the parts out of ``parts``: three copies of a big book would fill the memory."""
    is_big = sum(map(len, parts.values())) > _BIG
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if is_big else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind, compresslevel=1) as archive:
        while parts:
            archive.writestr(*parts.popitem())
    buffer.seek(0)
    return buffer


def _attributes(raw: bytes) -> dict[str, str]:
    return {
        match[1].decode(): (match[2] if match[2] is not None else match[3]).decode(
            "utf-8", "replace"
        )
        for match in _ATTRIBUTE.finditer(raw)
    }


def _sheet_paths(parts: dict[str, bytes]) -> dict[str, str]:
    """Sheet name → part, by way of the relationships."""
    targets = {}
    for match in _Part.of(parts.get("xl/_rels/workbook.xml.rels", b"")).find(_RELATIONSHIP):
        attributes = _attributes(match[1])
        target = attributes.get("Target", "")
        path = target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")
        targets[attributes.get("Id", "")] = path
    paths = {}
    for match in _Part.of(parts.get("xl/workbook.xml", b"")).find(_SHEET):
        attributes = _attributes(match[1])
        relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
        path = targets.get(relation, "")
        if path in parts:
            paths[_unescaped(attributes.get("name", ""))] = path
    return paths


def _unescaped(text: str) -> str:
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'")):
        text = text.replace(entity, char)
    return text.replace("&amp;", "&")


def _column(letters: bytes) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


def _marks(xml: bytes) -> _Marks:
    part, marks = _Part.of(xml), _Marks()
    if next(part.find(_PLACELESS), None) or xml.count(b"<mergeCell ") > _MAX_MERGES:
        raise Unreadable(
            Reason.CORRUPT_FILE, "文件的写法不寻常，请用 Excel 或 WPS 打开、另存为 .xlsx 后再上传"
        )
    marks.rows = max(map(int, _pattern(part.prefix, _ROW).findall(xml)), default=0)
    marks.columns = _columns_at_most(xml)
    if (
        marks.rows > MAX_ROWS
        or marks.columns > MAX_COLUMNS
        or marks.rows * marks.columns > MAX_CELLS
    ):
        # Only now the slow look at every cell: cells that are merely formatted do not count.
        marks.rows = marks.columns = 0
        for row, column, _ in part.cells_with(_FILLED):
            marks.rows, marks.columns = max(marks.rows, row + 1), max(marks.columns, column + 1)
    marks.hidden_rows = {int(match[1]) - 1 for match in part.find(_HIDDEN_ROW)}
    marks.hidden_columns = set(_hidden_columns(part))
    for row, column, cell in part.cells_with(_FORMULA):
        marks.formulas.add((row, column))
        if b't="str"' in cell[1]:
            marks.text_formulas.add((row, column))
    for row, column, cell in part.cells_with(_ERROR_TYPE):
        value = _pattern(part.prefix, _VALUE).search(xml, cell.end(), cell.end() + 10_000)
        marks.errors[row, column] = value[1].decode() if value else "#VALUE!"
    return marks


def _columns_at_most(xml: bytes) -> int:
    for letter, columns in _WIDTHS:
        if not re.search(rb'r="(?:[A-Z]{3}|[%s-Z][A-Z])\d' % letter, xml):
            return columns
    return MAX_COLUMNS + 1


def _hidden_columns(part: _Part) -> Iterator[int]:
    for match in part.find(_COL, part.xml.find(b"sheetData")):
        attributes = _attributes(match[1])
        first, last = int(attributes.get("min", "0")), int(attributes.get("max", "0"))
        narrow = re.fullmatch(r"0(\.0*)?", attributes.get("width", "")) is not None
        if attributes.get("hidden") in ("1", "true") or narrow:
            yield from range(first - 1, min(last, MAX_COLUMNS))


def _grid(book: calamine.CalamineWorkbook, meta: calamine.SheetMetadata, marks: _Marks) -> Grid:
    visible = meta.visible == calamine.SheetVisibleEnum.Visible
    if not visible:
        return Grid(meta.name, [], visible=False)
    sheet = book.get_sheet_by_name(meta.name)
    rows = texts_of(sheet)
    grid = Grid(
        meta.name,
        rows,
        [(a, b, c, d) for (a, b), (c, d) in sheet.merged_cell_ranges or ()],
        marks.hidden_rows,
        marks.hidden_columns,
        marks.formulas,
    )
    for place, error in marks.errors.items():
        _put(rows, place, error)
    for place in marks.formulas - marks.text_formulas - marks.errors.keys():
        _put(rows, place, UNCACHED, only_blank=True)
    return grid


def _put(
    rows: list[list[str]], place: tuple[int, int], text: str, *, only_blank: bool = False
) -> None:
    row, column = place
    if row >= len(rows):
        rows.extend([""] * (len(rows[0]) if rows else 0) for _ in range(row + 1 - len(rows)))
    if column >= len(rows[row]):
        for line in rows:
            line.extend([""] * (column + 1 - len(line)))
    if not (only_blank and rows[row][column]):
        rows[row][column] = text
