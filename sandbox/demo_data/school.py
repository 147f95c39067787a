"""A school: two header levels, merged departments, subtotals, formulas, a hidden cost column."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import xlsxwriter

from .book import new_book
from .expected import Expected
from .people import Employee, employees

STAFF = 643
_GROUPS = ("校办", "总务处", "一年级组", "二年级组", "三年级组", "四年级组", "五年级组", "六年级组",
           "音体美组", "英语组", "科学组", "信息技术组", "幼儿部", "后勤组")  # fmt: skip
_EARNED = ("岗位工资", "薪级工资", "基础性绩效", "课时费", "班主任津贴", "小计")
_TAKEN = ("养老保险", "职业年金", "医疗保险", "失业保险", "住房公积金", "个人所得税", "小计")
_FIRST_EARNED, _FIRST_TAKEN = 4, 10
_COST, _NET, _REMARK, _SIGN = 17, 18, 19, 20


def make_people(chance: random.Random, fresh: Iterator[str]) -> list[Employee]:
    """643 who work here, two of them of one name, and one who has left."""
    depts = sorted((chance.choice(_GROUPS) for _ in range(STAFF + 1)), key=_GROUPS.index)
    people = employees(chance, "S", 1, depts, fresh)
    people[40] = replace(people[40], name="刘洋")
    people[300] = replace(people[300], name="刘洋")
    people[500] = replace(people[500], left_on="2026-02-20")
    return people


@dataclass(slots=True)
class _Pay:
    earned: list[int | None]
    taken: list[int | None]
    cost: int

    @property
    def net(self) -> int:
        return sum(filter(None, self.earned)) - sum(filter(None, self.taken))


def _pay(chance: random.Random, dept: str) -> _Pay:
    post, grade = chance.randrange(1_600, 3_900) * 100, chance.randrange(600, 3_200) * 100
    teaching = dept not in ("校办", "总务处", "后勤组")
    hours: int | None = chance.randrange(0, 40) * 2_500 if teaching else None
    head = 60_000 if teaching and chance.random() < 0.15 else None
    earned = [post, grade, chance.randrange(80_000, 260_000), hours, head]
    base = post + grade
    taken: list[int | None] = [
        base * 8 // 100, base * 4 // 100, base * 2 // 100, base * 5 // 1000, base * 12 // 100,
        chance.randrange(0, 12_000) if base > 500_000 else 0,
    ]  # fmt: skip
    return _Pay(earned, taken, base * 28 // 100)


def write_sheet(path: Path, chance: random.Random, people: list[Employee]) -> Expected:
    expected = Expected("2026-03", hidden_columns=("单位缴存部分",))
    with new_book(path) as book:
        _Writer(book, chance, expected).write(people)
    return expected


class _Writer:
    def __init__(
        self, book: xlsxwriter.Workbook, chance: random.Random, expected: Expected
    ) -> None:
        self._chance, self._expected = chance, expected
        notes = book.add_worksheet("填表说明")
        notes.write(0, 0, "本表每月 5 日前报送，先核对人员变动，再填写课时。")
        self._sheet = book.add_worksheet("3月工资")
        self._bold = book.add_format({"bold": True, "align": "center", "valign": "vcenter"})
        self._money = book.add_format({"num_format": "#,##0.00"})
        self._middle = book.add_format({"valign": "vcenter"})
        self._row = 0
        self._number = 0
        self._all: list[_Pay] = []

    def write(self, people: list[Employee]) -> None:
        self._write_header()
        for dept, members in groupby(people, key=lambda person: person.dept):
            self._write_dept(dept, list(members))
        self._write_total("合  计", self._all)
        self._sheet.write(self._row, 1, "制表：钱会计")
        self._sheet.write(self._row, 8, "审核：")
        self._sheet.write(self._row, 15, "校长（签章）：")

    def _write_header(self) -> None:
        sheet, bold = self._sheet, self._bold
        sheet.merge_range(0, 0, 0, _SIGN, "信桥示范学校2026年3月教职工工资发放表", bold)
        sheet.write(1, 0, "编制单位：信桥示范学校财务室")
        sheet.write(1, _REMARK, "单位：元")
        alone = ((0, "序号"), (1, "部门"), (2, "工号"), (3, "姓 名"), (_COST, "单位缴存部分"),
                 (_NET, "实发工资"), (_REMARK, "备注"), (_SIGN, "签名"))  # fmt: skip
        for column, text in alone:
            sheet.merge_range(2, column, 3, column, text, bold)
        sheet.merge_range(2, _FIRST_EARNED, 2, _FIRST_TAKEN - 1, "应发项目", bold)
        sheet.merge_range(2, _FIRST_TAKEN, 2, _COST - 1, "扣款项目", bold)
        sheet.write_row(3, _FIRST_EARNED, [*_EARNED, *_TAKEN], bold)
        sheet.set_column(_COST, _COST, None, None, {"hidden": True})
        sheet.set_column(3, 3, 12)
        self._row = 4

    def _write_dept(self, dept: str, members: list[Employee]) -> None:
        first = self._row
        pays = [self._write_person(person) for person in members]
        if len(members) > 1:
            self._sheet.merge_range(first, 1, self._row - 1, 1, dept, self._middle)
        else:
            self._sheet.write(first, 1, dept, self._middle)
        self._write_total(f"{dept}小计", pays)

    def _write_person(self, person: Employee) -> _Pay:
        pay = _pay(self._chance, person.dept)
        self._number += 1
        sheet, row = self._sheet, self._row
        reason = self._reason(person)
        sheet.write(row, 0, self._number)
        sheet.write(row, 2, "" if reason == "AMBIGUOUS" else person.emp_no)
        sheet.write(row, 3, _spaced(person.name))
        self._write_amounts(pay.earned, _FIRST_EARNED)
        self._write_amounts(pay.taken, _FIRST_TAKEN)
        sheet.write(row, _COST, pay.cost / 100, self._money)
        # 0 is what a program leaves behind that writes formulas without computing them.
        cached = 0 if reason == "FORMULA_UNCACHED" else pay.net / 100
        sheet.write_formula(row, _NET, f"=J{row + 1}-Q{row + 1}", self._money, cached)
        if self._number % 97 == 0:
            sheet.write(row, _REMARK, "补发上月课时费")
        if reason:
            self._expected.held[row + 1] = reason
        else:
            self._expected.accepted[row + 1] = (person.emp_id, pay.net)
        self._row += 1
        self._all.append(pay)
        return pay

    def _reason(self, person: Employee) -> str | None:
        if person.left_on:
            return "LEFT_EMPLOYEE"
        if person.name == "刘洋" and "AMBIGUOUS" not in self._expected.held.values():
            return "AMBIGUOUS"
        return "FORMULA_UNCACHED" if self._number == 120 else None

    def _write_amounts(self, amounts: list[int | None], first: int) -> None:
        for column, amount in enumerate(amounts, start=first):
            if amount is not None:  # a blank is not a zero
                self._sheet.write(self._row, column, amount / 100, self._money)
        total = sum(filter(None, amounts)) / 100
        self._sheet.write(self._row, first + len(amounts), total, self._money)

    def _write_total(self, label: str, pays: list[_Pay]) -> None:
        sheet, row = self._sheet, self._row
        sheet.write(row, 0, label)
        self._write_amounts(_sums([pay.earned for pay in pays]), _FIRST_EARNED)
        self._write_amounts(_sums([pay.taken for pay in pays]), _FIRST_TAKEN)
        sheet.write(row, _NET, sum(pay.net for pay in pays) / 100, self._money)
        self._row += 1


def _sums(lines: list[list[int | None]]) -> list[int | None]:
    return [sum(filter(None, column)) for column in zip(*lines, strict=True)]


def _spaced(name: str) -> str:
    """Two-character names are often spread to the width of three."""
    return f"{name[0]}　{name[1]}" if len(name) == 2 else name
