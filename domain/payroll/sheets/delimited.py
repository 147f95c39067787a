"""Text files with separators: CSV from any Excel, in any of the encodings seen in China."""

import csv
import io

from .grid import Grid, squared
from .report import Reason
from .unreadable import MAX_CELLS, Unreadable, refuse_oversize

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEPARATORS = ",\t;|，"
_LONGEST_CELL = 32_767  # Excel's own limit


def decode(content: bytes) -> str | None:
    """The text, or None when these bytes are no text."""
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _decoded(content, encoding)
    sample = content[:4096]
    if sample.count(b"\0") * 4 > len(sample):
        little = sample[1::2].count(0) >= sample[0::2].count(0)
        return _decoded(content, "utf-16-le" if little else "utf-16-be")
    for encoding in ("utf-8", "gb18030"):
        text = _decoded(content, encoding)
        if text is not None:
            return text
    return None


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    strange = sum(1 for char in text[:4096] if ord(char) < 32 and char not in "\t\r\n\f")
    return None if strange else text


def read_delimited(text: str, name: str) -> Grid:
    separator = _separator(text)
    if (cells := text.count(separator)) > MAX_CELLS:  # in one row they would fill the memory
        lines = text.count("\n") + 1
        refuse_oversize(name, lines, cells // lines + 1)
    rows: list[list[str]] = []
    width = 0
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            rows.append([cell.strip() for cell in row])
            width = max(width, len(row))
            refuse_oversize(name, len(rows), width)
    except csv.Error as error:
        raise Unreadable(
            Reason.CORRUPT_FILE, "文本表格的引号或换行不完整，请重新导出 CSV 后再上传"
        ) from error
    if any(len(cell) > _LONGEST_CELL for row in rows for cell in row):
        raise Unreadable(Reason.CORRUPT_FILE, "有单元格过长，引号可能没有成对，请重新导出 CSV")
    return Grid(name, squared(rows))


def _separator(text: str) -> str:
    """The one that cuts the first lines into the most cells, equally often."""
    lines = [line for line in text[:20_000].splitlines()[:30] if line.strip()]
    return max(_SEPARATORS, key=lambda mark: sum(line.count(mark) for line in lines))
