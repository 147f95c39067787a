"""Server-sent events: a screen is told when there is something new, but never too often."""

import asyncio
import contextlib
import json
from collections.abc import Callable

from aiohttp import web

from sandbox.keys import WORLD
from sandbox.state import Json

HEARTBEAT_SECONDS = 15.0


async def stream(
    request: web.Request, look: Callable[[], Json], pause_seconds: float
) -> web.StreamResponse:
    world = request.app[WORLD]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    with world.hub.watch() as knock, contextlib.suppress(ConnectionError):
        while not world.is_closing:
            await response.write(f"data: {json.dumps(look(), ensure_ascii=False)}\n\n".encode())
            await asyncio.sleep(pause_seconds)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(knock.wait(), HEARTBEAT_SECONDS)
            knock.clear()
    return response
