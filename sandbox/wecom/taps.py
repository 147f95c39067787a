"""Tapping a template card, and approvals moving on.

https://developer.work.weixin.qq.com/document/path/90240
https://developer.work.weixin.qq.com/document/path/90269
"""

import secrets

from sandbox.state import Account, Json
from sandbox.wechat.events import Impossible
from sandbox.wecom import corps
from sandbox.wecom.call import number_in
from sandbox.wecom.events import Act, member_of, tell_app, tell_corp
from sandbox.wecom.state import Member, ResponseCode
from sandbox.wecom.wishes import Wish
from sandbox.world import Callback, World

CARD, MENU = "template_card_event", "template_card_menu_event"
SUBMITTED, APPROVED = 1, 2


def tap_card(world: World, account: Account, wish: Wish) -> list[Callback]:
    """A button of the card itself, with what was chosen in it."""
    member, shown = _card(world, account, wish)
    content = shown["content"]
    key = wish.key or next(iter(_button_keys(content)), "")
    if key not in _button_keys(content):
        raise Impossible(f"the card has no button {wish.key!r}")
    fields = _tapped(world, account, member, shown, key)
    if chosen := _chosen(content, wish.selected):
        fields["SelectedItems"] = {"SelectedItem": chosen}
    return tell_app(world, account, member.userid, CARD, fields, wish)


def tap_menu(world: World, account: Account, wish: Wish) -> list[Callback]:
    """An entry behind the dots of the card."""
    member, shown = _card(world, account, wish)
    keys = [one["key"] for one in shown["content"].get("action_menu", {}).get("action_list", [])]
    key = wish.key or next(iter(keys), "")
    if key not in keys:
        raise Impossible(f"the card has no menu entry {wish.key!r}")
    fields = _tapped(world, account, member, shown, key)
    return tell_app(world, account, member.userid, MENU, fields, wish)


def _card(world: World, account: Account, wish: Wish) -> tuple[Member, Json]:
    """The card named by ``msgid`` or ``task_id``, else the newest in the member's chat."""
    member = member_of(world, account, wish)
    found = [
        one
        for one in corps.chat_of(world, account, member.userid)
        if one["msgtype"] == "template_card"
        and not one["recalled"]
        and wish.msgid in {"", one["msgid"]}
        and wish.task_id in {"", one["content"].get("task_id")}
    ]
    if not found:
        raise Impossible(f"{member.userid} has no such template card")
    if "button_replaced" in found[-1]["content"]:
        raise Impossible("the card was answered already and its buttons are grey")
    return member, found[-1]


def _tapped(world: World, account: Account, member: Member, shown: Json, key: str) -> Json:
    code = secrets.token_urlsafe(32)
    world.corp(account).response_codes[code] = ResponseCode(
        account.name, shown["msgid"], world.clock.now(), member.userid
    )
    world.is_dirty = True
    return {
        "EventKey": key,
        "TaskId": shown["content"].get("task_id", ""),
        "CardType": shown["content"]["card_type"],
        "ResponseCode": code,
    }


def _button_keys(content: Json) -> list[str]:
    buttons = [*content.get("button_list", []), content.get("submit_button", {})]
    return [one["key"] for one in buttons if one.get("key")]


def _chosen(content: Json, selected: dict[str, list[str]]) -> list[Json]:
    known = {
        question["question_key"]: {option["id"] for option in question["option_list"]}
        for question in _questions(content)
    }
    for key, option_ids in selected.items():
        if key not in known or not set(option_ids) <= known[key]:
            raise Impossible(f"the card has no question {key!r} with options {option_ids}")
    return [
        {"QuestionKey": key, "OptionIds": {"OptionId": option_ids}}
        for key, option_ids in selected.items()
    ]


def _questions(content: Json) -> list[Json]:
    single = (content.get("button_selection"), content.get("checkbox"))
    return [*(one for one in single if one), *content.get("select_list", [])]


# Approvals


def change_open_approval(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The approval engine: an approval that one of our own pages began (``number``: ThirdNo)."""
    member, now = member_of(world, account, wish), int(world.clock.now())
    approver = wish.members[0] if wish.members else member.userid
    item: Json = {"ItemName": approver, "ItemUserId": approver, "ItemImage": ""}
    node = {
        "NodeStatus": wish.status,
        "NodeAttr": 1,
        "NodeType": 1,
        "Items": {
            "Item": [
                item
                | {
                    "ItemStatus": wish.status,
                    "ItemSpeech": wish.content,
                    "ItemOpTime": 0 if wish.status == SUBMITTED else now,
                }
            ]
        },
    }
    info = {
        "ThirdNo": wish.needed("number"),
        "OpenSpName": wish.name or "审批",
        "OpenTemplateId": wish.key or "1234567890",
        "OpenSpStatus": wish.status,
        "ApplyTime": now,
        "ApplyUserName": member.name,
        "ApplyUserId": member.userid,
        "ApplyUserParty": "",
        "ApplyUserImage": "",
        "ApprovalNodes": {"ApprovalNode": [node]},
        "NotifyNodes": {"NotifyNode": [item]},
        "approverstep": int(wish.status == APPROVED),
    }
    world.corp(account).external.engine_approvals[wish.number] = info
    world.is_dirty = True
    fields = {"ApprovalInfo": info}
    return tell_app(world, account, "sys", "open_approval_change", fields, wish)


def change_system_approval(world: World, account: Account, wish: Wish) -> list[Callback]:
    """The approval app of WeCom itself (``number``: SpNo)."""
    member, now = member_of(world, account, wish), int(world.clock.now())
    number = wish.needed("number")
    if approval := world.corp(account).external.approvals.get(number):
        approval.status, world.is_dirty = wish.status, True
    info = {
        "SpNo": number_in(number) or number,
        "SpNoStr": number,
        "SpName": wish.name or "审批",
        "SpStatus": wish.status,
        "TemplateId": wish.key or "TEMPLATE_ID",
        "ApplyTime": now,
        "Applyer": {"UserId": member.userid, "Party": str(member.departments[0])},
        "StatuChangeEvent": wish.status,
    }
    return tell_corp(world, account, "sys_approval_change", {"ApprovalInfo": info}, wish)


EVENTS: dict[str, Act] = {
    CARD: tap_card,
    MENU: tap_menu,
    "open_approval_change": change_open_approval,
    "sys_approval_change": change_system_approval,
}
