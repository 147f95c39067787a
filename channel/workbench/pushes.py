"""Messages that went out, and what became of each."""

from flask import g, render_template
from flask.typing import ResponseReturnValue

from channel.workbench.desk import Cursor, Form, desk_room, query_of
from core.security import mask_name
from domain.directory.access import Actor, Permission
from domain.directory.queries import names_of_employees
from domain.pushes.models import MessageKind
from domain.pushes.queries import list_pushes

bp = desk_room("pushes", "/pushes")

KINDS = {
    MessageKind.PAYSLIP_READY: "工资条通知",
    MessageKind.QUESTION_ANSWERED: "提问的回复",
}


class PushesQuery(Form):
    before: Cursor | None = None


@bp.get("")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    query = query_of(PushesQuery)
    page = list_pushes(actor, before=query.before)
    names = names_of_employees([row.employee_id for row in page.rows])
    if not actor.may(Permission.ROSTER_READ):
        names = {employee_id: mask_name(name) for employee_id, name in names.items()}
    return render_template("hr/pushes/index.html", page=page, query=query, names=names, kinds=KINDS)
