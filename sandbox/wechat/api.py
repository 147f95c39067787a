"""Which path does what. Every call goes through the same gate: token, method, quota, body."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.keys import WORLD
from sandbox.state import Account, Json, Kind
from sandbox.wechat import jssdk, menus, messages, oauth, qrcodes, quotas, tokens, users
from sandbox.wechat.call import Call
from sandbox.wechat.errors import Refusal
from sandbox.world import World

GET, POST = "GET", "POST"
Handler = Callable[[web.Request], Awaitable[web.Response]]
LOOPBACK_IPS = {"ip_list": ["127.0.0.1"]}


@dataclass(frozen=True, slots=True)
class Api:
    method: str
    handle: Callable[[Call], Json]


def clear_quota(call: Call) -> Json:
    if call.body.get("appid") != call.account.appid:
        raise Refusal(40013)
    quotas.clear(call.account, call.now)
    return {"errcode": 0, "errmsg": "ok"}


def get_quota(call: Call) -> Json:
    quota = quotas.look_at(call.account, str(call.body.get("cgi_path")), call.now)
    return {"errcode": 0, "errmsg": "ok"} | quota


def check_callback(call: Call) -> Json:
    action = str(call.body.get("action"))
    if action not in {"all", "dns", "ping"}:
        raise Refusal(40035)
    dns = {"ip": "127.0.0.1", "real_operator": "DEFAULT"}
    ping = {"ip": "127.0.0.1", "from_operator": "DEFAULT", "package_loss": "0%", "time": "1.0ms"}
    answer = {"dns": [dns], "ping": [ping]}
    return answer if action == "all" else {action: answer[action]}


# Both kinds of account have these.
SHARED = frozenset(
    {
        *("/cgi-bin/get_api_domain_ip", "/cgi-bin/getcallbackip", "/cgi-bin/callback/check"),
        *("/cgi-bin/clear_quota", "/cgi-bin/openapi/quota/get"),
    }
)
# And these only a mini-program.
OF_MINIPROGRAMS = frozenset({"/wxaapi/newtmpl/gettemplate"})

APIS = {
    "/cgi-bin/get_api_domain_ip": Api(GET, lambda _: LOOPBACK_IPS),
    "/cgi-bin/getcallbackip": Api(GET, lambda _: LOOPBACK_IPS),
    "/cgi-bin/callback/check": Api(POST, check_callback),
    "/cgi-bin/clear_quota": Api(POST, clear_quota),
    "/cgi-bin/openapi/quota/get": Api(POST, get_quota),
    "/cgi-bin/user/get": Api(GET, users.list_followers),
    "/cgi-bin/user/info": Api(GET, users.info),
    "/cgi-bin/user/info/batchget": Api(POST, users.batch_info),
    "/cgi-bin/user/info/updateremark": Api(POST, users.set_remark),
    "/cgi-bin/tags/create": Api(POST, users.create_tag),
    "/cgi-bin/tags/get": Api(GET, users.list_tags),
    "/cgi-bin/tags/getidlist": Api(POST, users.tags_of_fan),
    "/cgi-bin/tags/members/batchtagging": Api(POST, users.tag_fans),
    "/cgi-bin/tags/members/batchuntagging": Api(POST, users.untag_fans),
    "/cgi-bin/tags/members/batchblacklist": Api(POST, users.blacklist),
    "/cgi-bin/tags/members/batchunblacklist": Api(POST, users.unblacklist),
    quotas.TEMPLATE_SEND: Api(POST, messages.send_template),
    "/cgi-bin/template/get_all_private_template": Api(GET, messages.list_templates),
    "/cgi-bin/template/api_add_template": Api(POST, messages.add_template),
    "/cgi-bin/template/del_private_template": Api(POST, messages.delete_template),
    "/cgi-bin/template/api_set_industry": Api(POST, messages.set_industry),
    "/cgi-bin/template/get_industry": Api(GET, messages.get_industry),
    "/wxaapi/newtmpl/gettemplate": Api(GET, messages.list_subscriptions),
    quotas.CUSTOM_SEND: Api(POST, messages.send_custom),
    "/cgi-bin/message/custom/typing": Api(POST, messages.show_typing),
    "/cgi-bin/qrcode/create": Api(POST, qrcodes.create),
    "/cgi-bin/menu/create": Api(POST, menus.create),
    "/cgi-bin/menu/get": Api(GET, menus.get),
    "/cgi-bin/menu/delete": Api(GET, menus.delete),
    "/cgi-bin/menu/addconditional": Api(POST, menus.add_conditional),
    "/cgi-bin/menu/delconditional": Api(POST, menus.delete_conditional),
    "/cgi-bin/menu/trymatch": Api(POST, menus.try_match),
    "/cgi-bin/get_current_selfmenu_info": Api(GET, menus.get_current),
    "/cgi-bin/ticket/getticket": Api(GET, jssdk.get_ticket),
}
SNS = {
    "/sns/oauth2/access_token": oauth.exchange,
    "/sns/oauth2/refresh_token": oauth.refresh,
    "/sns/auth": oauth.check,
    "/sns/userinfo": oauth.userinfo,
}


def add_routes(app: web.Application) -> None:
    router = app.router
    for path, api in APIS.items():
        router.add_route("*", f"/wechat{path}", _with_token(path, api))
    for path, handle in SNS.items():
        router.add_route("*", f"/wechat{path}", _for_web_sign_in(handle))
    router.add_get("/wechat/cgi-bin/token", give_token)
    router.add_post("/wechat/cgi-bin/stable_token", give_stable_token)
    router.add_post("/wechat/cgi-bin/clear_quota/v2", clear_quota_by_secret)
    router.add_get("/wechat/cgi-bin/showqrcode", show_qr_code)


def as_json(answer: Json) -> web.Response:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return web.Response(
        body=text.encode(), headers={"Content-Type": "application/json; encoding=utf-8"}
    )


def parse(raw: bytes) -> Json:
    if not raw:
        raise Refusal(44002)
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refusal(47001) from None
    if not isinstance(body, dict):
        raise Refusal(47001)
    return body


def _require_right(account: Account, path: str) -> None:
    """A mini-program's token opens what both kinds have, and its own; so does the other's."""
    is_miniprogram = account.kind is Kind.MINIPROGRAM
    if path not in SHARED and (path in OF_MINIPROGRAMS) is not is_miniprogram:
        raise Refusal(48001)


def _with_token(path: str, api: Api) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        world = request.app[WORLD]
        now = world.clock.now()
        try:
            account = tokens.account_of(world, request.query.get("access_token", ""), now)
            _require_method(request, api.method)
            _require_right(account, path)
            quotas.spend(account, path, now)
            body = parse(await request.read()) if api.method == POST else {}
            answer = api.handle(Call(world, account, request.query, body, now))
            world.is_dirty = True
        except Refusal as refusal:
            answer = refusal.as_answer(now)
            if path == quotas.TEMPLATE_SEND:
                world.stats.messages["refused"] += 1
        return as_json(answer)

    return handle


def _require_method(request: web.Request, method: str) -> None:
    if request.method != method:
        raise Refusal(43001 if method == GET else 43002)


def _for_web_sign_in(exchange: Callable[[World, Mapping[str, str]], Json]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        world = request.app[WORLD]
        try:
            answer = exchange(world, request.query)
        except Refusal as refusal:
            answer = refusal.as_answer(world.clock.now(), separator=", rid: ")
        return as_json(answer)

    return handle


async def give_token(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    try:
        account = _applicant(world, request.query, request.remote or "")
        quotas.spend(account, "/cgi-bin/token", world.clock.now())
        return as_json(tokens.issue(world, account))
    except Refusal as refusal:
        return as_json(refusal.as_answer(world.clock.now()))


async def give_stable_token(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    try:
        body = parse(await request.read())
        account = _applicant(world, body, request.remote or "")
        quotas.spend(account, "/cgi-bin/stable_token", world.clock.now())
        force = body.get("force_refresh") is True
        return as_json(tokens.issue_stable(world, account, force=force))
    except Refusal as refusal:
        return as_json(refusal.as_answer(world.clock.now()))


async def clear_quota_by_secret(request: web.Request) -> web.Response:
    """The way out when even the token has run into its quota."""
    world = request.app[WORLD]
    try:
        body = parse(await request.read())
        asked = {"appid": str(body.get("appid")), "secret": str(body.get("appsecret", ""))}
        quotas.clear(oauth.account_with_secret(world, asked), world.clock.now())
        return as_json({"errcode": 0, "errmsg": "ok"})
    except Refusal as refusal:
        return as_json(refusal.as_answer(world.clock.now()))


def _applicant(world: World, asked: Mapping[str, Any], ip: str) -> Account:
    """The account that asks for a token. The appid is looked at first, even before grant_type."""
    account = world.token_owner(str(asked.get("appid", "")))
    if account is None:
        raise Refusal(40013)
    if asked.get("grant_type") != "client_credential":
        raise Refusal(40002)
    oauth.check_secret(account, asked)
    if account.settings.secret_frozen:
        raise Refusal(40243)
    allowed = account.settings.ip_allowlist
    if allowed and ip not in allowed:
        raise Refusal(40164, f"invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist")
    return account


async def show_qr_code(request: web.Request) -> web.Response:
    code = request.app[WORLD].state.qr_codes.get(request.query.get("ticket", ""))
    if code is None:
        raise web.HTTPNotFound(text="")
    return web.Response(body=qrcodes.picture(code.url), content_type="image/png")
