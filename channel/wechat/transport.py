"""One exchange with the platform over HTTP: an answer that can be believed, or one of two errors.

Addresses carry tokens and secrets in their query. Errors of ``requests`` print the address, so
ours are raised after the ``except`` block has ended: nothing hangs on them as ``__context__``.
"""

import json
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, ProxyError

from channel.wechat.errors import WeChatError, WeChatUnreachable

CONNECT_SECONDS, READ_SECONDS = 3.05, 10
POOL_SIZE = 32
_PRIVATE = frozenset({"access_token", "secret", "code"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _ImpatientAdapter(HTTPAdapter):
    """No call waits for ever, however it was made: wechatpy forgets time-outs here and there."""

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
        return super().send(request, *args, **kwargs)


def http_session(base_url: str) -> requests.Session:
    """A pooled session, to be shared by all clients of a process."""
    session = requests.Session()
    adapter = _ImpatientAdapter(pool_maxsize=POOL_SIZE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Threads share the session; a cookie would be the one thing they share by accident.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # A bank's proxy leads to WeChat; it does not lead to this machine.
    session.trust_env = urlsplit(base_url).hostname not in _LOOPBACK
    return session


def exchange(
    http: requests.Session,
    method: str,
    url: str,
    params: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
    read_seconds: float = READ_SECONDS,
) -> dict[str, Any]:
    """Send, and return the JSON object of an answer whose errcode is 0 or absent.

    The body is UTF-8 as it stands: the platforms refuse Chinese escaped to ``\\uXXXX``.
    """
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"} if data else {}
    timeout = (CONNECT_SECONDS, read_seconds)
    response = _send(http, method, url, params=params, data=data, headers=headers, timeout=timeout)
    if response.status_code != requests.codes.ok:
        raise _lost(f"HTTP {response.status_code}")
    answer = _json_object(response.content)
    if answer is None:
        raise _lost("the answer is no JSON object")
    errcode = _errcode(answer)
    if errcode != 0:
        private = [str(given[key]) for given in (params, body or {}) for key in _PRIVATE & {*given}]
        raise WeChatError(errcode, str(answer.get("errmsg", "")), *private)
    return answer


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


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        # Lenient as wechatpy is: nicknames arrive with control characters and broken UTF-8.
        answer = json.loads(content.decode("utf-8", "ignore"), strict=False)
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
