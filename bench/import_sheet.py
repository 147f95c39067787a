"""``xinqiao bench import``: a payroll sheet read and matched, against reading its cells alone."""

import io
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import python_calamine as calamine
import xlsxwriter

from domain.payroll.sheets import Roster, RosterEntry, check_sheet

_COLUMNS = 30
_EARNINGS, _DEDUCTIONS = 16, 7
_HEADER = [
    *("序号", "工号", "姓名", "手机号"),
    *(f"津贴{number}" for number in range(1, _EARNINGS + 1)),
    "应发合计",
    *(f"扣款{number}" for number in range(1, _DEDUCTIONS + 1)),
    *("扣款合计", "实发工资"),
]
_RATIO_AIM = 8.0


def make_roster(people: int) -> Roster:
    syllables = "安邦昌达恩方刚浩佳康乐明宁平庆荣松泰文祥怡章"
    return Roster(
        RosterEntry(
            emp_id=f"E-{number}",
            emp_no=f"{number:06d}",
            name="赵" + syllables[number % 22] + syllables[number // 22 % 22],
            phone=f"154{number:08d}",
        )
        for number in range(people)
    )


def make_sheet(roster: Roster) -> bytes:
    chance = random.Random(20260301)
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("工资表")
        sheet.write_row(0, 0, _HEADER)
        for row, person in enumerate(roster.people, start=1):
            entry = person.entry
            earned = [chance.randrange(300_000) for _ in range(_EARNINGS)]
            taken = [chance.randrange(10_000) for _ in range(_DEDUCTIONS)]
            amounts = [*earned, sum(earned), *taken, sum(taken), sum(earned) - sum(taken)]
            sheet.write_row(row, 0, [row, entry.emp_no, entry.name, entry.phone])
            sheet.write_row(row, 4, [amount / 100 for amount in amounts])
    return buffer.getvalue()


def run(quick: bool) -> list[dict[str, Any]]:
    people = 2_000 if quick else 10_000
    roster = make_roster(people)
    content = make_sheet(roster)
    repeat = 3

    def read_and_match() -> None:
        report = check_sheet(content, "bench.xlsx", roster)
        if len(report.accepted) != people:
            raise AssertionError("the benchmark's own sheet must be accepted whole")

    cells_alone = _best(lambda: _read_cells(content), repeat)
    matched = _best(read_and_match, repeat)
    tracemalloc.start()
    read_and_match()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    what = f"{people} rows x {_COLUMNS} columns"
    return [
        _figure(f"{what}: cells alone", people / cells_alone, "rows/s"),
        _figure(f"{what}: read and matched", people / matched, "rows/s", people / cells_alone),
        _figure(
            f"{what}: time of read and match to cells alone",
            matched / cells_alone,
            "times",
            1.0,
            _RATIO_AIM,
        ),
        _figure(f"{what}: peak memory of Python values", peak / 1e6, "MB"),
    ]


def _read_cells(content: bytes) -> None:
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    book.get_sheet_by_index(0).to_python()


def _best(work: Callable[[], None], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _figure(
    what: str,
    value: float,
    unit: str,
    reference: float | None = None,
    aim: float | None = None,
) -> dict[str, Any]:
    return {
        "what": what,
        "value": round(value, 2),
        "unit": unit,
        "reference": None if reference is None else round(reference, 2),
        "ratio": None if reference is None else round(value / reference, 3),
        "aim": aim,
        "holds": None if aim is None else value <= aim,
    }
