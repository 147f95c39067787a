"""What external contacts and administrators do, and what the corp's apps are told about it.

https://developer.work.weixin.qq.com/document/path/92130
"""

import hashlib
import secrets

from sandbox.clock import china_day
from sandbox.state import Account, Json
from sandbox.wechat.events import Impossible
from sandbox.wecom import corps
from sandbox.wecom.events import Act, tell_corp
from sandbox.wecom.external_state import Handover
from sandbox.wecom.state import (
    ChatMember,
    Corp,
    CorpTag,
    Follow,
    GroupChat,
    Member,
    TagGroup,
    Welcome,
)
from sandbox.wecom.wishes import Wish
from sandbox.world import Callback, World

CONTACT, CHAT, TAG = "change_external_contact", "change_external_chat", "change_external_tag"
ACQUISITION = "customer_acquisition"
WELCOMES_KEPT_SECONDS = 86_400
# ChangeType: the fields beside it
ACQUISITION_FIELDS: dict[str, tuple[str, ...]] = {
    "balance_low": (),
    "balance_exhausted": (),
    "quota_expire_soon": ("ExpireTime", "ExpireQuotaNum"),
    "link_unavailable": ("LinkId",),
    "delete_link": ("LinkId",),
    "customer_start_chat": ("LinkId", "State", "UserID", "ExternalUserID"),
    "friend_request": ("LinkId", "State"),
}


# Contacts


def add_contact(world: World, account: Account, wish: Wish) -> list[Callback]:
    """A customer adds the member, or the member is not asked first (``add_half_…``)."""
    corp, member = world.corp(account), _member(world, account, wish)
    change = "add_external_contact"
    if "add_half_external_contact" in {wish.event, wish.change_type}:
        change = "add_half_external_contact"
    contact = corps.keep_contact(world, corp, wish.external_userid)
    contact.name = wish.name or contact.name
    relation = corps.follow(world, corp, member, contact, wish.state)
    relation.is_half = change.startswith("add_half")
    relation.remark = relation.remark if wish.remark is None else wish.remark
    fields = _pair(relation) | {"State": wish.state or None}
    if wish.welcome and not relation.chat_started:
        fields["WelcomeCode"] = _welcome_code(world, corp, relation)
    return _told(world, account, change, fields, wish)


def edit_contact(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The member changes the remark or the description in the client."""
    relation = _follow(world, account, wish)
    relation.remark = relation.remark if wish.remark is None else wish.remark
    if wish.description is not None:
        relation.description = wish.description
    world.is_dirty = True
    fields = _pair(relation) | {"State": relation.state or None}
    return _told(world, account, "edit_external_contact", fields, wish)


def delete_contact(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The member deletes the contact, or loses it to another member."""
    relation = _follow(world, account, wish)
    corps.unfollow(world, world.corp(account), relation.userid, relation.external_userid)
    fields = _pair(relation) | {"Source": wish.source or None}
    return _told(world, account, "del_external_contact", fields, wish)


def delete_member(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The contact deletes the member, who is not told."""
    relation = _follow(world, account, wish)
    relation.lost_at = now = world.clock.now()
    world.corp(account).external.day(relation.userid, china_day(now)).lost += 1
    world.is_dirty = True
    return _told(world, account, "del_follow_user", _pair(relation), wish)


def fail_transfer(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The contact refuses the new member, or that one has too many. Who UserID is: the new one."""
    fields: Json = {
        "FailReason": wish.fail_reason,
        "UserID": _member(world, account, wish).userid,
        "ExternalUserID": wish.needed("external_userid"),
    }
    waiting = world.corp(account).external.waiting(wish.external_userid)
    if waiting is not None and waiting.takeover.lower() == wish.userid.lower():
        full = wish.fail_reason == "customer_limit_exceed"
        waiting.status = Handover.TOO_MANY if full else Handover.REFUSED
        world.is_dirty = True
    return _told(world, account, "transfer_fail", fields, wish)


def approve_archive(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The contact agrees that chats are archived."""
    relation = _follow(world, account, wish)
    fields = _pair(relation)
    if wish.welcome and not relation.chat_started:
        fields["WelcomeCode"] = _welcome_code(world, world.corp(account), relation)
    return _told(world, account, "msg_audit_approved", fields, wish)


def _told(world: World, account: Account, change: str, fields: Json, wish: Wish) -> list[Callback]:
    return tell_corp(world, account, CONTACT, {"ChangeType": change} | fields, wish)


def _pair(relation: Follow) -> Json:
    return {"UserID": relation.userid, "ExternalUserID": relation.external_userid}


def _welcome_code(world: World, corp: Corp, relation: Follow) -> str:
    now = world.clock.now()
    welcomes = corp.welcomes
    while (
        welcomes
        and welcomes[oldest := next(iter(welcomes))].issued_at < now - WELCOMES_KEPT_SECONDS
    ):
        del welcomes[oldest]
    code = secrets.token_urlsafe(32)
    welcomes[code] = Welcome(relation.userid, relation.external_userid, now)
    return code


def _member(world: World, account: Account, wish: Wish) -> Member:
    """Customers add members whether these see the app or not."""
    member = world.corp(account).members.get(wish.userid.lower())
    if member is None:
        raise Impossible(f"{account.appid} has no member {wish.userid!r}")
    return member


def _follow(world: World, account: Account, wish: Wish) -> Follow:
    relation = corps.follow_of(world.corp(account), wish.userid, wish.external_userid)
    if relation is None or relation.lost_at:
        raise Impossible(f"{wish.userid!r} has no contact {wish.external_userid!r}")
    return relation


# Group chats


def change_chat(world: World, account: Account, wish: Wish) -> list[Callback]:
    acts = {"create": _create_chat, "update": _update_chat, "dismiss": _dismiss_chat}
    if wish.change_type not in acts:
        raise Impossible(f"{CHAT} needs change_type: {', '.join(acts)}")
    fields = acts[wish.change_type](world, account, wish)
    world.is_dirty = True
    return tell_corp(world, account, CHAT, fields, wish)


def _create_chat(world: World, account: Account, wish: Wish) -> Json:
    corp, owner = world.corp(account), _member(world, account, wish)
    chat_id = wish.chat_id or f"wr{secrets.token_urlsafe(23)[:30]}"
    if chat_id in corp.group_chats:
        raise Impossible(f"there is already a chat {chat_id!r}")
    chat = GroupChat(chat_id, wish.name or "群聊", owner.userid, world.clock.now(), wish.notice)
    corp.group_chats[chat_id] = chat
    _join(world, corp, chat, [owner.userid, *wish.members])
    return {"ChatId": chat_id, "ChangeType": "create"}


def _update_chat(world: World, account: Account, wish: Wish) -> Json:
    corp, chat = world.corp(account), _chat(world, account, wish)
    last_version = chat.version
    fields: Json = {
        "ChatId": chat.chat_id,
        "ChangeType": "update",
        "UpdateDetail": wish.update_detail,
    }
    match wish.update_detail:
        case "add_member":
            _join(world, corp, chat, wish.members)
            fields |= _moved(wish.members, "JoinScene", chat, last_version)
        case "del_member":
            for userid in wish.members:
                chat.members.pop(userid, None)
            chat.version = _version(chat)
            fields |= _moved(wish.members, "QuitScene", chat, last_version)
        case "change_owner":
            chat.owner = _member(world, account, wish).userid
        case "change_name":
            chat.name = wish.needed("name")
        case "change_notice":
            chat.notice = wish.notice
        case _:
            raise Impossible(f"unknown update_detail {wish.update_detail}")
    return fields


def _dismiss_chat(world: World, account: Account, wish: Wish) -> Json:
    chat = _chat(world, account, wish)
    chat.is_dismissed = True
    return {"ChatId": chat.chat_id, "ChangeType": "dismiss"}


def _moved(userids: list[str], scene: str, chat: GroupChat, last_version: str) -> Json:
    return {
        "JoinScene": int(scene == "JoinScene"),
        "QuitScene": 0,
        "MemChangeCnt": len(userids),
        "MemChangeList": {"Item": userids},
        "LastMemVer": last_version,
        "CurMemVer": chat.version,
    }


def _join(world: World, corp: Corp, chat: GroupChat, userids: list[str]) -> None:
    now = world.clock.now()
    for userid in userids:
        kind = 1 if userid.lower() in corp.members else 2
        chat.members[userid] = ChatMember(userid, kind, now, invitor=chat.owner)
    chat.version = _version(chat)


def _version(chat: GroupChat) -> str:
    text = "|".join(sorted(chat.members))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _chat(world: World, account: Account, wish: Wish) -> GroupChat:
    chat = world.corp(account).group_chats.get(wish.chat_id)
    if chat is None or chat.is_dismissed:
        raise Impossible(f"{account.appid} has no chat {wish.chat_id!r}")
    return chat


# Tags


def change_tag(world: World, account: Account, wish: Wish) -> list[Callback]:
    """An administrator changes a tag or a group of tags (``tag_type`` is ``tag_group``)."""
    acts = {"create": _create_tag, "update": _rename_tag, "delete": _delete_tag}
    if wish.change_type == "shuffle":
        tag_id = wish.tag_id
    elif wish.change_type in acts:
        tag_id = acts[wish.change_type](world, world.corp(account), wish)
    else:
        raise Impossible(f"{TAG} needs change_type: create, update, delete, shuffle")
    world.is_dirty = True
    fields = {"Id": tag_id, "TagType": wish.tag_type, "ChangeType": wish.change_type}
    return tell_corp(world, account, TAG, fields, wish)


def _create_tag(world: World, corp: Corp, wish: Wish) -> str:
    now, tag_id = world.clock.now(), wish.tag_id or f"et{secrets.token_urlsafe(23)[:30]}"
    name = wish.needed("name")
    if wish.tag_type == "tag_group":
        corp.tag_groups[tag_id] = TagGroup(tag_id, name, now)
    else:
        group = corp.tag_groups.get(wish.group_id)
        if group is None:
            raise Impossible(f"a tag needs group_id; there is no group {wish.group_id!r}")
        group.tags[tag_id] = CorpTag(tag_id, name, now)
    return tag_id


def _rename_tag(_: World, corp: Corp, wish: Wish) -> str:
    _tag(corp, wish).name = wish.needed("name")
    return wish.tag_id


def _delete_tag(_: World, corp: Corp, wish: Wish) -> str:
    gone = _tag(corp, wish)
    tag_ids = set(gone.tags) if isinstance(gone, TagGroup) else {gone.id}
    corp.tag_groups.pop(gone.id, None)
    for group in corp.tag_groups.values():
        group.tags.pop(gone.id, None)
    for mine in corp.follows.values():
        for relation in mine.values():
            relation.tag_ids = [one for one in relation.tag_ids if one not in tag_ids]
    return wish.tag_id


def _tag(corp: Corp, wish: Wish) -> TagGroup | CorpTag:
    if group := corp.tag_groups.get(wish.tag_id):
        return group
    for group in corp.tag_groups.values():
        if tag := group.tags.get(wish.tag_id):
            return tag
    raise Impossible(f"there is no tag {wish.tag_id!r}")


# Acquisition links


def acquire(world: World, account: Account, wish: Wish) -> list[Callback]:
    names = ACQUISITION_FIELDS.get(wish.change_type)
    if names is None:
        raise Impossible(f"{ACQUISITION} needs change_type: {', '.join(ACQUISITION_FIELDS)}")
    values: Json = {
        "LinkId": wish.link_id,
        "State": wish.state,
        "UserID": wish.userid,
        "ExternalUserID": wish.external_userid,
        "ExpireTime": int(world.clock.now()) + 7 * 86_400,
        "ExpireQuotaNum": 100,
    }
    if "LinkId" in names:
        wish.needed("link_id")
    if wish.change_type == "customer_start_chat" and (
        relation := corps.follow_of(world.corp(account), wish.userid, wish.external_userid)
    ):
        relation.chat_started = True
    fields = {"ChangeType": wish.change_type} | {name: values[name] for name in names}
    return tell_corp(world, account, ACQUISITION, fields, wish)


EVENTS: dict[str, Act] = {
    "add_external_contact": add_contact,
    "add_half_external_contact": add_contact,
    "edit_external_contact": edit_contact,
    "del_external_contact": delete_contact,
    "del_follow_user": delete_member,
    "transfer_fail": fail_transfer,
    "msg_audit_approved": approve_archive,
    CHAT: change_chat,
    TAG: change_tag,
    ACQUISITION: acquire,
}
