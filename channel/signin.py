"""Sessions and guards: who is there, for the employee's pages and for the desk."""

import secrets

from flask import g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from channel.wechat.oauth import WebSignIn
from core.errors import NotFound, NotSignedIn
from core.redis import redis
from core.settings import get_settings
from core.web import ServerSession
from domain.directory.access import Actor
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.channel_accounts import channel_account_by_name, sole_official_account
from domain.directory.errors import AccountNotNamed, AccountUnknown
from domain.directory.queries import find_enabled_user
from domain.directory.service import employee_actor

ACCOUNT, IDENTITY, BROWSER, USER = "account", "identity_id", "browser", "user_id"

LOOKING = frozenset({"GET", "HEAD"})


class SignInFirst(NotSignedIn):
    code, message = "sign_in_first", "登录已过期，请回到公众号，从菜单或消息重新打开"


# --- employees ------------------------------------------------------------------------------


def identity_guard() -> ResponseReturnValue | None:
    """Somebody WeChat has vouched for, bound to an employee or not."""
    if IDENTITY not in session:
        if request.method not in LOOKING:
            raise SignInFirst
        return redirect(authorize_address(current_account(), request.full_path.rstrip("?")))
    g.actor = employee_actor(session[IDENTITY], session[ACCOUNT])
    return None


def employee_guard() -> ResponseReturnValue | None:
    """An employee bound to the WeChat that is signed in."""
    answer = identity_guard()
    if answer is not None:
        return answer
    actor: Actor = g.actor
    if not actor.employee_ids:
        return redirect(url_for("binding.binding.form"))
    return None


def current_account() -> ChannelAccountCredentials:
    """The official account that the link names, or the only one there is."""
    name = request.args.get("account")
    return named_account(name) if name else sole_official_account()


def named_account(name: str) -> ChannelAccountCredentials:
    """As a link names it: to the person who taps it, a wrong name is a broken link."""
    try:
        return channel_account_by_name(name)
    except AccountUnknown as error:
        raise AccountNotNamed from error


def authorize_address(account: ChannelAccountCredentials, return_to: str) -> str:
    """Where to send a browser so that WeChat says who holds it."""
    return web_sign_in(account).begin(browser_id(), return_to)


def web_sign_in(account: ChannelAccountCredentials) -> WebSignIn:
    settings = get_settings()
    back = f"{settings.public_url}/me/signin/{account.name}"
    return WebSignIn(redis(), account, settings.open_url, back)


def browser_id() -> str:
    """A random text that names this browser's session, made at the first call."""
    if BROWSER not in session:
        session[BROWSER] = secrets.token_urlsafe(24)
    return str(session[BROWSER])


def sign_in_identity(identity_id: int, channel_account_id: int) -> None:
    """Bind the session to an identity of one account, under a new id."""
    _start_anew()
    session[IDENTITY], session[ACCOUNT] = identity_id, channel_account_id


# --- the desk -------------------------------------------------------------------------------


def workbench_guard() -> ResponseReturnValue | None:
    actor = find_enabled_user(session[USER]) if USER in session else None
    if actor is None:
        session.pop(USER, None)
        if request.headers.get("HX-Request"):
            return "", 401, {"HX-Redirect": url_for("desk_signin.signin.show")}
        if request.method not in LOOKING:
            raise SignInFirst
        return redirect(url_for("desk_signin.signin.show"))
    g.actor = actor
    return None


def sign_in_user(user_id: int) -> None:
    _start_anew()
    session[USER] = user_id


def sign_out() -> None:
    _start_anew()


def _start_anew() -> None:
    if not isinstance(session._get_current_object(), ServerSession):  # type: ignore[attr-defined]  # a proxy's own method
        raise NotFound
    session.clear()
    session.rotate()  # type: ignore[attr-defined]  # ServerSession's, see above
