"""The phone: what its holder sees, and what tapping does."""

import io
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from sandbox.clock import as_text
from sandbox.keys import WORLD
from sandbox.looks import page
from sandbox.screens.asked import read_body, refused
from sandbox.screens.conversations import NAMES
from sandbox.screens.forms import PHONE
from sandbox.screens.outcomes import outcomes_json
from sandbox.screens.stream import stream
from sandbox.state import Account, Fan, Json, Message, Person
from sandbox.wechat import deeds, events, menus, qrcodes
from sandbox.wechat.library import labelled_fields_of
from sandbox.wechat.pages import PERSON_COOKIE, person_of
from sandbox.wechat.wishes import Wish
from sandbox.world import World

UPDATE_SECONDS = 0.3
MOST_PEOPLE = 60
MOST_MESSAGES = 200
MOST_CODES = 8


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_get("/", show)
    router.add_get("/open", open_page)
    router.add_get("/phone/live", live)
    router.add_get("/phone/people", people)
    router.add_get("/phone/codes", codes)
    router.add_get("/phone/forms", list_forms)
    router.add_get("/phone/{person}", chats)
    router.add_get("/phone/{person}/chats/{account}", chat)
    router.add_post("/phone/{person}/chats/{account}", act)
    router.add_get("/phone/{person}/chats/{account}/outcomes", list_outcomes)
    router.add_post("/phone/{person}/scan", scan)
    router.add_post("/phone/{person}/picture", scan_picture)


async def show(request: web.Request) -> web.Response:
    person = request.app[WORLD].state.people.get(request.query.get("person", ""))
    person = person or person_of(request.app[WORLD], request)
    return page("phone.html", person_id=person.person_id if person else "")


async def open_page(request: web.Request) -> web.Response:
    """Open an address as this person: the authorize page will know who is tapping."""
    person, url = _person(request), request.query.get("url", "")
    if urlsplit(url).scheme not in {"http", "https"}:
        return page("refusal.html", status=400, sentence="这个链接打不开：不是网页地址")
    redirect = web.HTTPFound(url)
    redirect.set_cookie(PERSON_COOKIE, person.person_id, samesite="Lax", httponly=True)
    raise redirect


async def live(request: web.Request) -> web.StreamResponse:
    return await stream(request, dict, UPDATE_SECONDS)


async def people(request: web.Request) -> web.Response:
    """Those with news first; found by name or openid."""
    world, wanted = request.app[WORLD], request.query.get("q", "").strip()
    found = [
        person
        for person in world.state.people.values()
        if wanted in person.name or wanted in person.openids.values()
    ]
    rows = sorted((_person_json(world, person) for person in found), key=_newest_first)
    return web.json_response({"total": len(found), "people": rows[:MOST_PEOPLE]})


def _newest_first(row: Json) -> tuple[bool, float]:
    return (not row["unread"], -row["last_at"])


def _person_json(world: World, person: Person) -> Json:
    fans = _fans(world, person)
    last = [world.chats[key][-1] for key in person.openids.items() if world.chats.get(key)]
    newest = max(last, key=lambda message: message.at, default=None)
    return {
        "id": person.person_id,
        "name": person.name,
        "unread": sum(fan.unread for _, fan in fans),
        "last_at": newest.at if newest else 0,
        "last": _summary(world, newest) if newest else "",
    }


async def chats(request: web.Request) -> web.Response:
    world, person = request.app[WORLD], _person(request)
    rows = []
    for account in world.official_accounts():
        fan = account.fans.get(person.openids.get(account.name, ""))
        messages = world.chats.get((account.name, fan.openid), []) if fan else []
        rows.append(
            {
                "account": account.name,
                "title": account.title,
                "followed": bool(fan and fan.subscribed),
                "unread": fan.unread if fan else 0,
                "last": _summary(world, messages[-1]) if messages else "",
                "at": as_text(messages[-1].at) if messages else "",
            }
        )
    rows.sort(key=lambda row: str(row["at"]), reverse=True)
    return web.json_response({"id": person.person_id, "name": person.name, "chats": rows})


async def chat(request: web.Request) -> web.Response:
    """Looking at a chat makes it read."""
    world, account = request.app[WORLD], _account(request)
    fan = world.fan_of(account, _person(request))
    if fan.unread:
        fan.unread = 0
        world.is_dirty = True
        world.hub.changed()
    messages = world.chats.get((account.name, fan.openid), [])[-MOST_MESSAGES:]
    menu = menus.menu_of(account, fan)
    return web.json_response(
        {
            "account": account.name,
            "title": account.title,
            "openid": fan.openid,
            "followed": fan.subscribed,
            "blocked": fan.blocked,
            "menu": menu["button"] if menu else [],
            "template_id": next(iter(account.templates), ""),
            "messages": [_message_json(account, fan, message) for message in messages],
        }
    )


async def act(request: web.Request) -> web.Response:
    world, account = request.app[WORLD], _account(request)
    fan, body = world.fan_of(account, _person(request)), await read_body(request)
    try:
        _do(world, account, fan, body)
    except ValidationError as error:
        fields = "、".join(".".join(map(str, one["loc"])) for one in error.errors())
        return refused(f"这些字段填得不对：{fields}")
    except events.Impossible as problem:
        return refused(f"沙盒做不到：{problem}" if fan.subscribed else "请先关注该公众号")
    world.hub.changed()
    return web.json_response({})


def _do(world: World, account: Account, fan: Fan, body: Json) -> None:
    value = str(body.get("value", ""))
    match body.get("act"):
        case "follow":
            events.follow(world, account, fan)
        case "unfollow":
            events.unfollow(world, account, fan)
        case "text" if value.strip():
            events.write(world, account, fan, value.strip())
        case "click":
            events.click(world, account, fan, value)
        case "view":
            events.view(world, account, fan, value)
        case "mute" | "unmute" as name:
            events.mute(world, fan, value, muted=name == "mute")
        case "block" | "unblock" as name:
            events.block(world, fan, blocked=name == "block")
        case "event" if isinstance(body.get("wish"), dict):
            given = body["wish"] | {"account": account.name, "openid": fan.openid}
            deeds.cause(world, account, fan, Wish.model_validate(given))
        case _:
            raise web.HTTPBadRequest


async def list_forms(_: web.Request) -> web.Response:
    return web.json_response({"forms": [one.as_json() for one in PHONE]})


async def list_outcomes(request: web.Request) -> web.Response:
    """What became of the callbacks about this person."""
    world, account = request.app[WORLD], _account(request)
    openid = world.fan_of(account, _person(request)).openid
    return web.json_response(outcomes_json(world, [account], PHONE, openid))


async def codes(request: web.Request) -> web.Response:
    """The QR codes made lately, so that nobody has to hold a camera to a screen."""
    world = request.app[WORLD]
    now = world.clock.now()
    usable = [
        code
        for code in world.state.qr_codes.values()
        if code.expires_at is None or now < code.expires_at
    ]
    return web.json_response(
        {
            "codes": [
                {
                    "url": code.url,
                    "title": world.state.accounts[code.account].title,
                    "scene": code.scene,
                    "ticket": code.ticket,
                    "seconds_ago": int(now - code.created_at),
                }
                for code in reversed(usable[-MOST_CODES:])
            ]
        }
    )


async def scan(request: web.Request) -> web.Response:
    return _scanned(request, str((await read_body(request)).get("text", "")).strip())


async def scan_picture(request: web.Request) -> web.Response:
    try:
        import zxingcpp  # noqa: PLC0415 -- optional: only pictures need it, links do not
    except ImportError:
        return refused("这台机器没有安装图片识别组件 zxing-cpp，请粘贴二维码里的链接")
    try:
        picture = Image.open(io.BytesIO(await request.read())).convert("L")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return refused("这不是图片，请换一张二维码图片")
    found = zxingcpp.read_barcodes(picture)
    if not found:
        return refused("图片里没有找到二维码")
    return _scanned(request, found[0].text)


def _scanned(request: web.Request, text: str) -> web.Response:
    """A code of ours leads into a chat, any other address opens as a page."""
    world, person = request.app[WORLD], _person(request)
    ticket = parse_qs(urlsplit(text).query).get("ticket", [""])[0]
    code = qrcodes.find(world, text) or qrcodes.find(world, ticket)
    if code is None:
        if urlsplit(text).scheme in {"http", "https"} and not text.startswith(qrcodes.ADDRESS):
            return web.json_response({"url": text})
        return refused("没有识别出可以打开的内容，请检查链接")
    account = world.state.accounts[code.account]
    try:
        events.scan(world, account, world.fan_of(account, person), code)
    except events.Impossible as error:
        return refused(str(error))
    world.hub.changed()
    return web.json_response({"account": account.name})


def _message_json(account: Account, fan: Fan, message: Message) -> Json:
    answer: Json = {
        **message.extra,
        "id": message.msgid,
        "kind": message.kind,
        "name": NAMES.get(message.kind, message.kind),
        "mine": message.from_person,
        "at": as_text(message.at),
        "text": message.content,
        "url": message.url or message.extra.get("url", ""),
    }
    if message.kind != "template":
        return answer
    template = account.templates.get(message.template_id)
    fields = labelled_fields_of(template) if template else [("", key) for key in message.data]
    return answer | {
        "title": template.title if template else "模板消息",
        "template_id": message.template_id,
        "muted": message.template_id in fan.muted,
        "lines": [[label, message.data.get(key, "")] for label, key in fields],
    }


def _summary(world: World, message: Message) -> str:
    if message.kind == "template":
        template = world.state.accounts[message.account].templates.get(message.template_id)
        return template.title if template else "模板消息"
    if message.kind == "news":
        return "[图文] " + str((message.extra.get("articles") or [{}])[0].get("title") or "")
    return message.content or f"[{NAMES.get(message.kind, message.kind)}]"


def _fans(world: World, person: Person) -> list[tuple[Account, Fan]]:
    accounts = world.state.accounts
    return [
        (accounts[name], accounts[name].fans[openid]) for name, openid in person.openids.items()
    ]


def _person(request: web.Request) -> Person:
    wanted = request.match_info.get("person") or request.query.get("person", "")
    person = request.app[WORLD].state.people.get(wanted)
    if person is None:
        raise web.HTTPNotFound
    return person


def _account(request: web.Request) -> Account:
    name = request.match_info["account"]
    for account in request.app[WORLD].official_accounts():
        if account.name == name:
            return account
    raise web.HTTPNotFound
