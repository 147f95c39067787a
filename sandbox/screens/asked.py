"""What the scripts of both screens send, and how they are refused."""

from aiohttp import web

from sandbox.state import Json


async def read_body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        raise web.HTTPBadRequest from None
    return body if isinstance(body, dict) else {}


def refused(sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=400)
