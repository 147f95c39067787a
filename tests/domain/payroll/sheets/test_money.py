"""How much: sums that a sheet keeps, and rows that break them."""

import pytest

from .files import csv_bytes, xlsx
from .people import accepted, check, only_held, phone, reasons

TOTALS = ["姓名", "手机号", "基本工资", "奖金", "应发合计", "养老", "个税", "扣款合计", "实发工资"]


def people(*amounts):
    who = [("张伟", phone(1)), ("李娜", phone(6)), ("欧阳修文", phone(7)), ("刘洋", phone(2))]
    return [[*person, *row] for person, row in zip(who, amounts, strict=False)]


def judged(header, *amounts):
    return check(xlsx([header, *people(*amounts)]))


@pytest.mark.parametrize(
    ("net", "codes"),
    [
        ("", ["MISSING_NET"]),
        ("—", ["MISSING_NET"]),
        ("待定", ["BAD_AMOUNT"]),
        ("12.345", ["BAD_AMOUNT"]),
        (275.862069, ["BAD_AMOUNT"]),
        (-5, ["NEGATIVE_NET"]),
        ("(5.00)", ["NEGATIVE_NET"]),
        ("=SUM(C2:C3)", ["LITERAL_TEXT"]),
    ],
)
def test_a_net_pay_that_is_none_is_held(net, codes):
    assert reasons(judged(["姓名", "手机号", "奖金", "实发工资"], [5, net])) == {2: codes}


@pytest.mark.parametrize(
    "net",
    [6120.5, "6120.50", "￥6,120.50", "6,120.5元", "６１２０．５", 6120.500000000001, 6120.4999999],
)
def test_a_net_pay_is_read_in_every_way_of_writing(net):
    report = judged(["姓名", "手机号", "奖金", "实发工资"], [6120.5, net])

    assert report.accepted[0].net_fen == 612_050


def test_what_binary_sums_leave_of_nothing_is_nothing():
    report = judged(
        ["姓名", "手机号", "奖金", "实发工资"], [0, 0.1 + 0.2 - 0.3], [0, 0.3 - 0.1 - 0.2]
    )

    assert [row.net_fen for row in report.accepted] == [0, 0]


def test_a_bad_item_holds_the_row_with_the_columns_name():
    held = only_held(judged(["姓名", "手机号", "奖金", "实发工资"], ["若干", 5]))

    assert held.reasons == ("BAD_AMOUNT",)
    assert "“奖金”" in held.message


def test_no_net_column_holds_every_row():
    report = judged(["姓名", "手机号", "基本工资", "奖金"], [5, 5], [6, 6])

    assert reasons(report) == {2: ["MISSING_NET"], 3: ["MISSING_NET"]}


def test_totals_that_give_the_net_are_accepted_and_others_held():
    report = judged(
        TOTALS, [5000, 100, 5100, 80, 20, 100, 5000], [5000, 100, 5100, 80, 20, 100, 5010]
    )

    assert accepted(report) == {2: "E-1"}
    assert reasons(report) == {3: ["NET_MISMATCH"]}
    assert "5,000.00，不等于实发 5,010.00" in report.held[0].message


def test_deductions_written_negative_are_understood():
    report = judged(
        TOTALS, [5000, 100, 5100, -80, -20, -100, 5000], [5000, 0, 5000, -80, 0, -80, 5080]
    )

    assert accepted(report) == {2: "E-1"}
    assert reasons(report) == {3: ["NET_MISMATCH"]}
    assert report.layout.parts[0].deduction_sign == -1


def test_a_refund_among_positive_deductions_is_added():
    report = judged(
        TOTALS,
        [5000, 0, 5000, 80, 20, 100, 4900],
        [5000, 0, 5000, 80, 20, 100, 4900],
        [5000, 0, 5000, 0, -50, -50, 5050],
    )

    assert len(report.accepted) == 3


def test_without_totals_the_columns_are_learned_from_the_rows():
    header = ["姓名", "手机号", "基本工资", "奖金", "养老", "实发工资"]

    report = judged(
        header, [5000, 100, 80, 5020], [4000, 0, 80, 3920], [3000, 0, 0, 3000], [100, 0, 0, 111]
    )

    assert accepted(report) == {2: "E-1", 3: "E-6", 4: "E-7"}
    assert reasons(report) == {5: ["NET_MISMATCH"]}


def test_sums_that_the_sheet_does_not_keep_hold_nobody():
    header = ["姓名", "手机号", "基本工资", "课时费", "实发工资"]

    report = judged(header, [5000, 100, 4321], [4000, 0, 3210], [3000, 0, 2109])

    assert len(report.accepted) == 3


def test_an_earnings_total_that_is_not_the_sum_of_its_columns_is_held():
    report = judged(
        TOTALS,
        [5000, 100, 5100, 80, 20, 100, 5000],
        [4000, 100, 4100, 80, 20, 100, 4000],
        [3000, 100, 3100, 80, 20, 100, 3000],
        [3000, 900, 3100, 80, 20, 100, 3000],
    )

    assert reasons(report) == {5: ["NET_MISMATCH"]}
    assert "各项应发之和 3,900.00" in report.held[0].message


def test_pay_added_behind_the_total_belongs_to_the_sum():
    header = [*TOTALS[:-1], "补发上月", "实发工资"]

    report = judged(
        header,
        [5000, 100, 5100, 80, 20, 100, 50, 5050],
        [4000, 100, 4100, 80, 20, 100, 60, 4060],
        [3000, 100, 3100, 80, 20, 100, 70, 3070],
        [3000, 100, 3100, 80, 20, 100, 70, 3000],
    )

    assert reasons(report) == {5: ["NET_MISMATCH"]}


def test_two_net_columns_that_differ_are_held():
    header = ["姓名", "手机号", "奖金", "实发工资", "实发金额"]

    report = judged(header, [5, 5, 5], [5, 5, 6])

    assert accepted(report) == {2: "E-1"}
    assert reasons(report) == {3: ["NET_MISMATCH"]}


def test_last_months_net_is_not_this_months():
    report = judged(["姓名", "手机号", "上月实发", "奖金", "实发工资"], [9, 5, 5])

    assert report.accepted[0].net_fen == 500


def test_the_employers_share_is_no_deduction():
    header = ["姓名", "手机号", "基本工资", "单位养老", "个人养老", "实发工资"]

    report = judged(header, [5000, 800, 400, 4600], [4000, 640, 320, 3680], [3000, 480, 240, 2760])

    assert len(report.accepted) == 3
    assert [item.kind for item in report.accepted[0].items] == ["earning", "info", "deduction"]


def test_days_and_rates_are_texts_beside_the_money():
    header = ["姓名", "手机号", "日工资", "出勤天数", "应发工资", "借支", "实发工资"]

    report = judged(header, [300, 22.5, 6750, 1000, 5750])

    assert [(i.name, i.kind, i.text, i.amount_fen) for i in report.accepted[0].items] == [
        ("日工资", "info", "300", None),
        ("出勤天数", "info", "22.5", None),
        ("应发工资", "total", "6750", 675_000),
        ("借支", "deduction", "1000", 100_000),
    ]


@pytest.mark.parametrize("words", ["单位：万元", "金额单位:千元"])
def test_a_sheet_in_ten_thousands_is_refused(words):
    rows = [[words], ["姓名", "手机号", "实发工资"], ["张伟", phone(1), "0.5"]]

    report = check(csv_bytes(rows), "a.csv")

    assert report.refused is not None
    assert "单位不是元" in report.refused.message


def test_a_net_column_in_ten_thousands_is_no_net_column():
    header = ["姓名", "手机号", "奖金", "津贴", "实发(万元)"]

    assert reasons(judged(header, [1, 1, 0.5])) == {2: ["MISSING_NET"]}


def test_a_unit_in_the_header_does_not_hide_the_word():
    report = judged(["姓 名", "联系电话", "奖金(元)", "实发\n工资（元）"], [5, 5])

    assert accepted(report) == {2: "E-1"}


def test_nothing_to_pay_by_formula_is_nothing_when_the_totals_say_so():
    content = xlsx(
        [TOTALS, ["张伟", phone(1), 5000, 0, 5000, 5000, 0, 5000, ""]],
        formulas={(1, 8): ("=E2-H2", 0)},
    )

    assert check(content).accepted[0].net_fen == 0


def test_rows_without_amounts_teach_nothing_about_sums():
    blank = ["", "", "", "", "", "", ""]
    sound = [5000, 100, 5100, 80, 20, 100, 5000]

    report = judged(TOTALS, sound, blank, sound, [5000, "", "", "", "", "", 5000])

    assert accepted(report) == {2: "E-1", 4: "E-7", 5: "E-2"}
    assert reasons(report) == {3: ["MISSING_NET"]}


def test_an_earnings_total_alone_is_checked_when_most_rows_keep_it():
    header = ["姓名", "手机号", "基本工资", "应发合计", "补发差额", "个税", "实发工资"]
    sound = [5000, 5000, 50, 20, 5030]

    report = judged(header, sound, sound, [4000, 4000, "", 10, 3990], [4000, 4000, 5, 10, 3990])

    assert reasons(report) == {5: ["NET_MISMATCH"]}


def test_a_row_that_leaves_the_earnings_total_blank_is_not_asked_for_it():
    header = [*TOTALS[:-1], "补发上月", "实发工资"]

    report = judged(
        header,
        [5000, 100, 5100, 80, 20, 100, 50, 5050],
        [4000, 100, 4100, 80, 20, 100, 60, 4060],
        [3000, 100, 3100, 80, 20, 100, 70, 3070],
        ["", "", "", "", "", "", 70, 70],
    )

    assert len(report.accepted) == 4


def test_a_row_without_net_does_not_keep_the_columns_from_being_learned():
    header = ["姓名", "手机号", "基本工资", "奖金", "养老", "实发工资"]

    report = judged(
        header, [5000, 100, 80, 5020], [4000, 0, 80, ""], [3000, 0, 0, 3000], [100, 0, 0, 111]
    )

    assert reasons(report) == {3: ["MISSING_NET"], 5: ["NET_MISMATCH"]}


def test_a_deductions_total_alone_counts_instead_of_its_columns():
    header = ["姓名", "手机号", "基本工资", "养老", "个税", "扣款合计", "实发工资"]
    sound = [5000, 80, 20, 100, 4900]

    report = judged(header, sound, sound, sound, [5000, 80, 20, 100, 5000])

    assert len(report.accepted) == 3
    assert "减扣款 100.00 是 4,900.00" in only_held(report).message


def test_a_column_with_an_unreadable_amount_is_not_compared_with_the_total():
    rows = [
        ["姓名", "手机号", "奖金", "实发工资"],
        *people(["若干", 5], [6, 6]),
        ["合计", "", 99, 11],
    ]

    report = check(csv_bytes(rows), "a.csv")

    assert reasons(report) == {2: ["BAD_AMOUNT"]}
    assert report.warnings == []
