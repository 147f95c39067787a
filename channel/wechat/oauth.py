"""Web sign-in: the way to WeChat's authorize page and back with an openid.

https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html

What leads back to us is remembered on our side under a random state: once, for ten minutes, and
for the one browser that set out. A code or state sent to somebody else is worth nothing.
"""

import json
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import cast
from urllib.parse import quote, urlsplit

from redis import Redis

from channel.wechat.client import OfficialAccountClient
from channel.wechat.crypto import same
from channel.wechat.errors import WeChatError
from core.errors import DomainError, Forbidden, TooMany
from core.redis import PREFIX
from domain.directory.accounts import ChannelAccountCredentials

STATE_SECONDS = 600
# A code that WeChat refuses sends the browser round again, for ever. Rounds are counted, not
# beginnings: a page may begin several times at once. (A browser that keeps no cookie does not go
# round at all: its state is refused.)
MOST_ROUNDS, ROUNDS_SECONDS = 2, 60
CODE_REFUSED = frozenset(
    {
        40029,  # invalid code: never ours, or older than five minutes
        40163,  # code been used: the person went back, refreshed, or WeChat called twice
        41008,  # no code at all
    }
)


class Scope(StrEnum):
    SILENT = "snsapi_base"
    PROFILE = "snsapi_userinfo"  # only after the person tapped something


class StateRefused(DomainError):
    code, message = "signin_state_refused", "登录链接已失效，请回到公众号，从菜单或消息重新打开"


class CodeUsed(DomainError):
    """``return_to`` is where the person wanted to go: set out once more from there."""

    code, message = "signin_code_used", "这次登录已经用过或过期，请回到公众号，从菜单或消息重新打开"

    def __init__(self, return_to: str) -> None:
        super().__init__()
        self.return_to = return_to


class SnapshotUser(Forbidden):
    code = "signin_snapshot_user"
    message = "当前是微信的预览页面，无法确认您的身份，请点击右下角“使用完整服务”后再试"


class SignInLoop(TooMany):
    code = "signin_loop"
    message = "登录没有完成，请关闭本页，一分钟后从公众号菜单重新进入，并确认微信允许保存网页数据"


@dataclass(frozen=True, slots=True)
class SignedInOpenid:
    channel_account_id: int
    openid: str
    unionid: str | None
    return_to: str


class WebSignIn:
    """``browser_id`` is any random text kept in the browser's session; ``redis`` answers in text.

    ``redirect_uri`` is our address on exactly the host that the account's console names.
    """

    def __init__(
        self, redis: Redis, account: ChannelAccountCredentials, open_url: str, redirect_uri: str
    ) -> None:
        self._redis, self._account = redis, account
        self._open_url, self._redirect_uri = open_url.rstrip("/"), redirect_uri

    def begin(self, browser_id: str, return_to: str, scope: Scope = Scope.SILENT) -> str:
        """The address to send the browser to."""
        if not is_own_path(return_to):
            raise StateRefused
        if int(cast(str | None, self._redis.get(self._rounds_key(browser_id))) or 0) >= MOST_ROUNDS:
            raise SignInLoop
        state = secrets.token_hex(16)
        kept = {
            "account": self._account.id,
            "browser": _digest(browser_id),
            "return_to": return_to,
        }
        self._redis.set(_state_key(state), json.dumps(kept), ex=STATE_SECONDS)
        return authorize_url(self._open_url, self._account.appid, self._redirect_uri, scope, state)

    def finish(
        self, client: OfficialAccountClient, code: str, state: str, browser_id: str
    ) -> SignedInOpenid:
        """Who came back. Redirect at once afterwards: the code in the address is used up."""
        return_to = self._take_state(state, browser_id)
        if not code:  # the person refused
            raise CodeUsed(return_to)
        try:
            authorized = client.exchange_code(code)
        except WeChatError as error:
            if error.errcode in CODE_REFUSED:
                raise CodeUsed(return_to) from None
            raise
        if authorized.is_snapshotuser:
            raise SnapshotUser
        # It works here: opening several messages in a minute is no loop.
        self._redis.delete(self._rounds_key(browser_id))
        return SignedInOpenid(self._account.id, authorized.openid, authorized.unionid, return_to)

    def _count_round(self, browser_id: str) -> None:
        key = self._rounds_key(browser_id)
        with self._redis.pipeline() as together:
            together.set(key, 0, ex=ROUNDS_SECONDS, nx=True)
            together.incr(key)
            together.execute()

    def _rounds_key(self, browser_id: str) -> str:
        return f"{PREFIX}oauth-rounds:{self._account.id}:{_digest(browser_id)}"

    def _take_state(self, state: str, browser_id: str) -> str:
        taken = cast(str | None, self._redis.getdel(_state_key(state)))
        if taken is None:
            raise StateRefused
        kept = json.loads(taken)
        is_ours = kept["account"] == self._account.id
        if not is_ours or not same(kept["browser"], _digest(browser_id)):
            raise StateRefused
        self._count_round(browser_id)
        return str(kept["return_to"])


def authorize_url(open_url: str, appid: str, redirect_uri: str, scope: Scope, state: str) -> str:
    """WeChat has been seen to insist on this order of parameters."""
    return (
        f"{open_url}/connect/oauth2/authorize?appid={appid}"
        f"&redirect_uri={quote(redirect_uri, safe='')}"
        f"&response_type=code&scope={scope.value}&state={state}#wechat_redirect"
    )


def is_own_path(path: str) -> bool:
    """Whether a browser that follows ``path`` stays with us: ``//x`` and ``/\\x`` do not."""
    if not path.startswith("/") or path.startswith("//"):
        return False
    if (
        "//" in path
        or "/.." in path
        or "\\" in path
        or any(char <= " " or char == "\x7f" for char in path)
    ):
        return False
    parts = urlsplit(path)
    return not parts.scheme and not parts.netloc


def _state_key(state: str) -> str:
    return f"{PREFIX}oauth-state:{_digest(state)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
