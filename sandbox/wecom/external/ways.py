"""Codes that add a member, and codes that lead into a group chat.

https://developer.work.weixin.qq.com/document/path/92228
https://developer.work.weixin.qq.com/document/path/92229
"""

import secrets

from sandbox.state import Json
from sandbox.wecom import chats, corps
from sandbox.wecom.call import OK, Call, page_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import attachments, fields
from sandbox.wecom.external.group_chats import chat_of
from sandbox.wecom.external_state import ContactWay, JoinWay
from sandbox.wecom.state import ACTIVE, Corp

ONE, SEVERAL = 1, 2
IN_MINIPROGRAM, AS_QR_CODE = 1, 2
STYLES = range(1, 4)
MOST_WAYS, MOST_MEMBERS, MOST_PER_PAGE, USUAL_PER_PAGE = 500_000, 100, 1000, 100
LONGEST_REMARK, LONGEST_STATE = 30, 30
LONGEST_TEMPORARY = 14 * fields.DAY
USUAL_TEMPORARY, USUAL_TALK = 7 * fields.DAY, fields.DAY
LISTED_DAYS = 90
MOST_CHATS, LONGEST_ROOM = 5, 40
ADDRESS = "https://work.weixin.qq.com/ca/"
ROOM_ADDRESS = "https://work.weixin.qq.com/gm/"
TEMPORARY_FIELDS = frozenset({"expires_in", "chat_expires_in", "unionid", "conclusions"})
PICTURES = "/wecom/wwpic"


# Contact ways


def add(call: Call) -> Json:
    if len(call.corp.external.contact_ways) >= MOST_WAYS:
        raise Refusal(41045)
    kind = _one_of(call.body, "type", (ONE, SEVERAL), 41037, 41039)
    scene = _one_of(call.body, "scene", (IN_MINIPROGRAM, AS_QR_CODE), 41038, 41040)
    given = {"type": kind, "scene": scene, "style": 0} | _changeable(call, kind, call.body)
    if call.body.get("style") is not None:
        given["style"] = fields.number(call.body, "style", 1, STYLES)
    if given["is_temp"] and (kind, scene) != (ONE, AS_QR_CODE):
        raise fields.bad("is_temp is for one member and a QR code")
    address = ADDRESS + secrets.token_urlsafe(16)[:20]
    config_id = secrets.token_hex(16)
    way = ContactWay(config_id, call.now, given, address)
    call.corp.external.contact_ways[config_id] = way
    answer = OK | {"config_id": config_id}
    return answer | ({"qr_code": qr_code(call, config_id)} if scene == AS_QR_CODE else {})


def get(call: Call) -> Json:
    way = _way(call)
    shown = {"config_id": way.config_id} | way.fields
    if not way.fields["is_temp"]:
        shown = {name: value for name, value in shown.items() if name not in TEMPORARY_FIELDS}
    if way.fields["scene"] == AS_QR_CODE:
        shown["qr_code"] = qr_code(call, way.config_id)
    return OK | {"contact_way": shown}


def list_all(call: Call) -> Json:
    """Temporary ones are not listed."""
    start = fields.number(
        call.body, "start_time", int(call.now) - LISTED_DAYS * fields.DAY, range(2**40)
    )
    end = fields.number(call.body, "end_time", int(call.now), range(2**40))
    if start > end:
        raise fields.bad("end_time is before start_time")
    found = [
        {"config_id": one.config_id}
        for one in call.corp.external.contact_ways.values()
        if start <= int(one.created_at) <= end and not one.fields["is_temp"]
    ]
    limit = fields.limit(call.body, USUAL_PER_PAGE, MOST_PER_PAGE)
    page, cursor = page_of(found, call.body.get("cursor"), limit)
    return OK | {"contact_way": page} | ({"next_cursor": cursor} if cursor else {})


def update(call: Call) -> Json:
    """Type and scene stay, what is left out too."""
    way = _way(call)
    if way.fields["type"] == ONE and "user" not in call.body:
        call.body["user"] = way.fields["user"]
    way.fields |= _changeable(call, way.fields["type"], way.fields | call.body)
    return OK


def delete(call: Call) -> Json:
    del call.corp.external.contact_ways[_way(call).config_id]
    return OK


def close_temp_chat(call: Call) -> Json:
    """The conclusion of the way, if it has one, is the last that is said."""
    member = call.member(call.body.get("userid"))
    external_userid = fields.needed(call.body, "external_userid", 41035)
    open_chats = call.corp.external.temp_chats
    for one in open_chats:
        if (one.userid, one.external_userid) == (member.userid, external_userid):
            open_chats.remove(one)
            if one.ends_at <= call.now:
                break
            way = call.corp.external.contact_ways.get(one.config_id)
            end = way.fields["conclusions"] if way else {}
            attached = end.get("attachments", [])
            text = end.get("text")
            chats.say_all(
                call.world,
                call.corp,
                member.userid,
                external_userid,
                text,
                attached,
                via=chats.WELCOME,
            )
            return OK
    raise Refusal(84061)


def qr_code(call: Call, config_id: str) -> str:
    """The address of a picture, as WeCom gives."""
    return f"{call.host}{PICTURES}/{call.corp.corpid}/{config_id}.png"


def read_by_scanner(corp: Corp, config_id: str) -> str | None:
    """What is in the picture."""
    way = corp.external.contact_ways.get(config_id) or corp.external.join_ways.get(config_id)
    return way.address if way else None


def _changeable(call: Call, kind: int, given: Json) -> Json:
    users = _users(call, kind, given)
    parties = fields.numbers(given, "party", MOST_MEMBERS)
    departments = {call.department(one).id for one in parties}
    everybody = {one.userid for one in corps.members_of(call.corp, departments)} | set(users)
    if len(everybody) > MOST_MEMBERS:
        raise Refusal(41041)
    if kind == SEVERAL and not users and not parties:
        raise Refusal(40063, detail="user and party")
    return {
        "remark": fields.text(given, "remark", LONGEST_REMARK),
        "skip_verify": fields.flag(given, "skip_verify", default=True),
        "state": fields.text(given, "state", LONGEST_STATE),
        "user": users,
        "party": parties,
        "is_temp": fields.flag(given, "is_temp", default=False),
        "expires_in": _seconds(given, "expires_in", USUAL_TEMPORARY),
        "chat_expires_in": _seconds(given, "chat_expires_in", USUAL_TALK),
        "unionid": fields.text(given, "unionid"),
        "is_exclusive": fields.flag(given, "is_exclusive", default=False),
        "conclusions": _conclusions(call, fields.inside(given, "conclusions")),
    }


def _users(call: Call, kind: int, given: Json) -> list[str]:
    members = [call.member(one) for one in fields.texts(given, "user", MOST_MEMBERS)]
    if kind == ONE and len(members) != 1:
        raise Refusal(40063 if not members else 41041, detail="user")
    for member in members:
        if member.status != ACTIVE:
            raise Refusal(41054)
        if not member.has_real_name:
            raise Refusal(40098)
    return [one.userid for one in members]


def _conclusions(call: Call, given: Json) -> Json:
    """Kept in the form of a message: text and at most one thing beside it."""
    if "attachments" in given:
        return given
    text = attachments.message_text(given, attachments.LONGEST_TEXT)
    kinds = [kind for kind in ("image", "link", "miniprogram") if given.get(kind)]
    attached = [
        attachments.attachment(call, {"msgtype": kind, kind: given[kind]}) for kind in kinds
    ]
    answer: Json = {"attachments": attached} if attached else {}
    return answer | ({"text": {"content": text}} if text else {})


def _seconds(given: Json, name: str, default: int) -> int:
    return fields.number(given, name, default, range(1, LONGEST_TEMPORARY + 1))


def _one_of(given: Json, name: str, allowed: tuple[int, ...], missing: int, wrong: int) -> int:
    value = given.get(name)
    if value is None:
        raise Refusal(missing)
    if isinstance(value, bool) or value not in allowed:
        raise Refusal(wrong)
    return int(value)


def _way(call: Call) -> ContactWay:
    config_id = fields.needed(call.body, "config_id", 41043)
    way = call.corp.external.contact_ways.get(config_id)
    if way is None:
        raise Refusal(41044)
    return way


# Join ways


def add_join_way(call: Call) -> Json:
    config_id = secrets.token_hex(16)
    given = _join_fields(call, call.body)
    address = ROOM_ADDRESS + secrets.token_hex(16)
    call.corp.external.join_ways[config_id] = JoinWay(config_id, call.now, given, address)
    return OK | {"config_id": config_id}


def get_join_way(call: Call) -> Json:
    way = _join_way(call)
    shown = {"config_id": way.config_id} | way.fields
    if way.fields["scene"] == AS_QR_CODE:
        shown["qr_code"] = qr_code(call, way.config_id)
    return OK | {"join_way": shown}


def update_join_way(call: Call) -> Json:
    """All fields anew, the scene too."""
    way = _join_way(call)
    way.fields = _join_fields(call, call.body)
    return OK


def delete_join_way(call: Call) -> Json:
    del call.corp.external.join_ways[_join_way(call).config_id]
    return OK


def _join_fields(call: Call, given: Json) -> Json:
    scene = _one_of(given, "scene", (IN_MINIPROGRAM, AS_QR_CODE), 41038, 41040)
    chat_ids = fields.texts(given, "chat_id_list", MOST_CHATS)
    if not chat_ids:
        raise Refusal(40063, detail="chat_id_list")
    return {
        "scene": scene,
        "remark": fields.text(given, "remark", LONGEST_REMARK),
        "auto_create_room": int(fields.flag(given, "auto_create_room", default=True)),
        "room_base_name": fields.text(given, "room_base_name", LONGEST_ROOM),
        "room_base_id": fields.number(given, "room_base_id", 1, range(2**31)),
        "chat_id_list": [chat_of(call, one).chat_id for one in chat_ids],
        "state": fields.text(given, "state", LONGEST_STATE),
    }


def _join_way(call: Call) -> JoinWay:
    config_id = fields.needed(call.body, "config_id", 41043)
    way = call.corp.external.join_ways.get(config_id)
    if way is None:
        raise Refusal(41044)
    return way
