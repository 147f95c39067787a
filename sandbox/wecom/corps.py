"""Members, external contacts and who follows whom: how they come into being and are found."""

import hashlib

from sandbox.clock import china_day
from sandbox.names import name_of
from sandbox.state import Account, Json, Message
from sandbox.wecom.state import (
    ROOT_DEPARTMENT,
    Corp,
    Department,
    ExternalContact,
    Follow,
    Member,
)
from sandbox.world import World

CUSTOMERS_BEFORE = 1000  # members and contacts shall not all bear the same names


def keep_member(world: World, corp: Corp, userid: str, name: str = "") -> Member:
    """The member with this userid, made when there is none."""
    known = corp.members.get(userid.lower())
    if known is None:
        known = Member(userid, name or name_of(len(corp.members) + 1))
        corp.members[userid.lower()] = known
    elif name:
        known.name = name
    world.is_dirty = True
    return known


def keep_contact(world: World, corp: Corp, external_userid: str = "") -> ExternalContact:
    number = len(corp.contacts) + 1
    external_userid = external_userid or external_userid_for(corp.corpid, f"contact:{number}")
    known = corp.contacts.get(external_userid)
    if known is None:
        known = ExternalContact(external_userid, name_of(CUSTOMERS_BEFORE + number))
        corp.contacts[external_userid] = known
        world.is_dirty = True
    return known


def follow(
    world: World, corp: Corp, member: Member, contact: ExternalContact, state: str = ""
) -> Follow:
    """Join the two. A relation that was lost is as new."""
    mine, now = corp.follows.setdefault(member.userid.lower(), {}), world.clock.now()
    relation = mine.get(contact.external_userid)
    if relation is None or relation.lost_at:
        relation = Follow(
            userid=member.userid,
            external_userid=contact.external_userid,
            created_at=now,
            remark=contact.name,
            oper_userid=contact.external_userid,
            state=state,
            touched_at=now,
        )
        mine[contact.external_userid] = relation
        corp.external.day(member.userid, china_day(now)).new_contacts += 1
    world.is_dirty = True
    return relation


def follow_of(corp: Corp, userid: str, external_userid: str) -> Follow | None:
    return corp.follows.get(userid.lower(), {}).get(external_userid)


def followers_of(corp: Corp, external_userid: str) -> list[Follow]:
    every = (mine.get(external_userid) for mine in corp.follows.values())
    return [one for one in every if one is not None]


def unfollow(world: World, corp: Corp, userid: str, external_userid: str) -> None:
    corp.follows.get(userid.lower(), {}).pop(external_userid, None)
    world.is_dirty = True


def departments_below(corp: Corp, root: int = ROOT_DEPARTMENT) -> list[Department]:
    """The department itself and all below it, from top to bottom."""
    found = [corp.departments[root]] if root in corp.departments else []
    for department in found:
        found += [one for one in corp.departments.values() if one.parentid == department.id]
    return found


def members_of(corp: Corp, department_ids: set[int]) -> list[Member]:
    return [one for one in corp.members.values() if department_ids & set(one.departments)]


def external_userid_for(corpid: str, seed: str) -> str:
    """32 characters as WeCom's are, the same after a reset."""
    return "wm" + hashlib.sha256(f"{corpid}:{seed}".encode()).hexdigest()[:30]


# Inbox


def deliver(world: World, account: Account, member: Member, message: Message) -> None:
    """Put a message of the app into the member's chat with it."""
    if not message.from_person and message.kind not in CHANGES:
        member.unread[account.agentid] = member.unread.get(account.agentid, 0) + 1
    world.keep_message(message)


RECALLED, CARD_CHANGED = "recalled", "card_changed"
CHANGES = frozenset({RECALLED, CARD_CHANGED})


def chat_of(world: World, account: Account, userid: str) -> list[Json]:
    """What is seen in the chat now. Recalls and changed cards are entries of their own in it,
    because the journal on disk only grows; here they are applied."""
    shown: dict[str, Json] = {}
    for entry in world.chats.get((account.name, userid.lower()), ()):
        msgid = str(entry.extra.get("msgid", entry.msgid))
        if entry.kind == RECALLED and msgid in shown:
            shown[msgid]["recalled"] = True
        elif entry.kind == CARD_CHANGED and msgid in shown:
            shown[msgid]["content"] = entry.extra["content"]
        elif entry.kind not in CHANGES:
            shown[msgid] = {
                "msgid": msgid,
                "account": account.name,
                "agentid": account.agentid,
                "msgtype": entry.kind,
                "content": entry.extra.get("content", {}),
                "from_member": entry.from_person,
                "recalled": False,
                "at": entry.at,
            }
    return list(shown.values())
