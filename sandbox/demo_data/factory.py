"""A small factory: piece work, cut into slips already, a header above every person."""

import random
from collections.abc import Iterator
from pathlib import Path

from .book import new_book
from .expected import Expected
from .people import Employee, employees

WORKERS = 60
_SHOPS = ("裁剪车间", "缝制车间", "整烫车间", "包装车间")
_GROUPS = ((3, "A款"), (6, "B款"))
_LEAVES = ("数量", "单价", "金额")
_ALONE = ((0, "工号"), (1, "姓名"), (2, "手机号码"), (9, "加班费"), (10, "应发合计"),
          (11, "社保个人"), (12, "扣伙食费"), (13, "实发工资"), (14, "备注"))  # fmt: skip
_TEXT_NET, _OFF_BY_TEN, _INJECTION = 17, 42, 5


def make_people(chance: random.Random, fresh: Iterator[str]) -> list[Employee]:
    depts = sorted((chance.choice(_SHOPS) for _ in range(WORKERS)), key=_SHOPS.index)
    return employees(chance, "F", 3, depts, fresh)


def write_sheet(path: Path, chance: random.Random, people: list[Employee]) -> Expected:
    expected = Expected("2026-03")
    with new_book(path) as book:
        sheet = book.add_worksheet("工资条2026年3月")
        head = book.add_format({"bold": True, "border": 1, "align": "center"})
        row = 0
        for number, person in enumerate(people, start=1):
            for column, text in _ALONE:
                sheet.merge_range(row, column, row + 1, column, text, head)
            for column, text in _GROUPS:
                sheet.merge_range(row, column, row, column + 2, text, head)
                sheet.write_row(row + 1, column, _LEAVES, head)
            # Numbers, as typed: the zeros in front of the staff number are gone.
            sheet.write_row(row + 2, 0, [int(person.emp_no), person.name, int(person.phone)])
            net = _write_pay(sheet, row + 2, chance, number)
            if number == _TEXT_NET:
                expected.held[row + 3] = "BAD_AMOUNT"
            elif number == _OFF_BY_TEN:
                expected.held[row + 3] = "NET_MISMATCH"
            else:
                expected.accepted[row + 3] = (person.emp_id, net)
            row += 4
    return expected


def _write_pay(sheet: object, row: int, chance: random.Random, number: int) -> int:
    """Writes one person's amounts and returns the net pay in fen."""
    write = sheet.write_row  # type: ignore[attr-defined]
    earned = 0
    for column, price in ((3, 385), (6, 520)):
        count = chance.randint(200, 700)
        earned += count * price
        write(row, column, [count, price / 100, count * price / 100])
    overtime = chance.choice((None, 12_000, 24_000, 36_050))
    earned += overtime or 0
    insurance, meals = 38_512, chance.randint(10, 26) * 800
    net = earned - insurance - meals
    shown: object = net / 100
    if number == _TEXT_NET:
        shown = "待核"
    elif number == _OFF_BY_TEN:
        shown = net / 100 + 10
    write(row, 9, [overtime / 100 if overtime else "", earned / 100, insurance / 100, meals / 100])
    write(row, 13, [shown])
    if number == _INJECTION:
        sheet.write_string(row, 14, '=HYPERLINK("http://example.invalid","领奖")')  # type: ignore[attr-defined]
    return net
