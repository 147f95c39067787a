"""The desk's way in: a QR code on the screen, WeChat scans it, the phone confirms a number. Or
WeCom's own QR page, which asks the phone itself."""

import base64
from io import BytesIO

import qrcode
from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from channel import desk_signin, signin
from channel.clients import official_account_client
from channel.desk_signin import DeskSignIn, DeskState
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wecom.oauth import SignedInMember
from core import ratelimit
from core.db import let_go
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import find_wecom_app_for, sole_wecom_app
from domain.directory.errors import AccountNotNamed, NoAccountYet, UserUnknown
from domain.directory.queries import (
    account_of_identity,
    find_org,
    find_user_actor,
    list_account_choices,
)
from domain.directory.service import accept_invitation, note_identity, sign_out_everywhere

bp = Blueprint("signin", __name__)

# Every code is a call to WeChat, and anybody may open this page.
CODES_PER_ADDRESS = "30/minute"
INVITATION = "invitation"
NOTHING_NEW = ("", 204)


@bp.get("/")
def show() -> ResponseReturnValue:
    if signin.signed_in_user() is not None:
        return redirect(url_for("hr.home.index"))
    ratelimit.count_attempt(CODES_PER_ADDRESS, "desk-code", request.remote_addr or "")
    try:
        account = signin.current_account()
    except NoAccountYet:
        return _wecom_only()
    except AccountNotNamed:
        return _choose()
    app = find_wecom_app_for(account.org_path)
    values = {"bank_name": _bank_name(account), "wecom_app": app.name if app else None}
    begun = desk_signin.begin(signin.browser_id())
    let_go()
    try:
        code = official_account_client(account).create_qrcode(begun.scene, desk_signin.LIFE_SECONDS)
    except (WeChatError, WeChatUnreachable) as refusal:
        page = "desk_signin/signin/unreachable.html"
        return render_template(page, sentence=refusal.sentence, **values), WeChatUnreachable.status
    return render_template(
        "desk_signin/signin/show.html",
        state=DeskState.WAITING,
        code=begun.code,
        picture=_picture(code.url),
        **values,
    )


def _choose() -> ResponseReturnValue:
    """A union has several: whose desk is it?"""
    accounts = list_account_choices(ChannelKind.OFFICIAL_ACCOUNT)
    return render_template("desk_signin/signin/choose.html", accounts=accounts)


def _wecom_only() -> ResponseReturnValue:
    """A bank may have WeCom and no official account."""
    app = sole_wecom_app()
    return render_template(
        "desk_signin/signin/show.html", bank_name=_bank_name(app), wecom_app=app.name
    )


def _bank_name(account: ChannelAccountCredentials) -> str:
    bank = find_org(account.org_path)
    return bank.name if bank else ""


@bp.get("/status/<code>")
def status(code: str) -> ResponseReturnValue:
    """What the page asks every second: nothing new, a number to show, gone, or come in."""
    found = desk_signin.find(code)
    if found is None or not found.is_shown_by(signin.browser_id()):
        return render_template("desk_signin/signin/_box.html", state="stale")
    match found.state:
        case DeskState.SCANNED if request.args.get("shown") != found.state:
            return render_template(
                "desk_signin/signin/_box.html", state=found.state, code=code, number=found.number
            )
        case DeskState.CONFIRMED:
            return _come_in(found)
        case _:
            return NOTHING_NEW


def _come_in(found: DeskSignIn) -> ResponseReturnValue:
    user_id = desk_signin.finish(found.code, signin.browser_id())
    if user_id is None:
        return NOTHING_NEW
    signin.sign_in_user(user_id, account_of_identity(found.identity_id))
    return "", 200, {"HX-Redirect": url_for("hr.home.index")}


# --- through WeCom --------------------------------------------------------------------------


@bp.get("/wecom")
def by_wecom() -> ResponseReturnValue:
    """To WeCom's own QR page, maybe with an invitation to be bound on the way back."""
    app = signin.current_app()
    session.pop(INVITATION, None)
    if invitation := request.args.get("invitation"):
        session[INVITATION] = invitation
    return signin.set_out(signin.desk_sign_in(app), app, url_for("hr.home.index"))


@bp.get("/wecom/<account_name>")
def finish_wecom(account_name: str) -> ResponseReturnValue:
    """Back from WeCom."""
    app = signin.named_account(account_name, ChannelKind.WECOM_APP)

    def let_in(member: SignedInMember) -> None:
        identity_id = note_identity(app, member.userid)
        invitation = session.pop(INVITATION, None)
        if invitation is not None:
            accept_invitation(identity_id, invitation)
        user = find_user_actor(identity_id)
        if user is None:
            raise UserUnknown
        signin.sign_in_user(user.id, app.id)

    return signin.come_back(signin.desk_sign_in(app), app, let_in)


# --- the way out ----------------------------------------------------------------------------


@bp.post("/out-everywhere")
def leave_everywhere() -> ResponseReturnValue:
    """Behind no guard, like the way out; who is signed in nowhere has nothing to end."""
    actor = signin.signed_in_user()
    if actor is not None:
        sign_out_everywhere(actor)
    return leave()


@bp.post("/out")
def leave() -> ResponseReturnValue:
    signin.sign_out()
    return redirect(url_for(".show"), 303)


def _picture(text: str) -> str:
    """Drawn here, so that signing in does not wait for WeChat's picture server."""
    png = BytesIO()
    qrcode.make(text, border=2, box_size=8).save(png)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
