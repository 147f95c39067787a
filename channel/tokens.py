"""Access tokens and tickets, shared by all processes through Redis.

One process at a time fetches; the others use the old token, or wait when there is none. A token
that the platform refused is dropped only if it is still the one we keep: otherwise workers would
throw away each other's new tokens in a loop. A platform that refuses to give one is left alone for
a while (refused secrets: see ``breaker``). Keys name account and kind, never a secret.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from redis import Redis
from redis.exceptions import LockNotOwnedError

from channel.breaker import BreakerOpen, close_breaker
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.clock import utc_now
from core.log import logger
from core.redis import PREFIX

REFRESH_BEFORE_SECONDS = 300
# Longer than connecting and reading may take, so that a slow refresher is not overtaken.
LOCK_SECONDS = 30
WAIT_SECONDS = 15.0
POLL_SECONDS = 0.05
REFUSED_PAUSE_SECONDS = 60
BUSY_PAUSE_SECONDS = 2
PLATFORM_BUSY = -1  # "try again later": nothing about our secret
UNREACHABLE = "unreachable"
# A platform that refuses every token that it gives would have us fetch one for each call.
MOST_DROPS, DROPS_SECONDS = 10, 60

_DROP_IF_SAME = """
if redis.call("HGET", KEYS[1], "value") ~= ARGV[1] then return 0 end
if redis.call("INCR", KEYS[2]) == 1 then redis.call("EXPIRE", KEYS[2], ARGV[3]) end
if tonumber(redis.call("GET", KEYS[2])) > tonumber(ARGV[2]) then return 0 end
return redis.call("DEL", KEYS[1])
"""


class TokenKind(StrEnum):
    ACCESS = "access"
    JSAPI_TICKET = "jsapi-ticket"
    CORP_TICKET = "corp-ticket"
    AGENT_TICKET = "agent-ticket"


@dataclass(frozen=True, slots=True)
class FetchedToken:
    value: str = field(repr=False)
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str = field(repr=False)
    is_fresh: bool


class TokenStore:
    """``redis`` answers in text."""

    def __init__(self, redis: Redis, wait_seconds: float = WAIT_SECONDS) -> None:
        self._redis = redis
        self._wait_seconds = wait_seconds

    def get(
        self,
        account_id: int,
        kind: TokenKind,
        fetch: Callable[[], FetchedToken],
        shared_by: str | None = None,
    ) -> str:
        """A usable token. ``fetch`` asks the platform; its two errors pass when none is left.

        ``shared_by``: the corpid of what belongs to all accounts of a corp.
        """
        key = _key(shared_by or account_id, kind)
        pause = _pause(account_id, kind)
        give_up_at = time.monotonic() + self._wait_seconds
        while True:
            kept = self._read(key)
            if kept and kept.is_fresh:
                return kept.value
            try:
                value = self._refresh(key, pause, fetch)
            except (WeChatError, WeChatUnreachable):
                if kept is None:
                    raise
                value = None
            if value or kept:  # the old one is good until the new one is there
                return value or cast(_Kept, kept).value
            if time.monotonic() >= give_up_at:
                raise WeChatUnreachable("another process is still fetching the token")
            time.sleep(POLL_SECONDS)

    def invalidate(self, account_id: int, kind: TokenKind, exact_token: str) -> bool:
        """Drop ``exact_token`` if it is still the one kept, and not too many were dropped."""
        key = _key(account_id, kind)
        limits = (str(MOST_DROPS), str(DROPS_SECONDS))
        return bool(self._redis.eval(_DROP_IF_SAME, 2, key, f"{key}:drops", exact_token, *limits))

    def forget(self, account_id: int) -> None:
        """After a change of secret: nothing of the old one is used, and we ask at once."""
        for kind in TokenKind:
            key = _key(account_id, kind)
            self._redis.delete(key, f"{key}:drops", _pause(account_id, kind))
        close_breaker(account_id)

    def _read(self, key: str) -> _Kept | None:
        value, refresh_at = cast(list[str | None], self._redis.hmget(key, ["value", "refresh_at"]))
        if value is None or refresh_at is None:
            return None
        return _Kept(value, is_fresh=utc_now().timestamp() < float(refresh_at))

    def _refresh(self, key: str, pause: str, fetch: Callable[[], FetchedToken]) -> str | None:
        """A fresh token, or None while another process is fetching it."""
        lock = self._redis.lock(f"{key}:lock", timeout=LOCK_SECONDS)
        if not lock.acquire(blocking=False):
            return None
        try:
            kept = self._read(key)
            if kept and kept.is_fresh:  # another process was quicker
                return kept.value
            self._refuse_while_paused(pause)
            fetched = self._fetch_or_pause(pause, fetch)
            self._keep(key, fetched)
            return fetched.value
        finally:
            with suppress(LockNotOwnedError):  # overtaken after all: it is another's
                lock.release()

    def _keep(self, key: str, fetched: FetchedToken) -> None:
        margin = min(REFRESH_BEFORE_SECONDS, fetched.expires_in_seconds / 2)
        refresh_at = utc_now().timestamp() + fetched.expires_in_seconds - margin
        with self._redis.pipeline() as together:
            together.hset(key, mapping={"value": fetched.value, "refresh_at": refresh_at})
            together.expire(key, fetched.expires_in_seconds)
            together.execute()

    def _fetch_or_pause(self, pause: str, fetch: Callable[[], FetchedToken]) -> FetchedToken:
        try:
            return fetch()
        except BreakerOpen:
            raise  # a pause of its own
        except WeChatError as error:
            busy = error.errcode == PLATFORM_BUSY
            seconds = BUSY_PAUSE_SECONDS if busy else REFUSED_PAUSE_SECONDS
            logger.warning("token refused", extra={"key": pause, "errcode": error.errcode})
            self._redis.set(pause, str(error.errcode), ex=seconds)
            raise
        except WeChatUnreachable as error:
            logger.warning("token not fetched", extra={"key": pause, "why": error.why})
            self._redis.set(pause, UNREACHABLE, ex=BUSY_PAUSE_SECONDS)
            raise

    def _refuse_while_paused(self, pause: str) -> None:
        paused = cast(str | None, self._redis.get(pause))
        if paused == UNREACHABLE:
            raise WeChatUnreachable("not reached a moment ago")
        if paused:
            raise WeChatError(int(paused), "refused before, not asked again for a while")


def _key(owner: int | str, kind: TokenKind) -> str:
    return f"{PREFIX}token:{owner}:{kind.value}"


def _pause(account_id: int, kind: TokenKind) -> str:
    """An account's own: one app without a right must not stop the others of its corp."""
    return f"{_key(account_id, kind)}:pause"
