"""How often and how many at once an app may call. Counted for the corp, switched by the app.

https://developer.work.weixin.qq.com/document/path/90312
"""

import contextlib
from collections.abc import AsyncIterator

from sandbox.clock import china_day
from sandbox.state import Account
from sandbox.values import Usage
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Corp
from sandbox.world import World

MINUTE, HOUR = 60, 3600
CORP_TICKET, AGENT_TICKET = "/cgi-bin/get_jsapi_ticket", "/cgi-bin/ticket/get"
MESSAGE_SEND = "/cgi-bin/message/send"
UNIONIDS = "/cgi-bin/idconvert/unionid_to_external_userid"
PER_HOUR = {CORP_TICKET: 400, AGENT_TICKET: 100, UNIONIDS: 100_000}
APPROVALS = "/cgi-bin/oa/"
APPROVALS_PER_MINUTE = 600
PERSONS_PER_DAY = 200 * 10_000  # two hundred for each of the accounts the corp may have
COUNTED_PER_APP = frozenset({AGENT_TICKET, MESSAGE_SEND})
CHANGING = ("/mark_tag", "/transfer_customer")  # their conflicts are 45035, all others 45033


def spend(corp: Corp, account: Account, path: str, now: float) -> None:
    """Count one call. Over a limit the API is closed for a minute or an hour."""
    key = counted_as(account, path)
    if now < corp.blocked_until.get(key, 0):
        raise Refusal(45009)
    settings = account.settings
    hourly = PER_HOUR.get(path, settings.calls_per_hour)
    minutely = settings.calls_per_minute
    if path.startswith(APPROVALS):
        minutely = min(minutely, APPROVALS_PER_MINUTE)
    if not count(corp.per_minute, key, now // MINUTE, minutely):
        corp.blocked_until[key] = now + MINUTE
        raise Refusal(45009)
    if not count(corp.per_hour, key, now // HOUR, hourly):
        corp.blocked_until[key] = now + HOUR
        raise Refusal(45009)
    daily = settings.quotas.get(path)
    if path == MESSAGE_SEND or daily is None:
        return  # persons are counted there, when they are known
    if not count(corp.per_day, key, china_day(now), daily):
        raise Refusal(45009)


def spend_persons(corp: Corp, account: Account, persons: int, now: float) -> None:
    """Each receiver of a message is one of the day's."""
    limit = account.settings.quotas.get(MESSAGE_SEND, PERSONS_PER_DAY)
    key = counted_as(account, MESSAGE_SEND)
    if not count(corp.per_day, key, china_day(now), limit, persons):
        raise Refusal(45009)


def count(usages: dict[str, Usage], key: str, period: float, limit: int, amount: int = 1) -> bool:
    """Whether there was room for this much more in the period."""
    return use(usages.setdefault(key, Usage()), period, limit, amount)


def use(usage: Usage, period: float, limit: int, amount: int = 1) -> bool:
    if usage.period != int(period):
        usage.period, usage.count = int(period), 0
    if usage.count + amount > limit:
        return False
    usage.count += amount
    return True


@contextlib.asynccontextmanager
async def alone(world: World, account: Account, path: str) -> AsyncIterator[float]:
    """The seconds this call shall take; another one in that time is refused.

    The real limits on concurrency depend on how long their database takes, so that a developer
    provokes them with ``busy_seconds``.
    """
    seconds = account.settings.busy_seconds.get(path, 0.0)
    key = (account.appid, path)
    if not seconds:
        yield 0.0
        return
    if key in world.busy:
        raise Refusal(45035 if path.endswith(CHANGING) else 45033)
    world.busy.add(key)
    try:
        yield seconds
    finally:
        world.busy.discard(key)


def counted_as(account: Account, path: str) -> str:
    return f"{account.agentid}:{path}" if path in COUNTED_PER_APP else path
