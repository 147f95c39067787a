"""Passing customers on, of members who stay and of those who left.

https://developer.work.weixin.qq.com/document/path/92125
https://developer.work.weixin.qq.com/document/path/92124
"""

from sandbox.state import Json
from sandbox.wecom import chats, corps
from sandbox.wecom.call import OK, Call, as_number, page_of, sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.events import tell_corp
from sandbox.wecom.external import fields
from sandbox.wecom.external_state import Handover, Transfer
from sandbox.wecom.state import ACTIVE, Corp, Member
from sandbox.wecom.wishes import Wish
from sandbox.world import Callback, World

MOST_CUSTOMERS, LONGEST_GREETING = 100, 200
DAYS_TO_REFUSE = 1
MOST_IN_DAYS, COUNTED_DAYS = 2, 90
PER_PAGE = 1000
HANDED_OVER_BY_ADMIN = 202  # add_way
CONTACT = "change_external_contact"


def begin(call: Call) -> Json:
    handover = call.member(call.body.get("handover_userid")).userid
    greeting = fields.text(call.body, "transfer_success_msg", LONGEST_GREETING)
    return _begin(call, handover, greeting, is_resigned=False)


def begin_for_leaver(call: Call) -> Json:
    return _begin(call, _leaver(call), "", is_resigned=True)


def result(call: Call) -> Json:
    handover = call.member(call.body.get("handover_userid")).userid
    return _result(call, handover, is_resigned=False)


def result_for_leaver(call: Call) -> Json:
    return _result(call, _leaver(call), is_resigned=True)


def unassigned(call: Call) -> Json:
    """Contacts of members who left, those who left last first. Older clients give a page's
    number in place of a cursor."""
    corp = call.corp
    found = [
        {
            "handover_userid": one.userid,
            "external_userid": one.external_userid,
            "dimission_time": int(left_at),
        }
        for userid, left_at in sorted(corp.left_members.items(), key=lambda one: -one[1])
        for one in corp.follows.get(userid, {}).values()
        if not one.lost_at
    ]
    size = fields.number(call.body, "page_size", PER_PAGE, range(1, PER_PAGE + 1))
    cursor = call.body.get("cursor")
    if not cursor and call.body.get("page_id"):
        cursor = as_number(call.body["page_id"], fields.BAD_FIELD) * size
    page, after = page_of(found, cursor, size)
    answer: Json = OK | {"info": page, "is_last": not after}
    return answer | ({"next_cursor": after} if after else {})


# Beginning


def _begin(call: Call, handover: str, greeting: str, *, is_resigned: bool) -> Json:
    takeover = call.member(call.body.get("takeover_userid"))
    if takeover.status != ACTIVE:
        raise Refusal(41054)
    if not takeover.has_real_name:
        raise Refusal(40098)
    given = fields.texts(call.body, "external_userid", MOST_CUSTOMERS)
    if not given:
        raise Refusal(41035)
    rows = []
    for external_userid in given:
        wanted = Transfer(
            handover,
            takeover.userid,
            external_userid,
            call.now,
            is_resigned,
            greeting,
            call.account.name,
        )
        errcode = _problem(call, wanted)
        if not errcode:
            call.corp.external.transfers.append(wanted)
        rows.append({"external_userid": external_userid, "errcode": errcode})
    return OK | {"customer": rows}


def _problem(call: Call, wanted: Transfer) -> int:
    corp, external_userid = call.corp, wanted.external_userid
    if external_userid not in corp.contacts:
        return 40096
    if wanted.handover.lower() == wanted.takeover.lower():
        return 40130
    relation = corps.follow_of(corp, wanted.handover, external_userid)
    if relation is None or relation.lost_at:
        return 40131
    if corp.external.waiting(external_userid):
        return 40100 if wanted.is_resigned else 40129
    since = call.now - COUNTED_DAYS * fields.DAY
    moved = [
        one
        for one in corp.external.transfers
        if one.external_userid == external_userid
        and one.status is Handover.DONE
        and one.done_at > since
    ]
    is_too_often = len(moved) >= MOST_IN_DAYS and not wanted.is_resigned
    return 40128 if is_too_often else 0


def _result(call: Call, handover: str, *, is_resigned: bool) -> Json:
    takeover = call.member(call.body.get("takeover_userid")).userid
    last: dict[str, Transfer] = {}
    for one in call.corp.external.transfers:
        pair = (one.handover.lower(), one.takeover.lower(), one.is_resigned)
        if pair == (handover.lower(), takeover.lower(), is_resigned):
            last[one.external_userid] = one
    rows = [
        {
            "external_userid": one.external_userid,
            "status": int(one.status),
            "takeover_time": int(one.done_at),
        }
        for one in last.values()
    ]
    page, cursor = page_of(rows, call.body.get("cursor"), PER_PAGE)
    return OK | {"customer": page, "next_cursor": cursor}


def _leaver(call: Call) -> str:
    userid = fields.needed(call.body, "handover_userid", 41009)
    if userid.lower() in call.corp.members:
        raise Refusal(40097, "the user has not resigned")
    if userid.lower() not in call.corp.left_members or not sees(call.account, userid):
        raise Refusal(60111)
    return userid


# Ending


def settle(world: World, corp: Corp) -> None:
    """Carry out what nobody refused in time."""
    now = world.clock.now()
    for one in corp.external.transfers:
        if one.status is Handover.WAITING and now >= one.begun_at + DAYS_TO_REFUSE * fields.DAY:
            accept(world, corp, one)


def accept(world: World, corp: Corp, one: Transfer) -> list[Callback]:
    """The contact is the new member's now. What the API began, WeCom finishes, and tells it."""
    member, contact = corp.members.get(one.takeover.lower()), corp.contacts[one.external_userid]
    before = corps.follow_of(corp, one.handover, one.external_userid)
    world.is_dirty = True
    if member is None or before is None:
        one.status = Handover.REFUSED
        return []
    corps.unfollow(world, corp, one.handover, one.external_userid)
    if corps.follow_of(corp, member.userid, one.external_userid) is None:
        after = corps.follow(world, corp, member, contact, before.state)
        after.remark, after.description = before.remark, before.description
        after.remark_mobiles = before.remark_mobiles
        after.remark_corp_name = before.remark_corp_name
        after.tag_ids = before.tag_ids
        after.add_way, after.oper_userid = HANDED_OVER_BY_ADMIN, one.handover
    one.status, one.done_at = Handover.DONE, world.clock.now()
    if one.greeting:
        content = {"content": one.greeting}
        userid, external_userid = member.userid, one.external_userid
        chats.say(world, corp, userid, external_userid, "text", content, via=chats.WELCOME)
    return _tell(world, corp, one, member)


def _tell(world: World, corp: Corp, one: Transfer, member: Member) -> list[Callback]:
    account = world.state.accounts.get(one.app) or next(iter(world.apps(corp.corpid)), None)
    if account is None:
        return []
    wish = Wish(account=account.name, event=CONTACT)
    lost = {
        "ChangeType": "del_external_contact",
        "UserID": one.handover,
        "ExternalUserID": one.external_userid,
        "Source": "DELETE_BY_TRANSFER",
    }
    won = {
        "ChangeType": "add_external_contact",
        "UserID": member.userid,
        "ExternalUserID": one.external_userid,
    }
    callbacks = [] if one.is_resigned else tell_corp(world, account, CONTACT, lost, wish)
    return callbacks + tell_corp(world, account, CONTACT, won, wish)
