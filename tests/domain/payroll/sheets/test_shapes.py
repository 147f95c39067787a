"""The twenty-one oddities of real sheets that concern shape, one file for each."""

import io
import struct
from datetime import datetime

import openpyxl
import pytest
import xlsxwriter

from .files import FIRST_SHEET, csv_bytes, edited, html, without_cached_values, xls, xlsx
from .people import ROSTER, accepted, check, id_no, only_held, phone, reasons

HEADER = ["姓名", "手机号", "基本工资", "实发工资"]
ZHANG = ["张伟", phone(1), 5000, 5000]
LI = ["李娜", phone(6), 6120.5, 6120.5]


def items(row):
    return {item.name: item.amount_fen for item in row.items}


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("3月.xlsx", xlsx([HEADER, ZHANG, LI])),
        ("3月.xls", xls([HEADER, ZHANG, LI])),
        ("网页.xls", html([HEADER, ZHANG, LI])),
        ("网页.xls", html([HEADER, ZHANG, LI], "gbk")),
        ("3月.csv", csv_bytes([HEADER, ZHANG, LI])),
        ("3月.csv", csv_bytes([HEADER, ZHANG, LI], "utf-8-sig")),
        ("3月.csv", csv_bytes([HEADER, ZHANG, LI], "gbk")),
        ("3月.csv", csv_bytes([HEADER, ZHANG, LI], "gb18030")),
        ("3月.txt", csv_bytes([HEADER, ZHANG, LI], "utf-16", "\t")),
        ("3月.txt", csv_bytes([HEADER, ZHANG, LI], "utf-16-le", "\t")),
        ("3月.csv", csv_bytes([HEADER, ZHANG, LI], "utf-8", ";")),
        ("没有后缀", xlsx([HEADER, ZHANG, LI])),
        ("写错.pdf", xls([HEADER, ZHANG, LI])),
    ],
)
def test_a_file_is_what_its_content_says(filename, content):
    report = check(content, filename)

    assert report.refused is None
    assert accepted(report) == {2: "E-1", 3: "E-6"}
    assert [row.net_fen for row in report.accepted] == [500_000, 612_050]
    assert [row.matched_by for row in report.accepted] == [("phone", "name")] * 2


def test_title_and_unit_rows_are_skipped_and_tell_the_month():
    rows = [["某厂2026年3月份工资表"], ["编制单位：某厂", "", "", "单位：元"], HEADER, ZHANG]

    report = check(xlsx(rows, merges=[(0, 0, 0, 3)]), "表.xlsx")

    assert accepted(report) == {4: "E-1"}
    assert report.period == "2026-03"
    assert [(row.row, row.why) for row in report.skipped] == [
        (1, "title"),
        (2, "title"),
        (3, "header"),
    ]


TWO_LEVELS = [
    ["工号", "姓名", "应发项目", "", "", "扣款项目", "", "", "实发工资"],
    ["", "", "基本工资", "奖金", "小计", "养老", "个税", "小计", ""],
    ["000001", "张伟", 5000, 100, 5100, 80, 20, 100, 5000],
    ["000006", "李娜", 5000, "", 5000, 80, 0, 80, 4920],
]
TWO_LEVEL_MERGES = [(0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 0, 4), (0, 5, 0, 7), (0, 8, 1, 8)]


@pytest.mark.parametrize(
    "content",
    [
        xlsx(TWO_LEVELS, merges=TWO_LEVEL_MERGES),
        xls(TWO_LEVELS, merges=TWO_LEVEL_MERGES),
        csv_bytes(TWO_LEVELS),
    ],
    ids=["xlsx", "xls", "csv"],
)
def test_a_two_level_header_gives_groups_kinds_and_whole_labels(content):
    report = check(content)

    assert accepted(report) == {3: "E-1", 4: "E-6"}
    assert [(i.name, i.group, i.kind, i.amount_fen) for i in report.accepted[1].items] == [
        ("基本工资", "应发项目", "earning", 500_000),
        ("奖金", "应发项目", "earning", None),
        ("应发项目/小计", "应发项目", "total", 500_000),
        ("养老", "扣款项目", "deduction", 8_000),
        ("个税", "扣款项目", "deduction", 0),
        ("扣款项目/小计", "扣款项目", "total", 8_000),
    ]
    assert report.columns["工资表" if report.sheets == ["工资表"] else report.sheets[0]] == {
        "emp_no": 1, "name": 2, "基本工资": 3, "奖金": 4, "应发项目/小计": 5, "养老": 6,
        "个税": 7, "扣款项目/小计": 8, "net": 9,
    }  # fmt: skip


def test_html_spans_are_merged_cells():
    table = """<table><tr><td rowspan=2>姓名<td rowspan=2>手机号<td colspan=2>应发项目
      <td rowspan=2>实发工资</tr><tr><td>基本工资<td>奖金</tr>
      <tr><td>张伟<td>15400000001<td>5000<td>&nbsp;<td>5,000.00</tr></table>"""

    report = check(f"<html><body>{table}".encode(), "导出.xls")

    assert accepted(report) == {3: "E-1"}
    assert items(report.accepted[0]) == {"基本工资": 500_000, "奖金": None}


def test_a_three_level_header_names_the_nearest_group():
    rows = [
        ["姓名", "手机号", "应发项目", "", "", "", "实发工资"],
        ["", "", "计件甲", "", "计件乙", "", ""],
        ["", "", "数量", "金额", "数量", "金额", ""],
        ["张伟", phone(1), 10, 100, 20, 300, 400],
    ]
    merges = [
        (0, 0, 2, 0), (0, 1, 2, 1), (0, 2, 0, 5), (0, 6, 2, 6), (1, 2, 1, 3), (1, 4, 1, 5),
    ]  # fmt: skip

    report = check(xlsx(rows, merges=merges))

    assert accepted(report) == {4: "E-1"}
    assert items(report.accepted[0]) == {
        "计件甲/数量": None,
        "计件甲/金额": 10_000,
        "计件乙/数量": None,
        "计件乙/金额": 30_000,
    }
    assert report.accepted[0].items[0].group == "应发项目/计件甲"


def test_groups_above_the_row_with_the_names_are_found():
    rows = [
        ["三月工资"],
        ["", "", "应发", "", "扣款", "", ""],
        ["姓名", "手机号", "基本", "加班", "社保", "个税", "实发工资"],
        ["张伟", phone(1), 5000, 100, 80, 20, 5000],
    ]

    report = check(csv_bytes(rows), "2026年3月.csv")

    assert accepted(report) == {4: "E-1"}
    assert [(i.group, i.kind) for i in report.accepted[0].items] == [
        ("应发", "earning"),
        ("应发", "earning"),
        ("扣款", "deduction"),
        ("扣款", "deduction"),
    ]


def test_same_leaves_without_a_group_are_numbered():
    report = check(xlsx([["姓名", "手机号", "金额", "金额", "实发"], ["张伟", phone(1), 1, 2, 3]]))

    assert items(report.accepted[0]) == {"金额": 100, "金额(2)": 200}


def test_merged_departments_reach_down_and_help_where_there_is_no_key():
    rows = [
        ["部门", "姓名", "基本工资", "实发工资"],
        ["一车间", "张伟", 5000, 5000],
        ["", "欧阳修文", 4000, 4000],
        ["二车间", "李娜", 3000, 3000],
    ]

    report = check(xlsx(rows, merges=[(1, 0, 2, 0)]))

    assert accepted(report) == {2: "E-1", 3: "E-7", 4: "E-6"}
    assert report.accepted[1].matched_by == ("name", "dept")


def test_an_amount_merged_over_two_people_is_not_each_ones_amount():
    rows = [HEADER, ZHANG, ["李娜", phone(6), 3000, ""]]

    report = check(xlsx(rows, merges=[(1, 3, 2, 3)]))

    assert reasons(report) == {3: ["MISSING_NET"]}


def test_totals_signatures_and_notes_among_the_rows_are_skipped_with_why():
    rows = [
        HEADER,
        ["一车间"],
        ZHANG,
        ["一车间小计", "", 5000, 5000],
        LI,
        ["小  计", "", 6120.5, 6120.5],
        ["本页合计", "", 11120.5, 11120.5],
        ["合　计", "", 11120.5, 11120.5],
        [],
        ["制表：赵六", "", "审核：", "领导签字："],
        ["备注：本月含高温补贴"],
    ]

    report = check(xlsx(rows, merges=[(1, 0, 1, 3)]))

    assert accepted(report) == {3: "E-1", 5: "E-6"}
    assert report.held == []
    assert {row.row: row.why for row in report.skipped if row.row > 1} == {
        2: "section",
        4: "subtotal",
        6: "subtotal",
        7: "page_subtotal",
        8: "total",
        10: "signature",
        11: "note",
    }
    assert report.warnings == []


def test_a_total_that_does_not_add_up_is_a_warning_with_the_difference():
    report = check(xlsx([HEADER, ZHANG, LI, ["合计", "", 11120.5, 11220.5]]))

    assert accepted(report) == {2: "E-1", 3: "E-6"}
    (warning,) = report.warnings
    assert warning.code == "TOTAL_MISMATCH"
    assert "“实发工资”相差 100.00 元" in warning.message


def test_an_unlabelled_total_is_no_nameless_person():
    report = check(xlsx([HEADER, ZHANG, LI, ["", "", 11120.5, 11120.5], ["", "", 1, 1]]))

    assert accepted(report) == {2: "E-1", 3: "E-6"}
    assert reasons(report) == {5: ["NO_IDENTIFIER"]}


def test_a_header_repeated_on_each_page_is_skipped():
    report = check(xlsx([HEADER, ZHANG, HEADER, LI]))

    assert accepted(report) == {2: "E-1", 4: "E-6"}
    assert [row.row for row in report.skipped if row.why == "header"] == [1, 3]


def test_slips_with_a_header_above_each_person_are_read():
    rows = [HEADER, ZHANG, [], HEADER, LI]

    assert accepted(check(xlsx(rows))) == {2: "E-1", 5: "E-6"}


def test_slips_whose_headers_differ_are_each_read_with_their_own():
    rows = [HEADER, ZHANG, [], ["姓名", "手机号", "奖金", "补贴", "实发工资"],
            ["李娜", phone(6), 10, 20, 30]]  # fmt: skip

    report = check(xlsx(rows))

    assert accepted(report) == {2: "E-1", 5: "E-6"}
    assert items(report.accepted[1]) == {"奖金": 1_000, "补贴": 2_000}


def test_an_unlabelled_column_is_not_shown_and_named_in_a_warning():
    report = check(xlsx([[*HEADER, ""], [*ZHANG, "绩效差"]]))

    assert items(report.accepted[0]) == {"基本工资": 500_000}
    assert [warning.code for warning in report.warnings] == ["UNLABELED_COLUMN"]


def test_an_unlabelled_column_of_phones_is_the_phones():
    report = check(xlsx([["姓名", "", "奖金", "实发工资"], ["张伟", phone(1), 5, 5]]))

    assert report.accepted[0].matched_by == ("phone", "name")
    assert report.warnings == []


@pytest.mark.parametrize("make", [xlsx, xls])
def test_hidden_columns_are_reported_and_not_shown(make):
    rows = [["姓名", "手机号", "基本工资", "单位成本", "实发工资"], ["张伟", phone(1), 5, 9, 5]]

    report = check(make(rows, hidden_columns=[3]))

    assert report.hidden_columns == ["单位成本"]
    assert items(report.accepted[0]) == {"基本工资": 500}
    assert "单位成本" not in report.columns["工资表"]


def test_a_hidden_phone_column_still_tells_who_it_is():
    report = check(xlsx([HEADER, ZHANG], hidden_columns=[1]))

    assert report.accepted[0].matched_by == ("phone", "name")
    assert report.hidden_columns == ["手机号"]


@pytest.mark.parametrize("make", [xlsx, xls])
def test_a_hidden_row_is_held(make):
    report = check(make([HEADER, ZHANG, LI], hidden_rows=[1]))

    assert reasons(report) == {2: ["HIDDEN_ROW"]}
    assert accepted(report) == {3: "E-6"}


def test_hidden_html_rows_and_columns_are_hidden_too():
    table = (
        "<table><col><col><col style='display:none'><col>"
        "<tr><td>姓名<td>手机号<td>奖金<td>实发工资"
        f"<tr style='display: none'><td>张伟<td>{phone(1)}<td>5<td>5"
        f"<tr><td>李娜<td>{phone(6)}<td>5<td>5</table>"
    )

    report = check(table.encode(), "a.xls")

    assert report.hidden_columns == ["奖金"]
    assert reasons(report) == {2: ["HIDDEN_ROW"]}


def test_the_payroll_is_found_behind_other_sheets_and_hidden_ones_are_left_alone():
    content = xlsx(
        [HEADER, ZHANG],
        before={"封面": [["本表说明"]], "名单": [["姓名", "手机号"], ["李娜", phone(6)]]},
        hidden_sheets={"上月": [HEADER, LI]},
    )

    report = check(content)

    assert report.sheets == ["工资表"]
    assert accepted(report) == {2: "E-1"}
    assert [warning.code for warning in report.warnings] == ["HIDDEN_SHEET"]


def test_hidden_sheets_of_xls_are_left_alone():
    report = check(xls([HEADER, ZHANG], hidden_sheet=[HEADER, LI]))

    assert accepted(report) == {2: "E-1"}
    assert [warning.code for warning in report.warnings] == ["HIDDEN_SHEET"]


def test_two_payroll_sheets_in_one_file_are_both_read():
    report = check(xlsx([HEADER, ZHANG], before={"二车间": [HEADER, LI]}))

    assert report.sheets == ["二车间", "工资表"]
    assert {(row.sheet, row.employee_id) for row in report.accepted} == {
        ("二车间", "E-6"),
        ("工资表", "E-1"),
    }


def test_formulas_with_results_are_read():
    content = xlsx([HEADER, ["张伟", phone(1), 5000]], formulas={(1, 3): ("=C2", 5000)})

    assert check(content).accepted[0].net_fen == 500_000


def test_formulas_saved_without_results_are_held():
    content = xlsx([HEADER, ["张伟", phone(1), 5000]], formulas={(1, 3): ("=C2", 5000)})

    assert reasons(check(without_cached_values(content))) == {2: ["FORMULA_UNCACHED"]}
    bare = edited(
        content,
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace("<v>5000</v></c></row>", "</c></row>"),
    )
    assert reasons(check(bare)) == {2: ["FORMULA_UNCACHED"]}


@pytest.mark.parametrize(
    "content",
    [
        xlsx([HEADER, ["张伟", phone(1), 5000]], formulas={(1, 3): ("=C2", 0)}),
        xls([HEADER, ["张伟", phone(1), 5000, 0]], formulas={(1, 3): "C2"}),
    ],
    ids=["xlsx", "xls"],
)
def test_a_net_of_zero_left_behind_by_a_program_is_held(content):
    assert reasons(check(content)) == {2: ["FORMULA_UNCACHED"]}


def test_a_written_zero_is_a_zero():
    report = check(xlsx([HEADER, ["张伟", phone(1), 0, 0]]))

    assert report.accepted[0].net_fen == 0


def test_a_formula_that_failed_is_held_with_its_error():
    content = xlsx(
        [HEADER, ["张伟", phone(1)]],
        formulas={(1, 2): ("=1/0", "#DIV/0!"), (1, 3): ("=C2", "#REF!")},
    )

    held = only_held(check(content))

    assert held.reasons == ("BAD_AMOUNT",)
    assert "#REF!" in held.message


def test_a_formula_without_result_among_the_remarks_holds_nobody():
    header = [*HEADER, "备注"]
    content = without_cached_values(xlsx([header, ZHANG], formulas={(1, 4): ("=C2", 1)}))

    (row,) = check(content).accepted

    assert row.items[-1].text == ""
    assert [warning.code for warning in row.warnings] == ["FORMULA_UNCACHED"]


def test_a_phone_looked_up_without_result_leaves_the_row_without_key():
    content = without_cached_values(
        xlsx([HEADER, ["张伟", "", 5, 5]], formulas={(1, 1): ("=VLOOKUP(A2,B:C,2)", 1)})
    )

    assert reasons(check(content)) == {2: ["NO_KEY", "FORMULA_UNCACHED"]}


def test_text_that_looks_like_a_formula_is_text():
    link = '=HYPERLINK("http://x")'
    rows = [
        [*HEADER, "备注"],
        [*ZHANG, link],
        ["李娜", phone(6), "=C2+1", 5, ""],
    ]

    report = check(xlsx(rows))

    assert [warning.code for warning in report.accepted[0].warnings] == ["LITERAL_TEXT"]
    assert report.accepted[0].items[-1].text == link
    assert reasons(report) == {3: ["LITERAL_TEXT"]}


def test_markup_in_a_remark_stays_text():
    row = check(xlsx([[*HEADER, "备注"], [*ZHANG, "<script>alert(1)</script>"]])).accepted[0]

    assert row.items[-1].text == "<script>alert(1)</script>"
    assert [warning.code for warning in row.warnings] == ["LITERAL_TEXT"]


def test_zero_and_blank_are_told_apart():
    row = check(
        xlsx([["姓名", "手机号", "奖金", "补贴", "实发工资"], ["张伟", phone(1), 0, "", 5]])
    ).accepted[0]

    assert [(item.text, item.amount_fen) for item in row.items] == [("0", 0), ("", None)]


@pytest.mark.parametrize(
    "value",
    [15400000001, 15400000001.0, "+86 154-0000-0001", "１５４" + "０" * 7 + "１"],
)
def test_phones_of_every_kind_match(value):
    assert accepted(check(xlsx([HEADER, ["张伟", value, 5, 5]]))) == {2: "E-1"}


def test_staff_numbers_that_lost_their_zeros_match_with_the_name():
    report = check(xlsx([["工号", "姓名", "奖金", "实发"], [1, "张伟", 5, 5], ["6", "李娜", 5, 5]]))

    assert accepted(report) == {2: "E-1", 3: "E-6"}


def test_a_running_number_called_number_is_not_a_staff_number():
    rows = [["编号", "姓名", "手机号", "奖金", "实发"],
            [1, "李娜", phone(6), 5, 5], [2, "张伟", phone(1), 5, 5]]  # fmt: skip

    assert accepted(check(xlsx(rows))) == {2: "E-6", 3: "E-1"}


def test_a_staff_number_called_number_is_one():
    rows = [["编号", "姓名", "奖金", "实发"], ["000006", "李娜", 5, 5], ["000001", "张伟", 5, 5]]

    assert accepted(check(xlsx(rows))) == {2: "E-6", 3: "E-1"}


def test_an_id_number_kept_as_a_number_is_not_enough_alone():
    rows = [["姓名", "身份证号", "奖金", "实发"], ["张伟", float(id_no(1)[:17] + "0"), 5, 5]]

    assert reasons(check(xlsx(rows))) == {2: ["ID_PRECISION_LOST"]}


def test_an_id_number_kept_as_a_number_beside_a_good_phone_is_a_warning():
    rows = [
        ["姓名", "身份证号", "手机号", "银行卡号", "奖金", "实发"],
        ["张伟", float(id_no(1)[:17] + "0"), phone(1), 6229000000000000001, 5, 5],
    ]

    (row,) = check(xlsx(rows)).accepted

    assert row.matched_by == ("phone", "name")
    assert [w.code for w in row.warnings] == ["ID_PRECISION_LOST", "CARD_PRECISION_LOST"]


def test_a_prefixed_namespace_is_read_like_any_other():
    content = xlsx([HEADER, ZHANG], hidden_columns=[2], formulas={(1, 3): ("=C2", 0)})

    def prefixed(xml: str) -> str:
        xml = xml.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:")
        return xml.replace("<x:?xml", "<?xml").replace("xmlns=", "xmlns:x=")

    report = check(edited(content, FIRST_SHEET, prefixed))

    assert reasons(report) == {2: ["FORMULA_UNCACHED"]}
    assert report.hidden_columns == ["基本工资"]


def test_the_roster_is_never_changed_by_reading():
    before = [person.entry for person in ROSTER.people]

    check(xlsx([HEADER, ZHANG]))

    assert [person.entry for person in ROSTER.people] == before


def test_a_row_that_numbers_the_columns_is_part_of_the_header():
    rows = [HEADER, ["1", "2", "3", "4=3"], ZHANG]

    report = check(xlsx(rows))

    assert accepted(report) == {3: "E-1"}
    assert [(row.row, row.why) for row in report.skipped] == [(1, "header"), (2, "header")]


def test_a_row_of_units_below_the_header_is_nobody():
    assert accepted(check(xlsx([HEADER, ["", "", "元", "元"], ZHANG]))) == {3: "E-1"}


def test_headers_merged_sideways_but_not_down_are_two_levels():
    rows = [
        ["姓名", "手机号", "应发项目", "", "实发工资"],
        ["", "", "基本工资", "奖金", ""],
        ["张伟", phone(1), 5, 6, 11],
    ]

    report = check(xlsx(rows, merges=[(0, 2, 0, 3)]))

    assert accepted(report) == {3: "E-1"}
    assert [item.group for item in report.accepted[0].items] == ["应发项目", "应发项目"]


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("身份证号/护照号", "id_no"),
        ("员工手机号（微信同号）", "phone"),
        ("农商行工资卡号", "bank_card"),
    ],
)
def test_identifiers_under_longer_words_are_never_pay_items(label, role):
    rows = [["姓名", "工号", label, "奖金", "实发工资"], ["张伟", "1", "", 5, 5]]

    report = check(xlsx(rows))

    assert [item.name for item in report.accepted[0].items] == ["奖金"]
    assert report.columns["工资表"].get(role) == 3


def test_somebody_elses_phone_is_not_read():
    header = ["姓名", "手机号", "紧急联系人电话", "电话费补贴", "实发工资"]

    report = check(xlsx([header, ["张伟", phone(1), phone(6), 50, 50]]))

    assert accepted(report) == {2: "E-1"}
    assert items(report.accepted[0]) == {"电话费补贴": 5_000}


@pytest.mark.parametrize(
    "word",
    [
        "税后实发工资",
        "实际发放金额",
        "本月实发",
        "实发\n合计",
        "实领工资(元)",
        "银行实发数",
        "Net Pay",
    ],
)
def test_the_net_pay_has_many_names(word):
    report = check(xlsx([["姓名", "手机号", "奖金", word], ["张伟", phone(1), 5, 5]]))

    assert report.accepted[0].net_fen == 500


def test_the_name_of_a_colleague_in_the_signature_line_is_no_payslip():
    rows = [HEADER, ZHANG, ["李娜", "", "制表人", ""]]

    report = check(xlsx(rows))

    assert report.held == []
    assert report.skipped[-1].why == "signature"


def test_a_stranger_whose_remark_speaks_of_a_total_is_held_and_not_skipped():
    rows = [[*HEADER, "备注"], ["马六", phone(9), 5, 5, "合计"], ["", phone(8), 5, 5, "合计"]]

    report = check(xlsx(rows))

    assert reasons(report) == {2: ["NOT_FOUND"], 3: ["NOT_FOUND"]}


def test_thousands_of_slips_with_merged_headers_are_read_in_passing():
    rows, merges = [], []
    for number in range(3_000):
        top = len(rows)
        merges += [(top, column, top + 1, column) for column in (0, 1, 4)] + [(top, 2, top, 3)]
        rows += [
            ["姓名", "手机号", "应发项目", "", "实发工资"],
            ["", "", "基本工资", "奖金", ""],
            [f"生人{number}", "", 5, 6, 11],
        ]

    report = check(xlsx(rows, merges=merges))

    assert len(report.held) == 3_000
    assert len(report.layout.parts) == 1


def test_an_error_remembered_in_an_old_xls_is_held():
    content = xls([HEADER, ["张伟", phone(1), 5, 0]], formulas={(1, 3): "C2/0"})
    at = content.index(struct.pack("<HH", 1, 3), content.index(struct.pack("<H", 0x0006)))
    while content[at - 4 : at - 2] != struct.pack("<H", 0x0006):
        at = content.index(struct.pack("<HH", 1, 3), at + 1)
    failed = content[: at + 6] + b"\x02\x00\x07\x00\x00\x00\xff\xff" + content[at + 14 :]

    held = only_held(check(failed))

    assert held.reasons == ("BAD_AMOUNT",)
    assert "#DIV/0!" in held.message


def test_dates_truths_and_times_are_shown_as_text():
    header = ["姓名", "手机号", "发放日期", "是否党员身份", "打卡时间", "实发工资"]
    # Excel knows no time zones.
    day, moment = datetime(2026, 3, 5), datetime(2026, 3, 5, 8, 30)  # noqa: DTZ001
    book = openpyxl.Workbook()
    book.active.append(header)
    book.active.append(["张伟", phone(1), day, True, moment, 5])
    buffer = io.BytesIO()
    book.save(buffer)

    (row,) = check(buffer.getvalue()).accepted

    assert [item.text for item in row.items] == ["2026-03-05", "TRUE", "2026-03-05 08:30:00"]


def test_stray_html_is_read_as_a_browser_would():
    table = (
        "<html><head><title>工资<style>td {}</style><body>"
        f"<td>姓名<td>手机号<td>奖金<td>实发<br>工资<tr><td>张伟<td>{phone(1)}<td>"
        "<script>5</script><td>5"
    )

    report = check(table.encode(), "a.xls")

    assert accepted(report) == {2: "E-1"}
    assert items(report.accepted[0]) == {"奖金": None}


def test_cells_spanning_several_rows_shift_the_next_rows_in_html():
    table = (
        "<table><tr><td>部门<td>姓名<td>手机号<td>实发工资"
        f"<tr><td rowspan=2>一车间<td>张伟<td>{phone(1)}<td>5"
        f"<tr><td>欧阳修文<td>{phone(7)}<td>6</table>"
    )

    assert accepted(check(table.encode(), "a.xls")) == {2: "E-1", 3: "E-7"}


def test_a_sheet_name_with_entities_is_the_same_sheet():
    report = check(xlsx([HEADER, ZHANG], name="工资<A&B>", hidden_rows=[1]))

    assert report.sheets == ["工资<A&B>"]
    assert reasons(report) == {2: ["HIDDEN_ROW"]}


def test_a_formula_beyond_the_last_value_is_still_uncached():
    content = xlsx(
        [HEADER, ["张伟", phone(1), 5]], formulas={(1, 3): ("=C2", 1), (3, 5): ("=C2", 1)}
    )

    report = check(without_cached_values(content))

    assert "FORMULA_UNCACHED" in reasons(report)[2]


def test_of_several_formulas_in_xls_an_empty_result_is_a_result():
    rows = [[*HEADER, "备注"], ["张伟", phone(1), 5, 0, ""], ["李娜", phone(6), 5, 5, ""]]
    content = xls(rows, formulas={(1, 3): "C2", (1, 4): "C2"})
    at = content.index(struct.pack("<HH", 1, 3), content.index(struct.pack("<H", 0x0006)))
    while content[at - 4 : at - 2] != struct.pack("<H", 0x0006):
        at = content.index(struct.pack("<HH", 1, 3), at + 1)

    report = check(content[: at + 6] + struct.pack("<d", 5.0) + content[at + 14 :])

    assert accepted(report) == {2: "E-1", 3: "E-6"}
    assert [row.warnings for row in report.accepted] == [(), ()]


def test_empty_cells_merged_outside_of_the_data_are_nothing():
    rows = [[*HEADER, "", ""], [*ZHANG, "", ""], [""] * 6, [""] * 6]

    assert accepted(check(xlsx(rows, merges=[(2, 0, 3, 1), (0, 4, 1, 5)]))) == {2: "E-1"}


@pytest.mark.parametrize("make", [xlsx, xls])
def test_a_column_made_wider_is_not_hidden(make):
    report = check(make([HEADER, ZHANG], wide_columns=[2], hidden_columns=[4]))

    assert items(report.accepted[0]) == {"基本工资": 500_000}
    assert report.hidden_columns == []


def test_a_blank_line_above_the_header_is_not_worth_a_word():
    report = check(csv_bytes([["三月"], [], HEADER, ZHANG]), "a.csv")

    assert [(row.row, row.why) for row in report.skipped] == [(1, "title"), (3, "header")]


def test_formulas_that_give_texts_are_results_even_when_empty():
    header = [*HEADER[:2], "奖金", "实发工资"]
    content = xlsx(
        [header, ["", phone(1), "", 5]],
        formulas={(1, 0): ('="张"&"伟"', "张伟"), (1, 2): ('=IF(1,"",5)', "空")},
    )

    report = check(edited(content, FIRST_SHEET, lambda xml: xml.replace("<v>空</v>", "<v></v>")))

    assert accepted(report) == {2: "E-1"}
    assert items(report.accepted[0]) == {"奖金": None}


def test_a_sheet_of_charts_beside_the_payroll_is_left_alone():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet("工资表")
        for row, cells in enumerate([HEADER, ZHANG]):
            sheet.write_row(row, 0, cells)
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=工资表!$D$2:$D$2"})
        book.add_chartsheet("图").set_chart(chart)

    report = check(buffer.getvalue())

    assert report.sheets == ["工资表"]
    assert accepted(report) == {2: "E-1"}


def test_what_looks_like_a_formula_outside_of_the_cells_is_none():
    content = edited(
        xlsx([HEADER, ZHANG]),
        FIRST_SHEET,
        lambda xml: xml.replace("<sheetData>", "<f/><sheetData>"),
    )

    assert accepted(check(content)) == {2: "E-1"}


def test_departments_merged_over_one_another_lend_the_first():
    rows = [["部门", *HEADER], ["一车间", *ZHANG], ["", *LI], ["", "欧阳修文", phone(7), 5, 5]]
    content = xlsx(rows, merges=[(1, 0, 2, 0)])
    overlapping = edited(
        content,
        FIRST_SHEET,
        lambda xml: xml.replace("<mergeCell ", '<mergeCell ref="A2:A4"/><mergeCell '),
    )

    assert accepted(check(overlapping)) == {2: "E-1", 3: "E-6", 4: "E-7"}


def test_a_header_without_anybody_below_it_is_no_payroll_yet():
    report = check(xlsx([HEADER]))

    assert report.refused.code == "EMPTY_FILE"
    assert "只有表头" in report.refused.message


@pytest.mark.parametrize(
    ("net", "is_warned"), [(999_999.99, False), (1_000_000, True), (10**12, True)]
)
def test_a_net_beyond_belief_is_pointed_out(net, is_warned):
    report = check(xlsx([HEADER, ["张伟", phone(1), net, net], LI]))

    assert [notice.code for notice in report.warnings] == ["UNUSUAL_NET"] * is_warned
    assert all("第2行" in notice.message for notice in report.warnings)


def test_many_nets_beyond_belief_are_counted():
    nets = [["张伟", phone(1), 10**7, 10**7], ["李娜", phone(6), 10**7, 10**7]]
    report = check(xlsx([HEADER, *nets]))

    (notice,) = report.warnings
    assert "第2行、" in notice.message
    assert "共 2 行" in notice.message
