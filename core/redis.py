"""Redis: one pooled client for our own keys, one for RQ, both made from the settings."""

from functools import lru_cache

from redis import BlockingConnectionPool, Redis

from core.settings import get_settings

# Every key of ours begins so; RQ keeps its own `rq:` beside it.
PREFIX = "xq:"

CONNECT_SECONDS, ANSWER_SECONDS = 2, 5


def connect(url: str, *, decode: bool) -> "Redis":
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=64,
        timeout=5,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        health_check_interval=30,
        decode_responses=decode,
    )
    return Redis.from_pool(pool)


@lru_cache(maxsize=1)
def redis() -> "Redis":
    """Text in, text out."""
    return connect(get_settings().redis, decode=True)


@lru_cache(maxsize=1)
def queue_redis() -> "Redis":
    """Bytes, as RQ wants them."""
    return connect(get_settings().redis, decode=False)


def forget_connections() -> None:
    """After a fork, and between tests: the next call connects anew."""
    redis.cache_clear()
    queue_redis.cache_clear()
