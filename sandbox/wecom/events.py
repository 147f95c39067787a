"""Telling the corp's apps what happened, and what a member does in the chat with one app.

https://developer.work.weixin.qq.com/document/path/90240
"""

from collections.abc import Callable

from sandbox.state import Account, Json, Message
from sandbox.wechat.events import Impossible
from sandbox.wecom import corps
from sandbox.wecom.call import sees
from sandbox.wecom.state import Member
from sandbox.wecom.wishes import Wish
from sandbox.wecom.xml import as_xml
from sandbox.world import Callback, World

SYSTEM = "sys"
Act = Callable[[World, Account, Wish], list[Callback]]


def tell_app(
    world: World, account: Account, userid: str, event: str, fields: Json, wish: Wish
) -> list[Callback]:
    """An event of this app alone; its number is in the message."""
    more = {"AgentID": int(account.agentid or 0)}
    xml = message(
        world, account, userid, {"MsgType": "event", "Event": event} | fields | more, wish
    )
    return _sent(world.call_back(account, userid, event, xml))


def tell_corp(
    world: World, account: Account, event: str, fields: Json, wish: Wish
) -> list[Callback]:
    """An event of the corp: every app that hears such things is told, this one first."""
    xml = message(world, account, SYSTEM, {"MsgType": "event", "Event": event} | fields, wish)
    others = [one for one in world.apps(account.appid) if one.name != account.name]
    return [
        callback
        for one in (account, *others)
        if one.settings.hears_corp_events
        for callback in _sent(world.call_back(one, SYSTEM, event, xml))
    ]


def message(world: World, account: Account, sender: str, fields: Json, wish: Wish) -> str:
    """The XML. A wish may set every field, and leave one out by setting it to null."""
    head: Json = {
        "ToUserName": account.appid,
        "FromUserName": sender,
        "CreateTime": int(world.clock.now()),
    }
    return as_xml(head | fields | wish.fields)


def _sent(callback: Callback | None) -> list[Callback]:
    return [callback] if callback else []


def member_of(world: World, account: Account, wish: Wish) -> Member:
    """The member who acts; only who sees the app can."""
    member = world.corp(account).members.get(wish.userid.lower())
    if member is None:
        raise Impossible(f"{account.appid} has no member {wish.userid!r}")
    if not sees(account, member.userid):
        raise Impossible(f"{member.userid} does not see the app {account.name}")
    return member


# A member and an app


def _opening(event: str) -> Act:
    def act(world: World, account: Account, wish: Wish) -> list[Callback]:
        member = member_of(world, account, wish)
        (member.subscribed.discard if event == "unsubscribe" else member.subscribed.add)(
            account.agentid
        )
        world.is_dirty = True
        return tell_app(world, account, member.userid, event, {"EventKey": ""}, wish)

    return act


def _tapping(event: str, describe: Callable[[Wish], Json]) -> Act:
    """One entry of the app's menu."""

    def act(world: World, account: Account, wish: Wish) -> list[Callback]:
        member = member_of(world, account, wish)
        key = wish.needed("url" if event == "view" else "key")
        fields: Json = {"EventKey": key, **describe(wish)}
        return tell_app(world, account, member.userid, event, fields, wish)

    return act


def report_location(world: World, account: Account, wish: Wish) -> list[Callback]:
    member = member_of(world, account, wish)
    fields: Json = {
        "Latitude": wish.latitude,
        "Longitude": wish.longitude,
        "Precision": 65.0,
        "AppType": "wxwork",
    }
    return tell_app(world, account, member.userid, "LOCATION", fields, wish)


def write(world: World, account: Account, wish: Wish) -> list[Callback]:
    """A message of any kind from a member to the app."""
    member = member_of(world, account, wish)
    kind = "text" if wish.event == "write" else wish.event
    msgid = world.next_id()
    content = MESSAGES[kind](wish)
    entry = Message(
        msgid,
        account.name,
        member.userid.lower(),
        kind,
        world.clock.now(),
        from_person=True,
        extra={"content": content},
    )
    corps.deliver(world, account, member, entry)
    fields: Json = {
        "MsgType": kind,
        **content,
        "MsgId": str(10**18 + msgid),
        "AgentID": int(account.agentid or 0),
    }
    xml = message(world, account, member.userid, fields, wish)
    return _sent(world.call_back(account, member.userid, kind, xml))


def send_anything(world: World, account: Account, wish: Wish) -> list[Callback]:
    """Exactly the given fields: events of tomorrow, shapes of third-party apps, and nonsense."""
    name = str(wish.fields.get("Event") or wish.fields.get("InfoType") or "raw")
    return _sent(world.call_back(account, wish.userid or SYSTEM, name, as_xml(wish.fields)))


def _scan(wish: Wish) -> Json:
    return {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": wish.content}}


def _pictures(_: Wish) -> Json:
    picture: Json = {"PicMd5Sum": "0" * 32}
    return {"SendPicsInfo": {"Count": 1, "PicList": {"item": [picture]}}}


def _place(wish: Wish) -> Json:
    return {
        "SendLocationInfo": {
            "Location_X": wish.latitude,
            "Location_Y": wish.longitude,
            "Scale": 16,
            "Label": wish.content,
            "Poiname": "",
        },
        "AppType": "wxwork",
    }


def _nothing_more(_: Wish) -> Json:
    return {}


def _text(wish: Wish) -> Json:
    return {"Content": wish.needed("content")}


def _media(**more: str) -> Callable[[Wish], Json]:
    return lambda wish: {"MediaId": wish.media_id or "MEDIA_ID", **more}


def _location(wish: Wish) -> Json:
    return {
        "Location_X": wish.latitude,
        "Location_Y": wish.longitude,
        "Scale": 16,
        "Label": wish.content,
        "AppType": "wxwork",
    }


def _link(wish: Wish) -> Json:
    return {
        "Title": wish.name,
        "Description": wish.content,
        "Url": wish.needed("url"),
        "PicUrl": "",
    }


MESSAGES: dict[str, Callable[[Wish], Json]] = {
    "text": _text,
    "image": _media(PicUrl=""),
    "voice": _media(Format="amr"),
    "video": _media(ThumbMediaId="THUMB_MEDIA_ID"),
    "location": _location,
    "link": _link,
}
EVENTS: dict[str, Act] = {
    **{name: _opening(name) for name in ("subscribe", "unsubscribe", "enter_agent")},
    **{name: _tapping(name, _nothing_more) for name in ("click", "view", "view_miniprogram")},
    **{name: _tapping(name, _scan) for name in ("scancode_push", "scancode_waitmsg")},
    **{
        name: _tapping(name, _pictures)
        for name in ("pic_sysphoto", "pic_photo_or_album", "pic_weixin")
    },
    "location_select": _tapping("location_select", _place),
    "LOCATION": report_location,
    **dict.fromkeys(("write", *MESSAGES), write),
    "raw": send_anything,
}
