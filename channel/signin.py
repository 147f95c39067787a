"""Sessions and guards: who is there, for the employee's pages, for WeCom's and for the desk."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from flask import g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from channel.clients import official_account_client, wecom_client
from channel.web_signin import REFUSALS, CodeUsed, WebSignIn
from channel.wechat.oauth import OfficialAccountSignIn
from channel.wecom.oauth import WecomQrSignIn, WecomSignIn
from core.db import let_go
from core.errors import NotFound, NotSignedIn
from core.redis import redis
from core.settings import get_settings
from core.web import ServerSession
from domain.directory.access import Actor
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import (
    channel_account_by_name,
    sole_official_account,
    sole_wecom_app,
)
from domain.directory.errors import AccountNotNamed, AccountUnknown
from domain.directory.queries import (
    epoch_of_identity,
    find_signed_in_identity,
    find_signed_in_user,
)
from domain.directory.service import note_refused_sign_in, note_user_sign_in

ACCOUNT, IDENTITY, USER = "account", "identity_id", "user_id"
EPOCH = "epoch"  # signing out everywhere ends the sessions of all epochs before
BROWSER = "browser"
MOVED = "moved"  # from another name of ours to the public one

LOOKING = frozenset({"GET", "HEAD"})

P = TypeVar("P")


class SignInFirst(NotSignedIn):
    code, message = "sign_in_first", "登录已过期，请回到公众号，从菜单或消息重新打开"


class MemberSignInFirst(NotSignedIn):
    code, message = "member_sign_in_first", "登录已过期，请关闭本页，从企业微信重新打开"


# --- employees ------------------------------------------------------------------------------


def identity_guard() -> ResponseReturnValue | None:
    """Somebody WeChat has vouched for, bound to an employee or not."""
    actor = signed_in_identity()
    if actor is None:
        if request.method not in LOOKING:
            raise SignInFirst
        account = current_account()
        return set_out(employee_sign_in(account), account, _this_page())
    g.actor = actor
    return None


def script_guard() -> None:
    """The same for what a page's script asks: it is refused instead of sent to WeChat."""
    actor = signed_in_identity()
    if actor is None:
        raise SignInFirst
    g.actor = actor


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


def employee_sign_in(account: ChannelAccountCredentials) -> OfficialAccountSignIn:
    client, back = official_account_client(account), _own_address(f"/me/signin/{account.name}")
    return OfficialAccountSignIn(redis(), account, client, get_settings().open_url, back)


# --- members of a corp in WeCom -------------------------------------------------------------


def member_guard() -> ResponseReturnValue | None:
    """A member of the corp whose app was opened. What they may do, the rooms behind it say."""
    actor = signed_in_identity()
    if actor is None or not _is_of_named_app(actor):
        if request.method not in LOOKING:
            raise MemberSignInFirst
        app = current_app()
        return set_out(member_sign_in(app), app, _this_page())
    g.actor = actor
    return None


def _is_of_named_app(actor: Actor) -> bool:
    """One browser may open the pages of several apps, one after the other."""
    return "account" not in request.args or current_app().id == actor.channel_account_id


def current_app() -> ChannelAccountCredentials:
    """The WeCom app that the link names, or the only one there is."""
    name = request.args.get("account")
    return named_account(name, ChannelKind.WECOM_APP) if name else sole_wecom_app()


def member_sign_in(app: ChannelAccountCredentials) -> WecomSignIn:
    """In WeCom's own browser; leads back to the door whose session this is."""
    back = _own_address(f"{_own_session().scope.path}/signin/{app.name}")
    return WecomSignIn(redis(), app, wecom_client(app), get_settings().wecom_open_url, back)


# --- the desk -------------------------------------------------------------------------------


def workbench_guard() -> ResponseReturnValue | None:
    actor = signed_in_user()
    if actor is None:
        session.pop(USER, None)
        if request.headers.get("HX-Request"):
            return "", 401, {"HX-Redirect": url_for("desk_signin.signin.show")}
        if request.method not in LOOKING:
            raise SignInFirst
        return redirect(url_for("desk_signin.signin.show"))
    g.actor = actor
    return None


def desk_sign_in(app: ChannelAccountCredentials) -> WecomQrSignIn:
    back = _own_address(url_for("desk_signin.signin.finish_wecom", account_name=app.name))
    return WecomQrSignIn(redis(), app, wecom_client(app), get_settings().wecom_login_url, back)


# --- there and back -------------------------------------------------------------------------


def set_out(
    sign_in: WebSignIn[P], account: ChannelAccountCredentials, return_to: str
) -> ResponseReturnValue:
    """Send the browser to where the platform says who holds it.

    From another name of ours (``localhost``) first to the public one: the platform leads back to
    it, and what the browser keeps for one name it does not send to another.
    """
    is_other_name = _host_of(request.url) != _host_of(get_settings().public_url)
    # Once only: behind a proxy that writes its own name into Host it would go round for ever.
    if is_other_name and MOVED not in request.args:
        return redirect(_own_address(f"{request.path}?{urlencode([*_asked(), (MOVED, '1')])}"))
    with refusals_noted(account):
        return redirect(sign_in.begin(browser_id(), return_to))


def come_back(
    sign_in: WebSignIn[P], account: ChannelAccountCredentials, let_in: Callable[[P], None]
) -> ResponseReturnValue:
    """Ends in a redirect, so that the used code leaves the address."""

    def begin_session(person: P) -> str:
        let_in(person)
        _own_session().keep()
        return _own_session().sid

    code, state = request.args.get("code", ""), request.args.get("state", "")
    let_go()
    try:
        with refusals_noted(account):
            came = sign_in.finish(code, state, session.get(BROWSER, ""), begin_session)
    except CodeUsed as used:
        return set_out(sign_in, account, used.return_to)
    if came.joins is not None:
        _own_session().join(came.joins)
    return redirect(came.return_to)


@contextmanager
def refusals_noted(account: ChannelAccountCredentials) -> Iterator[None]:
    """A sign-in that lets nobody in stands in the account's trail."""
    try:
        yield
    except REFUSALS as refusal:
        note_refused_sign_in(account, refusal.code)
        raise


def named_account(
    name: str, kind: ChannelKind = ChannelKind.OFFICIAL_ACCOUNT
) -> ChannelAccountCredentials:
    """As a link names it: to the person who taps it, a wrong name is a broken link."""
    try:
        account = channel_account_by_name(name)
    except AccountUnknown as error:
        raise AccountNotNamed from error
    if account.kind is not kind:
        raise AccountNotNamed
    return account


def _asked() -> list[tuple[str, str]]:
    return list(request.args.items(multi=True))


def _host_of(url: str) -> str | None:
    return urlsplit(url).hostname


def _own_address(path: str) -> str:
    return f"{get_settings().public_url}{path}"


def _this_page() -> str:
    return request.full_path.rstrip("?")


# --- sessions -------------------------------------------------------------------------------


def signed_in_identity() -> Actor | None:
    if IDENTITY not in session:
        return None
    return find_signed_in_identity(session[IDENTITY], session[ACCOUNT], session.get(EPOCH, 0))


def signed_in_user() -> Actor | None:
    if USER not in session:
        return None
    return find_signed_in_user(session[USER], session.get(ACCOUNT, 0), session.get(EPOCH, 0))


def sign_in_identity(identity_id: int, channel_account_id: int) -> None:
    """Bind the session to an identity of one account, under a new id."""
    epoch = epoch_of_identity(identity_id)
    _start_anew()
    session[IDENTITY], session[ACCOUNT], session[EPOCH] = identity_id, channel_account_id, epoch


def sign_in_user(user_id: int, channel_account_id: int) -> None:
    epoch = note_user_sign_in(user_id)
    _start_anew()
    session[USER], session[ACCOUNT], session[EPOCH] = user_id, channel_account_id, epoch


def sign_out() -> None:
    session.clear()
    _own_session().rotate()


def browser_id() -> str:
    """A random text that names this browser until it signs out, made at the first call."""
    if BROWSER not in session:
        session[BROWSER] = secrets.token_urlsafe(24)
    return str(session[BROWSER])


def _start_anew() -> None:
    """Another session of the same browser. What of its requests is still under way with the old
    id finds nothing but the browser's name: enough to be led to the new one, see ``come_back``."""
    browser = browser_id()
    session.clear()
    session[BROWSER] = browser
    _own_session().rotate(left={BROWSER: browser})


def _own_session() -> ServerSession:
    own = session._get_current_object()  # type: ignore[attr-defined]  # a proxy's own method
    if not isinstance(own, ServerSession):
        raise NotFound
    return own
