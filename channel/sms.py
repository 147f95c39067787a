"""Text messages: what a gateway is asked and what its answers mean (docs/sms.md).

Two gateways: a file for trying out, and HTTP to the bank's own. Neither logs a number, a text or
the token; errors of aiohttp print addresses, so none is kept.
"""

import asyncio
import fcntl
import json
import os
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol

import aiohttp
from pydantic import SecretStr

from channel.bulk import http_session
from channel.wechat.errors import WeChatUnreachable
from channel.wechat.transport import Json
from core.clock import utc_now
from core.settings import SMS_FILE, Settings

# A gateway drops what it could not hand on by then.
GOOD_FOR = timedelta(hours=1)

DAILY_LIMIT = "daily_limit"  # the code of a refusal: the gateway's own cap for a number

# Not about this message, but about us, the address or the moment: none of these refuses a message.
_NOT_FOR_NOW = frozenset({429, 503})
_MENDED_BY_A_PERSON = frozenset({401, 403, 404, 405, 411, 413, 415})
_A_MOMENT, _A_WHILE = timedelta(minutes=1), timedelta(minutes=5)
_LONGEST_WAIT_SECONDS = 3600
_LONGEST_CODE = 64
_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Sms:
    """``id`` is the same at every try of a message."""

    id: str
    phone: str = field(repr=False)
    text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    message_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """For good: this message will not reach this number."""

    code: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The gateway takes nothing from us now; nothing has gone out."""

    why: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class NothingHeard:
    """No answer that we can read."""

    why: str
    may_have_arrived: bool


Answer = Accepted | Refused | NotTaken | NothingHeard


class SmsGateway(Protocol):
    async def send(self, sms: Sms) -> Answer:
        """Hand over one message. The same id again does not ring twice."""


class SmsUnreachable(WeChatUnreachable):
    """Delivery leaves a silent gateway alone as it does a silent platform."""

    code, message = "sms-unreachable", "短信网关暂时没有回应，请稍后再试"


def sms_gateway(settings: Settings) -> SmsGateway | None:
    """The gateway of the settings; None without one."""
    if not settings.sms_gateway:
        return None
    if settings.sms_gateway == SMS_FILE:
        return _file_gateway(settings.sms_file.resolve())
    return HttpGateway(settings.sms_gateway, settings.sms_token)


@lru_cache(maxsize=8)
def _file_gateway(path: Path) -> "FileGateway":
    """One for the process: it remembers what it has read."""
    return FileGateway(path)


class FileGateway:
    """One JSON line a message, numbers in clear: for trying out only."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._ids: set[str] = set()
        self._read_to = 0

    async def send(self, sms: Sms) -> Answer:
        try:
            await asyncio.to_thread(self._write, sms)
        except OSError as error:
            return NothingHeard(type(error).__name__, may_have_arrived=True)
        return Accepted(sms.id)

    def _write(self, sms: Sms) -> None:
        line = {
            "id": sms.id,
            "phone": sms.phone,
            "text": sms.text,
            "expires_at": sms.expires_at.isoformat(),
            "at": utc_now().isoformat(),
        }
        with self._lock, self._open() as file:
            # Other workers write here too.
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read_on(file)
            if sms.id not in self._ids:
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _open(self) -> BinaryIO:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a+b")

    def _read_on(self, file: BinaryIO) -> None:
        """Learn the ids that were written since; from the beginning when somebody emptied it."""
        if file.seek(0, os.SEEK_END) < self._read_to:
            self._ids, self._read_to = set(), 0
        file.seek(self._read_to)
        for line in file:
            answer = _json_object(line)
            if answer:
                self._ids.add(str(answer.get("id")))
        self._read_to = file.tell()


class HttpGateway:
    """The bank's own gateway, as docs/sms.md describes it."""

    def __init__(self, url: str, token: SecretStr) -> None:
        self._url, self._token = url, token

    async def send(self, sms: Sms) -> Answer:
        asked = {
            "id": sms.id,
            "phone": sms.phone,
            "text": sms.text,
            "expires_at": sms.expires_at.isoformat(timespec="seconds"),
        }
        bearer = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            async with http_session(self._url).post(
                self._url,
                data=json.dumps(asked, ensure_ascii=False).encode(),
                headers=bearer,
                allow_redirects=False,
            ) as answer:
                wait, content = answer.headers.get("Retry-After", ""), await answer.read()
                return _understood(answer.status, content, wait)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            is_early = isinstance(error, _BEFORE_SENDING)
            return NothingHeard(type(error).__name__, may_have_arrived=not is_early)


def _understood(status: int, content: bytes, retry_after: str) -> Answer:
    answer, why = _json_object(content) or {}, f"HTTP {status}"
    if status in _NOT_FOR_NOW:
        return NotTaken(why, _wait(retry_after))
    if 200 <= status < 300:
        message_id = answer.get("message_id")
        if isinstance(message_id, (str, int)) and 0 < len(str(message_id)) <= _LONGEST_CODE:
            return Accepted(str(message_id))
        return NothingHeard("no message_id", may_have_arrived=True)
    if status >= 500:
        return NothingHeard(why, may_have_arrived=True)
    code = answer.get("code")
    if status < 400 or status in _MENDED_BY_A_PERSON or not (isinstance(code, str) and code):
        return NotTaken(why, _A_WHILE)
    return Refused(code[:_LONGEST_CODE])


def _wait(retry_after: str) -> timedelta:
    if not (retry_after.isascii() and retry_after.isdigit()):
        return _A_MOMENT
    return timedelta(seconds=min(max(1, int(retry_after[:9])), _LONGEST_WAIT_SECONDS))


def _json_object(content: bytes) -> Json | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
