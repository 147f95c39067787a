"""One exchange with the platform over HTTP: an answer that can be believed, or one of two errors.

Addresses carry tokens and secrets in their query. Errors of ``requests`` print the address, so
ours are raised after the ``except`` block has ended: nothing hangs on them as ``__context__``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, ProxyError

from channel.wechat.errors import WeChatError, WeChatUnreachable

CONNECT_SECONDS, READ_SECONDS = 3.05, 10
POOL_SIZE = 32
_PRIVATE = frozenset(
    {"access_token", "secret", "appsecret", "corpsecret", "code", "js_code", "user_ticket"}
)
_TEXTS = frozenset({"application/json", "text/plain", "text/html", "text/json"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8"}

Json = dict[str, Any]
T = TypeVar("T")


def http_session(base_url: str) -> requests.Session:
    """A pooled session, to be shared by all clients of a process."""
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Threads share the session; a cookie would be the one thing they share by accident.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.trust_env = goes_by_proxy(base_url)
    return session


def goes_by_proxy(base_url: str) -> bool:
    """A bank's proxy leads to WeChat; it does not lead to this machine."""
    return urlsplit(base_url).hostname not in _LOOPBACK


@dataclass(frozen=True, slots=True)
class File:
    """What is uploaded. Bytes, not a stream: sent again, it must still be whole."""

    name: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """``is_safe``: carried out twice, it does no more than once."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    file: File | None = None
    read_seconds: float | None = None
    is_safe: bool = False

    def with_token(self, access_token: str) -> "Request":
        return replace(self, params={**self.params, "access_token": access_token})


@dataclass(frozen=True, slots=True)
class Download:
    content: bytes = field(repr=False)
    content_type: str


Send = Callable[[requests.Session, str, Request], T]


def exchange(http: requests.Session, base_url: str, request: Request) -> Json:
    """Send, and return the JSON object of an answer whose errcode is 0 or absent."""
    response = _answer(http, base_url, request)
    return believed(response.content, *_private_of(request))


def download(http: requests.Session, base_url: str, request: Request) -> Download:
    """Send, and return the bytes of an answer that is neither JSON nor a web page."""
    response = _answer(http, base_url, request)
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type in _TEXTS or not content_type:
        answer = _json_object(response.content)
        if answer is not None:
            _refuse_errcode(answer, *_private_of(request))
        if answer is not None or content_type == "text/html":
            raise _lost("the answer is no file")
    return Download(response.content, content_type)


def _answer(http: requests.Session, base_url: str, request: Request) -> requests.Response:
    """The body is UTF-8 as it stands: the platforms refuse Chinese escaped to ``\\uXXXX``."""
    content: dict[str, Any] = {}
    if request.file:
        file = request.file
        content["files"] = {"media": (file.name, file.content, file.content_type)}
    elif request.body is not None:
        content["data"] = json.dumps(request.body, ensure_ascii=False).encode()
        content["headers"] = JSON_HEADERS
    response = _send(
        http,
        request.method,
        base_url + request.path,
        params=request.params,
        timeout=(CONNECT_SECONDS, request.read_seconds or READ_SECONDS),
        **content,
    )
    if response.status_code != requests.codes.ok:
        raise _lost(f"HTTP {response.status_code}")
    return response


def believed(content: bytes, *private: str) -> Json:
    """The JSON object of an answer whose errcode is 0 or absent. ``private`` is struck out of
    what the platform says."""
    answer = _json_object(content)
    if answer is None:
        raise _lost("the answer is no JSON object")
    _refuse_errcode(answer, *private)
    return answer


def _private_of(request: Request) -> list[str]:
    asked = (request.params, request.body or {})
    return [str(given[key]) for given in asked for key in _PRIVATE & {*given}]


def _refuse_errcode(answer: Mapping[str, Any], *private: str) -> None:
    errcode = _errcode(answer)
    if errcode != 0:
        raise WeChatError(errcode, str(answer.get("errmsg", "")), *private)


def _send(http: requests.Session, method: str, url: str, **kwargs: Any) -> requests.Response:
    try:
        return http.request(method, url, allow_redirects=False, **kwargs)
    except requests.RequestException as error:
        why, was_connected = type(error).__name__, not _is_before_sending(error)
    raise WeChatUnreachable(why, may_have_arrived=was_connected)


def _is_before_sending(error: requests.RequestException) -> bool:
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, (ConnectTimeoutError, ProxyError))


def _lost(why: str) -> WeChatUnreachable:
    return WeChatUnreachable(why, may_have_arrived=True)


# Lenient as wechatpy is: nicknames arrive with control characters and broken UTF-8.
_DECODER = json.JSONDecoder(strict=False)


def _json_object(content: bytes) -> Json | None:
    try:
        answer = _DECODER.decode(content.decode("utf-8", "ignore"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _errcode(answer: Mapping[str, Any]) -> int:
    errcode = answer.get("errcode", 0)
    if isinstance(errcode, str) and errcode.lstrip("-").isascii() and errcode.lstrip("-").isdigit():
        errcode = int(errcode)
    if not isinstance(errcode, int):
        raise _lost("the answer's errcode is no number")
    return errcode
