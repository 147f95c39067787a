"""The WeCom part of the control API, at ``/_sandbox/wecom``."""

import asyncio
import contextlib
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.answers import as_json, callback_json
from sandbox.clock import as_text
from sandbox.keys import SENDER, WORLD
from sandbox.state import Account, Json, Kind
from sandbox.wechat.events import Impossible
from sandbox.wecom import corps, customers, directory, events, oauth, taps, tokens
from sandbox.wecom.external import happenings
from sandbox.wecom.oauth import Visitor
from sandbox.wecom.state import ROOT_DEPARTMENT, Corp, Department, Follow, Member, MemberTag
from sandbox.wecom.wishes import Wish
from sandbox.world import Callback, World

PREFIX = "/_sandbox/wecom"
WAIT_SECONDS = 30
EVENTS = {
    **events.EVENTS,
    **customers.EVENTS,
    **directory.EVENTS,
    **taps.EVENTS,
    **happenings.EVENTS,
}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: str


class NewDepartment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int = Field(ge=1)
    name: str = Field(min_length=1)
    parentid: int = ROOT_DEPARTMENT
    order: int = 0
    leaders: list[str] = []


class NewTag(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tagid: int = Field(ge=1)
    name: str = Field(min_length=1)
    userids: list[str] = []


class MembersBody(Body):
    """``members`` may set every field of a member; ``userids`` are the short way."""

    userids: list[str] = []
    names: list[str] = []
    members: list[dict[str, Any]] = []
    departments: list[NewDepartment] = []
    tags: list[NewTag] = []


class ContactsBody(Body):
    userid: str
    count: int | None = Field(None, ge=1, le=100_000)
    external_userids: list[str] | None = None
    names: list[str] = []
    people: list[str] = []
    type: int = Field(1, ge=1, le=2)
    state: str = ""
    callback: bool = False

    @model_validator(mode="after")
    def either_count_or_external_userids(self) -> "ContactsBody":
        if (self.count is None) == (self.external_userids is None):
            raise ValueError("give either count or external_userids")
        return self


def add_routes(app: web.Application) -> None:
    router = app.router
    router.add_post(f"{PREFIX}/members", add_members)
    router.add_get(f"{PREFIX}/members", list_members)
    router.add_get(f"{PREFIX}/members/{{userid}}/inbox", inbox)
    router.add_post(f"{PREFIX}/contacts", add_contacts)
    router.add_get(f"{PREFIX}/contacts", list_contacts)
    router.add_post(f"{PREFIX}/events", cause_event)
    router.add_get(f"{PREFIX}/events", list_events)
    router.add_post(f"{PREFIX}/callback_check", check_callback)
    router.add_post(f"{PREFIX}/revoke_token", revoke_token)


# Members


async def add_members(request: web.Request) -> web.Response:
    """Create members, departments and member tags, or change those that exist."""
    world = request.app[WORLD]
    body = MembersBody.model_validate_json(await request.read() or b"{}")
    corp = world.corp(app_of(world, body.account))
    for department in body.departments:
        corp.departments[department.id] = Department(**department.model_dump())
    names = body.names + [""] * len(body.userids)
    made = [
        corps.keep_member(world, corp, userid, name)
        for userid, name in zip(body.userids, names, strict=False)
    ]
    made += [directory.keep_described(world, corp, given) for given in body.members]
    for tag in body.tags:
        userids = {userid.lower() for userid in tag.userids}
        corp.member_tags[tag.tagid] = MemberTag(tag.tagid, tag.name, userids)
    world.is_dirty = True
    return as_json({"userids": [member.userid for member in made]})


async def list_members(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    account = app_of(world, request.query.get("account", ""))
    members = world.corp(account).members.values()
    return as_json({"members": [_member_json(account, one) for one in members]})


def _member_json(account: Account, member: Member) -> Json:
    return {
        "userid": member.userid,
        "name": member.name,
        "departments": member.departments,
        "position": member.position,
        "mobile": member.mobile,
        "status": member.status,
        "licensed": member.licensed,
        "unread": member.unread.get(account.agentid, 0),
    }


async def inbox(request: web.Request) -> web.Response:
    """What the apps sent to this member, newest last; one app's with ``account``."""
    world, userid = request.app[WORLD], request.match_info["userid"]
    wanted = request.query.get("account")
    apps = [app_of(world, wanted)] if wanted else _all_apps(world)
    mine = [one for one in apps if userid.lower() in world.corp(one).members]
    if not mine:
        raise Impossible(f"there is no member {userid!r}")
    received = [
        entry
        for account in mine
        for entry in corps.chat_of(world, account, userid)
        if not entry["from_member"]
    ]
    received.sort(key=lambda entry: entry["at"])
    return as_json([_received_json(entry) for entry in received])


def _received_json(entry: Json) -> Json:
    names = ("account", "agentid", "msgid", "msgtype", "content", "recalled")
    return {name: entry[name] for name in names} | {"received_at": as_text(entry["at"])}


# External contacts


async def add_contacts(request: web.Request) -> web.Response:
    """Contacts whom the member has already; with ``callback`` they are added before our eyes."""
    world = request.app[WORLD]
    body = ContactsBody.model_validate_json(await request.read() or b"{}")
    account = app_of(world, body.account)
    corp = world.corp(account)
    if body.userid.lower() not in corp.members:
        raise Impossible(f"{account.appid} has no member {body.userid!r}")
    wanted = (
        body.external_userids if body.external_userids is not None else [""] * (body.count or 0)
    )
    made = [_keep_contact(world, account, body, *one) for one in enumerate(wanted)]
    return as_json({"external_userids": made})


def _keep_contact(
    world: World, account: Account, body: ContactsBody, number: int, external_userid: str
) -> str:
    corp = world.corp(account)
    contact = corps.keep_contact(world, corp, external_userid)
    if number < len(body.names):
        contact.name = body.names[number]
    if number < len(body.people):
        contact.person_id = _person_id(world, body.people[number])
    contact.type = body.type
    userid, external_userid = body.userid, contact.external_userid
    if body.callback:
        wish = Wish(
            account=body.account,
            event="add_external_contact",
            userid=userid,
            external_userid=external_userid,
            state=body.state,
        )
        customers.add_contact(world, account, wish)
    else:
        corps.follow(world, corp, corp.members[userid.lower()], contact, body.state)
    return external_userid


def _person_id(world: World, person_id: str) -> str:
    if person_id not in world.state.people:
        raise Impossible(f"nobody on the phones is {person_id!r}")
    return person_id


async def list_contacts(request: web.Request) -> web.Response:
    """All contacts of the corp, or those of the member ``userid``."""
    world, userid = request.app[WORLD], request.query.get("userid", "").lower()
    corp = world.corp(app_of(world, request.query.get("account", "")))
    listed = [
        one
        for one in corp.contacts.values()
        if not userid or one.external_userid in corp.follows.get(userid, {})
    ]
    answer = [
        {
            "external_userid": one.external_userid,
            "name": one.name,
            "type": one.type,
            "follows": [
                _follow_json(follow) for follow in corps.followers_of(corp, one.external_userid)
            ],
        }
        for one in listed
    ]
    return as_json({"contacts": answer})


def _follow_json(follow: Follow) -> Json:
    return {
        "userid": follow.userid,
        "remark": follow.remark,
        "state": follow.state,
        "tag_ids": follow.tag_ids,
        "since": as_text(follow.created_at),
        "lost": bool(follow.lost_at),
    }


# Events


async def cause_event(request: web.Request) -> web.Response:
    wish = Wish.model_validate_json(await request.read() or b"{}")
    callbacks = cause(request.app[WORLD], wish)
    if wish.wait:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.gather(*(callback.done.wait() for callback in callbacks))
    return as_json({"callbacks": [callback_json(one) for one in callbacks]})


def cause(world: World, wish: Wish) -> list[Callback]:
    """Let it happen; what the apps are told is on its way. ``Impossible`` says why not."""
    account = app_of(world, wish.account)
    act = EVENTS.get(wish.event)
    if act is None and wish.event == customers.CONTACT:
        act = customers.EVENTS.get(wish.change_type)
    if act is None:
        raise Impossible(f"unknown event {wish.event}; one of {', '.join(EVENTS)}")
    callbacks = act(world, account, wish)
    return callbacks + [
        one for first in callbacks for one in _copies(world, first, wish.copies - 1)
    ]


def _copies(world: World, first: Callback, count: int) -> list[Callback]:
    """The same again, as WeCom sends it when our answer was lost on the way."""
    account = world.state.accounts[first.account]
    again = (world.call_back(account, first.openid, first.event, first.xml) for _ in range(count))
    return [callback for callback in again if callback]


async def list_events(_: web.Request) -> web.Response:
    return as_json({"events": sorted(EVENTS)})


async def check_callback(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = Body.model_validate_json(await request.read() or b"{}")
    account = app_of(world, body.account)
    if not account.callback_url:
        raise Impossible(f"{account.name} has no callback_url")
    return as_json({"result": await request.app[SENDER].verify(account)})


async def revoke_token(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = Body.model_validate_json(await request.read() or b"{}")
    tokens.revoke(world, app_of(world, body.account))
    return as_json({"ok": True})


def authorize_code(world: World, account: Account, request: web.Request) -> str:
    """A fresh code for the member ``userid``, or for ``external_userid``, or for a stranger."""
    query, corp = request.query, world.corp(account)
    oauth.require_own_domain(account, query.get("redirect_uri", ""))
    visitor = _visitor(corp, query.get("userid", ""), query.get("external_userid", ""))
    return oauth.issue_code(world, account, visitor, query.get("scope", oauth.BASE))


def _visitor(corp: Corp, userid: str, external_userid: str) -> Visitor:
    if userid and userid.lower() not in corp.members:
        raise Impossible(f"{corp.corpid} has no member {userid!r}")
    if external_userid and external_userid not in corp.contacts:
        raise Impossible(f"{corp.corpid} has no external contact {external_userid!r}")
    return corp.members.get(userid.lower()) or corp.contacts.get(external_userid)


def app_of(world: World, name: str) -> Account:
    account = world.state.accounts.get(name)
    if account is None:
        raise Impossible(f"there is no account {name!r}; create it with POST /_sandbox/accounts")
    if account.kind is not Kind.WECOM_APP:
        raise Impossible(f"{name} is a {account.kind}, not a wecom_app")
    return account


def _all_apps(world: World) -> list[Account]:
    return [one for one in world.state.accounts.values() if one.kind is Kind.WECOM_APP]
