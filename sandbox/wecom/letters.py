"""The envelope of WeCom's callbacks, the console's question, and what an app may answer.

https://developer.work.weixin.qq.com/document/path/90930
"""

import re

from channel.wechat.crypto import MessageCrypto, signature
from sandbox.state import Account, Json, Message
from sandbox.wecom import cards, corps
from sandbox.world import Callback, World

CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
CARD_EVENTS = frozenset({"template_card_event", "template_card_menu_event"})


def seal(account: Account, xml: str, timestamp: str, nonce: str) -> tuple[dict[str, str], str]:
    """Query and body. WeCom always encrypts."""
    encrypted = crypto(account).encrypt(xml)
    query = signed(account, timestamp, nonce, encrypted)
    body = (
        f"<xml><ToUserName><![CDATA[{account.appid}]]></ToUserName>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt>"
        f"<AgentID><![CDATA[{account.agentid}]]></AgentID></xml>"
    )
    return query, body


def echo(account: Account, text: str, timestamp: str, nonce: str) -> dict[str, str]:
    """The query of the console's question; by a switch with a ``+`` in it."""
    encrypted = crypto(account).encrypt(text)
    while account.settings.echo_with_plus and "+" not in encrypted:
        encrypted = crypto(account).encrypt(text)
    return signed(account, timestamp, nonce, encrypted) | {"echostr": encrypted}


def signed(account: Account, timestamp: str, nonce: str, encrypted: str) -> dict[str, str]:
    return {
        "msg_signature": signature(account.token, timestamp, nonce, encrypted),
        "timestamp": timestamp,
        "nonce": nonce,
    }


def crypto(account: Account) -> MessageCrypto:
    return MessageCrypto(account.token, [account.aes_key], account.appid)


def take_reply(world: World, account: Account, callback: Callback, reply: Json) -> None:
    """Show a message in the member's chat, or change the card that was tapped."""
    corp = world.corp(account)
    member = corp.members.get(callback.openid.lower())
    kind = str(reply["MsgType"])
    if member is None:
        return
    if kind == "update_button":
        name = str((reply.get("Button") or {}).get("ReplaceName") or "")
        _change_card(world, account, callback, {"button_replaced": name})
    elif kind == "update_template_card":
        card = as_api(reply.get("TemplateCard") or {})
        _change_card(world, account, callback, {"template_card": card})
    else:
        content = {"content": reply["Content"]} if kind == "text" else as_api(_content(reply))
        entry = Message(
            world.next_id(),
            account.name,
            member.userid.lower(),
            kind,
            world.clock.now(),
            extra={"content": content},
        )
        corps.deliver(world, account, member, entry)


def _change_card(world: World, account: Account, callback: Callback, change: Json) -> None:
    """Only the answer to a tap may do so; the code of the tap says which card it was."""
    if callback.event not in CARD_EVENTS:
        return
    found = re.search(r"<ResponseCode><!\[CDATA\[(.+?)\]\]>", callback.xml)
    corp = world.corp(account)
    code = corp.response_codes.get(found.group(1)) if found else None
    if code is not None and not code.used:
        code.used = True
        cards.apply(world, corp, account, callback.openid, code.msgid, change)


def _content(reply: Json) -> Json:
    head = {"ToUserName", "FromUserName", "CreateTime", "MsgType"}
    return {name: value for name, value in reply.items() if name not in head}


def as_api(value: Json) -> Json:
    """The XML's names as the API spells them: ``MainTitle`` is ``main_title``."""
    return {CAPITAL.sub("_", name).lower(): _plain(one) for name, one in value.items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return as_api(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value or ""
