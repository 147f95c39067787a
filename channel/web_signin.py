"""Web sign-in, as both platforms know it: the way to their authorize page and back with a code.

What leads back to us is remembered on our side under a random state: once, for ten minutes, and
for the one browser that set out. A code or state sent to somebody else is worth nothing.

WeChat has been seen to open the address that leads back twice at the same moment. Only one of the
two calls exchanges the code; the other waits for it and gets the same session. It has to bring the
same code: state and cookie may be known to somebody who had planted them in this browser, the code
is known to the browser alone. And it has to come at the same moment: who comes later goes on with
the session they have.
"""

import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Generic, TypeVar, cast
from urllib.parse import urlsplit

from redis import Redis

from channel.wechat.crypto import same
from channel.wechat.errors import WeChatError
from core.clock import utc_now
from core.errors import DomainError, Forbidden, TooMany
from core.redis import PREFIX
from core.security import seal, unseal
from domain.directory.accounts import ChannelAccountCredentials

STATE_SECONDS = 600
# A code that the platform refuses sends the browser round again, for ever. Rounds are counted, not
# beginnings: a page may begin several times at once. (A browser that keeps no cookie does not go
# round at all: its state is refused.)
MOST_ROUNDS, ROUNDS_SECONDS = 2, 60
CODE_REFUSED = frozenset(
    {
        40029,  # invalid code: never ours, used (WeCom), or older than five minutes
        40163,  # code been used: the person went back, refreshed, or WeChat called twice
        41008,  # no code at all
    }
)
# How long a second call waits for the first: as long as an exchange may take, and a little more.
# Just as long may it still come when the first has ended.
WAIT_SECONDS, LOOK_SECONDS = 5.0, 0.05
PENDING, FAILED = "pending", "failed"
SESSION = "signin.session"  # the purpose under which a session's id is sealed

P = TypeVar("P")


class StateRefused(DomainError):
    code = "signin_state_refused"
    message = "登录链接已失效，请回到公众号，从菜单或消息重新打开"


class CookiesRefused(DomainError):
    code = "signin_cookies_refused"
    message = (
        "登录没有完成：没有收到本浏览器的登录信息。请从消息或菜单重新打开；"
        "仍然不行时，请允许浏览器保存网页数据（Cookie）"
    )


class CodeUsed(DomainError):
    """``return_to`` is where the person wanted to go: set out once more from there."""

    code = "signin_code_used"
    message = "这次登录已经用过或过期，请回到公众号，从菜单或消息重新打开"

    def __init__(self, return_to: str) -> None:
        super().__init__()
        self.return_to = return_to


class SnapshotUser(Forbidden):
    code = "signin_snapshot_user"
    message = "当前是微信的预览页面，无法确认您的身份，请点击右下角“使用完整服务”后再试"


class NotAMember(Forbidden):
    code = "signin_not_a_member"
    message = "您不是本企业的成员，或不在应用的可见范围内，请联系企业微信管理员"


class SignInLoop(TooMany):
    code = "signin_loop"
    message = "登录没有完成，请关闭本页，一分钟后重新进入，并确认允许保存网页数据"


# What a sign-in that lets nobody in is refused with, for the account's trail.
REFUSALS = (StateRefused, CookiesRefused, SnapshotUser, NotAMember, SignInLoop)


@dataclass(frozen=True, slots=True)
class CameBack:
    """``joins``: the session that another call with the same state and code has just begun."""

    return_to: str
    joins: str | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the first call with a state. ``result`` is a sealed session's id at last."""

    code_digest: str
    result: str
    at: float  # seconds, by our clock


class WebSignIn(ABC, Generic[P]):
    """``browser_id`` is any random text kept in the browser's session, empty for a browser that
    sent none; ``redis`` answers in text.

    ``redirect_uri`` is our address on exactly the host that the account's console names.
    """

    def __init__(
        self,
        redis: Redis,
        account: ChannelAccountCredentials,
        redirect_uri: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis, self._account, self._redirect_uri = redis, account, redirect_uri
        self._sleep = sleep

    @abstractmethod
    def _authorize_url(self, state: str) -> str:
        """Where the platform asks who is there."""

    @abstractmethod
    def _exchange(self, code: str) -> P:
        """Who it is. Refuses whom the platform does not vouch for."""

    def begin(self, browser_id: str, return_to: str) -> str:
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
        return self._authorize_url(state)

    def finish(
        self, code: str, state: str, browser_id: str, let_in: Callable[[P], str]
    ) -> CameBack:
        """Let in who came back: ``let_in`` begins their session and gives its id.

        Redirect at once afterwards: the code in the address is used up.
        """
        return_to = self._return_to(state, browser_id)
        if not self._note(state, code, PENDING, is_first=True):
            return CameBack(return_to, self._session_to_join(state, code, return_to))
        self._count_round(browser_id)
        outcome = FAILED
        try:
            outcome = seal(SESSION, let_in(self._person(code, return_to)))
        finally:
            self._note(state, code, outcome)
        # It works here: opening several messages in a minute is no loop.
        self._redis.delete(self._rounds_key(browser_id))
        return CameBack(return_to)

    def _person(self, code: str, return_to: str) -> P:
        if not code:  # the person refused
            raise CodeUsed(return_to)
        try:
            return self._exchange(code)
        except WeChatError as error:
            if error.errcode in CODE_REFUSED:
                raise CodeUsed(return_to) from None
            raise

    def _note(self, state: str, code: str, result: str, *, is_first: bool = False) -> bool:
        """False: it is not the first."""
        noted = json.dumps(asdict(_Outcome(_digest(code), result, utc_now().timestamp())))
        return bool(self._redis.set(_outcome_key(state), noted, nx=is_first, ex=STATE_SECONDS))

    def _session_to_join(self, state: str, code: str, return_to: str) -> str | None:
        """None for a call that comes too late, as by going back in a browser's history."""
        outcome = self._outcome(state, code, return_to)
        for _ in range(int(WAIT_SECONDS / LOOK_SECONDS)):
            if outcome.result != PENDING:
                break
            self._sleep(LOOK_SECONDS)
            outcome = self._outcome(state, code, return_to)
        if outcome.result in {PENDING, FAILED}:
            raise CodeUsed(return_to)
        if utc_now().timestamp() - outcome.at > WAIT_SECONDS:
            return None
        return unseal(SESSION, outcome.result)

    def _outcome(self, state: str, code: str, return_to: str) -> _Outcome:
        noted = cast(str | None, self._redis.get(_outcome_key(state)))
        outcome = _Outcome(**json.loads(noted)) if noted else None
        if outcome is None or not same(outcome.code_digest, _digest(code)):
            raise CodeUsed(return_to)
        return outcome

    def _count_round(self, browser_id: str) -> None:
        key = self._rounds_key(browser_id)
        with self._redis.pipeline() as together:
            together.set(key, 0, ex=ROUNDS_SECONDS, nx=True)
            together.incr(key)
            together.execute()

    def _rounds_key(self, browser_id: str) -> str:
        return f"{PREFIX}oauth-rounds:{self._account.id}:{_digest(browser_id)}"

    def _return_to(self, state: str, browser_id: str) -> str:
        stored = cast(str | None, self._redis.get(_state_key(state)))
        if stored is None:
            raise StateRefused
        kept = json.loads(stored)
        is_ours = kept["account"] == self._account.id
        if not is_ours or not same(kept["browser"], _digest(browser_id)):
            self._redis.delete(_state_key(state))
            raise StateRefused if browser_id else CookiesRefused
        return str(kept["return_to"])


def is_own_path(address: str) -> bool:
    """Whether a browser that follows ``address`` stays with us: ``//x`` and ``/\\x`` do not.

    In the query an address of somebody else's leads nowhere.
    """
    path = address.partition("?")[0]
    if not path.startswith("/") or "//" in path or "/.." in path:
        return False
    if "\\" in address or any(char <= " " or char == "\x7f" for char in address):
        return False
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc


def _state_key(state: str) -> str:
    return f"{PREFIX}oauth-state:{_digest(state)}"


def _outcome_key(state: str) -> str:
    return f"{PREFIX}oauth-outcome:{_digest(state)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
