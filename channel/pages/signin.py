"""The employee's way in: every link of a message starts here, WeChat says who taps it."""

from flask import Blueprint, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from channel import signin
from channel.clients import official_account_client
from channel.pages.frame import BANK_NAME, page
from channel.wechat.oauth import CodeUsed, StateRefused, is_own_path
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
    return_to = request.args.get("to", HOME)
    if not is_own_path(return_to) or not return_to.startswith("/me/"):
        raise StateRefused
    return redirect(signin.authorize_address(signin.current_account(), return_to))


@bp.get("/signin/<account_name>")
def finish(account_name: str) -> ResponseReturnValue:
    """Back from WeChat. Ends in a redirect, so that the used code leaves the address."""
    account = signin.named_account(account_name)
    try:
        signed_in = signin.web_sign_in(account).finish(
            official_account_client(account),
            request.args.get("code", ""),
            request.args.get("state", ""),
            signin.browser_id(),
        )
    except CodeUsed as error:
        return redirect(url_for(".open_link", account=account_name, to=error.return_to))
    identity_id = note_identity(account, signed_in.openid)
    signin.sign_in_identity(identity_id, account.id)
    session[BANK_NAME] = name_of_org(reading(), account.org_path)
    return redirect(signed_in.return_to)


@bp.get("/signed-out")
def signed_out() -> str:
    """Outside the guard, which would sign in again at once."""
    return page("welcome/signin/signed_out.html")
