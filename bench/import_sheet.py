"""``xinqiao bench import``: a sheet read, matched and stored, against reading its cells alone."""

import io
import multiprocessing
import random
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import python_calamine as calamine
import xlsxwriter

from bench.ground import free_port, ground
from core.db import dispose_after_fork
from core.redis import forget_connections
from domain.directory import service
from domain.directory.access import Actor
from domain.directory.models import OrgKind
from domain.directory.roster import import_roster
from domain.payroll import service as payroll
from domain.payroll.queries import get_batch
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
_REPEAT = 3


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


def run(*, quick: bool) -> list[dict[str, Any]]:
    people = 2_000 if quick else 10_000
    roster = make_roster(people)
    content = make_sheet(roster)

    def read_and_match() -> None:
        report = check_sheet(content, "bench.xlsx", roster)
        if len(report.accepted) != people:
            raise AssertionError("the benchmark's own sheet must be accepted whole")

    cells_alone = _best(lambda: _read_cells(content))
    matched = _best(read_and_match)
    stored, megabytes = _store(roster, content)
    what = f"{people} rows x {_COLUMNS} columns"
    return [
        _figure(f"{what}: cells alone", people / cells_alone, "rows/s"),
        _figure(f"{what}: read and matched", people / matched, "rows/s", people / cells_alone),
        _figure(
            f"{what}: read, matched and stored (SQLite)",
            people / stored,
            "rows/s",
            people / cells_alone,
        ),
        _figure(f"{what}: time of all to cells alone", stored / cells_alone, "times", 1.0),
        _figure(f"{what}: peak memory of the worker's child", megabytes, "MB"),
    ]


def _store(roster: Roster, content: bytes) -> tuple[float, float]:
    """Seconds and peak memory (MB) of the whole job in a forked child, as the worker runs it."""
    with ground(free_port()) as (_app, _supervisor):
        system = Actor.system()
        service.add_org(system, "/", "bench", OrgKind.ENTERPRISE, "测试单位")
        hr = Actor(system.kind, 0, "/bench/", system.permissions)
        import_roster(hr, [person.entry for person in roster.people])
        batch = payroll.upload_sheet(hr, content, "bench.xlsx")
        ours, theirs = multiprocessing.Pipe()
        fork = multiprocessing.get_context("fork")
        child = fork.Process(target=_read_sheet, args=(batch.id, theirs))
        child.start()
        seconds, megabytes = ours.recv()
        child.join()
        if get_batch(hr, batch.id).row.slips != len(roster.people):
            raise AssertionError("every row must have become a slip")
    return seconds, megabytes


def _read_sheet(batch_id: int, answer: Connection) -> None:
    dispose_after_fork()
    forget_connections()
    start = time.perf_counter()
    payroll.read_sheet(batch_id)
    seconds = time.perf_counter() - start
    answer.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _read_cells(content: bytes) -> None:
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    book.get_sheet_by_index(0).to_python()


def _best(work: Callable[[], None]) -> float:
    times = []
    for _ in range(_REPEAT):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _figure(what: str, value: float, unit: str, reference: float | None = None) -> dict[str, Any]:
    return {
        "what": what,
        "value": round(value, 2),
        "unit": unit,
        "reference": None if reference is None else round(reference, 2),
        "ratio": None if reference is None else round(value / reference, 3),
        "aim": None,
        "holds": None,
    }
