"""A construction site paid by the day: a GBK text file out of an old program."""

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

from .expected import Expected
from .people import Employee, employees, id_number

WORKERS = 180
_CREWS = ("木工班", "钢筋班", "泥工班", "架子班", "水电班", "杂工班")
_HEADER = ("序号", "班组", "姓名", "身份证号码", "联系电话", "工种", "日工资(元/天)", "出勤天数",
           "应发工资", "借支", "生活费", "实发工资", "领款人签字")  # fmt: skip
_NEGATIVE, _CONFLICT, _STRANGER = 33, 77, 121  # the workers whose rows must be held


def make_people(chance: random.Random, fresh: Iterator[str]) -> list[Employee]:
    depts = sorted((chance.choice(_CREWS) for _ in range(WORKERS)), key=_CREWS.index)
    return employees(chance, "W", 2, depts, fresh)


def write_sheet(path: Path, chance: random.Random, people: list[Employee]) -> Expected:
    expected = Expected("2026-03")
    lines: list[list[str]] = [
        ["赣江新区安置房项目部2026年3月农民工工资发放表"],
        ["编制单位：信桥建筑劳务有限公司", "", "", "", "", "", "", "", "", "", "单位：元"],
        list(_HEADER),
    ]
    paid = [0, 0, 0, 0]
    for number, person in enumerate(people, start=1):
        line, amounts = _line(chance, number, person, people)
        lines.append(line)
        paid = [total + amount for total, amount in zip(paid, amounts, strict=True)]
        reason = {_NEGATIVE: "NEGATIVE_NET", _CONFLICT: "CONFLICT", _STRANGER: "NOT_FOUND"}
        if number in reason:
            expected.held[len(lines)] = reason[number]
        else:
            expected.accepted[len(lines)] = (person.emp_id, amounts[-1])
    lines.append(["合计", "", "", "", "", "", "", "", *(_yuan(total) for total in paid)])
    lines.append(["劳资专管员：", "", "", "项目经理：", "", "", "", "公示日期：2026年4月5日"])
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    path.write_bytes(text.getvalue().encode("gbk"))
    return expected


def _line(
    chance: random.Random, number: int, person: Employee, people: list[Employee]
) -> tuple[list[str], tuple[int, int, int, int]]:
    rate, half_days = chance.choice((220, 260, 280, 300, 350, 380)) * 100, chance.randint(30, 60)
    earned = rate * half_days // 2
    advance = chance.choice((0, 0, 50_000, 100_000, 200_000))
    if number == _NEGATIVE:
        advance = earned + 30_000
    meals = half_days * 750
    if number == _NEGATIVE:
        meals = 0
    net = earned - advance - meals
    phone, name, id_no = person.phone, person.name, person.id_no
    if number == _CONFLICT:  # the neighbour's phone
        phone = people[number].phone
    if number == _STRANGER:
        name, phone, id_no = "司徒无双", "15429999999", id_number("19900101", 999)
    line = [
        str(number), person.dept, name, f'="{id_no}"', _as_typed(number, phone),
        person.dept[:2], _yuan(rate), f"{half_days / 2:g}", _yuan(earned),
        _yuan(advance) if advance else "", _yuan(meals), _yuan(net), "",
    ]  # fmt: skip
    return line, (earned, advance, meals, net)


def _as_typed(number: int, phone: str) -> str:
    """The ways in which phones come out of people's hands and of spreadsheets."""
    ways = (
        phone,
        f'="{phone}"',
        f"+86 {phone}",
        f"{phone[:3]}-{phone[3:7]}-{phone[7:]}",
        f"{phone[:3]} {phone[3:7]} {phone[7:]}",
        phone.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
        f"{phone}.0",
    )
    return ways[number % len(ways)]


def _yuan(fen: int) -> str:
    """With thousands separators, as the old program prints."""
    sign, whole = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"
