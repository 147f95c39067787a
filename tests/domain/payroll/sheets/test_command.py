import json

from click.testing import CliRunner

from workers.commands.payroll import payroll

from .files import csv_bytes, xlsx
from .people import id_no, phone

ROSTER = csv_bytes(
    [
        ["emp_id", "emp_no", "name", "phone", "id_no", "bank_card", "dept", "status"],
        ["E-1", "1", "张伟", phone(1), id_no(1), "", "一车间", "在职"],
        ["E-2", "2", "李娜", phone(2), id_no(2), "", "一车间", "在职"],
        ["E-3", "3", "刘洋", "154", "", "", "一车间", "在职"],
    ]
)
SHEET = xlsx(
    [
        ["2026年3月工资表"],
        ["姓名", "手机号", "身份证号", "津贴", "成本", "实发工资"],
        ["张伟", phone(1), "", 5, 1, 5],
        ["李娜", phone(9), id_no(2), 6, 1, 6],
        ["马六", phone(8), "", 7, 1, 7],
        ["合计", "", "", 18, 3, 99],
    ],
    hidden_columns=[4],
)


def run(tmp_path, *options, sheet=SHEET, roster=ROSTER):
    (tmp_path / "march.xlsx").write_bytes(sheet)
    (tmp_path / "roster.csv").write_bytes(roster)
    files = [str(tmp_path / "march.xlsx"), "--roster", str(tmp_path / "roster.csv")]
    return CliRunner().invoke(payroll, ["check", *files, *options])


def test_json_is_one_object_and_the_status_is_zero(tmp_path):
    result = run(tmp_path, "--json")

    assert result.exit_code == 0
    printed = json.loads(result.output)
    assert printed["file"] == "march.xlsx"
    assert [row["employee_id"] for row in printed["accepted"]] == ["E-1", "E-2"]
    assert [row["reasons"] for row in printed["held"]] == [["NOT_FOUND"]]


def test_the_summary_says_who_is_held_and_why(tmp_path):
    result = run(tmp_path)

    assert result.exit_code == 0
    for sentence in (
        "march.xlsx：工作表 工资表，月份 2026-03",
        "认出 2 人，实发合计 11.00 元；待核对 1 行",
        "工资表 第5行：花名册里没有「马六」",
        "工资表 第4行：E-2 已认出。手机号和花名册不同",
        "跳过 标题 1 行，表头 1 行，合计 1 行",
        "隐藏的列（员工看不到）：成本",
        "提醒：工作表“工资表”第6行的合计与各行之和不一致",
        "花名册提醒：第4行 手机号“***”不是 11 位手机号，请改正",
    ):
        assert sentence in result.output


def test_a_refused_file_says_why_and_the_status_is_two(tmp_path):
    result = run(tmp_path, sheet=b"%PDF-1.7")
    as_json = run(tmp_path, "--json", sheet=b"%PDF-1.7")

    assert result.exit_code == as_json.exit_code == 2
    assert "march.xlsx：没有读取。这是PDF" in result.output
    assert json.loads(as_json.output)["refused"]["code"] == "NOT_PAYROLL"


def test_a_roster_that_cannot_be_read_is_refused_too(tmp_path):
    result = run(tmp_path, roster=b"")

    assert result.exit_code == 2
    assert "花名册“roster.csv”读不了" in result.output
