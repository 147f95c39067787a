import pytest

from domain.payroll.sheets import read_roster

from .files import csv_bytes, xls, xlsx
from .people import id_no, phone

HEADER = ["emp_id", "emp_no", "name", "phone", "id_no", "bank_card", "dept", "status"]
CHINESE = ["员工标识", "工号", "姓名", "手机号", "身份证号", "银行卡号", "部门", "状态"]


def line(number=1, name="张伟", **changes):
    values = {
        "emp_id": f"E-{number}",
        "emp_no": f"{number:04d}",
        "name": name,
        "phone": phone(number),
        "id_no": id_no(number),
        "bank_card": f"62290000000000{number:05d}",
        "dept": "一车间",
        "status": "在职",
    } | changes
    return [values[field] for field in HEADER]


def read(*lines):
    return read_roster(csv_bytes([HEADER, *lines]), "roster.csv")


@pytest.mark.parametrize(
    "content",
    [
        csv_bytes([HEADER, line()]),
        csv_bytes([HEADER, line()], "gbk"),
        csv_bytes([HEADER, line()], "utf-8-sig"),
        xlsx([HEADER, line()]),
        xls([HEADER, line()]),
        xlsx([["花名册"], CHINESE, line()]),
    ],
)  # fmt: skip
def test_a_roster_is_read_from_every_kind_of_file(content):
    report = read_roster(content, "roster")

    assert report.problems == []
    (row,) = report.accepted
    assert (row.entry.emp_id, row.entry.emp_no, row.entry.name) == ("E-1", "0001", "张伟")
    assert (row.entry.phone, row.entry.id_no, row.entry.status) == (phone(1), id_no(1), "在职")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "没有姓名"),
        ({"phone": "1540000"}, "phone", "11 位"),
        ({"id_no": id_no(1)[:17]}, "id_no", "校验码"),
        ({"id_no": "3.69999E+17"}, "id_no", "丢了后三位"),
        ({"bank_card": "6.2E+18"}, "bank_card", "丢了末几位"),
        ({"bank_card": "待办"}, "bank_card", "银行卡号"),
        ({"status": "借调"}, "status", "在职或离职"),
    ],
)
def test_a_bad_field_is_refused_with_row_field_and_sentence(changes, field, words):
    report = read(line(2, "李娜"), line(1, **changes))

    assert [row.row for row in report.accepted] == [2]
    (problem,) = report.problems
    assert (problem.row, problem.field) == (3, field)
    assert problem.message.startswith("第3行")
    assert words in problem.message


@pytest.mark.parametrize(
    ("field", "wrong", "shown"),
    [
        ("id_no", "369999198210260099", "3699**********0099"),
        ("phone", "23800000001", "238****0001"),
        ("bank_card", "6229-0000-0000-0000-001x", "****001x"),
    ],
)
def test_a_sentence_masks_the_number_that_it_is_about(field, wrong, shown):
    (problem,) = read(line(1, **{field: wrong})).problems

    assert f"“{shown}”" in problem.message
    assert wrong not in problem.message


@pytest.mark.parametrize("field", ["emp_id", "emp_no", "phone", "id_no"])
def test_what_must_be_unique_is_refused_the_second_time(field):
    first = line(1)
    report = read(first, line(2, "李娜", **{field: first[HEADER.index(field)]}))

    assert len(report.accepted) == 1
    assert [(problem.row, problem.field) for problem in report.problems] == [(3, field)]
    assert "第2行重复" in report.problems[0].message


def test_a_refused_person_still_counts_as_a_namesake():
    report = read(line(1), line(2, "张伟", phone="154"))

    assert len(report.everybody().named("张伟")) == 2


def test_dates_of_coming_and_going_are_read():
    header = ["工号", "姓名", "手机号", "入职日期", "离职日期"]
    rows = [
        header,
        ["1", "张伟", phone(1), "2020-09-01", ""],
        ["2", "李娜", phone(2), "2020年9月1日", "2026/2/20"],
        ["3", "王芳", phone(3), "去年", ""],
        ["4", "马六", phone(4), "2026-02-30", ""],
    ]

    report = read_roster(csv_bytes(rows), "a.csv")

    first, second = (row.entry for row in report.accepted)
    assert (str(first.joined_on), first.left_on, first.status) == ("2020-09-01", None, "在职")
    assert (str(second.left_on), second.status, second.emp_id) == ("2026-02-20", "离职", "2")
    assert [(problem.row, problem.field) for problem in report.problems] == [
        (4, "joined_on"),
        (5, "joined_on"),
    ]
    assert len(report.everybody()) == 4


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", csv_bytes([["颜色", "数量"]]), csv_bytes([HEADER])]
)
def test_what_is_no_roster_is_refused(content):
    report = read_roster(content, "roster.csv")

    assert report.refused is not None
    assert report.refused.message
    assert report.accepted == []


def test_blank_lines_are_nobody():
    assert [row.row for row in read(line(1), [""] * 8, line(2, "李娜")).accepted] == [2, 4]


def test_people_without_any_number_are_not_each_others_repetition():
    report = read_roster(csv_bytes([["姓名", "部门"], ["张伟", "一"], ["李娜", "一"]]), "a.csv")

    assert [row.entry.name for row in report.accepted] == ["张伟", "李娜"]
