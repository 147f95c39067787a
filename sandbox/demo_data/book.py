"""Workbooks that come out byte for byte the same under the same seed."""

from datetime import UTC, datetime
from pathlib import Path

import xlsxwriter

from .people import Employee

ROSTER_HEADER = (
    "emp_id", "emp_no", "name", "phone", "id_no", "bank_card", "dept", "status",
    "joined_on", "left_on",
)  # fmt: skip
_CHINESE_HEADER = ("员工标识", "工号", "姓名", "手机号", "身份证号", "银行卡号", "部门", "状态",
                   "入职日期", "离职日期")  # fmt: skip


def new_book(path: Path) -> xlsxwriter.Workbook:
    book = xlsxwriter.Workbook(path)
    book.set_properties({"created": datetime(2026, 3, 31, tzinfo=UTC)})
    return book


def roster_line(person: Employee) -> list[str]:
    return [str(getattr(person, name)) for name in ROSTER_HEADER]


def write_roster(path: Path, people: tuple[Employee, ...]) -> None:
    with new_book(path) as book:
        sheet = book.add_worksheet("花名册")
        sheet.write_row(0, 0, _CHINESE_HEADER)
        for row, person in enumerate(people, start=1):
            for column, text in enumerate(roster_line(person)):
                sheet.write_string(row, column, text)
