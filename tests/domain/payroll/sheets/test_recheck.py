"""HR's second look at a held row."""

import json
from decimal import Decimal

import pytest

from domain.payroll.sheets import (
    AcceptedRow,
    HeldRow,
    Layout,
    check_sheet,
    read_roster,
    recheck,
)
from sandbox.demo_data import generate

from .files import csv_bytes, xlsx
from .people import ROSTER, check, only_held, phone

HEADER = ["姓名", "手机号", "基本工资", "奖金", "应发合计", "社保", "扣款合计", "实发工资"]


def held_row(name, mobile, *amounts, **options):
    report = check(xlsx([HEADER, [name, mobile, *amounts]], **options))
    return only_held(report), report.layout


SOUND = (5000, 0, 5000, 80, 80, 4920)


def test_a_corrected_phone_finds_the_person():
    held, layout = held_row("刘洋", "", *SOUND)

    row = recheck(held, {"手机号": phone(3)}, layout, ROSTER)

    assert isinstance(row, AcceptedRow)
    assert (row.employee_id, row.net_fen, row.row) == ("E-3", 492_000, 2)
    assert row.matched_by == ("phone", "name")
    assert [item.amount_fen for item in row.items][:2] == [500_000, 0]


def test_the_person_hr_chooses_is_taken_and_marked():
    held, layout = held_row("刘洋", "", *SOUND)

    row = recheck(held, {}, layout, ROSTER, employee_id="E-2")

    assert isinstance(row, AcceptedRow)
    assert (row.employee_id, row.matched_by) == ("E-2", ("hr",))
    assert row.warnings == ()


def test_a_choice_against_the_identifiers_says_so():
    held, layout = held_row("张伟", phone(6), *SOUND)

    row = recheck(held, {}, layout, ROSTER, employee_id="E-6")

    assert isinstance(row, AcceptedRow)
    assert row.matched_by == ("hr", "phone")
    assert [warning.code for warning in row.warnings] == ["NAME_DIFFERS"]


def test_a_choice_against_the_id_number_says_so():
    content = xlsx([["姓名", "身份证号", "实发工资"], ["张伟", ROSTER.people[5].entry.id_no, 5]])
    report = check(content)

    row = recheck(only_held(report), {}, report.layout, ROSTER, employee_id="E-1")

    assert isinstance(row, AcceptedRow)
    assert [warning.code for warning in row.warnings] == ["ID_NO_DIFFERS"]


def test_an_employee_who_left_is_paid_only_when_chosen():
    held, layout = held_row("王芳", phone(4), *SOUND)

    assert isinstance(recheck(held, {}, layout, ROSTER), HeldRow)
    row = recheck(held, {}, layout, ROSTER, employee_id="E-4")

    assert isinstance(row, AcceptedRow)
    assert [warning.code for warning in row.warnings] == ["LEFT_EMPLOYEE"]


def test_somebody_not_on_the_roster_cannot_be_chosen():
    held, layout = held_row("马六", phone(99), *SOUND)

    row = recheck(held, {}, layout, ROSTER, employee_id="E-99")

    assert isinstance(row, HeldRow)
    assert row.reasons == ("NOT_FOUND",)


@pytest.mark.parametrize("employee_id", [None, "E-1"])
def test_no_choice_and_no_correction_bends_the_money_rules(employee_id):
    held, layout = held_row("张伟", phone(1), 5000, 0, 5000, 80, 80, 5000)

    still = recheck(held, {"实发工资": "4,900"}, layout, ROSTER, employee_id=employee_id)
    sound = recheck(held, {"实发工资": "4,920.00"}, layout, ROSTER, employee_id=employee_id)

    assert isinstance(still, HeldRow)
    assert still.reasons == ("NET_MISMATCH",)
    assert isinstance(sound, AcceptedRow)
    assert sound.net_fen == 492_000


def test_a_correction_that_is_no_amount_is_held_and_keeps_what_was_typed():
    held, layout = held_row("张伟", phone(1), "若干", 0, 5000, 80, 80, 4920)

    still = recheck(held, {"基本工资": "很多"}, layout, ROSTER)

    assert isinstance(still, HeldRow)
    assert still.cells["基本工资"] == "很多"
    assert "很多" in still.message


def test_a_hidden_row_needs_a_person_to_be_named():
    held, layout = held_row("张伟", phone(1), *SOUND, hidden_rows=[1])

    assert held.reasons == ("HIDDEN_ROW",)
    still = recheck(held, {}, layout, ROSTER)
    assert isinstance(still, HeldRow)
    assert still.reasons == ("HIDDEN_ROW",)
    assert isinstance(recheck(held, {}, layout, ROSTER, employee_id="E-1"), AcceptedRow)


def test_a_doubled_row_with_another_fault_keeps_both_reasons():
    rows = [HEADER, ["张伟", phone(1), *SOUND], ["张伟", phone(1), *SOUND[:-1], ""]]
    report = check(xlsx(rows))

    still = recheck(report.held[1], {}, report.layout, ROSTER)

    assert isinstance(still, HeldRow)
    assert set(still.reasons) == {"DUPLICATE", "MISSING_NET"}


def test_a_sheet_without_net_column_can_be_completed_row_by_row():
    report = check(
        csv_bytes([["姓名", "手机号", "津贴", "奖金"], ["张伟", phone(1), 5, 6]]), "a.csv"
    )

    row = recheck(only_held(report), {"实发工资": "11"}, report.layout, ROSTER)

    assert isinstance(row, AcceptedRow)
    assert row.net_fen == 1_100


def test_an_uncached_formula_stays_a_fault_until_somebody_types_the_amount():
    content = xlsx([HEADER, ["张伟", phone(1), *SOUND]], formulas={(1, 7): ("=E2-G2", 0)})
    report = check(content)

    still = recheck(only_held(report), {}, report.layout, ROSTER, employee_id="E-1")
    typed = recheck(only_held(report), {"实发工资": "4920"}, report.layout, ROSTER)

    assert isinstance(still, HeldRow)
    assert still.reasons == ("FORMULA_UNCACHED",)
    assert isinstance(typed, AcceptedRow)


def test_everything_survives_being_stored_as_json():
    rows = [HEADER, ["张伟", phone(1), *SOUND], ["刘洋", "", *SOUND]]
    report = check(xlsx(rows))

    layout = Layout.from_dict(json.loads(json.dumps(report.layout.to_dict())))
    held = HeldRow.from_dict(json.loads(json.dumps(report.held[0].to_dict())))

    assert (layout, held) == (report.layout, report.held[0])
    assert isinstance(recheck(held, {"手机号": phone(2)}, layout, ROSTER), AcceptedRow)


def test_an_id_number_that_excel_cut_short_does_not_speak_against_a_choice():
    report = check(xlsx([["姓名", "身份证号", "实发工资"], ["张伟", "3.69999199001010E+17", 5]]))

    row = recheck(only_held(report), {}, report.layout, ROSTER, employee_id="E-1")

    assert isinstance(row, AcceptedRow)
    assert row.warnings == ()


def test_a_column_without_a_word_above_it_stays_out():
    rows = [["姓名", "手机号", "", "实发工资"], ["张伟", phone(99), "随手记的", 5]]
    report = check(csv_bytes(rows), "a.csv")

    row = recheck(only_held(report), {"手机号": phone(1)}, report.layout, ROSTER)

    assert isinstance(row, AcceptedRow)
    assert row.items == ()


def test_the_three_rows_held_of_the_schools_sheet_can_each_be_settled(tmp_path):
    school = generate(tmp_path).enterprises[0]
    roster = read_roster(school.roster_csv.read_bytes(), "roster.csv").everybody()
    report = check_sheet(school.sheet.read_bytes(), school.sheet.name, roster)
    held = {str(row.reasons[0]): row for row in report.held}
    namesake = held["AMBIGUOUS"].candidates[0]
    (left,) = held["LEFT_EMPLOYEE"].candidates
    cells = held["FORMULA_UNCACHED"].cells
    net = Decimal(cells["应发项目/小计"]) - Decimal(cells["扣款项目/小计"])

    settled = [
        recheck(held["AMBIGUOUS"], {"工号": namesake}, report.layout, roster),
        recheck(held["LEFT_EMPLOYEE"], {}, report.layout, roster, employee_id=left),
        recheck(held["FORMULA_UNCACHED"], {"实发工资": str(net)}, report.layout, roster),
    ]

    assert [type(row) for row in settled] == [AcceptedRow] * 3
    assert [row.employee_id for row in settled[:2]] == [namesake, left]
