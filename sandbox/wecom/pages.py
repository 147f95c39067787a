"""What a member's browser opens at WeCom: authorize, and the QR page of web sign-in."""

from collections.abc import Callable, Mapping

from aiohttp import web

from sandbox.keys import WORLD
from sandbox.looks import page
from sandbox.state import Account
from sandbox.wechat.oauth import PageError, redirect_with
from sandbox.wecom import oauth, scripts
from sandbox.wecom.oauth import Visitor
from sandbox.wecom.state import Member
from sandbox.world import World

MEMBER_COOKIE = "sandbox_member"
CONTACT = "sandbox_contact"
STRANGER = "-"
MOST_OFFERED = 50
AUTHORIZE = "/wecom/connect/oauth2/authorize"
QR_LOGIN = "/wecom/wwlogin/sso/login"

Check = Callable[[World, Mapping[str, str]], Account]


class NobodyYet(Exception):
    """The sandbox does not know who is looking at the page."""


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_get(AUTHORIZE, authorize)
    router.add_post(AUTHORIZE, allow)
    router.add_get(QR_LOGIN, show_qr_login)
    router.add_post(QR_LOGIN, confirm_qr_login)
    scripts.add_routes(app)


async def authorize(request: web.Request) -> web.Response:
    """Silent for ``snsapi_base``; otherwise the member is asked first."""
    world = request.app[WORLD]
    try:
        account = oauth.check_authorize(world, request.query)
        visitor = visitor_of(world, request, account)
    except PageError as error:
        return _refused(error)
    except NobodyYet:
        return _who(world, request, account)
    if request.query["scope"] == oauth.PRIVATE:
        return _ask(request, account, visitor, "获取你的头像、手机、邮箱等敏感信息")
    raise _redirect(world, request, account, visitor)


async def allow(request: web.Request) -> web.Response:
    return _confirmed(request, oauth.check_authorize)


async def show_qr_login(request: web.Request) -> web.Response:
    """On the real page a phone scans the code; here the member is chosen in its place."""
    world = request.app[WORLD]
    try:
        account = oauth.check_qr_login(world, request.query)
        wanted = request.query.get(MEMBER_COOKIE, "")
        member = world.corp(account).members.get(wanted.lower())
    except PageError as error:
        return _refused(error)
    if member is None:
        return _who(world, request, account, heading="用企业微信扫码登录", strangers=False)
    return _ask(request, account, member, "在电脑上登录")


async def confirm_qr_login(request: web.Request) -> web.Response:
    return _confirmed(request, oauth.check_qr_login)


def visitor_of(world: World, request: web.Request, account: Account) -> Visitor:
    """Named in the address, or the member whose screen was touched last."""
    corp = world.corp(account)
    if contact := corp.contacts.get(request.query.get(CONTACT, "")):
        return contact
    if request.query.get(CONTACT) == STRANGER:
        return None
    wanted = request.query.get(MEMBER_COOKIE) or _cookie_member(request, account)
    member = corp.members.get(wanted.lower())
    if member is None:
        raise NobodyYet
    return member


def remember_member(response: web.StreamResponse, account: Account, userid: str) -> None:
    value = f"{account.appid}:{userid}"
    response.set_cookie(MEMBER_COOKIE, value, samesite="Lax", httponly=True)


def _cookie_member(request: web.Request, account: Account) -> str:
    corpid, _, userid = request.cookies.get(MEMBER_COOKIE, "").partition(":")
    return userid if corpid == account.appid else ""


def _confirmed(request: web.Request, check: Check) -> web.Response:
    world = request.app[WORLD]
    try:
        account = check(world, request.query)
        visitor = visitor_of(world, request, account)
    except PageError as error:
        return _refused(error)
    except NobodyYet:
        return page("refusal.html", status=400, sentence="请在企业微信客户端打开链接")
    raise _redirect(world, request, account, visitor)


def _redirect(
    world: World, request: web.Request, account: Account, visitor: Visitor
) -> web.HTTPFound:
    query = request.query
    code = oauth.issue_code(
        world, account, visitor, query.get("scope", ""), any_app=not query.get("agentid")
    )
    target = redirect_with(query["redirect_uri"], code, query.get("state", ""))
    redirect = web.HTTPFound(target)
    if isinstance(visitor, Member):
        remember_member(redirect, account, visitor.userid)
    return redirect


def _ask(request: web.Request, account: Account, visitor: Visitor, wish: str) -> web.Response:
    name = visitor.name if visitor else "微信用户"
    address = str(request.rel_url)
    return page("wecom_consent.html", account=account, visitor=name, wish=wish, address=address)


def _who(
    world: World,
    request: web.Request,
    account: Account,
    *,
    heading: str = "请在企业微信客户端打开链接",
    strangers: bool = True,
) -> web.Response:
    corp = world.corp(account)
    return page(
        "wecom_who.html",
        heading=heading,
        address=str(request.rel_url),
        members=list(corp.members.values())[:MOST_OFFERED],
        contacts=list(corp.contacts.values())[:MOST_OFFERED] if strangers else [],
    )


def _refused(error: PageError) -> web.Response:
    return page("refusal.html", status=400, sentence=str(error))
