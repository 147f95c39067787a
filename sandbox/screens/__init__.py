"""Screens for people: a phone with WeChat, and a hall that counts the messages going out."""

from pathlib import Path

from aiohttp import web

from sandbox.screens import desktop, hall, phone

FOLDER = Path(__file__).parent
ASSETS = {
    "sandbox.css": "text/css",
    "phone.js": "text/javascript",
    "hall.js": "text/javascript",
    "desktop.js": "text/javascript",
    "tools.js": "text/javascript",
    "messages.js": "text/javascript",
    "client.js": "text/javascript",
    "events.js": "text/javascript",
    "desktop.css": "text/css",
    "icon.svg": "image/svg+xml",
}


def add_routes(app: web.Application) -> None:
    app.router.add_get("/static/{name}", asset)
    phone.add_routes(app)
    hall.add_routes(app)
    desktop.add_routes(app)


async def asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    text = (FOLDER / name).read_text("utf-8")
    headers = {"Cache-Control": "no-cache"}
    return web.Response(text=text, content_type=ASSETS[name], charset="utf-8", headers=headers)
