"""Attempt limits in Redis (fixed windows of the `limits` library).

A window begins with its first attempt: around its end twice the limit may pass.
"""

from functools import lru_cache

from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

from core.errors import TooMany
from core.redis import PREFIX, redis


@lru_cache(maxsize=1)
def _limiter() -> FixedWindowRateLimiter:
    storage = RedisStorage(
        "redis://unused",
        connection_pool=redis().connection_pool,
        key_prefix=f"{PREFIX}limit",
        wrap_exceptions=False,
    )
    return FixedWindowRateLimiter(storage)


def allow(limit: str, *key: str) -> bool:
    """Count one attempt; False when ``limit`` (e.g. ``5/hour``) was already used up."""
    return _limiter().hit(_item(limit), *key)


def count_attempt(limit: str, *key: str) -> None:
    """Count one attempt, or refuse with TooMany."""
    if not allow(limit, *key):
        raise TooMany


def is_open(limit: str, *key: str) -> bool:
    """Whether another attempt would be allowed, without counting one."""
    return _limiter().test(_item(limit), *key)


def forget_storage() -> None:
    _limiter.cache_clear()


@lru_cache(maxsize=64)
def _item(limit: str) -> RateLimitItem:
    return parse(limit)
