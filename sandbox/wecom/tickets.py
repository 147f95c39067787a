"""JS-SDK tickets: one of the corp, one of each app, and they are strangers.

https://developer.work.weixin.qq.com/document/path/90506
"""

import secrets
from collections.abc import Mapping

from sandbox.state import Json
from sandbox.values import Ticket
from sandbox.wechat.jssdk import signature_of
from sandbox.wecom.call import OK, Call
from sandbox.wecom.errors import Refusal
from sandbox.world import World

LIFETIME = 7200
RENEWED_BEFORE_EXPIRY = 300
AGENT_CONFIG = "agent_config"


def get_for_corp(call: Call) -> Json:
    call.corp.tickets = _with_a_good_one(call.corp.tickets, call.now)
    return _answer(call.corp.tickets[-1], call.now)


def get_for_agent(call: Call) -> Json:
    if call.query.get("type") != AGENT_CONFIG:
        raise Refusal(40097)
    call.account.tickets = _with_a_good_one(call.account.tickets, call.now)
    return _answer(call.account.tickets[-1], call.now)


def check_signature(world: World, query: Mapping[str, str]) -> str:
    """``config:ok`` for the corp, with ``agentid`` ``agentConfig:ok``, or WeCom's complaint."""
    corpid, agentid = query.get("corpid", ""), query.get("agentid", "")
    name = "agentConfig" if agentid else "config"
    apps = [one for one in world.apps(corpid) if agentid in {"", one.agentid}]
    if not apps:
        return f"{name}:fail invalid {'agentid' if world.apps(corpid) else 'corpid'}"
    tickets = apps[0].tickets if agentid else world.corp(apps[0]).tickets
    url = query.get("url", "").split("#")[0]
    nonce, timestamp = query.get("nonceStr", ""), query.get("timestamp", "")
    now = world.clock.now()
    good = {
        signature_of(ticket.value, nonce, timestamp, url)
        for ticket in tickets
        if ticket.valid_until > now
    }
    return f"{name}:ok" if query.get("signature") in good else f"{name}:fail invalid signature"


def _with_a_good_one(tickets: list[Ticket], now: float) -> list[Ticket]:
    """The ticket before stays good until its own end."""
    good = [one for one in tickets if one.valid_until > now]
    if not good or good[-1].valid_until - now <= RENEWED_BEFORE_EXPIRY:
        good.append(Ticket(secrets.token_urlsafe(64), now + LIFETIME))
    return good


def _answer(ticket: Ticket, now: float) -> Json:
    return OK | {"ticket": ticket.value, "expires_in": int(ticket.valid_until - now)}
