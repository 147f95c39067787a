"""XLS (BIFF8 inside OLE): the cells by calamine, hidden parts and formulas by a walk over records.

Without the walk a hidden column of employer cost in an old .xls would be shown to the employee.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import python_calamine as calamine

from .amounts import UNCACHED
from .grid import Grid, texts_of
from .report import Reason
from .unreadable import LOCKED, Unreadable, refuse_oversize

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = 0xFFFFFFFA  # sector numbers from here on are marks, not sectors
_BOF, _EOF, _BOUNDSHEET, _FILEPASS = 0x0809, 0x000A, 0x0085, 0x002F
_ROW, _COLINFO, _FORMULA, _DIMENSIONS = 0x0208, 0x007D, 0x0006, 0x0200
# Records of cells; each begins with its row and column.
_CELLS = frozenset({0x0006, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E, 0x00BD, 0x00BE, 0x00D6, 0x00FD})
_ROW_HIDDEN, _COLUMN_HIDDEN = 0x20, 0x01
_NO_NUMBER = 0xFFFF  # the cached value is a text, a truth, an error or nothing
_CACHED_ERROR, _CACHED_BLANK = 2, 3
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!",
    0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip


@dataclass(slots=True)
class _Marks:
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    formulas: set[tuple[int, int]] = field(default_factory=set)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)


class OleFile:
    """Just enough of the compound file format to list its streams and read one.

    A damaged file raises what its bytes lead to (struct.error, IndexError, ValueError).
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._sector = 1 << struct.unpack_from("<H", content, 30)[0]
        if self._sector not in (512, 4096):
            raise ValueError("sector size")
        first_directory = struct.unpack_from("<I", content, 48)[0]
        self._fat = self._read_fat()
        _refuse_rings(self._fat)
        first_small = struct.unpack_from("<I", content, 60)[0]
        small = self._chain(first_small)
        _refuse_rings(struct.unpack(f"<{len(small) // 4}I", small))
        directory = self._chain(first_directory)
        self.streams = dict(self._entries(directory))

    def _read_fat(self) -> list[int]:
        numbers = list(struct.unpack_from("<109I", self._content, 76))
        following, count = struct.unpack_from("<II", self._content, 68)
        most = len(self._content) // self._sector + 1
        for _ in range(min(count, most)):
            if following >= _END:
                break
            block = self._sector_at(following)
            *more, following = struct.unpack(f"<{self._sector // 4}I", block)
            numbers.extend(more)
        fat: list[int] = []
        for number in numbers:
            if len(fat) > most + self._sector // 4:
                raise ValueError("more sectors than the file has")
            if number < _END:
                fat.extend(struct.unpack(f"<{self._sector // 4}I", self._sector_at(number)))
        return fat

    def _sector_at(self, number: int) -> bytes:
        start = (number + 1) * self._sector
        block = self._content[start : start + self._sector]
        return block.ljust(self._sector, b"\0")

    def _chain(self, number: int) -> bytes:
        blocks: list[bytes] = []
        while number < _END:  # it ends: there are no rings
            blocks.append(self._sector_at(number))
            number = self._fat[number]
        return b"".join(blocks)

    @staticmethod
    def _entries(directory: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
        for start in range(0, len(directory), 128):
            entry = directory[start : start + 128]
            length = struct.unpack_from("<H", entry, 64)[0]
            if 2 <= length <= 64:
                name = entry[: length - 2].decode("utf-16-le", errors="replace")
                first, size = struct.unpack_from("<II", entry, 116)
                yield name, (first, size)

    def read(self, name: str) -> bytes:
        first, size = self.streams[name]
        return self._chain(first)[:size]


def _refuse_rings(table: Sequence[int]) -> None:
    """Chains that never end: calamine would follow them until the memory is full."""
    walked_by = [-1] * len(table)
    for first in range(len(table)):
        number = first
        while number < len(table) and walked_by[number] < 0:
            walked_by[number] = first
            number = table[number]
        if number < len(table) and walked_by[number] == first:
            raise ValueError("a chain without an end")


def read_ole(content: bytes) -> list[Grid]:
    ole = OleFile(content)
    if "EncryptedPackage" in ole.streams:
        raise Unreadable(Reason.CORRUPT_FILE, LOCKED)
    if "Workbook" not in ole.streams:
        raise Unreadable(
            Reason.NOT_PAYROLL,
            "这不是 Excel 表格（可能是 Word 文档、演示文稿或很旧的 Excel）。"
            "请另存为 .xlsx 后再上传",
        )
    marks = _walk(ole.read("Workbook"))
    with calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
        return [_grid(book, meta, marks.get(meta.name, _Marks())) for meta in book.sheets_metadata]


def _records(stream: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Kind, offset and length of each record from ``start`` to its EOF."""
    offset = start
    while True:
        kind, length = struct.unpack_from("<HH", stream, offset)
        yield kind, offset + 4, length
        if kind == _EOF:
            return
        offset += 4 + length


def _walk(stream: bytes) -> dict[str, _Marks]:
    sheets: dict[str, int] = {}
    for kind, at, _length in _records(stream, 0):
        if kind == _FILEPASS:
            raise Unreadable(Reason.CORRUPT_FILE, LOCKED)
        if kind == _BOUNDSHEET:
            start = struct.unpack_from("<I", stream, at)[0]
            count, wide = stream[at + 6], stream[at + 7] & 1
            raw = stream[at + 8 : at + 8 + count * (2 if wide else 1)]
            sheets[raw.decode("utf-16-le" if wide else "latin-1", errors="replace")] = start
    for name, start in sheets.items():
        _refuse_vast(stream, name, start)
    return {name: _sheet_marks(stream, start) for name, start in sheets.items()}


def _refuse_vast(stream: bytes, name: str, start: int) -> None:
    """Refuse what calamine would take memory for without looking: it believes the sheet's stated
    size, and lays out all that lies between the cells."""
    height = width = 0
    for kind, at, _length in _records(stream, start):
        if kind in _CELLS:
            row, column = struct.unpack_from("<HH", stream, at)
            height, width = max(height, row + 1), max(width, column + 1)
        elif kind == _DIMENSIONS:
            top, bottom, left, right = struct.unpack_from("<IIHH", stream, at)
            refuse_oversize(name, bottom, right)
            if (top > bottom or left > right) and bottom and right:
                raise ValueError("a sheet that ends before it begins")
    refuse_oversize(name, height, width)


def _sheet_marks(stream: bytes, start: int) -> _Marks:
    marks = _Marks()
    blank: set[tuple[int, int]] = set()
    for kind, at, _length in _records(stream, start):
        if kind == _ROW:
            row, _, _, height, _, _, options = struct.unpack_from("<7H", stream, at)
            if options & _ROW_HIDDEN or height & 0x7FFF == 0:
                marks.hidden_rows.add(row)
        elif kind == _COLINFO:
            first, last, width, _, options = struct.unpack_from("<5H", stream, at)
            if options & _COLUMN_HIDDEN or width == 0:
                marks.hidden_columns.update(range(first, last + 1))
        elif kind == _FORMULA:
            _note_formula(stream, at, marks, blank)
    if blank == marks.formulas:
        # An empty text may be a result; when no formula has any other, nobody has calculated.
        marks.errors.update(dict.fromkeys(blank, UNCACHED))
    return marks


def _note_formula(stream: bytes, at: int, marks: _Marks, blank: set[tuple[int, int]]) -> None:
    place: tuple[int, int] = struct.unpack_from("<HH", stream, at)
    what, number = stream[at + 6], struct.unpack_from("<H", stream, at + 12)[0]
    marks.formulas.add(place)
    if number == _NO_NUMBER and what == _CACHED_ERROR:
        marks.errors[place] = _ERRORS.get(stream[at + 8], "#VALUE!")
    elif number == _NO_NUMBER and what == _CACHED_BLANK:
        blank.add(place)


def _grid(book: calamine.CalamineWorkbook, meta: calamine.SheetMetadata, marks: _Marks) -> Grid:
    if meta.visible != calamine.SheetVisibleEnum.Visible:
        return Grid(meta.name, [], visible=False)
    sheet = book.get_sheet_by_name(meta.name)
    refuse_oversize(meta.name, sheet.total_height, sheet.total_width)
    rows = texts_of(sheet)
    for (row, column), error in marks.errors.items():
        rows[row][column] = error
    return Grid(
        meta.name,
        rows,
        [(a, b, c, d) for (a, b), (c, d) in sheet.merged_cell_ranges or ()],
        marks.hidden_rows,
        marks.hidden_columns,
        marks.formulas,
    )
