"""「我的」: whose payslips this WeChat shows, and the way out."""

from http import HTTPStatus

from flask import Blueprint, g, redirect, url_for
from flask.typing import ResponseReturnValue

from channel import signin
from channel.pages.frame import page, tabs
from domain.directory.queries import list_bound_employees
from domain.directory.service import sign_out_everywhere

bp = Blueprint("account", __name__)


@bp.get("/account")
def show() -> ResponseReturnValue:
    return page("employee/account/show.html", tabs=tabs(), employees=list_bound_employees(g.actor))


@bp.post("/account/sign-out-everywhere")
def sign_out_of_all() -> ResponseReturnValue:
    sign_out_everywhere(g.actor)
    return sign_out()


@bp.post("/account/sign-out")
def sign_out() -> ResponseReturnValue:
    signin.sign_out()
    return redirect(url_for("welcome.signin.signed_out"), HTTPStatus.SEE_OTHER)
