"""The JSON that other programs rely on, and the month a sheet is for."""

import gc

import pytest

from domain.payroll.sheets import check_sheet, to_json
from domain.payroll.sheets.period import period_of

from .files import xlsx
from .people import ROSTER, check, phone


def test_the_json_has_exactly_the_promised_shape():
    rows = [
        ["三月"],
        ["姓名", "手机号", "基本工资", "奖金", "单位成本", "实发工资"],
        ["张伟", phone(1), 6000, "", 900, 6120.5],
        ["刘洋", "", 6000, 0, 900, 6000],
        ["合计", "", 12000, 0, 1800, 12220.5],
    ]

    report = check(xlsx(rows, hidden_columns=[4]), "2026-03.xlsx")

    assert to_json(report, "2026-03.xlsx") == {
        "file": "2026-03.xlsx",
        "refused": None,
        "sheets": ["工资表"],
        "period": "2026-03",
        "accepted": [
            {
                "sheet": "工资表",
                "row": 3,
                "employee_id": "E-1",
                "net": "6120.50",
                "items": {"基本工资": "6000.00"},
                "matched_by": ["phone", "name"],
                "warnings": [],
            }
        ],
        "held": [
            {
                "sheet": "工资表",
                "row": 4,
                "reasons": ["AMBIGUOUS"],
                "message": "在职的刘洋有2人，请补手机号或工号",
            }
        ],
        "skipped": [
            {"sheet": "工资表", "row": 1, "why": "title"},
            {"sheet": "工资表", "row": 2, "why": "header"},
            {"sheet": "工资表", "row": 5, "why": "total"},
        ],
        "columns": {"工资表": {"name": 1, "phone": 2, "基本工资": 3, "奖金": 4, "net": 6}},
        "hidden_columns": ["单位成本"],
        "warnings": [
            {
                "code": "TOTAL_MISMATCH",
                "message": "工作表“工资表”第5行的合计与各行之和不一致："
                "“实发工资”相差 100.00 元，请核对",
            }
        ],
    }


def test_a_refused_file_is_an_object_of_the_same_shape():
    printed = to_json(check(b"%PDF-1.4", "a.pdf"), "a.pdf")

    assert printed["refused"] == {
        "code": "NOT_PAYROLL",
        "message": "这是PDF 文件，不是表格。请上传 .xlsx、.xls 或 .csv 格式的表格",
    }
    assert printed["accepted"] == printed["held"] == printed["sheets"] == []


@pytest.mark.parametrize(
    ("titles", "sheet", "filename", "period"),
    [
        (["某校2026年3月工资表"], "Sheet1", "a.xlsx", "2026-03"),
        (["某校2026年03月份工资表"], "Sheet1", "2025-12.xlsx", "2026-03"),
        (["二〇二六年三月工资"], "", "", "2026-03"),
        (["二○二六年十二月工资"], "", "", "2026-12"),
        (["2026年十月"], "", "", "2026-10"),
        (["工资表"], "2026.11", "a.xlsx", "2026-11"),
        (["工资表"], "3月", "2026年工资.xlsx", "2026-03"),
        (["工资表"], "Sheet1", "工资202603.xlsx", "2026-03"),
        (["工资表"], "Sheet1", "2026-03工资.xlsx", "2026-03"),
        (["工资表"], "3月", "工资.xlsx", None),
        ([], "Sheet1", "13812345678.xlsx", None),
        (["2026年13月"], "", "", None),
    ],
)
def test_the_month_is_what_the_sheet_says_it_is(titles, sheet, filename, period):
    assert period_of(titles, sheet, filename) == period


def test_a_month_chosen_at_upload_wins_and_a_difference_is_said():
    content = xlsx([["2026年3月工资"], ["姓名", "手机号", "实发工资"], ["张伟", phone(1), 5]])

    report = check_sheet(content, "a.xlsx", ROSTER, period="2026-04")

    assert report.period == "2026-04"
    assert [warning.code for warning in report.warnings] == ["PERIOD_DIFFERS"]


def test_progress_ends_at_the_number_of_rows():
    seen = []
    rows = [["姓名", "手机号", "实发工资"], *([["张伟", phone(1), 5]] * 1200)]

    check_sheet(xlsx(rows), "a.xlsx", ROSTER, on_progress=lambda *step: seen.append(step))

    assert seen == [(500, 1200), (1000, 1200), (1200, 1200)]


def test_the_callers_choice_about_the_collector_is_kept():
    gc.disable()
    try:
        check(b"")
        was_on = gc.isenabled()
    finally:
        gc.enable()

    assert not was_on
