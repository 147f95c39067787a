"""消息大厅: the messages going out, counted live."""

from aiohttp import web

from sandbox.clock import as_text
from sandbox.keys import WORLD
from sandbox.looks import page
from sandbox.screens.stream import stream
from sandbox.state import Json, Message
from sandbox.world import World

UPDATE_SECONDS = 0.25
SHOWN = 12


def add_routes(app: web.Application) -> None:
    app.router.add_get("/hall", show)
    app.router.add_get("/hall/live", live)


async def show(_: web.Request) -> web.Response:
    return page("hall.html")


async def live(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    return await stream(request, lambda: counters(world), UPDATE_SECONDS)


def counters(world: World) -> Json:
    waiting = world.from_people.qsize() + world.results.qsize()
    received = [message for message in world.latest if message.kind == "template"][-SHOWN:]
    return {
        "messages": dict(world.stats.messages),
        "callbacks": {**world.stats.callbacks, "waiting": waiting},
        "followers": sum(
            fan.subscribed for account in world.official_accounts() for fan in account.fans.values()
        ),
        "latest": [_line(world, message) for message in reversed(received)],
    }


def _line(world: World, message: Message) -> Json:
    account = world.state.accounts[message.account]
    template = account.templates.get(message.template_id)
    person = world.state.people[account.fans[message.openid].person_id]
    return {
        "msgid": message.msgid,
        "at": as_text(message.at),
        "account": account.title,
        "title": template.title if template else "模板消息",
        "person": person.name,
        "person_id": person.person_id,
    }
