"""Group chats with customers: lists, members, figures, and handing them over.

https://developer.work.weixin.qq.com/document/path/92120
https://developer.work.weixin.qq.com/document/path/92133
"""

import hashlib

from sandbox.clock import CHINA_OFFSET, china_day
from sandbox.state import Json, Message
from sandbox.wecom import chats
from sandbox.wecom.call import OK, Call, page_of, sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields
from sandbox.wecom.external.contacts import name_in_chat
from sandbox.wecom.state import ACTIVE, ChatMember, Corp, GroupChat
from sandbox.world import unionid_for

MOST_OWNERS, MOST_CHATS, MOST_PER_PAGE = 100, 100, 1000
MOST_TAKEN_A_DAY = 300
NORMAL, OWNER_LEFT, HANDED_OVER = 0, 1, 3
STATUSES = range(4)
MOST_DAYS, MOST_DAYS_BACK = 30, 180
USUAL_ROWS = 500
ORDERS = {
    1: "new_chat_cnt",
    2: "chat_total",
    3: "new_member_cnt",
    4: "member_total",
}
NOBODY = ""  # group chats stand beside those of a member, whose name is never empty


def list_all(call: Call) -> Json:
    wanted = fields.number(call.body, "status_filter", 0, STATUSES)
    owners = _owners(call)
    found = [
        {"chat_id": chat.chat_id, "status": status_of(call.corp, chat)}
        for chat in _seen(call, owners)
        if wanted in {0, status_of(call.corp, chat)}
    ]
    if call.body.get("limit") is None:
        raise fields.bad("limit")
    limit = fields.number(call.body, "limit", 0, range(1, MOST_PER_PAGE + 1))
    page, cursor = page_of(found, call.body.get("cursor"), limit)
    return OK | {"group_chat_list": page} | ({"next_cursor": cursor} if cursor else {})


def get(call: Call) -> Json:
    chat = chat_of(call, call.body.get("chat_id"))
    needs_names = fields.flag(call.body, "need_name", default=False)
    members = [_describe(call, one, needs_names) for one in chat.members.values()]
    described = {
        "chat_id": chat.chat_id,
        "name": chat.name,
        "owner": chat.owner,
        "create_time": int(chat.created_at),
        "notice": chat.notice,
        "member_list": members,
        "admin_list": [{"userid": one} for one in chat.admins],
        "member_version": chat.version,
    }
    return OK | {"group_chat": described}


def from_opengid(call: Call) -> Json:
    """What a mini-program that was opened in a chat knows it by."""
    wanted = fields.needed(call.body, "opengid")
    for chat in call.corp.group_chats.values():
        if opengid_of(call.corp, chat) == wanted and not chat.is_dismissed:
            return OK | {"chat_id": chat.chat_id}
    raise Refusal(40058, detail="invalid opengid")


def opengid_of(corp: Corp, chat: GroupChat) -> str:
    digest = hashlib.sha256(f"{corp.corpid}:{chat.chat_id}".encode()).hexdigest()
    return f"tG{digest[:26]}"


def status_of(corp: Corp, chat: GroupChat) -> int:
    if chat.owner.lower() in corp.left_members:
        return OWNER_LEFT
    return chat.status


# Handing over


def transfer(call: Call) -> Json:
    """Chats of members who left. Nobody is asked."""
    return _hand_over(call, of_leavers=True)


def transfer_on_job(call: Call) -> Json:
    return _hand_over(call, of_leavers=False)


def _hand_over(call: Call, *, of_leavers: bool) -> Json:
    chat_ids = fields.texts(call.body, "chat_id_list", MOST_CHATS)
    if not chat_ids:
        raise Refusal(40063, detail="chat_id_list")
    owner = call.member(call.body.get("new_owner"))
    if owner.status != ACTIVE:
        raise Refusal(41054)
    if not owner.has_real_name:
        raise Refusal(40098)
    failed = []
    for chat_id in chat_ids:
        try:
            _take(call, chat_id, owner.userid, of_leavers=of_leavers)
        except Refusal as refusal:
            one = {"chat_id": chat_id, "errcode": refusal.errcode, "errmsg": refusal.errmsg}
            failed.append(one)
    return OK | {"failed_chat_list": failed}


def _take(call: Call, chat_id: str, owner: str, *, of_leavers: bool) -> None:
    corp = call.corp
    chat = corp.group_chats.get(chat_id)
    if chat is None or chat.is_dismissed:
        raise Refusal(90501)
    has_left = chat.owner.lower() in corp.left_members
    if of_leavers and not has_left:
        raise Refusal(90508 if chat.status == HANDED_OVER else 90500)
    if not of_leavers and has_left:
        raise Refusal(90502)
    if chat.owner.lower() == owner.lower():
        raise Refusal(90504)
    key = f"{owner.lower()}:{china_day(call.now)}"
    taken = corp.external.chats_taken
    if taken.get(key, 0) >= MOST_TAKEN_A_DAY:
        raise Refusal(45009)
    taken[key] = taken.get(key, 0) + 1
    chat.status = HANDED_OVER if of_leavers else chat.status
    chat.owner = owner
    chat.members.setdefault(owner, ChatMember(owner, 1, call.now))


# Figures


def statistic(call: Call) -> Json:
    """By owner; the figures are as of the end of the last day."""
    first, last = _days(call)
    rows: list[Json] = [
        {"owner": owner, "data": _figures(call, [owner], first, last)}
        for owner in _required_owners(call)
    ]
    order = ORDERS[fields.number(call.body, "order_by", 1, range(1, 5))]
    is_ascending = fields.flag(call.body, "order_asc", default=False)
    rows.sort(key=lambda row: row["data"][order], reverse=not is_ascending)
    limit = fields.limit(call.body, USUAL_ROWS, MOST_PER_PAGE)
    offset = fields.number(call.body, "offset", 0, range(2**31))
    after = min(offset + limit, len(rows))
    return OK | {"total": len(rows), "next_offset": after, "items": rows[offset:after]}


def statistic_by_day(call: Call) -> Json:
    first, last = _days(call)
    owners = _required_owners(call)
    rows = [
        {
            "stat_time": day * fields.DAY - CHINA_OFFSET,
            "data": _figures(call, owners, day, day),
        }
        for day in range(first, last + 1)
    ]
    return OK | {"items": rows}


def _days(call: Call) -> tuple[int, int]:
    body = call.body
    if body.get("day_end_time") is None:
        body = body | {"day_end_time": body.get("day_begin_time")}
    begins, ends = fields.period(body, "day_begin_time", "day_end_time", MOST_DAYS)
    first, last = china_day(begins), china_day(ends)
    if first < china_day(call.now) - MOST_DAYS_BACK:
        raise fields.bad(f"more than {MOST_DAYS_BACK} days ago")
    return first, last


def _figures(call: Call, owners: list[str], first: int, last: int) -> Json:
    wanted = {one.lower() for one in owners}
    mine = [
        one
        for one in call.corp.group_chats.values()
        if one.owner.lower() in wanted and china_day(one.created_at) <= last
    ]
    members = [
        one for chat in mine for one in chat.members.values() if china_day(one.joined_at) <= last
    ]
    said = [
        [one for one in messages_of(call, chat) if first <= china_day(one.at) <= last]
        for chat in mine
    ]
    speakers = {(number, one.extra["userid"]) for number, all_ in enumerate(said) for one in all_}
    return {
        "new_chat_cnt": sum(first <= china_day(one.created_at) for one in mine),
        "chat_total": len(mine),
        "chat_has_msg": sum(bool(one) for one in said),
        "new_member_cnt": sum(first <= china_day(one.joined_at) for one in members),
        "member_total": len(members),
        "member_has_msg": len(speakers),
        "msg_total": sum(len(one) for one in said),
        "migrate_trainee_chat_cnt": 0,
    }


def messages_of(call: Call, chat: GroupChat) -> list[Message]:
    said = chats.chat_of(call.world, call.corp, NOBODY, chat.chat_id)
    return [one for one in said if "userid" in one.extra]


# What is asked for


def chat_of(call: Call, chat_id: object) -> GroupChat:
    chat = call.corp.group_chats.get(chat_id) if isinstance(chat_id, str) else None
    if chat is None or chat.is_dismissed:
        raise Refusal(40050)
    return chat


def _owners(call: Call) -> list[str]:
    """Also somebody who left may be asked for: whose chats must be handed over."""
    wanted = fields.inside(call.body, "owner_filter")
    owners = fields.texts(wanted, "userid_list", MOST_OWNERS)
    known = call.corp.members.keys() | call.corp.left_members.keys()
    if any(one.lower() not in known or not sees(call.account, one) for one in owners):
        raise Refusal(81017)
    return owners


def _required_owners(call: Call) -> list[str]:
    owners = _owners(call)
    if not owners:
        raise Refusal(40063, detail="owner_filter")
    return owners


def _seen(call: Call, owners: list[str]) -> list[GroupChat]:
    wanted = {one.lower() for one in owners}
    return [
        one
        for one in call.corp.group_chats.values()
        if not one.is_dismissed
        and (one.owner.lower() in wanted if wanted else sees(call.account, one.owner))
    ]


def _describe(call: Call, one: ChatMember, needs_names: bool) -> Json:
    answer: Json = {
        "userid": one.userid,
        "type": one.type,
        "join_time": int(one.joined_at),
        "join_scene": one.join_scene,
        "group_nickname": one.group_nickname,
    }
    contact = call.corp.contacts.get(one.userid)
    if contact and contact.type == 1 and call.account.settings.unionid:
        answer["unionid"] = unionid_for(contact.person_id or contact.external_userid)
    if one.invitor and one.invitor != one.userid and one.join_scene != 3:
        answer["invitor"] = {"userid": one.invitor}
    if one.state:
        answer["state"] = one.state
    return answer | ({"name": name_in_chat(call, one.userid)} if needs_names else {})
