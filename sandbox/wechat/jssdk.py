"""The JS-SDK: its tickets, and the check of signatures that the real client makes."""

import hashlib
import secrets
from collections.abc import Mapping

from sandbox.state import Json
from sandbox.values import Ticket
from sandbox.wechat.call import Call
from sandbox.wechat.errors import Refusal
from sandbox.world import World

LIFETIME = 7200
RENEWED_BEFORE_EXPIRY = 300
KINDS = frozenset({"jsapi", "wx_card"})


def get_ticket(call: Call) -> Json:
    """One shared ticket while it is good; the one before stays good until its own end."""
    if call.query.get("type") not in KINDS:
        raise Refusal(40097, "invalid args")
    tickets = [one for one in call.account.tickets if one.valid_until > call.now]
    if not tickets or tickets[-1].valid_until - call.now <= RENEWED_BEFORE_EXPIRY:
        tickets.append(Ticket(secrets.token_urlsafe(64), call.now + LIFETIME))
    call.account.tickets = tickets
    newest = tickets[-1]
    return {
        "errcode": 0,
        "errmsg": "ok",
        "ticket": newest.value,
        "expires_in": int(newest.valid_until - call.now),
    }


def signature_of(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def check_signature(world: World, query: Mapping[str, str]) -> str:
    """``config:ok`` or what WeChat would say in its error callback."""
    account = world.official_account(query.get("appId", ""))
    if account is None:
        return "config:invalid appid"
    url = query.get("url", "").split("#")[0]
    nonce, timestamp = query.get("nonceStr", ""), query.get("timestamp", "")
    now = world.clock.now()
    good = {
        signature_of(ticket.value, nonce, timestamp, url)
        for ticket in account.tickets
        if ticket.valid_until > now
    }
    return "config:ok" if query.get("signature") in good else "config:invalid signature"
