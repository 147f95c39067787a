"""The desk's way in: a QR code on the screen, WeChat scans it, the phone confirms a number."""

import base64
from io import BytesIO

import qrcode
from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from channel import desk_signin, signin
from channel.clients import official_account_client
from channel.desk_signin import DeskSignIn, DeskState
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core import ratelimit
from core.db import let_go
from domain.directory.queries import find_org
from domain.directory.service import note_user_sign_in

bp = Blueprint("signin", __name__)

# Every code is a call to WeChat, and anybody may open this page.
CODES_PER_ADDRESS = "30/minute"
NOTHING_NEW = ("", 204)


@bp.get("/")
def show() -> ResponseReturnValue:
    if signin.USER in session:
        return redirect(url_for("hr.home.index"))
    ratelimit.count_attempt(CODES_PER_ADDRESS, "desk-code", request.remote_addr or "")
    account = signin.current_account()
    bank = find_org(account.org_path)
    begun = desk_signin.begin(signin.browser_id())
    let_go()
    try:
        code = official_account_client(account).create_qrcode(begun.scene, desk_signin.LIFE_SECONDS)
    except (WeChatError, WeChatUnreachable) as refusal:
        page = render_template("desk_signin/signin/unreachable.html", sentence=refusal.sentence)
        return page, WeChatUnreachable.status
    return render_template(
        "desk_signin/signin/show.html",
        state=DeskState.WAITING,
        code=begun.code,
        picture=_picture(code.url),
        bank_name=bank.name if bank else "",
    )


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
    note_user_sign_in(user_id)
    signin.sign_in_user(user_id)
    return "", 200, {"HX-Redirect": url_for("hr.home.index")}


@bp.post("/out")
def leave() -> ResponseReturnValue:
    signin.sign_out()
    return redirect(url_for(".show"), 303)


def _picture(text: str) -> str:
    """Drawn here, so that signing in does not wait for WeChat's picture server."""
    png = BytesIO()
    qrcode.make(text, border=2, box_size=8).save(png)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
