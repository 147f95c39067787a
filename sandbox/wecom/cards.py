"""Template cards: what each of the five kinds must hold, and changing one that was sent.

https://developer.work.weixin.qq.com/document/path/90236
https://developer.work.weixin.qq.com/document/path/94888
"""

import re
from collections.abc import Callable, Iterable

from sandbox.state import Account, Json, Message
from sandbox.wecom import media
from sandbox.wecom.call import OK, Call, as_number
from sandbox.wecom.corps import CARD_CHANGED, chat_of, deliver, departments_below, members_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Corp, Member
from sandbox.world import World

TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
CODE_SECONDS = 72 * 3600
INTERACTIVE = frozenset({"button_interaction", "vote_interaction", "multiple_interaction"})


def card(call: Call, given: Json) -> Json:
    """The card as it will be shown, or the field that is wrong."""
    kind = given.get("card_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise _wrong("card_type")
    _check_common(call, given)
    KINDS[kind](given)
    if is_interactive(given):
        if not given.get("task_id"):
            raise _wrong("task_id is required")
        if not call.account.callback_url:
            raise Refusal(40057, "the app has no callback url and cannot send interactive cards")
    return given


def is_interactive(given: Json) -> bool:
    return given["card_type"] in INTERACTIVE or bool(given.get("action_menu"))


def _check_common(call: Call, given: Json) -> None:
    task_id = given.get("task_id")
    if task_id and not (isinstance(task_id, str) and TASK_ID.fullmatch(task_id)):
        raise _wrong("task_id")
    for name in ("source", "main_title", "emphasis_content", "quote_area", "card_action"):
        if given.get(name) is not None and not isinstance(given[name], dict):
            raise _wrong(name)
    if (menu := given.get("action_menu")) is not None:
        _check_menu(menu)
    for row in _items(given, "horizontal_content_list", 0, 6):
        _require(row, "horizontal_content_list", "keyname")
        _check_link(row, "horizontal_content_list", {1: "url", 2: "media_id", 3: "userid"})
        if row.get("type") == 2:
            media.require(call.corp, row["media_id"], call.now)
    for jump in _items(given, "jump_list", 0, 3):
        _require(jump, "jump_list", "title")
        _check_link(jump, "jump_list", {1: "url", 2: "appid"})
    _check_link(given.get("quote_area") or {}, "quote_area", {1: "url", 2: "appid"})


def _check_menu(menu: object) -> None:
    if not isinstance(menu, dict):
        raise _wrong("action_menu")
    actions = _items(menu, "action_list", 1, 3)
    for action in actions:
        _require(action, "action_list", "text", "key")
    _require_different(actions, "action_list", "key")


def _check_text_notice(given: Json) -> None:
    title = (given.get("main_title") or {}).get("title")
    if not title and not given.get("sub_title_text"):
        raise _wrong("main_title.title or sub_title_text is required")
    _check_card_action(given)


def _check_news_notice(given: Json) -> None:
    _require(given.get("main_title") or {}, "main_title", "title")
    image, area = given.get("card_image"), given.get("image_text_area")
    if not isinstance(image, dict) and not isinstance(area, dict):
        raise _wrong("card_image or image_text_area is required")
    if isinstance(image, dict):
        _require(image, "card_image", "url")
    if isinstance(area, dict):
        _require(area, "image_text_area", "image_url")
    for row in _items(given, "vertical_content_list", 0, 4):
        _require(row, "vertical_content_list", "title")
    _check_card_action(given)


def _check_buttons(given: Json) -> None:
    _require(given.get("main_title") or {}, "main_title", "title")
    buttons = _items(given, "button_list", 1, 6)
    for button in buttons:
        _require(button, "button_list", "text", "url" if button.get("type") == 1 else "key")
    _require_different([one for one in buttons if one.get("key")], "button_list", "key")
    if given.get("button_selection") is not None:
        _check_question(given["button_selection"], "button_selection", 10)
    _check_card_action(given, required=False)


def _check_vote(given: Json) -> None:
    _require(given.get("main_title") or {}, "main_title", "title")
    _check_question(given.get("checkbox"), "checkbox", 20)
    _require(_object(given, "submit_button"), "submit_button", "text", "key")


def _check_several(given: Json) -> None:
    _require(given.get("main_title") or {}, "main_title", "title")
    questions = _items(given, "select_list", 1, 3)
    for question in questions:
        _check_question(question, "select_list", 10)
    _require_different(questions, "select_list", "question_key")
    _require(_object(given, "submit_button"), "submit_button", "text", "key")


KINDS: dict[str, Callable[[Json], None]] = {
    "text_notice": _check_text_notice,
    "news_notice": _check_news_notice,
    "button_interaction": _check_buttons,
    "vote_interaction": _check_vote,
    "multiple_interaction": _check_several,
}


def _check_card_action(given: Json, *, required: bool = True) -> None:
    action = given.get("card_action")
    if action is None and not required:
        return
    if not isinstance(action, dict) or (required and action.get("type") not in {1, 2}):
        raise _wrong("card_action is required")
    _check_link(action, "card_action", {1: "url", 2: "appid"})


def _check_question(question: object, name: str, most: int) -> None:
    if not isinstance(question, dict):
        raise _wrong(f"{name} is required")
    _require(question, name, "question_key")
    options = _items(question, "option_list", 1, most)
    for option in options:
        _require(option, f"{name}.option_list", "id", "text")
    _require_different(options, f"{name}.option_list", "id")


def _check_link(given: Json, name: str, needed: dict[int, str]) -> None:
    kind = given.get("type", 0)
    if not isinstance(kind, int) or kind not in {0, *needed}:
        raise _wrong(f"{name}.type")
    if kind:
        _require(given, name, needed[kind])


def _items(given: Json, name: str, least: int, most: int) -> list[Json]:
    items = given.get(name, [])
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise _wrong(name)
    if not least <= len(items) <= most:
        raise _wrong(f"{name} has {least} to {most} items")
    return items


def _object(given: Json, name: str) -> Json:
    value = given.get(name)
    if not isinstance(value, dict):
        raise _wrong(f"{name} is required")
    return value


def _require(given: Json, name: str, *keys: str) -> None:
    for key in keys:
        if not isinstance(given.get(key), str) or not given[key]:
            raise _wrong(f"{name}.{key} is required")


def _require_different(items: Iterable[Json], name: str, key: str) -> None:
    values = [one[key] for one in items]
    if len(set(values)) < len(values):
        raise _wrong(f"{name}.{key} is not unique")


def _wrong(what: str) -> Refusal:
    return Refusal(40058, detail=f"template_card.{what}")


# Changing


def update(call: Call) -> Json:
    call.require_own_agent(call.body.get("agentid"))
    code = call.corp.response_codes.get(str(call.body.get("response_code") or ""))
    if code is None or code.account != call.account.name or code.used:
        raise Refusal(40058, detail="invalid response_code")
    if call.now >= code.issued_at + CODE_SECONDS:
        raise Refusal(40058, detail="response_code expired")
    change = _change(call)
    userids, invalid = _whom(call)
    invalid += [
        userid
        for userid in userids
        if not apply(call.world, call.corp, call.account, userid, code.msgid, change)
    ]
    code.used = True
    return OK | {"invaliduser": invalid}


def apply(
    world: World, corp: Corp, account: Account, userid: str, msgid: str, change: Json
) -> bool:
    """Change the card in one member's chat; False when it is not there."""
    member = corp.members.get(userid.lower())
    shown = next((one for one in chat_of(world, account, userid) if one["msgid"] == msgid), None)
    if member is None or shown is None:
        return False
    content = change.get("template_card") or {**shown["content"], **change}
    deliver(world, account, member, _changed(world, account, member, msgid, content))
    return True


def _changed(world: World, account: Account, member: Member, msgid: str, content: Json) -> Message:
    return Message(
        msgid=world.next_id(),
        account=account.name,
        openid=member.userid.lower(),
        kind=CARD_CHANGED,
        at=world.clock.now(),
        extra={"msgid": msgid, "content": content},
    )


def _change(call: Call) -> Json:
    button, given = call.body.get("button"), call.body.get("template_card")
    if isinstance(button, dict):
        _require(button, "button", "replace_name")
        return {"button_replaced": button["replace_name"]}
    if isinstance(given, dict):
        return {"template_card": card(call, given)}
    raise Refusal(40058, detail="button or template_card is required")


def _whom(call: Call) -> tuple[list[str], list[str]]:
    """(userids, those nobody bears)"""
    body, members = call.body, call.corp.members
    if body.get("atall") == 1:
        return list(members), []
    for name, most in (("userids", 100), ("partyids", 100), ("tagids", 100)):
        if not isinstance(body.get(name, []), list) or len(body.get(name, [])) > most:
            raise Refusal(40058, detail=name)
    wanted = [str(one).lower() for one in body.get("userids", [])]
    for party in body.get("partyids", []):
        below = {one.id for one in departments_below(call.corp, as_number(party, 40058))}
        wanted += [one.userid.lower() for one in members_of(call.corp, below)]
    for number in body.get("tagids", []):
        tag = call.corp.member_tags.get(as_number(number, 40058))
        wanted += sorted(tag.userids) if tag else []
    if not wanted:
        raise Refusal(82001)
    unique = list(dict.fromkeys(wanted))
    return [one for one in unique if one in members], [one for one in unique if one not in members]
