"""What a member and an external contact say to each other: written, greeted, sent to many.

Every way into such a chat leads through here, so that the desktop shows all of them. Contents are
as the API spells them: ``{"content": …}`` for a text, ``{"title", "url", …}`` for a link.
"""

from collections.abc import Iterable

from sandbox.state import Json, Message
from sandbox.wecom.state import Corp
from sandbox.world import World

# How a message came into the chat
WRITTEN, SIDEBAR, WELCOME, GROUP, NOTICE = "written", "sidebar", "welcome", "group", "notice"


def key_of(corp: Corp, userid: str, external_userid: str) -> tuple[str, str]:
    return f"corp:{corp.corpid}", f"{userid.lower()} {external_userid}"


def say(
    world: World,
    corp: Corp,
    userid: str,
    external_userid: str,
    kind: str,
    content: Json,
    *,
    via: str = WRITTEN,
    from_contact: bool = False,
) -> Message:
    """One message. ``kind`` is the API's msgtype, or ``notice`` for a grey line."""
    account, chat = key_of(corp, userid, external_userid)
    entry = Message(
        msgid=world.next_id(),
        account=account,
        openid=chat,
        kind=kind,
        at=world.clock.now(),
        from_person=from_contact,
        extra={"content": content, "via": via},
    )
    world.keep_message(entry)
    relation = corp.follows.get(userid.lower(), {}).get(external_userid)
    if relation is not None and via in {WRITTEN, SIDEBAR}:
        relation.chat_started, relation.touched_at = True, entry.at
    return entry


def say_all(
    world: World,
    corp: Corp,
    userid: str,
    external_userid: str,
    text: Json | None,
    attachments: Iterable[Json],
    *,
    via: str,
) -> None:
    """A text and attachments, as ``send_welcome_msg`` and ``add_msg_template`` hold them."""
    if text and text.get("content"):
        say(world, corp, userid, external_userid, "text", text, via=via)
    for one in attachments:
        kind = str(one["msgtype"])
        say(world, corp, userid, external_userid, kind, one.get(kind) or {}, via=via)


def note(world: World, corp: Corp, userid: str, external_userid: str, sentence: str) -> None:
    """A grey line between the messages: that somebody was added, or left."""
    content = {"content": sentence}
    say(world, corp, userid, external_userid, "notice", content, via=NOTICE)


def chat_of(world: World, corp: Corp, userid: str, external_userid: str) -> list[Message]:
    return world.chats.get(key_of(corp, userid, external_userid), [])
