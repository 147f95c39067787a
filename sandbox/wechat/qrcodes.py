"""Parametric QR codes: the ticket, the address inside, and a real picture of it."""

import base64
import io
import secrets

import qrcode

from sandbox.state import Json, QrCode
from sandbox.wechat.call import Call
from sandbox.wechat.errors import Refusal
from sandbox.world import World

ADDRESS = "http://weixin.qq.com/q/"
DEFAULT_SECONDS = 60
LONGEST_SECONDS = 2_592_000
# action: (the scene is a number, it expires, the largest number)
ACTIONS = {
    "QR_SCENE": (True, True, 2**32 - 1),
    "QR_STR_SCENE": (False, True, 0),
    "QR_LIMIT_SCENE": (True, False, 100_000),
    "QR_LIMIT_STR_SCENE": (False, False, 0),
}


def create(call: Call) -> Json:
    action = ACTIONS.get(str(call.body.get("action_name")))
    if action is None:
        raise Refusal(40052)
    is_number, expires, largest = action
    scene = _scene(call.body, is_number, largest)
    seconds = _seconds(call.body.get("expire_seconds")) if expires else None
    code = QrCode(
        ticket="g" + base64.b64encode(secrets.token_bytes(68)).decode(),
        account=call.account.name,
        url=ADDRESS + secrets.token_urlsafe(24)[:22],
        scene=scene,
        is_number=is_number,
        created_at=call.now,
        expires_at=None if seconds is None else call.now + seconds,
    )
    call.world.state.qr_codes[code.ticket] = code
    answer: Json = {"ticket": code.ticket, "url": code.url}
    return answer if seconds is None else answer | {"expire_seconds": seconds}


def find(world: World, text: str) -> QrCode | None:
    """By what a scanner reads, or by the ticket."""
    codes = world.state.qr_codes
    by_url = (code for code in codes.values() if code.url == text)
    return codes.get(text) or next(by_url, None)


def picture(text: str) -> bytes:
    buffer = io.BytesIO()
    qrcode.make(text, box_size=10, border=4).save(buffer, format="PNG")
    return buffer.getvalue()


def _scene(body: Json, is_number: bool, largest: int) -> str:
    info = body.get("action_info")
    scene = info.get("scene") if isinstance(info, dict) else None
    value = scene.get("scene_id" if is_number else "scene_str") if isinstance(scene, dict) else None
    if is_number and isinstance(value, int) and 1 <= value <= largest:
        return str(value)
    if not is_number and isinstance(value, str) and 1 <= len(value) <= 64:
        return value
    raise Refusal(40053)


def _seconds(wanted: object) -> int:
    if wanted is None:
        return DEFAULT_SECONDS
    if not isinstance(wanted, int) or wanted < 1:
        raise Refusal(40053)
    return min(wanted, LONGEST_SECONDS)
