"""The menu bar below a chat: at most three buttons with five each."""

import secrets

from sandbox.state import Account, Fan, Json
from sandbox.wechat.call import Call
from sandbox.wechat.errors import Refusal

MOST_BUTTONS = 3
MOST_SUB_BUTTONS = 5
LONGEST_NAME = 16
LONGEST_SUB_NAME = 60
LONGEST_KEY = 128
LONGEST_URL = 1024
KEY_TYPES = frozenset(
    {
        "click",
        "scancode_push",
        "scancode_waitmsg",
        "pic_sysphoto",
        "pic_photo_or_album",
        "pic_weixin",
        "location_select",
    }
)
OK: Json = {"errcode": 0, "errmsg": "ok"}


def create(call: Call) -> Json:
    call.account.menu = {"button": _checked(call.body.get("button"))}
    call.world.hub.changed()
    return OK


def get(call: Call) -> Json:
    if call.account.menu is None:
        raise Refusal(46003)
    answer: Json = {"menu": call.account.menu}
    if call.account.conditional_menus:
        answer["conditionalmenu"] = call.account.conditional_menus
    return answer


def get_current(call: Call) -> Json:
    menu = call.account.menu
    return {"is_menu_open": int(menu is not None), "selfmenu_info": menu or {"button": []}}


def delete(call: Call) -> Json:
    call.account.menu = None
    call.account.conditional_menus.clear()
    call.world.hub.changed()
    return OK


def add_conditional(call: Call) -> Json:
    rule = call.body.get("matchrule")
    if call.account.menu is None or not isinstance(rule, dict) or not rule:
        raise Refusal(65303 if call.account.menu is None else 65305, "no default menu or matchrule")
    menu_id = str(secrets.randbelow(9 * 10**8) + 10**8)
    buttons = _checked(call.body.get("button"))
    call.account.conditional_menus.append({"button": buttons, "matchrule": rule, "menuid": menu_id})
    call.world.hub.changed()
    return {"menuid": menu_id}


def delete_conditional(call: Call) -> Json:
    menus, wanted = call.account.conditional_menus, str(call.body.get("menuid"))
    call.account.conditional_menus = [menu for menu in menus if menu["menuid"] != wanted]
    call.world.hub.changed()
    return OK


def try_match(call: Call) -> Json:
    fan = call.fan(call.body.get("user_id"))
    return menu_of(call.account, fan) or {"button": []}


def menu_of(account: Account, fan: Fan) -> Json | None:
    """What this person sees: the newest conditional menu that fits, else the menu for all."""
    for menu in reversed(account.conditional_menus):
        tag_id = str(menu["matchrule"].get("tag_id", ""))
        if tag_id and tag_id in map(str, fan.tagid_list):
            return {"button": menu["button"]}
    return account.menu


def _checked(buttons: object) -> list[Json]:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= MOST_BUTTONS:
        raise Refusal(40016)
    for button in buttons:
        _check_name(button, LONGEST_NAME, 40018)
        if not (sub_buttons := button.get("sub_button")):
            _check_action(button)
            continue
        if not isinstance(sub_buttons, list) or len(sub_buttons) > MOST_SUB_BUTTONS:
            raise Refusal(40023)
        for sub_button in sub_buttons:
            _check_name(sub_button, LONGEST_SUB_NAME, 40025)
            _check_action(sub_button)
    return buttons


def _check_name(button: object, longest: int, errcode: int) -> None:
    name = button.get("name") if isinstance(button, dict) else None
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= longest:
        raise Refusal(errcode)


def _check_action(button: Json) -> None:
    match button.get("type"):
        case "view":
            _check_length(button.get("url"), LONGEST_URL, 40020)
        case "miniprogram":
            _check_length(button.get("url"), LONGEST_URL, 40020)
            if str(button.get("appid")) != str(button.get("appid")).lower():
                raise Refusal(40013)
        case str(kind) if kind in KEY_TYPES:
            _check_length(button.get("key"), LONGEST_KEY, 40019)
        case _:
            raise Refusal(40017)


def _check_length(value: object, longest: int, errcode: int) -> None:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= longest:
        raise Refusal(errcode)
