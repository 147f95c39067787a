"""Many calls of one API at once: one event loop per process, its connections kept open.

A call here is what ``PlatformClient`` does for one: a token, the budget, an answer that can be
believed or one of two errors. The client is asked for what all share, now and then; the calls
themselves go out beside each other.
"""

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
from redis.exceptions import RedisError
from yarl import URL

from channel import calls
from channel.alarms import note_alarm
from channel.budget import BudgetExhausted
from channel.platform import PlatformClient
from channel.retries import BUSY
from channel.wechat.errors import TOKEN_REFUSED, WeChatError, WeChatUnreachable
from channel.wechat.transport import (
    CONNECT_SECONDS,
    JSON_HEADERS,
    READ_SECONDS,
    Json,
    believed,
    goes_by_proxy,
)
from core.clock import utc_now

T = TypeVar("T")

CONNECTIONS = 128
# Calls that one trip to Redis counts.
GRANT = 100
# Shorter than this a used-up budget is waited for.
PATIENCE_SECONDS = 2


@lru_cache(maxsize=1)
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on this process's loop, whose connections outlive the call. Broken off (a job's time is
    up), the loop ends with whatever was on its way: nothing of it goes on beside the next call."""
    try:
        return _runner().run(work)
    except BaseException:
        close()
        raise
    finally:
        calls.write_down()


_sessions: dict[str, aiohttp.ClientSession] = {}


def http_session(base_url: str) -> aiohttp.ClientSession:
    """The session of this process's loop for a platform."""
    if base_url not in _sessions:
        _sessions[base_url] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ttl_dns_cache=60),
            headers=JSON_HEADERS,
            # One timer a call: there are as many connections as lanes, none is waited for.
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, total=READ_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=goes_by_proxy(base_url),
        )
    return _sessions[base_url]


def close() -> None:
    """End the loop and its connections, if there are any; the next ``run`` begins anew."""
    if not _runner.cache_info().currsize:
        return
    _runner().run(_close_sessions())
    _runner().close()
    _runner.cache_clear()


async def _close_sessions() -> None:
    while _sessions:
        await _sessions.popitem()[1].close()


class TooLate(Exception):
    """Not asked: it would end when its claim may be another's."""


class Attempt:
    """One message's call, from its preparation on; no exchange of it begins after ``end``."""

    def __init__(self, end: datetime) -> None:
        self._end, self.has_begun = end, False

    def check_time(self) -> None:
        if utc_now() > self._end:
            raise TooLate

    def begin(self) -> None:
        """Right before each exchange: from here on the message may arrive."""
        self.check_time()
        self.has_begun = True


class Bulk:
    """Calls of one path through one account's client, beside each other; so many are
    ``expected``, and no more are counted ahead."""

    def __init__(
        self, client: PlatformClient, base_url: str, path: str, expected: int = GRANT
    ) -> None:
        self._client, self._path, self._expected = client, path, expected
        self._tally = calls.tally_of(path)
        self._url, self._urls = URL(base_url + path), dict[str, URL]()
        self._http = http_session(base_url)
        self._granted, self._counting = 0, asyncio.Lock()
        self._token, self._fetching = "", asyncio.Lock()

    async def post(self, body: bytes, attempt: Attempt) -> Json:
        """One call. Raises BudgetExhausted, WeChatError, WeChatUnreachable or TooLate."""
        await self._take_one(attempt)
        token = await self._fresh_token("", attempt)
        try:
            return await self._exchange(token, body, attempt)
        except WeChatError as error:
            if error.errcode not in TOKEN_REFUSED:
                raise
        try:
            return await self._exchange(await self._fresh_token(token, attempt), body, attempt)
        except WeChatError as error:
            if error.errcode in TOKEN_REFUSED:
                note_alarm(self._client.account_id, self._path, error.errcode)
            raise

    async def _take_one(self, attempt: Attempt) -> None:
        while self._granted < 1:
            async with self._counting:
                if self._granted < 1:
                    attempt.check_time()
                    self._granted = await self._ask_for_grant()
        self._granted -= 1

    async def _ask_for_grant(self) -> int:
        try:
            wanted = max(1, min(GRANT, self._expected))
            granted = await asyncio.to_thread(self._client.take_some, self._path, wanted)
        except BudgetExhausted as exhausted:
            if exhausted.retry_after_seconds > PATIENCE_SECONDS:
                raise
            await asyncio.sleep(exhausted.retry_after_seconds)
            return 0
        self._expected -= granted
        return granted

    async def _fresh_token(self, refused: str, attempt: Attempt) -> str:
        """The token all calls use; another one when it is the refused: one call fetches it."""
        if self._token != refused:
            return self._token
        async with self._fetching:
            if self._token == refused:
                attempt.check_time()
                self._token = await asyncio.to_thread(self._another_token, refused)
        return self._token

    def _another_token(self, refused: str) -> str:
        """What fails here is not the call: it has not been carried out."""
        try:
            if refused:
                self._client.drop_token(refused)
            return self._client.access_token()
        except WeChatError as error:
            if error.errcode not in BUSY:
                raise
            why = f"{error.errcode} instead of a token"
        except RedisError as error:
            why = type(error).__name__
        raise WeChatUnreachable(why)

    def _url_with(self, token: str) -> URL:
        """Put together once for all calls of a token."""
        if token not in self._urls:
            self._urls[token] = self._url.with_query(access_token=token)
        return self._urls[token]

    async def _exchange(self, token: str, body: bytes, attempt: Attempt) -> Json:
        attempt.begin()
        with self._tally.call():
            return await self._send(token, body)

    async def _send(self, token: str, body: bytes) -> Json:
        """Errors of aiohttp name the address, and with it the token: none of it is kept."""
        try:
            async with self._http.post(
                self._url_with(token), data=body, allow_redirects=False
            ) as answer:
                status, content = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why, is_early = type(error).__name__, isinstance(error, _BEFORE_SENDING)
        else:
            if status == 200:
                return believed(content, token)
            why, is_early = f"HTTP {status}", False
        raise WeChatUnreachable(why, may_have_arrived=not is_early)


_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
