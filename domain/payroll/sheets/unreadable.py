"""How a file kind says no, on its way to becoming a Refusal."""

from .report import Reason

MAX_BYTES = 50 * 1024 * 1024
MAX_UNPACKED_BYTES = 150 * 1024 * 1024
MAX_ROWS = 100_000  # 20,000 employees as 工资条: header, line and gap for each
MAX_COLUMNS = 400
MAX_CELLS = 4_000_000  # laid out, about 100 bytes each

DAMAGED = "文件不完整或已损坏，请用 Excel 重新打开、另存为 .xlsx 后再上传"
LOCKED = "文件有打开密码。请在 Excel 里去掉密码、另存后再上传"


class Unreadable(Exception):
    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


def refuse_oversize(sheet: str, rows: int, columns: int) -> None:
    """Before the cells are laid out in memory: one stray cell at XFD1048576 would fill it."""
    if rows > MAX_ROWS:
        raise Unreadable(
            Reason.NOT_PAYROLL,
            f"工作表“{sheet}”有 {rows} 行，超过 {MAX_ROWS} 行。"
            "请删除数据下方多余的行，或分成几个文件上传",
        )
    if columns > MAX_COLUMNS:
        raise Unreadable(
            Reason.NOT_PAYROLL,
            f"工作表“{sheet}”有 {columns} 列，超过 {MAX_COLUMNS} 列。"
            "请删除数据右侧多余的列后再上传",
        )
    if rows * columns > MAX_CELLS:
        raise Unreadable(
            Reason.NOT_PAYROLL,
            f"工作表“{sheet}”有 {rows} 行、{columns} 列，超过 {MAX_CELLS // 10_000} 万个单元格。"
            "请删除多余的行和列，或分成几个文件上传",
        )
