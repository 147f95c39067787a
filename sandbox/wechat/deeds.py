"""The table of all that a person can be made to do, and how each wish becomes an event.

https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_event_pushes.html
https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Custom_Menu_Push_Events.html
"""

import hashlib
from collections.abc import Callable

from sandbox.state import Account, Fan, Json, QrCode
from sandbox.wechat import events, qrcodes
from sandbox.wechat.events import Impossible
from sandbox.wechat.wishes import Wish
from sandbox.world import Callback, World

Act = Callable[[World, Account, Fan, Wish], list[Callback]]
PICTURE = "picture"


def cause(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    """Let it happen; what the account is told is on its way. ``Impossible`` says why not."""
    callbacks = _act(wish.event)(world, account, fan, wish)
    return callbacks + [
        one for first in callbacks for one in _copies(world, first, wish.copies - 1)
    ]


def is_meeting(event: str) -> bool:
    """Whether this may be the first thing that the account hears of a person."""
    return event.lower() in MEETINGS


def _act(event: str) -> Act:
    act = EVENTS.get(event) or EVENTS.get(event.lower())
    if act is None:
        raise Impossible(f"unknown event {event}; one of {', '.join(EVENTS)}")
    return act


def _copies(world: World, first: Callback, count: int) -> list[Callback]:
    """The same message again, as WeChat sends it when our answer was lost on the way."""
    account = world.state.accounts[first.account]
    again = (world.call_back(account, first.openid, first.event, first.xml) for _ in range(count))
    return [callback for callback in again if callback]


def _told(*callbacks: Callback | None) -> list[Callback]:
    return [callback for callback in callbacks if callback]


# Following, the menu, writing


def _follow(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    has_code = wish.scene is not None or wish.ticket is not None
    code = _qr_code(world, account, wish) if has_code else None
    return _told(events.follow(world, account, fan, code))


def _unfollow(world: World, account: Account, fan: Fan, _: Wish) -> list[Callback]:
    return _told(events.unfollow(world, account, fan))


def _scan(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    return _told(events.scan(world, account, fan, _qr_code(world, account, wish)))


def _click(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    return _told(events.click(world, account, fan, wish.needed("key"), wish.fields))


def _view(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    return _told(events.view(world, account, fan, wish.needed("url"), wish.fields))


def _write(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    return _told(events.write(world, account, fan, wish.needed("content"), wish.fields))


def _message(kind: str, describe: Callable[[Wish], Json]) -> Act:
    """A message that is no text, with the fields that WeChat adds to it."""

    def act(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
        fields = describe(wish) | wish.fields
        shown = {"title": wish.name, "label": wish.content or "", "url": wish.url or ""}
        return _told(events.send(world, account, fan, kind, fields, shown))

    return act


def _image(wish: Wish) -> Json:
    return {"PicUrl": wish.url or "", "MediaId": wish.media_id or "MEDIA_ID"}


def _voice(wish: Wish) -> Json:
    """``Recognition`` is there only for accounts that have it switched on."""
    said = {"Recognition": wish.content} if wish.content else {}
    return {"MediaId": wish.media_id or "MEDIA_ID", "Format": "amr"} | said


def _video(wish: Wish) -> Json:
    return {"MediaId": wish.media_id or "MEDIA_ID", "ThumbMediaId": "THUMB_MEDIA_ID"}


def _location(wish: Wish) -> Json:
    return {
        "Location_X": wish.latitude,
        "Location_Y": wish.longitude,
        "Scale": 16,
        "Label": wish.content or "",
    }


def _link(wish: Wish) -> Json:
    return {"Title": wish.name, "Description": wish.content or "", "Url": wish.needed("url")}


# The other buttons of a menu


def _button(name: str, describe: Callable[[Wish], Json], sends: str = "") -> Act:
    """``sends``: the message that follows, for pictures and places arrive as such too."""

    def act(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
        fields = {"EventKey": wish.needed("key"), **describe(wish)}
        first = events.tap(world, account, fan, name, fields | wish.fields)
        plain = wish.model_copy(update={"fields": {}})
        return _told(first) + (EVENTS[sends](world, account, fan, plain) if sends else [])

    return act


def _page_of_program(_: Wish) -> Json:
    return {"MenuId": 1}


def _scanned(wish: Wish) -> Json:
    return {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": wish.content or ""}}


def _pictures(wish: Wish) -> Json:
    digest = hashlib.md5((wish.media_id or PICTURE).encode(), usedforsecurity=False).hexdigest()
    return {"SendPicsInfo": {"Count": 1, "PicList": {"item": [{"PicMd5Sum": digest}]}}}


def _place(wish: Wish) -> Json:
    return {"SendLocationInfo": _location(wish) | {"Poiname": wish.name}}


# What WeChat reports


def _report_location(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    fields: Json = {"Latitude": wish.latitude, "Longitude": wish.longitude, "Precision": 65.0}
    return _told(events.report(world, account, fan, "LOCATION", fields | wish.fields))


def _popup(wish: Wish) -> Json:
    """The person answered the dialogue that asks for subscriptions."""
    answer = "accept" if wish.accept else "reject"
    entry = {"TemplateId": wish.needed("template_id"), "SubscribeStatusString": answer}
    return {"SubscribeMsgPopupEvent": {"List": [entry | {"PopupScene": 2}]}}


def _changed(wish: Wish) -> Json:
    """In the settings one can only take a subscription back."""
    entry = {"TemplateId": wish.needed("template_id"), "SubscribeStatusString": "reject"}
    return {"SubscribeMsgChangeEvent": {"List": [entry]}}


def _sent(wish: Wish) -> Json:
    status = wish.status or "success"
    entry = {
        "TemplateId": wish.needed("template_id"),
        "MsgID": wish.msgid or 1_700_827_132_819_554_304,
        "ErrorCode": 0 if status == "success" else 1,
        "ErrorStatus": status,
    }
    return {"SubscribeMsgSentEvent": {"List": [entry]}}


def _template_result(wish: Wish) -> Json:
    return {"MsgID": wish.msgid or 0, "Status": wish.status or "success"}


def _mass_result(wish: Wish) -> Json:
    is_sent = wish.status in {"", "send success", "sendsuccess"}
    return {
        "MsgID": wish.msgid or 0,
        "Status": wish.status or "send success",
        "TotalCount": wish.count,
        "FilterCount": wish.count,
        "SentCount": wish.count if is_sent else 0,
        "ErrorCount": 0 if is_sent else wish.count,
    }


def _report(name: str, describe: Callable[[Wish], Json]) -> Act:
    def act(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
        fields = describe(wish) | wish.fields
        return _told(events.report(world, account, fan, name, fields))

    return act


def _anything(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    """Exactly the given fields: events of tomorrow, and nonsense."""
    return _told(events.send_anything(world, account, fan, wish.fields))


# What nobody is told


def _mute(world: World, account: Account, fan: Fan, wish: Wish) -> list[Callback]:
    template_id = wish.needed("template_id")
    if template_id not in account.templates:
        raise Impossible(f"{account.name} has no template {template_id}")
    events.mute(world, fan, template_id, muted=wish.event.lower() == "mute")
    return []


def _block(world: World, _: Account, fan: Fan, wish: Wish) -> list[Callback]:
    events.block(world, fan, blocked=wish.event.lower() == "block")
    return []


EVENTS: dict[str, Act] = {
    "subscribe": _follow,
    "follow": _follow,
    "unsubscribe": _unfollow,
    "unfollow": _unfollow,
    "scan": _scan,
    "click": _click,
    "view": _view,
    "text": _write,
    "write": _write,
    "image": _message("image", _image),
    "voice": _message("voice", _voice),
    "video": _message("video", _video),
    "shortvideo": _message("shortvideo", _video),
    # A place that somebody sends, and the position that a phone reports now and then: both
    # platforms tell them apart by capitals alone.
    "location": _message("location", _location),
    "LOCATION": _report_location,
    "link": _message("link", _link),
    "view_miniprogram": _button("view_miniprogram", _page_of_program),
    "scancode_push": _button("scancode_push", _scanned),
    "scancode_waitmsg": _button("scancode_waitmsg", _scanned),
    "pic_sysphoto": _button("pic_sysphoto", _pictures, "image"),
    "pic_photo_or_album": _button("pic_photo_or_album", _pictures, "image"),
    "pic_weixin": _button("pic_weixin", _pictures, "image"),
    "location_select": _button("location_select", _place, "location"),
    "subscribe_msg_popup_event": _report("subscribe_msg_popup_event", _popup),
    "subscribe_msg_change_event": _report("subscribe_msg_change_event", _changed),
    "subscribe_msg_sent_event": _report("subscribe_msg_sent_event", _sent),
    "templatesendjobfinish": _report("TEMPLATESENDJOBFINISH", _template_result),
    "masssendjobfinish": _report("MASSSENDJOBFINISH", _mass_result),
    "raw": _anything,
    "mute": _mute,
    "unmute": _mute,
    "block": _block,
    "unblock": _block,
}
MEETINGS = frozenset({"subscribe", "follow", "scan"})


def _qr_code(world: World, account: Account, wish: Wish) -> QrCode:
    """The code with that ticket or address; a scene alone is good for a code nobody created."""
    if wanted := wish.ticket or wish.url:
        code = qrcodes.find(world, wanted)
        if code is None or code.account != account.name:
            raise Impossible(f"{account.name} has no QR code {wanted}")
        return code
    if wish.scene is None:
        raise Impossible(f"{wish.event} needs scene, ticket or url")
    now, is_number = world.clock.now(), isinstance(wish.scene, int)
    return QrCode(f"g{wish.scene}", account.name, "", str(wish.scene), is_number, now, None)
