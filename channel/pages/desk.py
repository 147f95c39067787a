"""The phone's half of the workbench sign-in: the person who scanned says which number they see."""

from http import HTTPStatus

from flask import Blueprint, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from channel import desk_signin
from channel.pages.frame import page

bp = Blueprint("signin", __name__)


@bp.get("/<code>")
def choose(code: str) -> ResponseReturnValue:
    waiting = desk_signin.find_scanned(code, g.actor.id)
    return page("desk/signin/choose.html", code=code, choices=desk_signin.choices(waiting))


@bp.post("/<code>")
def confirm(code: str) -> ResponseReturnValue:
    desk_signin.confirm(code, g.actor.id, request.form.get("number", ""))
    return redirect(url_for(".confirmed"), HTTPStatus.SEE_OTHER)


@bp.post("/<code>/refuse")
def refuse(code: str) -> ResponseReturnValue:
    desk_signin.cancel(code, g.actor.id)
    return redirect(url_for(".refused"), HTTPStatus.SEE_OTHER)


@bp.get("/confirmed")
def confirmed() -> ResponseReturnValue:
    return page("desk/signin/confirmed.html")


@bp.get("/refused")
def refused() -> ResponseReturnValue:
    return page("desk/signin/refused.html")
