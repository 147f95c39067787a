"""Which path does what, the external contacts' aside (``external/``)."""

from aiohttp import web

from sandbox.keys import WORLD
from sandbox.state import Json
from sandbox.wecom import agents, cards, external, media, members, messages, oauth, tickets, tokens
from sandbox.wecom.call import OK
from sandbox.wecom.errors import Refusal
from sandbox.wecom.gate import GET, POST, Api, add_apis, as_json
from sandbox.wecom.limits import AGENT_TICKET, CORP_TICKET, MESSAGE_SEND

LOOPBACK_IPS = OK | {"ip_list": ["127.0.0.1"]}
NO_IPS: Json = {"ip_list": []}
NO_MEMBER: Json = {"department": [], "order": [], "is_leader_in_dept": [], "direct_leader": []}

APIS = {
    "/cgi-bin/getcallbackip": Api(GET, lambda _: LOOPBACK_IPS, NO_IPS),
    "/cgi-bin/get_api_domain_ip": Api(GET, lambda _: LOOPBACK_IPS, NO_IPS),
    "/cgi-bin/agent/get": Api(GET, agents.get),
    "/cgi-bin/agent/list": Api(GET, agents.list_own, {"agentlist": []}),
    "/cgi-bin/user/get": Api(GET, members.get, NO_MEMBER),
    "/cgi-bin/user/simplelist": Api(GET, members.simple_list, {"userlist": []}),
    "/cgi-bin/user/list": Api(GET, members.detailed_list, {"userlist": []}),
    "/cgi-bin/user/list_id": Api(POST, members.list_ids, {"dept_user": []}),
    "/cgi-bin/user/getuserid": Api(POST, members.find_by_mobile),
    "/cgi-bin/user/convert_to_openid": Api(POST, members.to_openid),
    "/cgi-bin/user/convert_to_userid": Api(POST, members.to_userid),
    "/cgi-bin/department/list": Api(GET, members.list_departments, {"department": []}),
    "/cgi-bin/department/simplelist": Api(
        GET, members.simple_list_departments, {"department_id": []}
    ),
    "/cgi-bin/department/get": Api(GET, members.get_department),
    "/cgi-bin/auth/getuserinfo": Api(GET, oauth.get_user_info),
    "/cgi-bin/user/getuserinfo": Api(GET, oauth.get_user_info_of_old),
    "/cgi-bin/auth/getuserdetail": Api(POST, oauth.get_user_detail),
    CORP_TICKET: Api(GET, tickets.get_for_corp),
    AGENT_TICKET: Api(GET, tickets.get_for_agent),
    MESSAGE_SEND: Api(POST, messages.send),
    "/cgi-bin/message/recall": Api(POST, messages.recall),
    "/cgi-bin/message/update_template_card": Api(POST, cards.update, {"invaliduser": []}),
    "/cgi-bin/media/upload": Api(POST, media.upload),
    "/cgi-bin/media/get": Api(GET, media.download),
}


def add_routes(app: web.Application) -> None:
    add_apis(app, APIS)
    add_apis(app, external.APIS)
    app.router.add_get(f"/wecom{tokens.PATH}", give_token)
    app.router.add_route("*", "/wecom/{unknown:.*}", nothing_here)


async def give_token(request: web.Request) -> web.Response:
    world, ip = request.app[WORLD], request.remote or ""
    try:
        return as_json(tokens.give(world, request.query, ip))
    except Refusal as refusal:
        return as_json(refusal.as_answer(world.clock.now(), ip))


async def nothing_here(_: web.Request) -> web.Response:
    """An unknown path is a plain 404 without a body, where the official accounts' API differs."""
    return web.Response(status=404)


def defaults_of(path: str) -> Json:
    """The empty fields beside an error of this API."""
    known = {**APIS, **external.APIS}.get(path.removeprefix("/wecom"))
    return known.defaults if known else {}
