"""The employee's way in: every link of a message starts here, WeChat says who taps it."""

from flask import Blueprint, redirect, request, session
from flask.typing import ResponseReturnValue

from channel import signin
from channel.pages.frame import BANK_NAME, page
from channel.web_signin import StateRefused, is_own_path
from channel.wechat.client import AuthorizedOpenid
from core.db import reading
from domain.directory.queries import name_of_org
from domain.directory.service import note_identity

bp = Blueprint("signin", __name__)

HOME = "/me/payslips"


@bp.get("/")
def home() -> ResponseReturnValue:
    return redirect(HOME)


@bp.get("/open")
def open_link() -> ResponseReturnValue:
    """Ask WeChat anew, whoever was signed in before: a message may be opened on another's phone."""
    return_to, account = request.args.get("to", HOME), signin.current_account()
    if not is_own_path(return_to) or not return_to.startswith("/me/"):
        with signin.refusals_noted(account):
            raise StateRefused
    return signin.set_out(signin.employee_sign_in(account), account, return_to)


@bp.get("/signin/<account_name>")
def finish(account_name: str) -> ResponseReturnValue:
    """Back from WeChat."""
    account = signin.named_account(account_name)

    def let_in(person: AuthorizedOpenid) -> None:
        signin.sign_in_identity(note_identity(account, person.openid), account.id)
        session[BANK_NAME] = name_of_org(reading(), account.org_path)

    return signin.come_back(signin.employee_sign_in(account), account, let_in)


@bp.get("/signed-out")
def signed_out() -> str:
    """Outside the guard, which would sign in again at once."""
    return page("welcome/signin/signed_out.html")
