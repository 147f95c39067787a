"""What only a person can mend: a refused secret, an address that is not allowed, a missing right.

An alarm is a line in the log, a count for Prometheus and a row in Redis for an hour after it was
last seen, which the doctor and the operations page list. Only ids, a path and a number are kept.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from prometheus_client import Counter
from redis.exceptions import RedisError

from core.clock import utc_now
from core.log import logger
from core.redis import PREFIX, redis

ALARM_SECONDS = 3600

RAISED = Counter(
    "xinqiao_platform_alarms_total",
    "Refusals by WeChat or WeCom that need a person",
    ["account", "api", "errcode"],
)

_SEEN, _COUNTS = f"{PREFIX}alarms:seen", f"{PREFIX}alarms:counts"


@dataclass(frozen=True, slots=True)
class Alarm:
    account_id: int
    api: str
    errcode: int
    count: int
    last_seen_at: datetime


def note_alarm(account_id: int, api: str, errcode: int) -> None:
    """Never fails: the call that was refused has its own error to tell."""
    _say(account_id, api, errcode)
    _keep(f"{account_id}|{errcode}|{api}")


def note_alarm_hourly(account_id: int, api: str, errcode: int) -> None:
    """What is refused again with every message is said once an hour, and shown as long as it
    lasts."""
    row = f"{account_id}|{errcode}|{api}"
    try:
        is_new = redis().set(f"{PREFIX}alarms:said:{row}", 1, nx=True, ex=ALARM_SECONDS)
    except RedisError:
        is_new = True
    if is_new:
        _say(account_id, api, errcode)
    _keep(row)


def _say(account_id: int, api: str, errcode: int) -> None:
    logger.error(
        "platform needs a person", extra={"account_id": account_id, "api": api, "errcode": errcode}
    )
    RAISED.labels(str(account_id), api, str(errcode)).inc()


def _keep(row: str) -> None:
    now = utc_now().timestamp()
    try:
        _forget_old(now)
        with redis().pipeline() as together:
            together.zadd(_SEEN, {row: now})
            together.hincrby(_COUNTS, row, 1)
            together.expire(_SEEN, ALARM_SECONDS)
            together.expire(_COUNTS, ALARM_SECONDS)
            together.execute()
    except RedisError as error:
        logger.warning("alarm not kept", extra={"why": type(error).__name__})


def list_alarms() -> list[Alarm]:
    """The newest first."""
    since = utc_now().timestamp() - ALARM_SECONDS
    seen = cast(
        list[tuple[str, float]], redis().zrevrangebyscore(_SEEN, "+inf", since, withscores=True)
    )
    if not seen:
        return []
    counts = cast(list[str | None], redis().hmget(_COUNTS, [row for row, _ in seen]))
    return [_alarm(row, at, count) for (row, at), count in zip(seen, counts, strict=True)]


def _alarm(row: str, seen_at: float, count: str | None) -> Alarm:
    account_id, errcode, api = row.split("|", 2)
    at = datetime.fromtimestamp(seen_at, UTC)
    return Alarm(int(account_id), api, int(errcode), int(count or 1), at)


def _forget_old(now: float) -> None:
    old = cast(list[str], redis().zrangebyscore(_SEEN, "-inf", now - ALARM_SECONDS))
    if old:
        redis().zrem(_SEEN, *old)
        redis().hdel(_COUNTS, *old)
