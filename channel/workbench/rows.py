"""Deciding about held rows: correct them, say whose they are, or leave them out."""

from typing import Annotated

from flask import flash, g, request
from flask.typing import ResponseReturnValue
from pydantic import Field, StringConstraints

from channel.workbench.desk import Cursor, Form, desk_room, read_values, see_other, sentences
from core.errors import BadInput
from domain.payroll import service
from domain.payroll.errors import RowDecided

bp = desk_room("rows", "/payroll/<int:batch_id>/rows")

# How a form names a cell: the prefix, then the column's label.
CELL = "cell:"
ANCHOR = "held"


class RowForm(Form):
    emp_id: str = Field(default="", max_length=64)
    cells: dict[str, Annotated[str, StringConstraints(max_length=500)]]


class SelectionForm(Form):
    held_id: frozenset[Cursor] = Field(max_length=200)


class NothingChosen(BadInput):
    code, message = "nothing_chosen", "请先选中要处理的行"


@bp.post("/<int:held_id>")
def settle(batch_id: int, held_id: int) -> ResponseReturnValue:
    cells = {
        name.removeprefix(CELL): text
        for name, text in request.form.items()
        if name.startswith(CELL)
    }
    form = read_values(RowForm, {"emp_id": request.form.get("emp_id", ""), "cells": cells})
    with sentences():
        still_held = service.settle_row(g.actor, held_id, form.cells, emp_id=form.emp_id or None)
        if still_held:
            flash(f"第 {still_held.row} 行还不能发：{still_held.message}", "warn")
        else:
            flash("这一行已对上，会随这一批发布", "ok")
    return see_other("hr.payroll.batch", batch_id=batch_id, _anchor=ANCHOR)


@bp.post("/leave-out")
def leave_out(batch_id: int) -> ResponseReturnValue:
    form = read_values(SelectionForm, {"held_id": request.form.getlist("held_id")})
    with sentences():
        if not form.held_id:
            raise NothingChosen
        decided = _leave_out(sorted(form.held_id))
        done = f"{len(form.held_id) - decided} 行不发工资条"
        flash(f"{done}；{decided} 行刚刚已经处理过" if decided else done, "ok")
    return see_other("hr.payroll.batch", batch_id=batch_id, _anchor=ANCHOR)


def _leave_out(held_ids: list[int]) -> int:
    """Row by row, so that one which a colleague has just decided keeps none of the others back;
    how many of those there were."""
    decided = 0
    for held_id in held_ids:
        try:
            service.leave_out(g.actor, held_id)
        except RowDecided:
            decided += 1
    return decided
