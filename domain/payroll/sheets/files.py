"""From bytes to grids. What a file is, its content says, not its name."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePath

import python_calamine as calamine

from .biff import OLE_MAGIC, read_ole
from .delimited import decode, read_delimited
from .grid import Grid
from .html_table import declared_charset, read_html
from .report import Reason
from .unreadable import DAMAGED, MAX_BYTES, Unreadable
from .xlsx import read_xlsx

_OTHER_KINDS = (
    (b"%PDF", "PDF 文件"),
    (b"\x89PNG", "图片"),
    (b"\xff\xd8\xff", "图片"),
    (b"GIF8", "图片"),
    (b"BM", "图片"),
    (b"II*\0", "图片"),
    (b"MM\0*", "图片"),
    (b"RIFF", "图片"),
    (b"Rar!", "压缩包"),
    (b"7z\xbc\xaf", "压缩包"),
    (b"\x1f\x8b", "压缩包"),
    (b"{\\rtf", "Word 文档"),
    (b"MIME-Version:", "网页存档"),
)
_DAMAGE = (
    calamine.CalamineError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
_ADVICE = "请上传 .xlsx、.xls 或 .csv 格式的表格"
_HTML = re.compile(r"<\s*(html|table|!doctype\s+html|meta|head|body|style|div)\b", re.IGNORECASE)


def read_grids(content: bytes, filename: str) -> list[Grid]:
    """Every sheet of the file, hidden ones empty. Raises Unreadable with a sentence for people."""
    if len(content) > MAX_BYTES:
        raise Unreadable(
            Reason.CORRUPT_FILE,
            f"文件有 {len(content) >> 20} MB，超过 {MAX_BYTES >> 20} MB。"
            "请只保留要用的工作表，另存后上传",
        )
    if not content.strip(b"\0 \r\n\t\xef\xbb\xbf\xff\xfe"):
        raise Unreadable(Reason.EMPTY_FILE, "文件是空的，请检查后重新上传")
    for magic, kind in _OTHER_KINDS:
        if content.startswith(magic):
            raise Unreadable(Reason.NOT_PAYROLL, f"这是{kind}，不是表格。{_ADVICE}")
    if content.startswith(b"PK"):
        return _read_book(_from_zip, content)
    if content.startswith(OLE_MAGIC):
        return _read_book(read_ole, content)
    return [_from_text(content, PurePath(filename).stem or "表格")]


def _read_book(read: Callable[[bytes], list[Grid]], content: bytes) -> list[Grid]:
    """Whatever breaks inside a damaged archive becomes one sentence."""
    try:
        return read(content)
    except Unreadable:
        raise
    except _DAMAGE as error:
        raise Unreadable(Reason.CORRUPT_FILE, DAMAGED) from error
    except BaseException as error:
        # calamine is Rust: its panics are no Exception, and have no name that could be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise Unreadable(Reason.CORRUPT_FILE, DAMAGED) from error


def _from_zip(content: bytes) -> list[Grid]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        if "xl/workbook.xml" in names:
            return read_xlsx(archive)
    if "word/document.xml" in names:
        raise Unreadable(Reason.NOT_PAYROLL, f"这是 Word 文档，不是表格。{_ADVICE}")
    if "xl/workbook.bin" in names or "content.xml" in names:
        raise Unreadable(Reason.NOT_PAYROLL, "请在 Excel 或 WPS 里把文件另存为 .xlsx 后再上传")
    raise Unreadable(Reason.NOT_PAYROLL, f"这是压缩包，不是表格。{_ADVICE}")


def _from_text(content: bytes, name: str) -> Grid:
    text = None
    charset = declared_charset(content) if b"<" in content[:1024] else None
    if charset in ("gb2312", "gbk", "gb18030"):
        text = content.decode("gb18030", errors="replace")
    text = text or decode(content)
    if text is None:
        raise Unreadable(Reason.NOT_PAYROLL, f"认不出这个文件的格式。{_ADVICE}")
    start = text[:4096].lstrip()
    if start.startswith("<"):
        if "urn:schemas-microsoft-com:office:spreadsheet" in start:
            raise Unreadable(
                Reason.NOT_PAYROLL, "这是 XML 表格（2003），请在 Excel 里另存为 .xlsx 后再上传"
            )
        if _HTML.search(start):
            return read_html(text, name)
        raise Unreadable(Reason.NOT_PAYROLL, f"认不出这个文件的格式。{_ADVICE}")
    return read_delimited(text, name)
