"""The part of the control API for what the corp's work with customers left behind."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web
from pydantic import Field

from sandbox.answers import as_json
from sandbox.clock import as_text
from sandbox.keys import WORLD
from sandbox.state import Account, Json, Message
from sandbox.wechat.events import Impossible
from sandbox.wechat.qrcodes import picture
from sandbox.wecom import chats
from sandbox.wecom.control import PREFIX, Body, app_of
from sandbox.wecom.external import approvals, group_chats, group_messages, transfers, ways
from sandbox.wecom.external_state import ApprovalTemplate, GroupMessage, Moment
from sandbox.wecom.state import Corp
from sandbox.world import World


class ApprovalTemplateBody(Body):
    """``controls``: each with ``control``, ``id``, ``title``, ``require``."""

    template_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    controls: list[dict[str, Any]] = Field(min_length=1)


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_get(f"{PREFIX}/contacts/{{external_userid}}/inbox", inbox)
    router.add_get(f"{PREFIX}/group_chats", list_group_chats)
    router.add_get(f"{PREFIX}/tasks", list_tasks)
    router.add_post(f"{PREFIX}/approval_templates", keep_approval_template)
    router.add_get(f"{ways.PICTURES}/{{corpid}}/{{name}}.png", show_code)


def settle(world: World) -> None:
    """Time has moved."""
    for corp in world.state.corps.values():
        transfers.settle(world, corp)


async def inbox(request: web.Request) -> web.Response:
    """What the contact received from members and in group chats, newest last."""
    world, external_userid = request.app[WORLD], request.match_info["external_userid"]
    corps = _corps(world, request.query.get("account", ""))
    mine = [one for one in corps if external_userid in one.contacts]
    if not mine:
        raise Impossible(f"there is no external contact {external_userid!r}")
    wanted = request.query.get("userid", "").lower()
    received = [one for corp in mine for one in _received(world, corp, external_userid)]
    received.sort(key=lambda one: (one[2].at, one[2].msgid))
    shown = [_message_json(*one) for one in received]
    return as_json([one for one in shown if wanted in {"", one["userid"].lower()}])


def _received(world: World, corp: Corp, external_userid: str) -> Iterable[tuple[str, str, Message]]:
    owner = chats.key_of(corp, "", "")[0]
    for (account, chat), said in list(world.chats.items()):
        userid, _, other = chat.partition(" ")
        if account != owner:
            continue
        if userid and other == external_userid:
            yield from (
                (_spelling(corp, userid), "", one)
                for one in said
                if not one.from_person and one.extra.get("via") != chats.NOTICE
            )
        elif not userid and (me := corp.group_chats[other].members.get(external_userid)):
            yield from (
                (one.extra.get("userid", ""), other, one)
                for one in said
                if one.extra.get("userid") != external_userid and one.at >= me.joined_at
            )


def _spelling(corp: Corp, userid: str) -> str:
    return corp.members[userid].userid if userid in corp.members else userid


def _message_json(userid: str, chat_id: str, one: Message) -> Json:
    return {
        "msgid": one.msgid,
        "userid": userid,
        "chat_id": chat_id,
        "via": one.extra.get("via", ""),
        "msgtype": one.kind,
        "content": one.extra.get("content", {}),
        "received_at": as_text(one.at),
    }


async def list_group_chats(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    corp = world.corp(app_of(world, request.query.get("account", "")))
    shown = [
        {
            "chat_id": one.chat_id,
            "name": one.name,
            "owner": one.owner,
            "status": group_chats.status_of(corp, one),
            "opengid": group_chats.opengid_of(corp, one),
            "members": list(one.members),
            "dismissed": one.is_dismissed,
        }
        for one in corp.group_chats.values()
    ]
    return as_json({"group_chats": shown})


async def list_tasks(request: web.Request) -> web.Response:
    """What the members, or one of them (``userid``), were asked to send and to publish."""
    world, userid = request.app[WORLD], request.query.get("userid", "").lower()
    account = app_of(world, request.query.get("account", ""))
    external = world.corp(account).external
    shown = [
        row
        for one in external.group_messages.values()
        for row in _message_tasks(account, one, world.clock.now())
    ] + [row for one in external.moments.values() for row in _moment_tasks(one)]
    return as_json({"tasks": [one for one in shown if userid in {"", one["userid"].lower()}]})


def _message_tasks(account: Account, message: GroupMessage, now: float) -> Iterable[Json]:
    if group_messages.is_on_its_way(message, account.settings, now):
        return
    for task in message.tasks.values():
        yield {
            "kind": "group_message",
            "msgid": message.msgid,
            "userid": task.userid,
            "done": bool(task.sent_at),
            "cancelled": message.is_cancelled,
            "reminders": len(message.reminders),
            "targets": {one.id: int(one.outcome) for one in task.targets},
            **message.content,
        }


def _moment_tasks(moment: Moment) -> Iterable[Json]:
    for task in moment.tasks.values():
        yield {
            "kind": "moment",
            "moment_id": moment.moment_id,
            "userid": task.userid,
            "done": bool(task.published_at),
            "cancelled": moment.is_cancelled,
            "external_userids": task.external_userids,
            **moment.content,
        }


async def keep_approval_template(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = ApprovalTemplateBody.model_validate_json(await request.read() or b"{}")
    for one in body.controls:
        if one.get("control") not in approvals.CONTROLS or not one.get("id"):
            raise Impossible(f"a control needs id, and control: {sorted(approvals.CONTROLS)}")
    controls = [{"title": str(one.get("title") or one["id"])} | one for one in body.controls]
    template = ApprovalTemplate(body.template_id, body.name, controls)
    external = world.corp(app_of(world, body.account)).external
    external.approval_templates[body.template_id] = template
    world.is_dirty = True
    return as_json({"template_id": body.template_id})


async def show_code(request: web.Request) -> web.Response:
    """The picture of a way's QR code, as its ``qr_code`` says."""
    corp = request.app[WORLD].state.corps.get(request.match_info["corpid"])
    text = ways.read_by_scanner(corp, request.match_info["name"]) if corp else None
    if text is None:
        raise web.HTTPNotFound
    return web.Response(body=picture(text), content_type="image/png")


def _corps(world: World, account: str) -> list[Corp]:
    if account:
        return [world.corp(app_of(world, account))]
    return list(world.state.corps.values())
