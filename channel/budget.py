"""How often we may still call: token buckets in Redis, for all processes and machines together.

A platform that is called too often blocks the API for everybody, and a bank's nightly sync must
not use up what a welcome message needs. So every call first takes from the buckets of its API,
in one round trip, with Redis's clock. Without Redis calls go on uncounted: the platform still
counts.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import cast

from redis.exceptions import NoScriptError, RedisError

from channel.limits import CHINA_DAY, Limit, limits_of
from channel.wechat.errors import WeChatUnreachable
from core.log import logger
from core.metrics import Gauge
from core.redis import PREFIX, redis
from domain.directory.accounts import ChannelKind

# Blocked again soon after a window's end, it was a longer window.
WINDOWS_SECONDS = (60, 3600)
STRIKES_SECONDS = 600
LEARN_AGAIN_SECONDS = 600
COMPLAIN_EVERY_SECONDS = 60

_REGISTRY = f"{PREFIX}budgets"
_quiet_until: dict[str, float] = {}


class Priority(IntEnum):
    """A lower priority leaves a part of each bucket to those above it."""

    WELCOME = 0
    PAYSLIP = 1
    NOTICE = 2
    SYNC = 3


RESERVED_SHARE = {
    Priority.WELCOME: 0.0,
    Priority.PAYSLIP: 0.1,
    Priority.NOTICE: 0.3,
    Priority.SYNC: 0.5,
}


class BudgetExhausted(WeChatUnreachable):
    """Not asked, so nothing has arrived. ``is_assumed``: by a daily limit that we only suppose."""

    code, message = "wechat_budget_exhausted", "对微信的调用过于频繁，请约 {seconds} 秒后再试"

    def __init__(self, api: str, retry_after_seconds: int, *, is_assumed: bool = False) -> None:
        super().__init__(f"budget of {api} used up", seconds=retry_after_seconds)
        self.retry_after_seconds, self.is_assumed = retry_after_seconds, is_assumed


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: ``owner`` is the appid or corpid, ``app`` the one app of a corp."""

    kind: ChannelKind
    owner: str
    app: str = ""


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One limit of one API. Without a known limit the three counts are None."""

    owner: str
    api: str
    window: str
    used: int | None
    left: int | None
    limit: int | None
    blocked_until: datetime | None


def take(caller: Caller, api: str, priority: Priority, wanted: int = 1) -> int:
    """Count up to ``wanted`` calls; how many are granted, at least one, or BudgetExhausted."""
    limits = limits_of(caller.kind, api)
    keys = [_block_key(caller.owner, api), *(_bucket_key(caller, api, limit) for limit in limits)]
    arguments: list[str | int | float] = [wanted, RESERVED_SHARE[priority], _REGISTRY]
    for limit in limits:
        arguments += [limit.calls, limit.seconds, limit.burst_share, int(limit.is_shared)]
    try:
        granted, wait_ms, is_assumed = _run(keys, arguments)
    except RedisError as error:
        _complain("budget not counted", error)
        return wanted
    if granted < 1:
        raise BudgetExhausted(api, max(1, -(-wait_ms // 1000)), is_assumed=bool(is_assumed))
    return granted


def block(owner: str, api: str) -> None:
    """The platform said that a window is used up: leave this API alone until it ends.

    Which window it was is not said: a minute at first; who is refused again soon after, waits
    an hour, then until the day ends in China.
    """
    key = _block_key(owner, api)
    try:
        strikes = cast(int, redis().incr(f"{key}:strikes"))
        seconds = _window_seconds(strikes)
        with redis().pipeline() as together:
            together.set(key, strikes, ex=seconds)
            together.expire(f"{key}:strikes", seconds + STRIKES_SECONDS)
            together.sadd(_REGISTRY, f"{owner}|{api}|")
            together.execute()
    except RedisError as error:
        _complain("block not kept", error)


def _complain(what: str, error: RedisError) -> None:
    """Once a minute: thousands of calls a second may be uncounted."""
    if time.monotonic() >= _quiet_until.get(what, 0.0):
        _quiet_until[what] = time.monotonic() + COMPLAIN_EVERY_SECONDS
        logger.warning(what, extra={"why": type(error).__name__})


def learn_daily_limit(caller: Caller, api: str, calls: int) -> None:
    """The platform says how many calls a day this account really has."""
    for limit in limits_of(caller.kind, api):
        if limit.seconds == CHINA_DAY:
            redis().hset(_bucket_key(caller, api, limit), "limit", str(calls))


def may_learn(owner: str, api: str) -> bool:
    """Whether it is time to ask the platform for the real limit; True once in ten minutes."""
    key = f"{PREFIX}budget-asked:{owner}:{api}"
    return bool(redis().set(key, "1", nx=True, ex=LEARN_AGAIN_SECONDS))


def list_budgets() -> list[BudgetRow]:
    """What was called lately and what is blocked, in the order of owner, API and window; two trips
    to Redis however much it is."""
    now = _redis_now()
    members = sorted(cast(set[str], redis().smembers(_REGISTRY)))
    with redis().pipeline(transaction=False) as together:
        for member in members:
            owner, api, _ = member.split("|", 2)
            together.pttl(_block_key(owner, api))
            together.hgetall(f"{PREFIX}budget:{member}")
        answers = iter(together.execute())
    rows = {
        one: _row(one, now, blocked, kept)
        for one, blocked, kept in zip(members, answers, answers, strict=True)
    }
    over = [member for member, row in rows.items() if row is None]
    if over:
        redis().srem(_REGISTRY, *over)
    return [row for row in rows.values() if row is not None]


def _row(member: str, now: float, blocked_ms: int, kept: Mapping[str, str]) -> BudgetRow | None:
    owner, api, window = member.split("|", 2)
    until = datetime.fromtimestamp(now + blocked_ms / 1000, UTC) if blocked_ms > 0 else None
    if not window:
        return BudgetRow(owner, api, "", None, None, None, until) if until else None
    if "calls" not in kept:
        return None
    limit, seconds = int(float(kept["calls"])), int(kept["seconds"])
    is_current = _window_number(now, seconds) == int(kept["window"])
    used = int(kept["used"]) if is_current else 0
    return BudgetRow(owner, api, window, used, max(0, limit - used), limit, until)


def _calls_left() -> dict[tuple[str, ...], float]:
    """Nothing is left of what the platform blocked."""
    return {
        (row.owner, row.api, row.window): 0.0 if row.blocked_until else float(row.left or 0)
        for row in list_budgets()
    }


GAUGES = (
    Gauge(
        "xinqiao_budget_left_calls",
        "Calls that may still be made in the current window",
        _calls_left,
        ("owner", "api", "window"),
    ),
)


def _window_seconds(strikes: int) -> int:
    if strikes <= len(WINDOWS_SECONDS):
        return WINDOWS_SECONDS[strikes - 1]
    now = _redis_now()
    return max(1, int((_window_number(now, CHINA_DAY) + 1) * CHINA_DAY - _CHINA - now))


_CHINA = 8 * 3600  # China has no summer time


def _window_number(now: float, seconds: int) -> int:
    return int((now + _CHINA) // seconds)


def _redis_now() -> float:
    seconds, microseconds = cast(tuple[int, int], redis().time())
    return seconds + microseconds / 1e6


def _block_key(owner: str, api: str) -> str:
    return f"{PREFIX}budget-blocked:{owner}:{api}"


def _bucket_key(caller: Caller, api: str, limit: Limit) -> str:
    return (
        f"{PREFIX}budget:{limit.owner(caller.owner, caller.app)}|{limit.api or api}|{limit.window}"
    )


# KEYS: the block, then one bucket per limit. ARGV: how many, which share stays reserved, the
# registry, then per limit: calls, seconds, the share that may come in a burst (0: all of them,
# whenever in the window), whether other priorities want of it.
# A bucket of b tokens that fills at (calls − b) / seconds lets at most ``calls`` through in any
# window of that length, wherever it begins.
_TAKE = """
local blocked = redis.call("PTTL", KEYS[1])
if blocked > 0 then return {0, blocked, 0} end
local time = redis.call("TIME")
local now = time[1] + time[2] / 1000000
local wanted, share = tonumber(ARGV[1]), tonumber(ARGV[2])
local granted, wait, assumed, buckets = wanted, 0, 0, {}
for i = 2, #KEYS do
  local at = 4 + (i - 2) * 4
  local calls, seconds = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local burst_share, shared = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local kept = redis.call("HMGET", KEYS[i], "used", "window", "tokens", "at", "limit")
  calls = tonumber(kept[5]) or calls
  local window = math.floor((now + 28800) / seconds)
  local used = tonumber(kept[2]) == window and tonumber(kept[1]) or 0
  local size, tokens, rate = calls, calls - used, 0
  if burst_share > 0 then
    size = math.max(1, math.floor(calls * burst_share))
    rate = (calls - size) / seconds
    tokens = math.min(size, (tonumber(kept[3]) or size) + (now - (tonumber(kept[4]) or now)) * rate)
  end
  local free = tokens - size * share * shared
  if free < 1 then
    local until_free = (window + 1) * seconds - 28800 - now
    if rate > 0 then until_free = (1 - free) / rate end
    if until_free > wait then
      wait = until_free
      assumed = (rate == 0 and not kept[5]) and 1 or 0
    end
  end
  granted = math.min(granted, math.floor(free + 0.000001))
  buckets[i] = {used, window, tokens, calls, seconds, kept[2]}
end
if granted < 1 then return {0, math.ceil(wait * 1000), assumed} end
for i = 2, #KEYS do
  local b = buckets[i]
  redis.call("HSET", KEYS[i], "used", b[1] + granted, "window", b[2], "tokens", b[3] - granted,
             "at", now, "calls", b[4], "seconds", b[5])
  redis.call("EXPIRE", KEYS[i], math.max(b[5] * 7, 3600))
  if not b[6] then redis.call("SADD", ARGV[3], string.match(KEYS[i], "budget:(.*)")) end
end
return {granted, 0, 0}
"""
_TAKE_SHA = hashlib.sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()


def _run(keys: list[str], arguments: list[str | int | float]) -> tuple[int, int, int]:
    try:
        answer = redis().evalsha(_TAKE_SHA, len(keys), *keys, *map(str, arguments))
    except NoScriptError:  # Redis was restarted
        answer = redis().eval(_TAKE, len(keys), *keys, *map(str, arguments))
    granted, wait_ms, is_assumed = cast(list[int], answer)
    return granted, wait_ms, is_assumed
