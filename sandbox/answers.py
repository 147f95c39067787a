"""How the control API answers."""

import json

from aiohttp import web

from sandbox.clock import as_text
from sandbox.state import Json
from sandbox.world import Callback


def as_json(answer: Json | list[Json], status: int = 200) -> web.Response:
    text = json.dumps(answer, ensure_ascii=False, indent=1) + "\n"
    return web.Response(text=text, content_type="application/json", status=status)


def callback_json(callback: Callback) -> Json:
    return {
        "id": callback.callback_id,
        "account": callback.account,
        "openid": callback.openid,
        "event": callback.event,
        "tries": callback.tries,
        "outcome": callback.outcome,
        "created_at": as_text(callback.created_at),
        "xml": callback.xml,
    }
