"""Deciding about held rows: correct them, say whose they are, leave them out, bring them back."""

from collections.abc import Callable
from typing import Annotated

from flask import flash, g, request
from flask.typing import ResponseReturnValue
from pydantic import Field, StringConstraints

from channel.workbench.desk import Cursor, Form, desk_room, read_values, see_other, sentences
from core.errors import BadInput
from domain.directory.access import Actor
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
    with sentences():
        _decide_chosen(service.leave_out, "{} 行不发工资条")
    return see_other("hr.payroll.batch", batch_id=batch_id, _anchor=ANCHOR)


@bp.post("/restore")
def restore(batch_id: int) -> ResponseReturnValue:
    with sentences():
        _decide_chosen(service.restore_row, "{} 行已恢复，请重新核对")
    return see_other("hr.payroll.batch", batch_id=batch_id, _anchor=ANCHOR)


def _decide_chosen(decide: Callable[[Actor, int], None], done: str) -> None:
    """Row by row, so that one which a colleague has just decided keeps none of the others back."""
    form = read_values(SelectionForm, {"held_id": request.form.getlist("held_id")})
    if not form.held_id:
        raise NothingChosen
    decided = 0
    for held_id in sorted(form.held_id):
        try:
            decide(g.actor, held_id)
        except RowDecided:
            decided += 1
    said = done.format(len(form.held_id) - decided)
    flash(f"{said}；{decided} 行刚刚已经处理过" if decided else said, "ok")
