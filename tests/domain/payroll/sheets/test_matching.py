"""Whose row is it: the table of rules from the package's docstring."""

import pytest

from domain.payroll.sheets import Roster

from .files import xlsx
from .people import PEOPLE, ROSTER, accepted, check, entry, id_no, only_held, phone, reasons

HEADER = ["姓名", "工号", "手机号", "身份证号", "银行卡号", "奖金", "实发工资"]


def row(name="", emp_no="", mobile="", number="", card=""):
    return [name, emp_no, mobile, number, card, 5, 5]


def judged(*rows, roster=ROSTER):
    return check(xlsx([HEADER, *rows]), roster=roster)


BAD_ID = id_no(1)[:-1] + ("0" if id_no(1)[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("line", "employee_id", "matched_by"),
    [
        (row("张伟", mobile=phone(1)), "E-1", ("phone", "name")),
        (row("张伟", "000001"), "E-1", ("emp_no", "name")),
        (row("张伟", "1"), "E-1", ("emp_no", "name")),
        (row("张伟", "E-1"), "E-1", ("emp_no", "name")),
        (row("张伟", number=id_no(1)), "E-1", ("id_no", "name")),
        (row("张伟", card="6229000000000000001"), "E-1", ("bank_card", "name")),
        (row("张 伟", mobile=phone(1)), "E-1", ("phone", "name")),
        (row("刘洋", mobile=phone(3)), "E-3", ("phone", "name")),
        (row("阿卜杜拉.买买提", "5"), "E-5", ("emp_no", "name")),
        (row(mobile=phone(1), number=id_no(1)), "E-1", ("id_no", "phone")),
        (row("张伟", "000001", phone(1), id_no(1)), "E-1", ("id_no", "phone", "emp_no", "name")),
    ],
)
def test_two_agreeing_witnesses_are_enough(line, employee_id, matched_by):
    report = judged(line)

    assert accepted(report) == {2: employee_id}
    assert report.accepted[0].matched_by == matched_by
    assert report.accepted[0].warnings == ()


@pytest.mark.parametrize(
    ("line", "code", "candidates"),
    [
        (row(), "NO_IDENTIFIER", ()),
        (row(mobile=phone(1)), "NO_IDENTIFIER", ("E-1",)),
        (row(number=id_no(1)), "NO_IDENTIFIER", ("E-1",)),
        (row("张伟"), "NO_KEY", ("E-1",)),
        (row("刘洋"), "AMBIGUOUS", ("E-2", "E-3")),
        (row("刘洋", mobile=phone(99)), "AMBIGUOUS", ("E-2", "E-3")),
        (row("马六", mobile=phone(99)), "NOT_FOUND", ()),
        (row(mobile=phone(99)), "NOT_FOUND", ()),
        (row("王芳", mobile=phone(4)), "LEFT_EMPLOYEE", ("E-4",)),
        (row("张伟", mobile=phone(6)), "CONFLICT", ("E-6", "E-1")),
        (row("马六", mobile=phone(6)), "CONFLICT", ("E-6",)),
        (row("张伟", mobile=phone(99)), "CONFLICT", ("E-1",)),
        (row("张伟", "777"), "CONFLICT", ("E-1",)),
        (row("张伟", number=id_no(99)), "CONFLICT", ("E-1",)),
        (row("张伟", mobile=phone(1), number=id_no(99)), "CONFLICT", ("E-1",)),
        (row("张伟", "000001", phone(6)), "CONFLICT", ("E-1", "E-6")),
        (row("刘洋", "000002", phone(3)), "CONFLICT", ("E-2", "E-3")),
        (row("刘洋", "000002", phone(99)), "CONFLICT", ("E-2",)),
        (row("张伟", card="6229000000000000001", mobile=phone(99)), "CONFLICT", ("E-1",)),
        (row(mobile=phone(1), number=id_no(6)), "CONFLICT", ("E-6", "E-1")),
        (row("张伟", mobile="1.54E+10"), "PHONE_INVALID", ("E-1",)),
        (row("张伟", number=BAD_ID), "ID_INVALID", ("E-1",)),
        (row("张伟", mobile=phone(1), number=BAD_ID), "ID_INVALID", ("E-1",)),
        (row("张伟", number="3.69999199001010E+17"), "ID_PRECISION_LOST", ("E-1",)),
        (row("张伟", mobile=phone(1), number="3.69999200001010E+17"), "CONFLICT", ("E-1",)),
        (row("张伟", card="6.229E+18"), "CARD_PRECISION_LOST", ("E-1",)),
        (row("张伟", card="见附件"), "CONFLICT", ("E-1",)),
        (row(number=BAD_ID), "ID_INVALID", ()),
    ],
)
def test_less_or_a_contradiction_is_held_with_who_it_might_be(line, code, candidates):
    held = only_held(judged(line))

    assert held.reasons == (code,)
    assert set(held.candidates) == set(candidates)
    assert held.message


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (row("张伟", mobile=phone(99), number=id_no(1)), "PHONE_DIFFERS"),
        (row("张伟", "000001", phone(99)), "PHONE_DIFFERS"),
        (row("张伟", "777", phone(1)), "EMP_NO_DIFFERS"),
        (row("张伟", mobile=phone(1), card="6229111111111111111"), "BANK_CARD_DIFFERS"),
        (row("刘洋", mobile=phone(99), number=id_no(2)), "PHONE_DIFFERS"),
        (row("张伟", "000001", "1540000"), "PHONE_INVALID"),
    ],
)
def test_a_changed_phone_beside_a_stronger_agreement_is_a_warning(line, code):
    report = judged(line)

    assert len(report.accepted) == 1
    assert [warning.code for warning in report.accepted[0].warnings] == [code]


def test_the_sentence_for_namesakes_counts_them():
    assert only_held(judged(row("刘洋"))).message == "在职的刘洋有2人，请补手机号或工号"
    roster = Roster([entry(1, "王芳"), entry(2, "王芳", status="离职")])

    held = only_held(judged(row("王芳"), roster=roster))

    assert held.message == "王芳有2人（含离职1人），请补手机号或工号"


def test_a_sentence_writes_stretched_names_without_their_spaces():
    roster = Roster([entry(1, "刘 洋"), entry(2, "刘　洋"), entry(3, "Ann Lee")])

    stretched = only_held(judged(row("刘  洋"), roster=roster))
    unknown = only_held(judged(row("钱 七", mobile=phone(99)), roster=roster))
    latin = only_held(judged(row("Ann Lee"), roster=roster))

    assert stretched.message == "在职的刘洋有2人，请补手机号或工号"
    assert "花名册里没有「钱七」" in unknown.message
    assert "只有姓名「Ann Lee」能对上" in latin.message


def test_a_key_that_nobody_has_is_named_when_there_is_no_name():
    held = only_held(judged(row("", mobile=phone(99)), roster=Roster([entry(1, "张伟")])))

    assert held.message.startswith("花名册里没有这个手机号")


def test_one_person_on_two_rows_holds_both():
    report = judged(row("张伟", mobile=phone(1)), row("李娜", "6"), row("张伟", "1"))

    assert reasons(report) == {2: ["DUPLICATE"], 4: ["DUPLICATE"]}
    assert accepted(report) == {3: "E-6"}
    assert "第2行、“工资表”第4行是同一个人" in report.held[0].message


def test_one_person_on_two_sheets_holds_both():
    sheet = [HEADER, row("张伟", mobile=phone(1))]

    report = check(xlsx(sheet, before={"奖金": sheet}))

    assert [held.reasons for held in report.held] == [("DUPLICATE",)] * 2


DEPT_HEADER = ["部门", "姓名", "奖金", "实发工资"]


@pytest.mark.parametrize(
    ("name", "dept", "code"),
    [("刘洋", "一车间", "AMBIGUOUS"), ("张伟", "二车间", "NO_KEY"), ("张伟", "", "NO_KEY")],
)
def test_a_name_and_another_department_are_not_enough(name, dept, code):
    assert reasons(check(xlsx([DEPT_HEADER, [dept, name, 5, 5]]))) == {2: [code]}


def test_a_left_namesake_makes_name_and_department_too_weak():
    roster = Roster([entry(1, "张伟"), entry(2, "张伟", "二车间", status="离职")])

    report = check(xlsx([DEPT_HEADER, ["一车间", "张伟", 5, 5]]), roster=roster)

    assert reasons(report) == {2: ["AMBIGUOUS"]}


def test_a_blank_key_in_a_sheet_with_keys_is_somebody_new():
    header = ["部门", "姓名", "手机号", "奖金", "实发工资"]

    report = check(xlsx([header, ["一车间", "张伟", "", 5, 5], ["二车间", "李娜", phone(6), 5, 5]]))

    assert reasons(report) == {2: ["NO_KEY"]}


def test_a_couple_with_one_phone_is_told_apart_by_name():
    roster = Roster([entry(1, "张伟"), entry(2, "李娜", phone=phone(1))])

    report = judged(row("李娜", mobile=phone(1)), row("张伟", mobile=phone(1)), roster=roster)

    assert accepted(report) == {2: "E-2", 3: "E-1"}


def test_a_placeholder_phone_agrees_with_nobody():
    roster = Roster([entry(n, name, phone="13800000000") for n, name in enumerate("甲乙丙丁戊")])

    report = judged(row("甲", mobile="13800000000"), roster=roster)

    assert reasons(report) == {2: ["NO_KEY"]}


def test_somebody_hired_again_is_the_active_entry():
    again = entry(8, "王芳", id_no=id_no(4), phone=phone(4))

    report = judged(row("王芳", mobile=phone(4)), roster=Roster([*PEOPLE, again]))

    assert accepted(report) == {2: "E-8"}


def test_two_staff_numbers_that_differ_by_zeros_stay_two():
    roster = Roster([entry(1, "张伟", emp_no="0012"), entry(2, "张伟", emp_no="12")])

    report = judged(row("张伟", "0012"), row("张伟", "12"), roster=roster)

    assert accepted(report) == {2: "E-1"}
    assert reasons(report) == {3: ["AMBIGUOUS"]}


def test_an_outsider_with_a_known_name_is_never_taken_for_the_known_one():
    no_phone = Roster([entry(1, "张伟", phone="")])

    for roster in (ROSTER, no_phone):
        assert judged(row("张伟", mobile=phone(99)), roster=roster).accepted == []


def test_roster_numbers_that_fail_their_check_still_match_when_equal():
    roster = Roster([entry(1, "张伟", id_no="110101199001011234", phone="")])

    report = judged(row("张伟", number="110101199001011234"), roster=roster)

    assert accepted(report) == {2: "E-1"}


def test_a_remark_in_place_of_a_number_agrees_with_nobody():
    roster = Roster([entry(1, "张伟", phone="见微信", emp_no="待编")])

    report = judged(row("张伟", mobile="见微信"), row("张伟", "待编"), roster=roster)

    assert report.accepted == []


def test_a_number_the_roster_does_not_know_yet_is_no_difference():
    roster = Roster([entry(1, "张伟", bank_card="")])

    report = judged(row("张伟", mobile=phone(1), card="6229000000000000001"), roster=roster)

    assert accepted(report) == {2: "E-1"}
    assert report.accepted[0].warnings == ()


def test_a_stranger_says_nothing_about_what_a_number_column_means():
    rows = [
        ["编号", "姓名", "奖金", "实发工资"],
        ["000001", "张伟", 5, 5],
        ["000009", "马六", 5, 5],
    ]

    report = check(xlsx(rows))

    assert accepted(report) == {2: "E-1"}
    assert reasons(report) == {3: ["NOT_FOUND"]}
