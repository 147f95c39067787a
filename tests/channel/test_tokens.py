import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import time_machine

from channel.tokens import FetchedToken, TokenKind, TokenStore
from channel.wechat.errors import WeChatError, WeChatUnreachable

ACCOUNT, ACCESS = 7, TokenKind.ACCESS
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC).timestamp()


class Platform:
    """Hands out ``token-1, token-2, …`` and counts; or fails with ``error``."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.slowness_seconds = 0.0

    def __call__(self) -> FetchedToken:
        self.calls += 1
        time.sleep(self.slowness_seconds)
        if self.error:
            raise self.error
        return FetchedToken(f"token-{self.calls}", 7200)


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def store(redis):
    return TokenStore(redis)


def test_a_token_is_fetched_once_and_then_shared(redis, store, platform):
    assert store.get(ACCOUNT, ACCESS, platform) == "token-1"
    assert TokenStore(redis).get(ACCOUNT, ACCESS, platform) == "token-1"
    assert platform.calls == 1


def test_64_threads_on_a_cold_cache_make_one_call(redis, platform):
    platform.slowness_seconds = 0.1
    start = threading.Barrier(64)

    def ask() -> str:
        start.wait()
        return TokenStore(redis).get(ACCOUNT, ACCESS, platform)

    with ThreadPoolExecutor(64) as pool:
        tokens = [job.result() for job in [pool.submit(ask) for _ in range(64)]]

    assert set(tokens) == {"token-1"}
    assert platform.calls == 1


def test_whoever_comes_to_the_lock_too_late_takes_what_is_there(redis, platform, monkeypatch):
    late = TokenStore(redis)
    read, reads = late._read, []

    def read_and_be_overtaken(key):
        reads.append(read(key))
        if len(reads) == 1:
            TokenStore(redis).get(ACCOUNT, ACCESS, platform)
        return reads[-1]

    monkeypatch.setattr(late, "_read", read_and_be_overtaken)

    assert late.get(ACCOUNT, ACCESS, platform) == "token-1"
    assert platform.calls == 1


def test_accounts_and_kinds_do_not_share(store, platform):
    tokens = {
        store.get(7, TokenKind.ACCESS, platform),
        store.get(8, TokenKind.ACCESS, platform),
        store.get(7, TokenKind.JSAPI_TICKET, platform),
    }

    assert tokens == {"token-1", "token-2", "token-3"}


def test_a_token_is_renewed_five_minutes_before_it_ends(store, platform):
    with time_machine.travel(NOON, tick=False) as clock:
        store.get(ACCOUNT, ACCESS, platform)
        clock.shift(7200 - 301)
        assert store.get(ACCOUNT, ACCESS, platform) == "token-1"
        clock.shift(2)
        assert store.get(ACCOUNT, ACCESS, platform) == "token-2"


def test_while_one_renews_the_others_go_on_with_the_old_token(redis, store, platform):
    fetching, finish = threading.Event(), threading.Event()

    def slow() -> FetchedToken:
        fetching.set()
        finish.wait(5)
        return FetchedToken("new", 7200)

    with time_machine.travel(NOON, tick=False) as clock, ThreadPoolExecutor(1) as pool:
        store.get(ACCOUNT, ACCESS, platform)
        clock.shift(7000)
        renewal = pool.submit(store.get, ACCOUNT, ACCESS, slow)
        fetching.wait(5)

        assert TokenStore(redis).get(ACCOUNT, ACCESS, platform) == "token-1"

        finish.set()
        assert renewal.result() == "new"
        assert store.get(ACCOUNT, ACCESS, platform) == "new"
    assert platform.calls == 1


def test_a_token_that_cannot_be_renewed_is_used_to_its_end(store, platform):
    with time_machine.travel(NOON, tick=False) as clock:
        store.get(ACCOUNT, ACCESS, platform)
        clock.shift(7000)
        platform.error = WeChatUnreachable("time-out")

        assert [store.get(ACCOUNT, ACCESS, platform) for _ in range(3)] == ["token-1"] * 3
    assert platform.calls == 2


def test_only_the_exact_token_is_dropped(store, platform):
    store.get(ACCOUNT, ACCESS, platform)

    assert not store.invalidate(ACCOUNT, ACCESS, "token-0")
    assert store.get(ACCOUNT, ACCESS, platform) == "token-1"

    assert store.invalidate(ACCOUNT, ACCESS, "token-1")
    assert store.get(ACCOUNT, ACCESS, platform) == "token-2"

    assert not store.invalidate(ACCOUNT, ACCESS, "token-1")
    assert store.get(ACCOUNT, ACCESS, platform) == "token-2"


def test_a_refused_secret_is_not_tried_again_for_a_while(store, platform):
    platform.error = WeChatError(40125, "invalid appsecret")

    for _ in range(5):
        with pytest.raises(WeChatError) as refused:
            store.get(ACCOUNT, ACCESS, platform)
        assert refused.value.errcode == 40125

    assert platform.calls == 1


def test_a_corrected_secret_is_tried_at_once(store, platform):
    platform.error = WeChatError(40125, "invalid appsecret")
    with pytest.raises(WeChatError):
        store.get(ACCOUNT, ACCESS, platform)
    platform.error = None

    store.forget(ACCOUNT)

    assert store.get(ACCOUNT, ACCESS, platform) == "token-2"


def test_a_platform_that_is_away_is_not_asked_by_everyone_in_turn(redis, store, platform):
    platform.error = WeChatUnreachable("time-out")

    for _ in range(3):
        with pytest.raises(WeChatUnreachable):
            store.get(ACCOUNT, ACCESS, platform)

    assert platform.calls == 1
    assert redis.ttl("xq:token:7:access:pause") <= 2


def test_whoever_waits_too_long_for_another_process_is_told_so(redis, platform):
    redis.set("xq:token:7:access:lock", "another process")

    with pytest.raises(WeChatUnreachable):
        TokenStore(redis, wait_seconds=0.1).get(ACCOUNT, ACCESS, platform)

    assert platform.calls == 0
    assert redis.get("xq:token:7:access:lock") == "another process"


def test_a_fetcher_that_was_overtaken_leaves_the_lock_to_the_other(redis):
    def fetch():
        redis.set("xq:token:7:access:lock", "another process")
        return FetchedToken("token-1", 7200)

    assert TokenStore(redis).get(ACCOUNT, ACCESS, fetch) == "token-1"
    assert redis.get("xq:token:7:access:lock") == "another process"


def test_tokens_appear_neither_in_key_names_nor_in_logs_nor_when_printed(
    redis, store, platform, caplog
):
    caplog.set_level(logging.DEBUG)
    store.get(ACCOUNT, ACCESS, platform)
    platform.error = WeChatError(40001, "access_token=token-1 is bad", "token-1")
    store.invalidate(ACCOUNT, ACCESS, "token-1")
    with pytest.raises(WeChatError) as refused:
        store.get(ACCOUNT, ACCESS, platform)

    assert "token refused" in caplog.text
    printed = f"{redis.keys()} {caplog.text} {refused.value} {refused.value.errmsg!r}"
    assert "token-1" not in printed
    assert "token-1" not in repr(FetchedToken("token-1", 7200))
