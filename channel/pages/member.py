"""What a member of the corp opens in WeCom: the way in, and the page they find there."""

from flask import Blueprint, g, render_template, session, url_for
from flask.typing import ResponseReturnValue

from channel import signin
from channel.clients import wecom_client
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wecom.oauth import SignedInMember
from core.db import reading
from core.security import mask_name
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import title_of
from domain.directory.queries import name_of_org
from domain.directory.service import note_identity, sign_out_everywhere

# The way in and the rooms behind it hang at two doors, the sidebar's and the manager's.
signin_bp = Blueprint("signin", __name__)
home_bp = Blueprint("home", __name__)

# Kept in the session, so that no page has to ask WeCom or the database for them.
MEMBER, CORP, APP = "member_name", "corp_name", "app_title"


@signin_bp.get("/signin/<account_name>")
def finish(account_name: str) -> ResponseReturnValue:
    """Back from WeCom."""
    app = signin.named_account(account_name, ChannelKind.WECOM_APP)

    def let_in(member: SignedInMember) -> None:
        name = _masked_name(app, member.userid)
        signin.sign_in_identity(note_identity(app, member.userid), app.id)
        session[MEMBER], session[APP] = name, title_of(app.id)
        session[CORP] = name_of_org(reading(), app.org_path)

    return signin.come_back(signin.member_sign_in(app), app, let_in)


@home_bp.get("/")
def index() -> str:
    return render_template(
        "member/home.html",
        member=session.get(MEMBER, ""),
        corp=session.get(CORP, ""),
        app_title=session.get(APP, ""),
        leave_url=url_for(".leave_everywhere"),
    )


@home_bp.post("/sign-out-everywhere")
def leave_everywhere() -> str:
    sign_out_everywhere(g.actor)
    signin.sign_out()
    return render_template("member/signed_out.html", home_url=url_for(".index"))


def _masked_name(app: ChannelAccountCredentials, userid: str) -> str:
    """Signing in does not depend on it: WeCom may withhold a member's name from the app."""
    try:
        name = wecom_client(app).get_member(userid).name
    except (WeChatError, WeChatUnreachable):
        name = ""
    return mask_name(name or userid)
