"""The WeCom desktop: a member's chats with apps and customers, and the sidebar beside them."""

from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import ValidationError

from sandbox.clock import as_text
from sandbox.keys import WORLD
from sandbox.looks import page
from sandbox.screens.asked import read_body, refused
from sandbox.screens.conversations import customer_json, message_json, summary_of
from sandbox.screens.forms import DESKTOP
from sandbox.screens.outcomes import outcomes_json
from sandbox.screens.stream import stream
from sandbox.state import Account, Json, Kind
from sandbox.wechat.events import Impossible
from sandbox.wecom import chats, control, corps, jsapi, media, tickets
from sandbox.wecom.call import sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external.group_messages import is_on_its_way
from sandbox.wecom.external_state import GroupMessage
from sandbox.wecom.pages import remember_member
from sandbox.wecom.state import Corp, Member
from sandbox.wecom.wishes import Wish
from sandbox.world import World

UPDATE_SECONDS = 0.3
MOST_MEMBERS = 60
MOST_CONTACTS = 100
MOST_MESSAGES = 200
MEMBER = "/desktop/{corpid}/members/{userid}"


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_get("/desktop", show)
    router.add_get("/desktop/live", live)
    router.add_get("/desktop/corps", list_corps)
    router.add_get("/desktop/forms", list_forms)
    router.add_get("/desktop/{corpid}/members", list_members)
    router.add_get("/desktop/{corpid}/outcomes", list_outcomes)
    router.add_get("/desktop/{corpid}/media/{media_id}", show_media)
    router.add_post("/desktop/{corpid}/events", cause_event)
    router.add_post("/desktop/{corpid}/addresses", keep_addresses)
    router.add_get(MEMBER, list_chats)
    router.add_get(f"{MEMBER}/open", open_page)
    router.add_post(f"{MEMBER}/call", call_api)
    router.add_get(f"{MEMBER}/strangers", list_strangers)
    router.add_get(f"{MEMBER}/apps/{{account}}", app_chat)
    router.add_get(f"{MEMBER}/chats/{{chat_id}}", group_chat)
    router.add_get(f"{MEMBER}/contacts/{{external_userid}}", contact_chat)
    router.add_post(f"{MEMBER}/contacts/{{external_userid}}", speak)
    router.add_post(f"{MEMBER}/share", share)


async def show(_: web.Request) -> web.Response:
    return page("desktop.html")


async def live(request: web.Request) -> web.StreamResponse:
    return await stream(request, dict, UPDATE_SECONDS)


async def list_forms(_: web.Request) -> web.Response:
    return web.json_response({"forms": [one.as_json() for one in DESKTOP]})


async def list_corps(request: web.Request) -> web.Response:
    """Each corp bears the name of its first app: WeCom tells an app no other."""
    world = request.app[WORLD]
    every = world.state.accounts.values()
    corpids = dict.fromkeys(one.appid for one in every if one.kind is Kind.WECOM_APP)
    answer = [
        {
            "corpid": corpid,
            "title": world.apps(corpid)[0].title,
            "members": len(world.corp(world.apps(corpid)[0]).members),
            "apps": [_app_json(one) for one in world.apps(corpid)],
        }
        for corpid in corpids
    ]
    return web.json_response({"corps": answer})


def _app_json(account: Account) -> Json:
    return {
        "account": account.name,
        "title": account.title,
        "agentid": account.agentid,
        "sidebar": account.settings.sidebar_url or _own_page(account, "/sidebar/"),
        "home": account.settings.home_url or _own_page(account, "/sidebar/"),
    }


def _own_page(account: Account, path: str) -> str:
    """Where the platform is, told by where it wants its callbacks."""
    parts = urlsplit(account.callback_url)
    if parts.hostname:
        return f"{parts.scheme}://{parts.netloc}{path}"
    return f"http://{account.oauth_domain}{path}" if account.oauth_domain else ""


async def keep_addresses(request: web.Request) -> web.Response:
    """What stands beside the chats, and what is the app's home."""
    body = await read_body(request)
    account = _account(request, str(body.get("account", "")))
    sidebar, home = str(body.get("sidebar", "")), str(body.get("home", ""))
    if any(one and not jsapi.is_web(one) for one in (sidebar, home)):
        return refused("地址要以 http:// 或 https:// 开头")
    account.settings.sidebar_url, account.settings.home_url = sidebar, home
    request.app[WORLD].is_dirty = True
    return web.json_response(_app_json(account))


async def list_members(request: web.Request) -> web.Response:
    corp, wanted = _corp(request), request.query.get("q", "").strip().lower()
    found = [
        one
        for key, one in corp.members.items()
        if wanted in key or wanted in one.name.lower() or wanted in one.alias.lower()
    ]
    rows = [
        {"userid": one.userid, "name": one.name, "unread": sum(one.unread.values())}
        for one in found[:MOST_MEMBERS]
    ]
    return web.json_response({"total": len(found), "members": rows})


# What a member sees


async def list_chats(request: web.Request) -> web.Response:
    world, corp, member = request.app[WORLD], _corp(request), _member(request)
    follows = list(corp.follows.get(member.userid.lower(), {}).values())
    wanted = request.query.get("q", "").strip()
    people = [
        _contact_row(world, corp, member, one.external_userid)
        for one in follows
        if wanted in corp.contacts[one.external_userid].name or wanted in one.remark
    ]
    people.sort(key=lambda row: str(row["at"]), reverse=True)
    apps = [
        _app_row(world, one, member) for one in world.apps(corp.corpid) if sees(one, member.userid)
    ]
    return web.json_response(
        {
            "corpid": corp.corpid,
            "userid": member.userid,
            "name": member.name,
            "apps": apps,
            "contacts": people[:MOST_CONTACTS],
            "contacts_total": len(people),
            "tasks": [_task_json(corp, one, member) for one in _tasks(world, corp, member)],
            "chats": [
                {"chat_id": one.chat_id, "name": one.name, "members": len(one.members)}
                for one in corp.group_chats.values()
                if not one.is_dismissed
                and member.userid.lower() in {userid.lower() for userid in one.members}
            ],
            "known": _known_ids(corp),
        }
    )


def _known_ids(corp: Corp) -> Json:
    """What the forms offer in place of an empty field."""
    tags = [tag.id for group in corp.tag_groups.values() for tag in group.tags.values()]
    open_chats = [one.chat_id for one in corp.group_chats.values() if not one.is_dismissed]
    return {
        "chat_id": next(reversed(open_chats), ""),
        "tag_id": next(reversed(tags), next(reversed(corp.tag_groups), "")),
        "group_id": next(reversed(corp.tag_groups), ""),
        "link_id": next(reversed(corp.external.links), "cawcde0000000000"),
    }


def _app_row(world: World, account: Account, member: Member) -> Json:
    messages = corps.chat_of(world, account, member.userid)
    last = messages[-1] if messages else None
    return _app_json(account) | {
        "unread": member.unread.get(account.agentid, 0),
        "last": summary_of(last["msgtype"], last["content"]) if last else "",
        "at": as_text(last["at"]) if last else "",
    }


def _contact_row(world: World, corp: Corp, member: Member, external_userid: str) -> Json:
    contact = corp.contacts[external_userid]
    relation = corp.follows[member.userid.lower()][external_userid]
    messages = chats.chat_of(world, corp, member.userid, external_userid)
    last = messages[-1] if messages else None
    return {
        "external_userid": external_userid,
        "name": contact.name,
        "remark": relation.remark,
        "type": contact.type,
        "lost": bool(relation.lost_at),
        "last": summary_of(last.kind, last.extra["content"]) if last else "",
        "at": as_text(last.at if last else relation.created_at),
    }


def _tasks(world: World, corp: Corp, member: Member) -> list[GroupMessage]:
    """Messages to many that wait for this member's word."""
    found = []
    for message in corp.external.group_messages.values():
        task = message.tasks.get(member.userid.lower())
        app = world.state.accounts.get(message.app)
        if task is None or task.sent_at or message.is_cancelled or app is None:
            continue
        if not is_on_its_way(message, app.settings, world.clock.now()):
            found.append(message)
    return found


def _task_json(corp: Corp, message: GroupMessage, member: Member) -> Json:
    targets = [one.id for one in message.tasks[member.userid.lower()].targets]
    names = [corp.contacts[one].name for one in targets if one in corp.contacts]
    names += [corp.group_chats[one].name for one in targets if one in corp.group_chats]
    text = message.content.get("text") or {}
    return {
        "msgid": message.msgid,
        "account": message.app,
        "to": names[:5],
        "count": len(targets),
        "text": str(text.get("content") or ""),
        "attachments": [
            message_json(corp.corpid, str(one["msgtype"]), one.get(str(one["msgtype"])) or {})
            for one in message.content.get("attachments", [])
        ],
    }


async def app_chat(request: web.Request) -> web.Response:
    """Looking at a chat makes it read."""
    world, member = request.app[WORLD], _member(request)
    account = _account(request, request.match_info["account"])
    if member.unread.pop(account.agentid, 0):
        world.is_dirty = True
        world.hub.changed()
    messages = corps.chat_of(world, account, member.userid)[-MOST_MESSAGES:]
    shown = [
        message_json(account.appid, one["msgtype"], one["content"])
        | {
            "id": one["msgid"],
            "mine": one["from_member"],
            "recalled": one["recalled"],
            "at": as_text(one["at"]),
        }
        for one in messages
    ]
    return web.json_response(_app_json(account) | {"messages": shown})


async def contact_chat(request: web.Request) -> web.Response:
    world, corp, member = request.app[WORLD], _corp(request), _member(request)
    external_userid = request.match_info["external_userid"]
    if external_userid not in corp.contacts:
        raise web.HTTPNotFound
    messages = chats.chat_of(world, corp, member.userid, external_userid)[-MOST_MESSAGES:]
    shown = [
        message_json(corp.corpid, one.kind, one.extra["content"])
        | {
            "id": str(one.msgid),
            "mine": not one.from_person,
            "via": one.extra["via"],
            "at": as_text(one.at),
        }
        for one in messages
    ]
    customer = customer_json(corp, member, corp.contacts[external_userid])
    return web.json_response(customer | {"messages": shown})


async def group_chat(request: web.Request) -> web.Response:
    world, corp, member = request.app[WORLD], _corp(request), _member(request)
    chat = corp.group_chats.get(request.match_info["chat_id"])
    if chat is None or member.userid.lower() not in {one.lower() for one in chat.members}:
        raise web.HTTPNotFound
    shown = []
    for one in chats.chat_of(world, corp, "", chat.chat_id)[-MOST_MESSAGES:]:
        speaker = str(one.extra.get("userid", ""))
        shown.append(
            message_json(corp.corpid, one.kind, one.extra["content"])
            | {
                "id": str(one.msgid),
                "mine": speaker.lower() == member.userid.lower(),
                "speaker": _name_of(corp, speaker),
                "via": one.extra["via"],
                "at": as_text(one.at),
            }
        )
    answer = {"name": chat.name, "members": len(chat.members), "notice": chat.notice}
    return web.json_response(answer | {"messages": shown})


def _name_of(corp: Corp, userid: str) -> str:
    known = corp.members.get(userid.lower()) or corp.contacts.get(userid)
    return known.name if known else userid


async def list_strangers(request: web.Request) -> web.Response:
    """Who could add this member, and the codes there are to scan."""
    corp, member = _corp(request), _member(request)
    free = [one for one in corp.contacts.values() if not _friend(corp, member, one.external_userid)]
    external = corp.external
    ways = [
        {"id": one.config_id, "title": f"联系我：{_way_title(one.fields)}"}
        for one in external.contact_ways.values()
    ]
    ways += [
        {"id": one.link_id, "title": f"获客链接：{one.name}"} for one in external.links.values()
    ]
    people = [{"external_userid": one.external_userid, "name": one.name} for one in free]
    return web.json_response({"contacts": people[:MOST_CONTACTS], "ways": ways[-MOST_CONTACTS:]})


def _way_title(fields: Json) -> str:
    words = (fields.get("remark"), fields.get("state"), "、".join(fields.get("user") or []))
    return " · ".join(one for one in words if one) or "未命名"


async def speak(request: web.Request) -> web.Response:
    """The member writes, or, with ``from_contact``, the customer."""
    world, corp, member = request.app[WORLD], _corp(request), _member(request)
    body, external_userid = await read_body(request), request.match_info["external_userid"]
    relation = corps.follow_of(corp, member.userid, external_userid)
    text = str(body.get("text", "")).strip()
    if relation is None or relation.lost_at:
        return refused("已经不是好友，发不出去")
    if not text:
        raise web.HTTPBadRequest
    from_contact = body.get("from_contact") is True
    content = {"content": text}
    chats.say(
        world, corp, member.userid, external_userid, "text", content, from_contact=from_contact
    )
    return web.json_response({})


# Pages in frames and windows


async def open_page(request: web.Request) -> web.StreamResponse:
    """Open an address as this member: the authorize page will know who is looking."""
    account = _account(request, request.query.get("account", ""))
    url = request.query.get("url", "")
    if not jsapi.is_web(url):
        return page("refusal.html", status=400, sentence="这个链接打不开：不是网页地址")
    redirect = web.HTTPFound(url)
    remember_member(redirect, account, _member(request).userid)
    raise redirect


async def call_api(request: web.Request) -> web.Response:
    """A page called the JS-SDK. ``stands`` says where it is and what its signatures proved."""
    world, corp, member = request.app[WORLD], _corp(request), _member(request)
    body = await read_body(request)
    name, params = str(body.get("name", "")), _dict(body.get("params"))
    if name in {"preVerifyJSAPI", "agentConfig"}:
        return web.json_response(_verify(world, corp, name, params, str(body.get("url", ""))))
    stands = _dict(body.get("stands"))
    agent = [one for one in world.apps(corp.corpid) if one.agentid == str(stands.get("agentid"))]
    caller = jsapi.Page(
        member=member,
        entry=str(stands.get("entry", "normal")),
        external_userid=_friend(corp, member, str(stands.get("external_userid", ""))),
        chat_id=str(stands.get("chat_id", "")),
        app=agent[0] if agent else None,
        agent_apis=_names(stands.get("agent_apis")),
        corp_apis=_names(stands.get("corp_apis")),
    )
    return web.json_response(jsapi.invoke(world, corp, caller, name, params))


def _verify(world: World, corp: Corp, name: str, params: Json, url: str) -> Json:
    is_agent = name == "agentConfig"
    names = ("timestamp", "nonceStr", "signature")
    given = names if is_agent else tuple(f"verify{one[0].upper()}{one[1:]}" for one in names)
    query = {ours: str(params.get(theirs, "")) for ours, theirs in zip(names, given, strict=True)}
    query |= {"url": url, "corpid": str(params.get("corpid" if is_agent else "appId", ""))}
    if is_agent:
        # Without one the check would be that of the corp.
        query["agentid"] = str(params.get("agentid") or "-")
    if query["corpid"] != corp.corpid:
        return {"errMsg": f"{'agentConfig' if is_agent else 'config'}:fail invalid corpid"}
    return {"errMsg": tickets.check_signature(world, query)}


def _friend(corp: Corp, member: Member, external_userid: str) -> str:
    """The client offers no toolbar beside somebody who is no contact any more."""
    relation = corps.follow_of(corp, member.userid, external_userid)
    return external_userid if relation is not None and not relation.lost_at else ""


async def share(request: web.Request) -> web.Response:
    """群发助手 after the member said yes: what a page prepared goes to each customer."""
    world, corp, member = request.app[WORLD], _corp(request), _member(request)
    body = await read_body(request)
    params = _dict(body.get("params"))
    contents = []
    if text := _dict(params.get("text")).get("content"):
        contents.append({"msgtype": "text", "text": {"content": text}})
    if params.get("link"):
        contents.append({"msgtype": "news", "news": params})
    contents += [_as_message(one) for one in _list(params.get("attachments"))]
    try:
        ready = [jsapi.content_of(world, corp, one) for one in contents]
    except jsapi.Failed as problem:
        return refused(f"这条消息发不出去：{problem}")
    to = [one for one in _list(body.get("to")) if _friend(corp, member, str(one))]
    for external_userid in to:
        for kind, content in ready:
            chats.say(world, corp, member.userid, external_userid, kind, content, via=chats.GROUP)
    return web.json_response({"sent": len(to)})


def _as_message(attachment: object) -> Json:
    """An attachment of 群发 in the words of ``sendChatMessage``."""
    given = _dict(attachment)
    kind = str(given.get("msgtype", ""))
    inside = _dict(given.get(kind))
    if kind == "link":
        return {"msgtype": "news", "news": inside | {"link": inside.get("url", "")}}
    return {"msgtype": kind, kind: inside}


# Events


async def cause_event(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = await read_body(request)
    _account(request, str(body.get("account", "")))
    try:
        callbacks = control.cause(world, Wish.model_validate(body))
    except ValidationError as error:
        fields = "、".join(".".join(map(str, one["loc"])) for one in error.errors())
        return refused(f"这些字段填得不对：{fields}")
    except Impossible as problem:
        return refused(f"沙盒做不到：{problem}")
    world.hub.changed()
    return web.json_response({"callbacks": [one.callback_id for one in callbacks]})


async def list_outcomes(request: web.Request) -> web.Response:
    world, corp = request.app[WORLD], _corp(request)
    return web.json_response(outcomes_json(world, world.apps(corp.corpid), DESKTOP))


async def show_media(request: web.Request) -> web.Response:
    """Pictures are shown; all else is for keeping, so that no page of strangers runs here."""
    world, corp = request.app[WORLD], _corp(request)
    try:
        found = media.require(corp, request.match_info["media_id"], world.clock.now())
    except Refusal:
        raise web.HTTPNotFound from None
    kind = found.content_type.partition(";")[0]
    is_picture = kind in {"image/png", "image/jpeg", "image/gif"}
    return web.Response(
        body=world.read_file(found.media_id),
        content_type=kind if is_picture else "application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff"},
    )


# Who and which


def _corp(request: web.Request) -> Corp:
    apps = request.app[WORLD].apps(request.match_info["corpid"])
    if not apps:
        raise web.HTTPNotFound
    return request.app[WORLD].corp(apps[0])


def _member(request: web.Request) -> Member:
    member = _corp(request).members.get(request.match_info["userid"].lower())
    if member is None:
        raise web.HTTPNotFound
    return member


def _account(request: web.Request, name: str) -> Account:
    for account in request.app[WORLD].apps(_corp(request).corpid):
        if account.name == name:
            return account
    raise web.HTTPNotFound


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: object) -> frozenset[str]:
    return frozenset(one for one in _list(value) if isinstance(one, str))
