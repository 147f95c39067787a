"""What people do in WeChat, and what the platform tells the account about it."""

from sandbox.state import Account, Fan, Json, Message, QrCode, StatusSpelling, Window
from sandbox.wecom.xml import as_xml
from sandbox.world import Callback, World

WROTE = (48 * 3600, 5)  # seconds, messages
TOUCHED = (60, 3)


class Impossible(Exception):
    """The person cannot do this; the sentence says why."""


def follow(world: World, account: Account, fan: Fan, code: QrCode | None = None) -> Callback | None:
    fan.subscribed, fan.subscribed_at = True, world.clock.now()
    fan.subscribe_scene = "ADD_SCENE_QR_CODE" if code else "ADD_SCENE_SEARCH"
    fan.qr_scene, fan.qr_scene_str = 0, ""
    if code and code.is_number:
        fan.qr_scene = int(code.scene)
    elif code:
        fan.qr_scene_str = code.scene
    _touch(world, fan)
    world.say(account, fan, "notice", "你已关注该公众号")
    more = (
        {"EventKey": f"qrscene_{code.scene}", "Ticket": code.ticket} if code else {"EventKey": ""}
    )
    return _event(world, account, fan, "subscribe", more)


def unfollow(world: World, account: Account, fan: Fan) -> Callback | None:
    if not fan.subscribed:
        raise Impossible("this person does not follow the account")
    fan.subscribed = False
    fan.wrote = Window()
    fan.touched = Window()
    world.say(account, fan, "notice", "你已取消关注该公众号")
    return _event(world, account, fan, "unsubscribe", {"EventKey": ""})


def scan(world: World, account: Account, fan: Fan, code: QrCode) -> Callback | None:
    """Following people are reported as SCAN, all others follow by scanning."""
    if code.expires_at is not None and world.clock.now() >= code.expires_at:
        raise Impossible("二维码已过期")
    if not fan.subscribed:
        return follow(world, account, fan, code)
    _touch(world, fan)
    return _event(world, account, fan, "SCAN", {"EventKey": code.scene, "Ticket": code.ticket})


def click(
    world: World, account: Account, fan: Fan, key: str, more: Json | None = None
) -> Callback | None:
    return tap(world, account, fan, "CLICK", {"EventKey": key} | (more or {}))


def tap(world: World, account: Account, fan: Fan, name: str, fields: Json) -> Callback | None:
    """A button of the menu; all but plain links open the short window for answers."""
    _require_follower(fan)
    _touch(world, fan)
    return _event(world, account, fan, name, fields)


def view(
    world: World, account: Account, fan: Fan, url: str, more: Json | None = None
) -> Callback | None:
    return report(world, account, fan, "VIEW", {"EventKey": url, "MenuId": 1} | (more or {}))


def report(world: World, account: Account, fan: Fan, name: str, fields: Json) -> Callback | None:
    """What WeChat tells without giving the account a right to answer."""
    _require_follower(fan)
    return _event(world, account, fan, name, fields)


def write(
    world: World, account: Account, fan: Fan, content: str, more: Json | None = None
) -> Callback | None:
    content = "".join(char for char in content if char.isprintable() or char == "\n")
    return send(world, account, fan, "text", {"Content": content} | (more or {}), {}, content)


def send(
    world: World,
    account: Account,
    fan: Fan,
    kind: str,
    fields: Json,
    shown: Json,
    content: str = "",
) -> Callback | None:
    """A message of the person; ``shown`` is what the phone's own chat keeps of it."""
    _require_follower(fan)
    now = world.clock.now()
    fan.wrote = Window(now + WROTE[0], WROTE[1])
    entry = Message(
        world.next_id(),
        account.name,
        fan.openid,
        kind,
        now,
        from_person=True,
        content=content,
        extra=shown,
    )
    world.deliver(account, fan, entry)
    named: Json = {"MsgType": kind, "MsgId": 10**18 + entry.msgid}
    xml = xml_of(world, account, fan, named | fields)
    return world.call_back(account, fan.openid, kind, xml)


def send_anything(world: World, account: Account, fan: Fan, fields: Json) -> Callback | None:
    name = str(fields.get("Event") or fields.get("MsgType") or "raw")
    return world.call_back(account, fan.openid, name, as_xml(fields))


def mute(world: World, fan: Fan, template_id: str, *, muted: bool) -> None:
    """Since WeChat 8.0.38 one template can be muted. The account is not told."""
    (fan.muted.add if muted else fan.muted.discard)(template_id)
    world.is_dirty = True


def block(world: World, fan: Fan, *, blocked: bool) -> None:
    """The person refuses everything from the account; only failed results show it."""
    fan.blocked = blocked
    world.is_dirty = True


def template_result(world: World, account: Account, fan: Fan, msgid: int) -> None:
    if not account.callback_url or not account.settings.result_events:
        return
    more: Json = {"MsgID": msgid, "Status": _status(account, fan)}
    _event(world, account, fan, "TEMPLATESENDJOBFINISH", more, is_result=True)


def _status(account: Account, fan: Fan) -> str:
    if is_delivered(account, fan):
        return "success"
    failure = "user block" if fan.blocked else "system failed"
    is_spaced = account.settings.status_spelling is StatusSpelling.SPACED
    return f"failed: {failure}" if is_spaced else f"failed:{failure}"


def is_delivered(account: Account, fan: Fan) -> bool:
    """Whether an accepted template message will reach the person's phone."""
    return not fan.blocked and not account.settings.system_failures


def xml_of(world: World, account: Account, fan: Fan, fields: Json) -> str:
    head: Json = {
        "ToUserName": account.original_id,
        "FromUserName": fan.openid,
        "CreateTime": int(world.clock.now()),
    }
    return as_xml(head | fields)


def _event(
    world: World,
    account: Account,
    fan: Fan,
    name: str,
    fields: Json,
    *,
    is_result: bool = False,
) -> Callback | None:
    xml = xml_of(world, account, fan, {"MsgType": "event", "Event": name} | fields)
    return world.call_back(account, fan.openid, name, xml, is_result=is_result)


def _touch(world: World, fan: Fan) -> None:
    fan.touched = Window(world.clock.now() + TOUCHED[0], TOUCHED[1])
    world.is_dirty = True


def _require_follower(fan: Fan) -> None:
    if not fan.subscribed:
        raise Impossible("this person does not follow the account")
