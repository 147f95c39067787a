"""The phone's half of the workbench sign-in: the person who scanned says which number they see."""

from http import HTTPStatus

from flask import Blueprint, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from channel import desk_signin
from channel.desk_signin import DeskSignInGone
from channel.pages.frame import page
from domain.directory.queries import find_enabled_user, find_org

bp = Blueprint("signin", __name__)


@bp.get("/<code>")
def choose(code: str) -> ResponseReturnValue:
    waiting = desk_signin.find_scanned(code, g.actor.id)
    user = find_enabled_user(waiting.user_id)
    if user is None:
        raise DeskSignInGone
    return page(
        "desk/signin/choose.html",
        code=code,
        user_name=user.name,
        org=find_org(user.org_path),
        choices=desk_signin.choices(waiting),
    )


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
