"""The scripts that pages load from WeCom, played: ``@wecom/jssdk`` and the two older ones.

Each begins with the client itself, which on a real device is there before any page.
"""

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "js"
PREFIX = "/wecom/open/js"
SCRIPTS = {
    "jssdk.js": ("client.js", "jssdk.js"),
    "jweixin-1.2.0.js": ("client.js", "jweixin.js"),
    "jwxwork-1.0.0.js": ("client.js",),  # what it adds is in the one above already
}


def add_routes(app: web.Application) -> None:
    app.router.add_get(f"{PREFIX}/{{name}}", script)


async def script(request: web.Request) -> web.Response:
    parts = SCRIPTS.get(request.match_info["name"])
    if parts is None:
        raise web.HTTPNotFound
    text = "\n".join((FOLDER / one).read_text("utf-8") for one in parts)
    headers = {"Cache-Control": "no-cache"}
    return web.Response(text=text, content_type="text/javascript", charset="utf-8", headers=headers)
