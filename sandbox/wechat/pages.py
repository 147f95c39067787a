"""What a person's browser opens at the platform: the authorize page and the JS-SDK."""

import json
from pathlib import Path

from aiohttp import web

from sandbox.keys import WORLD
from sandbox.looks import page
from sandbox.state import Account, Person
from sandbox.wechat import jssdk, oauth
from sandbox.world import World

PERSON_COOKIE = "sandbox_person"
JWEIXIN = Path(__file__).with_name("jweixin.js")
MOST_OFFERED = 50


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_get("/wechat/connect/oauth2/authorize", authorize)
    router.add_post("/wechat/connect/oauth2/authorize", allow)
    router.add_get("/wechat/open/js/jweixin-1.6.0.js", jweixin)
    router.add_get("/wechat/open/js/check", check_config)


async def authorize(request: web.Request) -> web.Response:
    """Silent for ``snsapi_base``; otherwise the person is asked first."""
    world, query = request.app[WORLD], request.query
    try:
        account = oauth.check_authorize(world, query)
    except oauth.PageError as error:
        return page("refusal.html", status=400, sentence=str(error))
    person = person_of(world, request)
    if person is None:
        return page("who.html", people=_people(world, account), address=str(request.rel_url))
    if query["scope"] == oauth.USERINFO:
        return page("consent.html", account=account, person=person, address=str(request.rel_url))
    raise _redirect(world, request, account, person)


async def allow(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    try:
        account = oauth.check_authorize(world, request.query)
    except oauth.PageError as error:
        return page("refusal.html", status=400, sentence=str(error))
    person = person_of(world, request)
    if person is None:
        return page("refusal.html", status=400, sentence="请在微信客户端打开链接")
    raise _redirect(world, request, account, person)


def person_of(world: World, request: web.Request) -> Person | None:
    """Who holds the phone: named in the address, or the one whose phone was touched last."""
    wanted = request.query.get("sandbox_person") or request.cookies.get(PERSON_COOKIE, "")
    return world.state.people.get(wanted)


async def jweixin(_: web.Request) -> web.Response:
    return web.Response(text=JWEIXIN.read_text("utf-8"), content_type="text/javascript")


async def check_config(request: web.Request) -> web.Response:
    """Answers the stand-in for jweixin as a script, which needs no permission beside its own."""
    verdict = jssdk.check_signature(request.app[WORLD], request.query)
    answer = json.dumps([request.query.get("call", ""), verdict])
    return web.Response(text=f"window.__jweixin({answer});", content_type="text/javascript")


def _redirect(
    world: World, request: web.Request, account: Account, person: Person
) -> web.HTTPFound:
    query = request.query
    code = oauth.issue_code(world, account, world.fan_of(account, person), query["scope"])
    target = oauth.redirect_with(query["redirect_uri"], code, query.get("state", ""))
    redirect = web.HTTPFound(target)
    redirect.set_cookie(PERSON_COOKIE, person.person_id, samesite="Lax", httponly=True)
    return redirect


def _people(world: World, account: Account) -> list[Person]:
    people = world.state.people
    return [people[fan.person_id] for fan in list(account.fans.values())[:MOST_OFFERED]]
