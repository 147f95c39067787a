"""Temporary files: kept for three days, for all apps of the corp.

https://developer.work.weixin.qq.com/document/path/90253
"""

import secrets
from urllib.parse import quote

from aiohttp import web

from sandbox.state import Json
from sandbox.wecom.call import Call, Upload
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Corp, Media

LIFETIME = 3 * 86_400
SMALLEST = 5
MEGABYTE = 1 << 20
LARGEST = {
    "image": 10 * MEGABYTE,
    "voice": 2 * MEGABYTE,
    "video": 10 * MEGABYTE,
    "file": 20 * MEGABYTE,
}


def upload(call: Call) -> Json:
    kind = call.query.get("type", "")
    if kind not in LARGEST:
        raise Refusal(40004)
    media = keep(call, kind, _checked(call.upload, LARGEST[kind]))
    return {
        "errcode": 0,
        "errmsg": "",
        "type": kind,
        "media_id": media.media_id,
        "created_at": str(int(media.created_at)),
    }


def keep(call: Call, kind: str, given: Upload) -> Media:
    media_id = "3" + secrets.token_urlsafe(48)
    media = Media(media_id, kind, given.filename, given.content_type, call.now, len(given.data))
    call.corp.media[media_id] = media
    call.world.keep_file(media_id, given.data)
    return media


def download(call: Call) -> web.Response:
    if not (media_id := call.query.get("media_id")):
        raise Refusal(41006)
    media = require(call.corp, media_id, call.now)
    name = quote(media.filename)
    return web.Response(
        body=call.world.read_file(media.media_id),
        content_type=media.content_type.partition(";")[0],
        headers={
            "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=utf-8''{name}"
        },
    )


def require(corp: Corp, media_id: object, now: float, kind: str = "") -> Media:
    """A file of this corp that has not expired and is of the kind."""
    media = corp.media.get(media_id) if isinstance(media_id, str) else None
    if media is None or now >= media.created_at + LIFETIME:
        raise Refusal(40007)
    if kind and media.type != kind:
        raise Refusal(40007, detail=f"this is of type {media.type}")
    return media


def _checked(given: Upload | None, largest: int) -> Upload:
    if given is None:
        raise Refusal(41005)
    if len(given.data) < SMALLEST:
        raise Refusal(44001)
    if len(given.data) > largest:
        raise Refusal(45001)
    return given
