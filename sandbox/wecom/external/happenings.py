"""What people do about what the API began: scan, join, confirm, publish, like, refuse, write.

Only what WeCom itself tells of is told to the apps: a new contact, a new face in a group chat.
"""

from urllib.parse import parse_qs, urlsplit

from sandbox.clock import china_day
from sandbox.state import Account, Json
from sandbox.wechat.events import Impossible
from sandbox.wecom import chats, corps, customers
from sandbox.wecom.events import Act
from sandbox.wecom.external import group_messages, transfers
from sandbox.wecom.external.attachments import KINDS
from sandbox.wecom.external_state import (
    Acquired,
    AcquisitionLink,
    ContactWay,
    GroupMessage,
    JoinWay,
    Moment,
    Outcome,
    Publishing,
    Reaction,
    SendTask,
    Target,
    TempChat,
)
from sandbox.wecom.state import ACTIVE, Corp, ExternalContact, GroupChat, Member
from sandbox.wecom.wishes import Wish
from sandbox.world import Callback, World

BY_SCAN, BY_LINK = 1, 16  # add_way
JOINED_BY_SCAN = 3
MOST_IN_A_CHAT = 500
LONGEST_CHANNEL = 64


# Scanning


def scan(world: World, account: Account, wish: Wish) -> list[Callback]:
    """A code, by its config_id, by the address of its picture or by what is in the picture."""
    corp = world.corp(account)
    found = _scanned(corp, wish)
    world.is_dirty = True
    if isinstance(found, JoinWay):
        return _join(world, account, wish, found)
    if isinstance(found, AcquisitionLink):
        return _open_link(world, account, wish, found)
    return _add(world, account, wish, found)


def _scanned(corp: Corp, wish: Wish) -> ContactWay | JoinWay | AcquisitionLink:
    external, text = corp.external, wish.config_id or wish.link_id or wish.needed("url")
    config_id = urlsplit(text).path.rpartition("/")[2].removesuffix(".png")
    for known in (external.contact_ways, external.join_ways, external.links):
        if config_id in known:
            return known[config_id]
    codes: list[ContactWay | JoinWay] = [
        *external.contact_ways.values(),
        *external.join_ways.values(),
    ]
    for one in codes:
        if one.address == text:
            return one
    raise Impossible(f"{corp.corpid} has no such code or link")


def _add(world: World, account: Account, wish: Wish, way: ContactWay) -> list[Callback]:
    corp, now = world.corp(account), world.clock.now()
    if way.fields["is_temp"]:
        return _talk(world, corp, wish, way)
    state = way.fields["state"]
    choice = _choice(corp, way.fields["user"], way.fields["party"])
    contact = _person(world, corp, wish)
    mine = [one for one in choice if _knows(corp, one, contact)]
    if mine and (way.fields["is_exclusive"] or len(mine) == len(choice)):
        corps.follow(world, corp, mine[0], contact).touched_at = now
        return []  # they know each other; the chat opens
    free = [one for one in choice if one not in mine]
    member = free[way.scans % len(free)]
    way.scans += 1
    return _meet(world, account, wish, member, contact, state, BY_SCAN)


def _talk(world: World, corp: Corp, wish: Wish, way: ContactWay) -> list[Callback]:
    now, userid = world.clock.now(), way.fields["user"][0]
    if now >= way.created_at + way.fields["expires_in"]:
        raise Impossible("the code has expired")
    contact = _person(world, corp, wish)
    ends_at = now + way.fields["chat_expires_in"]
    talk = TempChat(userid, contact.external_userid, way.config_id, ends_at)
    corp.external.temp_chats.append(talk)
    chats.note(world, corp, userid, contact.external_userid, "临时会话已开始")
    return []


def _open_link(world: World, account: Account, wish: Wish, link: AcquisitionLink) -> list[Callback]:
    """``customer_channel`` of the address comes back as the state."""
    corp, now = world.corp(account), world.clock.now()
    link.clicks.append(now)
    channel = parse_qs(urlsplit(wish.url).query).get("customer_channel", [wish.state])[0]
    if len(channel.encode()) > LONGEST_CHANNEL:
        raise Impossible(f"customer_channel is longer than {LONGEST_CHANNEL} bytes")
    external = corp.external
    if external.quota_used >= account.settings.acquisition_quota:
        raise Impossible("the quota is used up")
    wanted = link.fields["range"]
    choice = _choice(corp, wanted["user_list"], wanted["department_list"])
    contact = _person(world, corp, wish)
    if any(_knows(corp, one, contact) for one in choice):
        return []
    member = choice[link.turns % len(choice)]
    link.turns += 1
    external.quota_used += 1
    link.customers.append(Acquired(member.userid, contact.external_userid, channel, now))
    return _meet(world, account, wish, member, contact, channel, BY_LINK)


def _meet(
    world: World,
    account: Account,
    wish: Wish,
    member: Member,
    contact: ExternalContact,
    state: str,
    add_way: int,
) -> list[Callback]:
    changes = {"userid": member.userid, "external_userid": contact.external_userid, "state": state}
    callbacks = customers.add_contact(world, account, wish.model_copy(update=changes))
    relation = corps.follow_of(world.corp(account), member.userid, contact.external_userid)
    if relation is not None:
        relation.add_way = add_way
    return callbacks


def _choice(corp: Corp, userids: list[str], departments: list[int]) -> list[Member]:
    """Who may be given, each once; who left or is not active is passed over."""
    below = {one.id for number in departments for one in corps.departments_below(corp, number)}
    named = [corp.members[one.lower()] for one in userids if one.lower() in corp.members]
    every = {one.userid: one for one in (*named, *corps.members_of(corp, below))}
    found = [one for one in every.values() if one.status == ACTIVE]
    if not found:
        raise Impossible("none of its members is active")
    return found


def _person(world: World, corp: Corp, wish: Wish) -> ExternalContact:
    contact = corps.keep_contact(world, corp, wish.external_userid)
    contact.name = wish.name or contact.name
    return contact


def _knows(corp: Corp, member: Member, contact: ExternalContact) -> bool:
    relation = corps.follow_of(corp, member.userid, contact.external_userid)
    return relation is not None and not relation.lost_at


def _join(world: World, account: Account, wish: Wish, way: JoinWay) -> list[Callback]:
    """The first chat with room; when all are full, a new one of the first chat's owner."""
    corp, given = world.corp(account), way.fields
    rooms = [corp.group_chats[one] for one in given["chat_id_list"] if one in corp.group_chats]
    rooms = [one for one in rooms if not one.is_dismissed]
    if not rooms:
        raise Impossible("all its group chats are gone")
    contact = _person(world, corp, wish)
    if any(contact.external_userid in one.members for one in rooms):
        return []
    room = next((one for one in rooms if len(one.members) < MOST_IN_A_CHAT), None)
    callbacks: list[Callback] = []
    if room is None:
        if not given["auto_create_room"]:
            raise Impossible("its group chats are full")
        room, callbacks = _new_room(world, account, wish, way, rooms[0])
    changes = {
        "event": customers.CHAT,
        "change_type": "update",
        "update_detail": "add_member",
        "chat_id": room.chat_id,
        "members": [contact.external_userid],
        "fields": {"JoinScene": JOINED_BY_SCAN} | wish.fields,
    }
    callbacks += customers.change_chat(world, account, wish.model_copy(update=changes))
    joined = room.members[contact.external_userid]
    joined.join_scene, joined.state = JOINED_BY_SCAN, given["state"]
    return callbacks


def _new_room(
    world: World, account: Account, wish: Wish, way: JoinWay, first: GroupChat
) -> tuple[GroupChat, list[Callback]]:
    corp, before = world.corp(account), set(world.corp(account).group_chats)
    number = way.fields["room_base_id"] + way.rooms_made
    changes = {
        "event": customers.CHAT,
        "change_type": "create",
        "userid": first.owner,
        "name": f"{way.fields['room_base_name'] or first.name}{number}",
        "members": [],
        "chat_id": "",
    }
    callbacks = customers.change_chat(world, account, wish.model_copy(update=changes))
    way.rooms_made += 1
    (made,) = set(corp.group_chats) - before
    way.fields["chat_id_list"].append(made)
    return corp.group_chats[made], callbacks


# Confirming


def confirm_group_message(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The member sends; with ``members`` only to these, when the task allows to choose."""
    corp, now = world.corp(account), world.clock.now()
    message = corp.external.group_messages.get(wish.needed("msgid"))
    task = message.tasks.get(wish.userid.lower()) if message else None
    if message is None or task is None:
        raise Impossible(f"{wish.userid!r} has no such task")
    if message.is_cancelled or task.sent_at:
        raise Impossible("the task was cancelled, or is done")
    if group_messages.is_on_its_way(message, account.settings, now):
        raise Impossible("the task is still on its way to the members")
    for target in _chosen(message, task, wish.members):
        _send(world, account, message, task, target)
    task.sent_at = now
    world.is_dirty = True
    return []


def _chosen(message: GroupMessage, task: SendTask, wanted: list[str]) -> list[Target]:
    known = {one.id for one in task.targets}
    if wanted and (not message.allow_select or not set(wanted) <= known):
        raise Impossible("the task does not allow this choice")
    return [one for one in task.targets if not wanted or one.id in wanted]


def _send(
    world: World, account: Account, message: GroupMessage, task: SendTask, target: Target
) -> None:
    corp, now = world.corp(account), world.clock.now()
    external = corp.external
    if group_messages.has_enough(external, account.settings, target.id, now):
        target.outcome = Outcome.HAD_ENOUGH
        return
    if not _can_receive(corp, message, task, target):
        target.outcome = Outcome.NO_FRIEND
        return
    external.receipts.setdefault(target.id, []).append(now)
    target.outcome, target.at = Outcome.SENT, now
    text, attached = message.content.get("text"), message.content["attachments"]
    if message.chat_type == group_messages.SINGLE:
        chats.say_all(world, corp, task.userid, target.id, text, attached, via=chats.GROUP)
    else:
        say_in_chat(world, corp, target.id, task.userid, text, attached, via=chats.GROUP)


def _can_receive(corp: Corp, message: GroupMessage, task: SendTask, target: Target) -> bool:
    if message.chat_type == group_messages.GROUP:
        chat = corp.group_chats.get(target.id)
        return chat is not None and not chat.is_dismissed
    relation = corps.follow_of(corp, task.userid, target.id)
    return relation is not None and not relation.lost_at


def publish_moment(world: World, account: Account, wish: Wish) -> list[Callback]:
    corp = world.corp(account)
    moment, task = _publishing(corp, wish)
    if moment.is_cancelled or task.published_at:
        raise Impossible("the moment was cancelled, or is published")
    task.published_at = world.clock.now()
    world.is_dirty = True
    return []


def like_moment(world: World, account: Account, wish: Wish) -> list[Callback]:
    return _react(world, account, wish, "likes")


def comment_moment(world: World, account: Account, wish: Wish) -> list[Callback]:
    return _react(world, account, wish, "comments")


def _react(world: World, account: Account, wish: Wish, what: str) -> list[Callback]:
    """A contact to whom it was shown; without one, the member."""
    _, task = _publishing(world.corp(account), wish)
    if not task.published_at:
        raise Impossible("the member has not published the moment")
    if wish.external_userid and wish.external_userid not in task.external_userids:
        raise Impossible(f"{wish.external_userid!r} does not see the moment")
    userid = "" if wish.external_userid else task.userid
    reaction = Reaction(world.clock.now(), userid, wish.external_userid)
    getattr(task, what).append(reaction)
    world.is_dirty = True
    return []


def _publishing(corp: Corp, wish: Wish) -> tuple[Moment, Publishing]:
    moment = corp.external.moments.get(wish.needed("moment_id"))
    task = moment.tasks.get(wish.userid.lower()) if moment else None
    if moment is None or task is None:
        raise Impossible(f"{wish.userid!r} has no such moment")
    return moment, task


# Being passed on


def accept_transfer(world: World, account: Account, wish: Wish) -> list[Callback]:
    """At once, in place of waiting a day."""
    corp = world.corp(account)
    waiting = corp.external.waiting(wish.needed("external_userid"))
    if waiting is None:
        raise Impossible(f"{wish.external_userid!r} is not being passed on")
    return transfers.accept(world, corp, waiting)


# Talking


def write(world: World, account: Account, wish: Wish) -> list[Callback]:
    """One message between a member and a contact, or into a group chat (``chat_id``)."""
    corp = world.corp(account)
    kind, content = _message(wish)
    if wish.chat_id:
        chat = corp.group_chats.get(wish.chat_id)
        speaker = wish.external_userid if wish.from_contact else wish.userid
        if chat is None or chat.is_dismissed or speaker not in chat.members:
            raise Impossible(f"{speaker!r} is in no chat {wish.chat_id!r}")
        said = [{"msgtype": kind, kind: content}]
        say_in_chat(world, corp, wish.chat_id, speaker, None, said, via=chats.WRITTEN)
        return []
    relation = corps.follow_of(corp, wish.userid, wish.external_userid)
    if relation is None or relation.lost_at:
        raise Impossible(f"{wish.userid!r} has no contact {wish.external_userid!r}")
    via = chats.WRITTEN if wish.from_contact or not wish.message else chats.SIDEBAR
    userid, external_userid = relation.userid, relation.external_userid
    chats.say(
        world,
        corp,
        userid,
        external_userid,
        kind,
        content,
        via=via,
        from_contact=wish.from_contact,
    )
    return []


def apply_to_contact(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The member asks somebody to become a contact; so far it is only counted."""
    corp = world.corp(account)
    if wish.userid.lower() not in corp.members:
        raise Impossible(f"{corp.corpid} has no member {wish.userid!r}")
    corp.external.day(wish.userid, china_day(world.clock.now())).new_applies += 1
    world.is_dirty = True
    return []


def say_in_chat(
    world: World,
    corp: Corp,
    chat_id: str,
    speaker: str,
    text: Json | None,
    attached: list[Json],
    *,
    via: str,
) -> None:
    texts = [{"msgtype": "text", "text": text}] if text else []
    is_contact = speaker.lower() not in corp.members
    for one in (*texts, *attached):
        kind = one["msgtype"]
        said = chats.say(
            world, corp, "", chat_id, kind, one[kind], via=via, from_contact=is_contact
        )
        said.extra["userid"] = speaker


def _message(wish: Wish) -> tuple[str, Json]:
    """``content`` is a text; ``message`` is as the sidebar sends: ``{"msgtype", <type>}``."""
    if not wish.message:
        return "text", {"content": wish.needed("content")}
    kind = str(wish.message.get("msgtype"))
    content = wish.message.get(kind)
    if kind not in {"text", "news", *KINDS} or not isinstance(content, dict):
        raise Impossible("a message needs msgtype and the fields of that type")
    return kind, content


EVENTS: dict[str, Act] = {
    "scan_code": scan,
    "open_acquisition_link": scan,
    "confirm_group_message": confirm_group_message,
    "publish_moment": publish_moment,
    "like_moment": like_moment,
    "comment_moment": comment_moment,
    "accept_transfer": accept_transfer,
    "write_in_chat": write,
    "ask_to_be_added": apply_to_contact,
}
