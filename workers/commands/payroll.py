"""``xinqiao payroll``: what the platform would make of a sheet, sending nothing."""

import json
from collections import Counter
from pathlib import Path

import click

from core.money import yuan_grouped
from domain.payroll.sheets import (
    Refusal,
    RosterReport,
    SheetReport,
    check_sheet,
    read_roster,
    to_json,
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_REFUSED = 2
_WHY = {
    "title": "标题",
    "header": "表头",
    "section": "分组标题",
    "subtotal": "小计",
    "page_subtotal": "本页小计",
    "total": "合计",
    "signature": "签字栏",
    "note": "说明",
}


@click.group()
def payroll() -> None:
    """Payroll sheets."""


@payroll.command()
@click.argument("file", type=_FILE)
@click.option("--roster", "roster_file", type=_FILE, required=True, help="CSV or XLSX")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of a summary")
@click.pass_context
def check(context: click.Context, file: Path, roster_file: Path, *, as_json: bool) -> None:
    """Read a payroll sheet against a roster and report; nothing is stored or sent."""
    roster = read_roster(roster_file.read_bytes(), roster_file.name)
    if roster.refused:
        sentence = f"花名册“{roster_file.name}”读不了：{roster.refused.message}"
        report = SheetReport(refused=Refusal(roster.refused.code, sentence))
    else:
        report = check_sheet(file.read_bytes(), file.name, roster.everybody())
    if as_json:
        click.echo(json.dumps(to_json(report, file.name), ensure_ascii=False))
    else:
        click.echo("\n".join(_summary(report, file.name, roster)))
    context.exit(_REFUSED if report.refused else 0)


def _summary(report: SheetReport, filename: str, roster: RosterReport) -> list[str]:
    if report.refused:
        return [f"{filename}：没有读取。{report.refused.message}"]
    total = yuan_grouped(sum(row.net_fen for row in report.accepted))
    lines = [
        f"{filename}：工作表 {'、'.join(report.sheets)}，月份 {report.period or '没有写明'}",
        f"认出 {len(report.accepted)} 人，实发合计 {total} 元；待核对 {len(report.held)} 行",
    ]
    lines += [f"  {row.sheet} 第{row.row}行：{row.message}" for row in report.held]
    lines += [
        f"  {row.sheet} 第{row.row}行：{row.employee_id} 已认出。{notice.message}"
        for row in report.accepted
        for notice in row.warnings
    ]
    skipped = Counter(_WHY.get(row.why, row.why) for row in report.skipped)
    if skipped:
        lines.append("跳过 " + "，".join(f"{why} {count} 行" for why, count in skipped.items()))
    if report.hidden_columns:
        lines.append(f"隐藏的列（员工看不到）：{'、'.join(report.hidden_columns)}")
    lines += [f"提醒：{notice.message}" for notice in report.warnings]
    lines += [f"花名册提醒：{problem.message}" for problem in roster.problems]
    return lines
