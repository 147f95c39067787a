"""The control API at ``/_sandbox``: what tests and demos steer the sandbox with. Loopback only."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from sandbox.answers import as_json, callback_json
from sandbox.clock import as_text
from sandbox.faults import Fault
from sandbox.keys import SENDER, WORLD
from sandbox.state import Account, Fan, Json, Kind, Message, Mode, Settings
from sandbox.wechat import deeds, events, oauth
from sandbox.wechat.library import BY_SHORT_ID
from sandbox.wechat.wishes import Wish
from sandbox.wecom import control as wecom
from sandbox.wecom.call import number_in
from sandbox.wecom.external import control as wecom_external
from sandbox.world import World, fresh_secret

SETTINGS = TypeAdapter(Settings)
PREFIX = "/_sandbox"
WAIT_SECONDS = 30
LATEST_INSTANT = 4_000_000_000


class Mistake(Exception):
    """The caller asked for something impossible; the sentence says what to change."""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AccountBody(Body):
    kind: Kind = Kind.OFFICIAL_ACCOUNT
    name: str = Field(min_length=1, max_length=64)
    appid: str | None = Field(None, min_length=1)
    secret: str | None = Field(None, min_length=1)
    agentid: str | int = ""
    token: str | None = None
    aes_key: str | None = Field(None, pattern=r"^[A-Za-z0-9+/]{43}$")
    callback_url: str | None = None
    mode: Mode | None = None
    oauth_domain: str | None = None
    title: str | None = None
    settings: dict[str, Any] = {}


class FansBody(Body):
    account: str
    count: int | None = Field(None, ge=1, le=100_000)
    openids: list[str] | None = None
    names: list[str] = []
    subscribe: bool = True
    callback: bool = False

    @model_validator(mode="after")
    def either_count_or_openids(self) -> "FansBody":
        if (self.count is None) == (self.openids is None):
            raise ValueError("give either count or openids")
        return self


class FaultBody(Body):
    path: str = ""
    latency_ms: int = Field(0, ge=0, le=600_000)
    errcode: int | None = None
    http_status: int | None = Field(None, ge=200, le=599)
    every: int = Field(1, ge=1)
    times: int | None = Field(None, ge=1)
    drop: bool = False
    after: bool = False


class ClockBody(Body):
    now: float | datetime | None = None
    advance_seconds: float | None = None

    @model_validator(mode="after")
    def either_now_or_advance(self) -> "ClockBody":
        if (self.now is None) == (self.advance_seconds is None):
            raise ValueError("give either now or advance_seconds")
        return self


class AccountName(Body):
    account: str


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_get(f"{PREFIX}/stats", stats)
    router.add_post(f"{PREFIX}/reset", reset)
    router.add_get(f"{PREFIX}/accounts", list_accounts)
    router.add_post(f"{PREFIX}/accounts", keep_account)
    router.add_post(f"{PREFIX}/wechat/fans", add_fans)
    router.add_get(f"{PREFIX}/wechat/fans", list_fans)
    router.add_get(f"{PREFIX}/wechat/fans/{{openid}}/inbox", inbox)
    router.add_post(f"{PREFIX}/wechat/events", cause_event)
    router.add_post(f"{PREFIX}/wechat/callback_check", check_callback)
    router.add_get(f"{PREFIX}/callbacks", list_callbacks)
    router.add_get(f"{PREFIX}/faults", list_faults)
    router.add_post(f"{PREFIX}/faults", add_fault)
    router.add_delete(f"{PREFIX}/faults", clear_faults)
    router.add_get(f"{PREFIX}/clock", read_clock)
    router.add_post(f"{PREFIX}/clock", set_clock)
    router.add_get(f"{PREFIX}/authorize", authorize)
    wecom.add_routes(app)
    wecom_external.add_routes(app)


@web.middleware
async def guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if not request.path.startswith(PREFIX):
        return await handler(request)
    if not _is_loopback(request.remote):
        return as_json({"error": "the control API answers to this machine only"}, status=403)
    try:
        return await handler(request)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, one["loc"])) or "body", "problem": one["msg"]}
            for one in error.errors()
        ]
        return as_json({"error": "bad input", "problems": problems}, status=400)
    except (Mistake, events.Impossible, oauth.PageError) as error:
        return as_json({"error": str(error)}, status=400)
    except web.HTTPNotFound:
        return as_json({"error": f"there is no {request.path} here"}, status=404)


async def stats(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    waiting = world.from_people.qsize() + world.results.qsize()
    return as_json(
        {
            "now": as_text(world.clock.now()),
            "requests": dict(world.stats.requests),
            "messages": dict(world.stats.messages),
            "wecom_messages": dict(world.stats.wecom_messages),
            "callbacks": {**world.stats.callbacks, "waiting": waiting},
        }
    )


async def reset(request: web.Request) -> web.Response:
    request.app[WORLD].reset()
    return as_json({"ok": True})


# Accounts


async def list_accounts(request: web.Request) -> web.Response:
    accounts = request.app[WORLD].state.accounts.values()
    return as_json({"accounts": [_account_json(one) for one in accounts]})


async def keep_account(request: web.Request) -> web.Response:
    """Create an account, or change the given fields of the one with that name."""
    world = request.app[WORLD]
    body = AccountBody.model_validate_json(await request.read() or b"{}")
    old = world.state.accounts.get(body.name)
    account = _changed(old, body) if old else _new_account(body)
    _refuse_taken_appid(world, account)
    if account.callback_url and account.mode is not Mode.PLAIN and not account.aes_key:
        raise Mistake("a callback in this mode needs aes_key: 43 letters and digits")
    if account.kind is Kind.WECOM_APP:
        _refuse_half_an_app(account)
    world.keep_account(account)
    return as_json(_account_json(account))


def _new_account(body: AccountBody) -> Account:
    if not body.appid or not body.secret:
        raise Mistake("a new account needs appid and secret")
    return Account(
        kind=body.kind,
        name=body.name,
        appid=body.appid,
        secret=body.secret,
        agentid=str(body.agentid),
        token=body.token or fresh_secret(24),
        aes_key=body.aes_key or "",
        callback_url=body.callback_url or "",
        mode=body.mode or (Mode.SAFE if body.aes_key else Mode.PLAIN),
        oauth_domain=body.oauth_domain or "",
        title=body.title or body.name,
        settings=SETTINGS.validate_python(body.settings),
    )


def _changed(old: Account, body: AccountBody) -> Account:
    if body.kind is not old.kind:
        raise Mistake(f"{old.name} is already the name of a {old.kind}")
    given = body.model_dump(exclude_unset=True, exclude={"kind", "name", "settings"})
    given = {name: value for name, value in given.items() if value is not None}
    if "agentid" in given:
        given["agentid"] = str(given["agentid"])
    settings = SETTINGS.validate_python({**asdict(old.settings), **body.settings})
    return replace(old, settings=settings, **given)


def _refuse_taken_appid(world: World, account: Account) -> None:
    for other in world.state.accounts.values():
        same = (other.kind, other.appid, other.agentid) == (
            account.kind,
            account.appid,
            account.agentid,
        )
        if same and other.name != account.name:
            raise Mistake(f"this appid already belongs to {other.name}")


def _refuse_half_an_app(account: Account) -> None:
    if number_in(account.agentid) is None:
        raise Mistake("a wecom_app needs agentid: a number")
    if account.callback_url and not account.aes_key:
        raise Mistake("WeCom always encrypts: a callback needs aes_key")


def _account_json(account: Account) -> Json:
    names = {entry.short_id: entry.name for entry in BY_SHORT_ID.values()}
    return {
        "kind": account.kind,
        "name": account.name,
        "title": account.title,
        "appid": account.appid,
        "secret": account.secret,
        "agentid": account.agentid,
        "token": account.token,
        "aes_key": account.aes_key,
        "callback_url": account.callback_url,
        "mode": account.mode,
        "oauth_domain": account.oauth_domain,
        "original_id": account.original_id,
        "settings": asdict(account.settings),
        "templates": {names[one.short_id]: one.template_id for one in account.templates.values()},
        "fans": sum(fan.subscribed for fan in account.fans.values()),
    }


# People


async def add_fans(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = FansBody.model_validate_json(await request.read() or b"{}")
    account = _official_account(world, body.account)
    names = body.names + [""] * (len(body.openids or []) or body.count or 0)
    if body.openids is None:
        count = range(body.count or 0)
        fans = [world.fan_of(account, world.add_person(names[number])) for number in count]
    else:
        fans = [
            _fan(world, account, openid, name)
            for openid, name in zip(body.openids, names, strict=False)
        ]
    for fan in fans:
        _set_subscribed(world, account, fan, body)
    return as_json({"openids": [fan.openid for fan in fans]})


def _set_subscribed(world: World, account: Account, fan: Fan, body: FansBody) -> None:
    if body.callback and body.subscribe and not fan.subscribed:
        events.follow(world, account, fan)
    elif body.subscribe and not fan.subscribed:
        fan.subscribed_at = world.clock.now()
    fan.subscribed = body.subscribe


async def list_fans(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    account = _official_account(world, request.query.get("account", ""))
    fans = [
        {
            "openid": fan.openid,
            "name": world.state.people[fan.person_id].name,
            "subscribe": fan.subscribed,
            "blocked": fan.blocked,
            "muted": sorted(fan.muted),
        }
        for fan in account.fans.values()
    ]
    return as_json({"fans": fans})


async def inbox(request: web.Request) -> web.Response:
    """What this person received, newest last."""
    world = request.app[WORLD]
    openid, name = request.match_info["openid"], request.query.get("account")
    owners = [
        account
        for account in world.official_accounts()
        if openid in account.fans and name in {None, account.name}
    ]
    if not owners:
        raise Mistake(f"nobody has the openid {openid}")
    received = [
        message
        for account in owners
        for message in world.chats.get((account.name, openid), ())
        if not message.from_person and message.kind != "notice"
    ]
    received.sort(key=lambda message: message.at)
    return as_json([_message_json(message) for message in received])


def _message_json(message: Message) -> Json:
    return {
        **message.extra,
        "account": message.account,
        "kind": message.kind,
        "msgid": message.msgid,
        "template_id": message.template_id,
        "client_msg_id": message.client_msg_id,
        "data": {key: {"value": value} for key, value in message.data.items()},
        "url": message.url,
        "content": message.content,
        "received_at": as_text(message.at),
    }


async def cause_event(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    wish = Wish.model_validate_json(await request.read() or b"{}")
    account = _official_account(world, wish.account)
    callbacks = deeds.cause(world, account, _fan_meant(world, account, wish), wish)
    if wish.wait:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.gather(*(callback.done.wait() for callback in callbacks))
    return as_json({"callbacks": [callback_json(one) for one in callbacks]})


def _fan_meant(world: World, account: Account, wish: Wish) -> Fan:
    fan = account.fans.get(wish.openid)
    if fan is None and not deeds.is_meeting(wish.event):
        raise Mistake(f"{account.name} knows nobody with the openid {wish.openid}")
    return fan or _fan(world, account, wish.openid)


# Callbacks, faults, time


async def check_callback(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = AccountName.model_validate_json(await request.read() or b"{}")
    account = _official_account(world, body.account)
    if not account.callback_url:
        raise Mistake(f"{account.name} has no callback_url")
    return as_json({"result": await request.app[SENDER].verify(account)})


async def list_callbacks(request: web.Request) -> web.Response:
    callbacks = request.app[WORLD].callbacks
    return as_json({"callbacks": [callback_json(one) for one in callbacks]})


async def list_faults(request: web.Request) -> web.Response:
    return as_json({"faults": [asdict(one) for one in request.app[WORLD].faults]})


async def add_fault(request: web.Request) -> web.Response:
    body = FaultBody.model_validate_json(await request.read() or b"{}")
    request.app[WORLD].faults.append(Fault(**body.model_dump()))
    return await list_faults(request)


async def clear_faults(request: web.Request) -> web.Response:
    request.app[WORLD].faults.clear()
    return await list_faults(request)


async def read_clock(request: web.Request) -> web.Response:
    return as_json({"now": as_text(request.app[WORLD].clock.now())})


async def set_clock(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = ClockBody.model_validate_json(await request.read() or b"{}")
    target = _instant(body, world.clock.now())
    if not 0 <= target <= LATEST_INSTANT:
        raise Mistake("the clock goes from 1970 to 2096")
    world.clock.set(target)
    wecom_external.settle(world)
    world.is_dirty = True
    return await read_clock(request)


def _instant(body: ClockBody, now: float) -> float:
    if isinstance(body.now, datetime):
        # Without an offset the instant is meant in UTC, as everywhere in this API.
        return (body.now if body.now.tzinfo else body.now.replace(tzinfo=UTC)).timestamp()
    return body.now if body.now is not None else now + (body.advance_seconds or 0)


async def authorize(request: web.Request) -> web.Response:
    """What tapping "allow" would do: the redirect with a fresh code."""
    world, query = request.app[WORLD], request.query
    known = world.state.accounts.get(query.get("account", ""))
    if known is not None and known.kind is Kind.WECOM_APP:
        code = wecom.authorize_code(world, known, request)
        target = query["redirect_uri"]
        raise web.HTTPFound(oauth.redirect_with(target, code, query.get("state", "")))
    account = _official_account(world, query.get("account", ""))
    fan = account.fans.get(query.get("openid", ""))
    if fan is None:
        raise Mistake(f"{account.name} knows nobody with the openid {query.get('openid')}")
    target = query.get("redirect_uri", "")
    oauth.require_own_domain(account, target)
    code = oauth.issue_code(world, account, fan, query.get("scope", oauth.BASE))
    raise web.HTTPFound(oauth.redirect_with(target, code, query.get("state", "")))


def _official_account(world: World, name: str) -> Account:
    account = world.state.accounts.get(name) or world.official_account(name)
    if account is None:
        raise Mistake(f"there is no account {name!r}; create it with POST {PREFIX}/accounts")
    if account.kind is not Kind.OFFICIAL_ACCOUNT:
        raise Mistake(f"{name} is a {account.kind}, not an official account")
    return account


def _fan(world: World, account: Account, openid: str, name: str = "") -> Fan:
    known = account.fans.get(openid)
    return known or world.introduce(account, world.add_person(name), openid)


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
