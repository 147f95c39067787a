"""How many messages one person may get: counted in Redis, for all campaigns and processes together.

A person stands there as a blind index: who reads Redis learns no number and no name.
"""

from collections.abc import Collection
from datetime import datetime
from typing import cast

from redis.exceptions import RedisError

from channel.budget import BudgetExhausted
from channel.limits import HOUR, MINUTE
from core.clock import business_date
from core.log import logger
from core.redis import PREFIX, redis
from core.security import blind_index

# What WeCom lets one app send to one member; the rest is accepted and silently dropped:
# https://developer.work.weixin.qq.com/document/path/90312
MEMBER_LIMITS = ((30, MINUTE), (1_000, HOUR))
# Purposes of the blind indexes: what Redis counts cannot be matched with a column of ours.
MEMBER, NUMBER = "push.member", "push.number"

# Longer than the day that is counted.
_KEPT_SECONDS = 2 * 86400


def take_sms(number_index: str, message_id: str, cap: int, now: datetime) -> bool:
    """Count one text message to a number; False when the day's ``cap`` is used up. The same
    message is counted once, however often it is tried. Raises RedisError when nobody counts."""
    key = f"{PREFIX}sms:{business_date(now):%Y%m%d}:{number_index}"
    arguments = (message_id, str(cap), str(_KEPT_SECONDS))
    return bool(redis().eval(_TAKE_SMS, 1, key, *arguments))


# KEYS: the messages of a number and day. ARGV: this one, how many there may be, seconds to keep.
_TAKE_SMS = """
if redis.call("SISMEMBER", KEYS[1], ARGV[1]) == 1 then return 1 end
if redis.call("SCARD", KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call("SADD", KEYS[1], ARGV[1])
redis.call("EXPIRE", KEYS[1], ARGV[3])
return 1
"""


class MemberFull(BudgetExhausted):
    """A member got all that WeCom lets an app send them; nobody was sent anything."""

    code, message = "member-limit", "发给这位成员的消息太多，请约 {seconds} 秒后再试"


def take_for_members(account_id: int, userids: Collection[str]) -> None:
    """Count one message of a WeCom app to each of these members. Raises MemberFull, and counts
    nobody, when one of them can get no more now.

    Without Redis messages go on uncounted, as calls do: a member hardly gets so many.
    """
    members = [blind_index(MEMBER, userid) for userid in sorted(set(userids))]
    keys = [
        f"{PREFIX}member:{account_id}:{member}:{seconds}"
        for member in members
        for _, seconds in MEMBER_LIMITS
    ]
    arguments = [str(number) for limit in MEMBER_LIMITS for number in limit]
    try:
        wait = cast(int, redis().eval(_TAKE_FOR_MEMBERS, len(keys), *keys, *arguments))
    except RedisError as error:
        logger.warning("messages to members not counted", extra={"why": type(error).__name__})
        return
    if wait:
        raise MemberFull("messages to a member", wait)


# KEYS: for each member one counter per limit. ARGV: per limit how many messages in how many
# seconds.
# Where the platform's window begins is not known. Any window lies within two of ours, so two
# neighbours together stay below the limit.
_TAKE_FOR_MEMBERS = """
local now = tonumber(redis.call("TIME")[1])
local wait, counts = 0, {}
for i = 1, #KEYS do
  local at_limit = (i - 1) % (#ARGV / 2)
  local limit, seconds = tonumber(ARGV[2 * at_limit + 1]), tonumber(ARGV[2 * at_limit + 2])
  local window = math.floor(now / seconds)
  local kept = redis.call("HMGET", KEYS[i], "window", "used", "before")
  local at, used, before = tonumber(kept[1]), tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
  if at ~= window then
    before = at == window - 1 and used or 0
    used = 0
  end
  if used + before >= limit then
    local windows = used >= limit and 2 or 1
    wait = math.max(wait, (window + windows) * seconds - now)
  end
  counts[i] = {window, used, before, seconds}
end
if wait > 0 then return wait end
for i = 1, #KEYS do
  local c = counts[i]
  redis.call("HSET", KEYS[i], "window", c[1], "used", c[2] + 1, "before", c[3])
  redis.call("EXPIRE", KEYS[i], c[4] * 2)
end
return 0
"""
