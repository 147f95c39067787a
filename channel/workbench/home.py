"""The first page: where things stand, and what to do next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue

from channel.workbench.desk import desk_room
from domain.directory.access import Actor, Permission
from domain.directory.queries import RosterCounts, count_roster
from domain.payroll.models import BatchStatus, QuestionStatus
from domain.payroll.queries import BatchRow, list_batches
from domain.payroll.question_queries import count_open_questions, list_questions

bp = desk_room("home")

MOST_SHOWN = 5
NEEDED = (Permission.PAYROLL_READ, Permission.PAYROLL_ANSWER, Permission.ROSTER_READ)


@dataclass(frozen=True, slots=True)
class NextStep:
    text: str
    hint: str
    action: str
    url: str


@bp.get("/")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    if not all(actor.may(permission) for permission in NEEDED):
        return render_template("hr/home/visitor.html")
    roster, batches = count_roster(actor), list_batches(actor).rows
    open_count = count_open_questions(actor)
    return render_template(
        "hr/home/index.html",
        roster=roster,
        batches=batches[:MOST_SHOWN],
        latest=next((row for row in batches if row.status is BatchStatus.PUBLISHED), None),
        drafts=sum(row.status is BatchStatus.DRAFT for row in batches),
        open_count=open_count,
        questions=list_questions(actor, status=QuestionStatus.OPEN).rows[:MOST_SHOWN],
        steps=list(next_steps(roster, batches, open_count)),
    )


def next_steps(
    roster: RosterCounts, batches: Sequence[BatchRow], open_count: int
) -> Iterator[NextStep]:
    """What waits for HR, the most pressing first."""
    if not roster.employed:
        yield NextStep(
            "先导入花名册",
            "工资表要对照花名册，才知道每一行是谁的",
            "导入花名册",
            url_for("hr.roster.index"),
        )
        return
    for row in batches:
        if row.status is not BatchStatus.DRAFT:
            continue
        hint = f"{row.held} 行待核对" if row.held else f"{row.slips} 人已对上，可以发布"
        yield NextStep(
            f"核对并发布“{row.file_name}”",
            hint,
            "去核对",
            url_for("hr.payroll.batch", batch_id=row.id),
        )
    if open_count:
        yield NextStep(
            f"回复 {open_count} 个员工提问",
            "回复会发到员工的微信",
            "去回复",
            url_for("hr.questions.index"),
        )
    if not batches:
        yield NextStep(
            "上传第一份工资表",
            "原来的表不用改，标题行、合计行都认得",
            "上传工资表",
            url_for("hr.payroll.new"),
        )
    if unbound := roster.employed - roster.bound:
        yield NextStep(
            f"请 {unbound} 位员工绑定微信",
            "关注公众号，从菜单进入“我的工资条”，按提示核对身份",
            "查看花名册",
            url_for("hr.roster.index"),
        )
