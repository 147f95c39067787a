"""What every call goes through: token, app, address, permission, method, limits, body."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from sandbox.keys import WORLD
from sandbox.state import Account, Json
from sandbox.wecom import limits, tokens
from sandbox.wecom.call import Call, Upload
from sandbox.wecom.errors import Refusal
from sandbox.world import World

GET, POST = "GET", "POST"
LARGEST_UPLOAD = 21 << 20
BAD_JSON = "Warning: wrong json format. "
ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{4}")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Api:
    """``defaults`` are the empty fields that WeCom answers beside an error."""

    method: str
    handle: Callable[[Call], Json | web.Response]
    defaults: Json = field(default_factory=dict)


def add_apis(app: web.Application, apis: dict[str, Api]) -> None:
    for path, api in apis.items():
        app.router.add_route("*", f"/wecom{path}", with_token(path, api))


def with_token(path: str, api: Api) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        now = world.clock.now()
        try:
            account = admit(world, request, path, api, now)
            async with limits.alone(world, account, path) as seconds:
                await asyncio.sleep(seconds)
                answer = await _carry_out(world, account, request, api)
        except Refusal as refusal:
            count_refusal(world, path)
            answer = refusal.as_answer(now, request.remote or "", api.defaults)
        return answer if isinstance(answer, web.Response) else as_json(answer)

    return handle


def admit(world: World, request: web.Request, path: str, api: Api, now: float) -> Account:
    """The app that calls. Its token is looked at before anything else."""
    account = tokens.account_of(world, request.query.get("access_token", ""), now)
    settings, ip = account.settings, request.remote or ""
    if settings.app_disabled:
        raise Refusal(50003)
    if settings.ip_allowlist and ip not in settings.ip_allowlist:
        raise Refusal(60020)
    if path in settings.apis_not_allowed:
        raise Refusal(48002)
    if request.method != api.method:
        raise Refusal(43001 if api.method == GET else 43002)
    limits.spend(world.corp(account), account, path, now)
    return account


async def _carry_out(
    world: World, account: Account, request: web.Request, api: Api
) -> Json | web.Response:
    body: dict[str, Any] = {}
    upload, is_readable = None, True
    if request.content_type.startswith("multipart/"):
        upload = await _read_upload(request)
    elif api.method == POST:
        body, is_readable = parse(await request.read(), account)
    corp, now = world.corp(account), world.clock.now()
    host = f"{request.scheme}://{request.host}"
    try:
        answer = api.handle(Call(world, corp, account, request.query, body, now, upload, host))
    except Refusal as refusal:
        if not is_readable:
            refusal.errmsg = f"{refusal.errmsg}, {BAD_JSON}"
        raise
    finally:
        world.is_dirty = True
    if not is_readable and isinstance(answer, dict):
        answer = answer | {"errmsg": f"{answer.get('errmsg', 'ok')}. {BAD_JSON}"}
    return answer


def parse(raw: bytes, account: Account) -> tuple[dict[str, Any], bool]:
    """The fields, and whether this was JSON. If not, the body counts as empty, with a warning."""
    if account.settings.refuse_escapes and ESCAPE.search(raw):
        raise Refusal(40033)
    try:
        body = json.loads(raw) if raw else {}
        if ESCAPE.search(raw):
            json.dumps(body, ensure_ascii=False).encode()  # half a character is none
    except (ValueError, RecursionError):
        return {}, False
    return (body, True) if isinstance(body, dict) else ({}, False)


async def _read_upload(request: web.Request) -> Upload | None:
    """The part named ``media``; of a file too large only so much that this can be seen."""
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "media":
                content_type = part.headers.get("Content-Type", "application/octet-stream")
                return Upload(part.filename or "", content_type, await _read_part(part))
    except ValueError as error:
        raise Refusal(41005) from error
    return None


async def _read_part(part: BodyPartReader) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        if len(data) <= LARGEST_UPLOAD:
            data += chunk
    return bytes(data)


def count_refusal(world: World, path: str) -> None:
    if path == limits.MESSAGE_SEND:
        world.stats.wecom_messages["refused"] += 1


def as_json(answer: Json) -> web.Response:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return web.Response(
        body=text.encode(), headers={"Content-Type": "application/json; charset=UTF-8"}
    )
