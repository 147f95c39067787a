"""A small roster with the people who cause trouble: namesakes, one who left, a long name."""

from domain.payroll.sheets import HeldRow, Roster, RosterEntry, SheetReport, check_sheet
from domain.payroll.sheets.identity import id_checksum


def id_no(number: int, birthday: str = "19900101") -> str:
    first = f"369999{birthday}{number:03d}"
    return first + id_checksum(first)


def phone(number: int) -> str:
    return f"154{number:08d}"


def entry(number: int, name: str, dept: str = "一车间", **changes: str) -> RosterEntry:
    fields = {
        "emp_id": f"E-{number}",
        "emp_no": f"{number:06d}",
        "phone": phone(number),
        "id_no": id_no(number),
        "bank_card": f"62290000000000{number:05d}",
    } | changes
    return RosterEntry(name=name, dept=dept, **fields)


PEOPLE = [
    entry(1, "张伟"),
    entry(2, "刘洋"),
    entry(3, "刘洋", "二车间"),
    entry(4, "王芳", status="离职"),
    entry(5, "阿卜杜拉·买买提"),
    entry(6, "李娜", "二车间"),
    entry(7, "欧阳修文"),
]
ROSTER = Roster(PEOPLE)


def check(content: bytes, filename: str = "3月.xlsx", roster: Roster = ROSTER) -> SheetReport:
    return check_sheet(content, filename, roster)


def accepted(report: SheetReport) -> dict[int, str]:
    return {row.row: row.employee_id for row in report.accepted}


def reasons(report: SheetReport) -> dict[int, list[str]]:
    return {row.row: [str(reason) for reason in row.reasons] for row in report.held}


def only_held(report: SheetReport) -> HeldRow:
    (row,) = report.held
    return row
