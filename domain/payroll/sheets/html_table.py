"""HTML renamed .xls, as OA systems and accounting packages "export to Excel"."""

import re
from html.parser import HTMLParser

from .grid import Grid, Merge, squared
from .report import Reason
from .unreadable import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Unreadable, refuse_oversize

_CHARSET = re.compile(rb"""charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_OPEN_TAG = re.compile(r"<(?![a-z/!?][^<>]*>)", re.IGNORECASE)
_MAX_OPEN_TAGS = 1_000  # the parser looks for the end of each to the end of the file
_MAX_TAGS = 1_500_000  # it takes five seconds for as many
_SILENT = frozenset({"script", "style", "head", "title"})


def declared_charset(content: bytes) -> str | None:
    match = _CHARSET.search(content[:4096])
    return match[1].decode().lower() if match else None


def read_html(text: str, name: str) -> Grid:
    text = _COMMENT.sub("", text)
    if text.count("<") > _MAX_TAGS or len(_OPEN_TAG.findall(text)) > _MAX_OPEN_TAGS:
        raise Unreadable(
            Reason.CORRUPT_FILE, "网页表格太大或不完整，请用 Excel 打开、另存为 .xlsx 后再上传"
        )
    reader = _TableReader()
    reader.feed(text)
    reader.close()
    reader.end_cell()
    refuse_oversize(name, len(reader.rows), max(map(len, reader.rows), default=0))
    return Grid(
        name,
        squared(reader.rows),
        reader.merges,
        reader.hidden_rows,
        reader.hidden_columns,
    )


def _span(value: str | None) -> int:
    return min(max(int(value), 1), MAX_ROWS) if value and value.strip().isdecimal() else 1


class _TableReader(HTMLParser):
    """All rows of all tables below one another: row n is the n-th ``<tr>`` of the file."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.merges: list[Merge] = []
        self.hidden_rows: set[int] = set()
        self.hidden_columns: set[int] = set()
        self._taken: dict[int, int] = {}  # column → rows still covered from above
        self._cell: list[str] | None = None
        self._steps = 0
        self._silent = 0
        self._next_col = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag in _SILENT:
            self._silent += 1
        elif tag == "table":
            self._next_col = 0
        elif tag == "col":
            self._column(attributes)
        elif tag == "tr":
            self._start_row(attributes)
        elif tag in ("td", "th"):
            self._start_cell(attributes)
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in ("td", "th", "tr"):
            self.end_cell()
        elif tag == "table":
            self.end_cell()
            self._taken.clear()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._silent:
            self._cell.append(data)

    def end_cell(self) -> None:
        if self._cell is not None:
            place = self._place
            self.rows[-1][place] = "".join(self._cell).replace("\xa0", " ").strip()
            self._cell = None

    def _column(self, attributes: dict[str, str]) -> None:
        count = min(_span(attributes.get("span")), MAX_COLUMNS)
        if _HIDDEN.search(attributes.get("style", "")) or attributes.get("width") == "0":
            self.hidden_columns.update(range(self._next_col, self._next_col + count))
        self._next_col += count

    def _start_row(self, attributes: dict[str, str]) -> None:
        self.end_cell()
        self._silent = 0  # a stray <title> must not swallow the table
        self.rows.append([])
        if len(self.rows) > MAX_ROWS:
            raise Unreadable(Reason.NOT_PAYROLL, f"表格超过 {MAX_ROWS} 行，请分成几个文件上传")
        if _HIDDEN.search(attributes.get("style", "")):
            self.hidden_rows.add(len(self.rows) - 1)
        self._covered = {column for column, left in self._taken.items() if left > 0}
        self._steps += len(self._taken)
        if self._steps > MAX_CELLS:
            raise Unreadable(Reason.NOT_PAYROLL, "表格里合并的单元格太多，请取消合并后再上传")
        for column in self._covered:
            self._taken[column] -= 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self.end_cell()
        if not self.rows:
            self._start_row({})
        row = self.rows[-1]
        column = len(row)
        while column in self._covered:
            column += 1
        wide = _span(attributes.get("colspan"))
        high = _span(attributes.get("rowspan"))
        if column + wide > MAX_COLUMNS:
            raise Unreadable(
                Reason.NOT_PAYROLL, f"表格超过 {MAX_COLUMNS} 列，请删除多余的列后再上传"
            )
        row.extend([""] * (column + wide - len(row)))
        if wide > 1 or high > 1:
            at = len(self.rows) - 1
            self.merges.append((at, column, at + high - 1, column + wide - 1))
            for covered in range(column, column + wide):
                self._taken[covered] = high - 1
        self._place, self._cell = column, []
