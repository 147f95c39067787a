"""The roster: who is on it, who has bound their WeChat, and bringing it up to date from a file."""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass

from flask import Response, flash, g, render_template, request, session
from flask.typing import ResponseReturnValue
from pydantic import Field

from channel.workbench.desk import Cursor, Form, desk_room, form_of, query_of, see_other, sentences
from core.errors import BadInput, Conflict
from core.security import mask_id_no, seal, unseal
from core.settings import get_settings
from domain.directory.access import Actor, Permission
from domain.directory.queries import count_roster, list_employees
from domain.directory.roster import Clash, RosterImported, import_roster
from domain.directory.service import unbind_employee
from domain.payroll.sheets import read_roster

bp = desk_room("roster", "/roster")
bp.add_app_template_filter(mask_id_no, "mask_id_no")

ENDINGS = ".csv,.xlsx,.xls"
MOST_PROBLEMS = 200
MOST_CHOICES = 8
REPORT, REPORT_PURPOSE = "roster_report", "session.roster_report"

CLASHES = {Clash.PHONE: "手机号", Clash.ID_NO: "身份证号", Clash.EMP_NO: "工号"}

# With a byte-order mark, without which Excel shows Chinese as gibberish.
TEMPLATE = (
    "\ufeff员工标识,工号,姓名,手机号,身份证号,银行卡号,部门,状态,入职日期,离职日期\r\n"
    ",1001,张三,13912345678,,,教务处,在职,2024-03-01,\r\n"
)


class RosterMissing(BadInput):
    code, message = (
        "roster_missing",
        "没有收到花名册，或文件是空的，请选择 CSV 或 Excel 文件后再导入",
    )


class RosterRefused(BadInput):
    code, message = "roster_refused", "花名册“{file}”读不了：{sentence}"


class RosterQuery(Form):
    name: str = Field(default="", max_length=50)
    after: Cursor = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file: how many rows, and a sentence for each refused one."""

    file_name: str
    added: int
    changed: int
    unchanged: int
    left: int
    refused: int
    problems: tuple[str, ...]


@bp.get("")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    query = query_of(RosterQuery)
    return render_template(
        "hr/roster/index.html",
        counts=count_roster(actor),
        page=list_employees(actor, name=query.name, after=query.after),
        query=query,
        may_write=actor.may(Permission.ROSTER_WRITE),
    )


@bp.get("/choices")
def choices() -> ResponseReturnValue:
    """Whoever has a name that begins so, to choose from beside a held row."""
    query = query_of(RosterQuery)
    page = list_employees(g.actor, name=query.name, size=MOST_CHOICES) if query.name else None
    return render_template("hr/roster/_choices.html", query=query, page=page)


@bp.get("/import")
def new() -> ResponseReturnValue:
    g.actor.require(Permission.ROSTER_WRITE)
    return _import_page(None)


@bp.post("/import")
def upload() -> ResponseReturnValue:
    g.actor.require(Permission.ROSTER_WRITE)
    sheet = request.files.get("roster")
    file_name = (sheet.filename if sheet else "") or ""
    try:
        report = _import(file_name, sheet.read() if sheet else b"")
    except (BadInput, Conflict) as refusal:
        return _import_page(refusal.sentence), refusal.status
    session[REPORT] = seal(REPORT_PURPOSE, json.dumps(asdict(report)))
    return see_other(".report")


def _import_page(refusal: str | None) -> str:
    return render_template(
        "hr/roster/new.html",
        refusal=refusal,
        endings=ENDINGS,
        max_bytes=get_settings().upload_limit_bytes,
    )


def _import(file_name: str, content: bytes) -> ImportReport:
    if not content:
        raise RosterMissing
    read = read_roster(content, file_name)
    if read.refused:
        raise RosterRefused(file=file_name, sentence=read.refused.message)
    usable = [row for row in read.accepted if row.entry.emp_id]
    done = import_roster(g.actor, [row.entry for row in usable]) if usable else RosterImported()
    faults: dict[int, list[str]] = defaultdict(list)
    for problem in read.problems:
        faults[problem.row].append(problem.message.removeprefix(f"第{problem.row}行 "))
    for row in read.accepted:
        if not row.entry.emp_id:
            faults[row.row].append("没有员工标识或工号，请填写后再导入")
    for clash in done.refused:
        sentence = f"{CLASHES[clash.clash]}已是「{clash.holder}」的，请核对"
        faults[usable[clash.index].row].append(sentence)
    return ImportReport(
        file_name=file_name,
        added=done.added,
        changed=done.changed,
        unchanged=done.unchanged,
        left=done.left,
        refused=len(faults),
        problems=tuple(
            f"第{row}行 {'；'.join(said)}" for row, said in sorted(faults.items())[:MOST_PROBLEMS]
        ),
    )


@bp.get("/report")
def report() -> ResponseReturnValue:
    """What the last import came to, for as long as the person stays signed in."""
    g.actor.require(Permission.ROSTER_WRITE)
    if REPORT not in session:
        return see_other(".index")
    kept = json.loads(unseal(REPORT_PURPOSE, session[REPORT]))
    return render_template("hr/roster/report.html", report=kept)


@bp.get("/template.csv")
def template() -> ResponseReturnValue:
    headers = {"Content-Disposition": "attachment; filename=roster-template.csv"}
    return Response(TEMPLATE, mimetype="text/csv", headers=headers)


@bp.post("/<int:employee_id>/unbind")
def unbind(employee_id: int) -> ResponseReturnValue:
    form = form_of(RosterQuery)
    with sentences():
        unbind_employee(g.actor, employee_id)
        flash("已解除绑定。员工可以用新的微信重新绑定", "ok")
    return see_other(".index", name=form.name or None, after=form.after or None)
