"""The breaker: what the platform refused for our secret or our address is not asked again at once.

WeCom bans an address for an hour that goes on with a wrong secret, and with it every app of the
bank. ``xinqiao accounts rotate`` closes the breaker of an account whose secret was mended.
https://developer.work.weixin.qq.com/document/path/90312
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import cast

from channel.wechat.errors import WeChatError
from core.clock import utc_now
from core.errors import DomainError
from core.log import logger
from core.redis import PREFIX, redis

SECRET_SECONDS = 3600  # as long as the ban
ALLOWLIST_SECONDS = 60  # a change of the list works after a minute

_SECRET = "微信不接受这个账号的密钥（{errcode}），请核对后用 xinqiao accounts rotate 更新"  # noqa: S105 -- a sentence
_FROZEN = "这个账号的密钥或应用已被冻结或停用（{errcode}），请到微信后台恢复"
_ALLOWLIST = "本机的出口 IP 不在微信后台的白名单（可信 IP）里（{errcode}），请加入"
_BANNED = "微信因调用过多暂时封禁了接口（{errcode}）"


@dataclass(frozen=True, slots=True)
class Trip:
    sentence: str
    seconds: int


# Only calls that carry the secret open the breaker: elsewhere 40001 is a token.
TRIPS = {
    40001: Trip(_SECRET, SECRET_SECONDS),  # WeCom: invalid secret; official account: the same
    40013: Trip(_SECRET, SECRET_SECONDS),  # invalid appid or corpid
    40125: Trip(_SECRET, SECRET_SECONDS),  # official account: invalid appsecret
    41002: Trip(_SECRET, SECRET_SECONDS),  # appid missing
    41004: Trip(_SECRET, SECRET_SECONDS),  # secret missing
    40243: Trip(_FROZEN, SECRET_SECONDS),  # official account: appsecret frozen
    50003: Trip(_FROZEN, SECRET_SECONDS),  # WeCom: app disabled
    40164: Trip(_ALLOWLIST, ALLOWLIST_SECONDS),
    60020: Trip(_ALLOWLIST, ALLOWLIST_SECONDS),
    45009: Trip(_BANNED, SECRET_SECONDS),
}


class BreakerOpen(WeChatError):
    """They said no before, so they were not asked. ``errcode`` is what they said. Anybody may read
    the sentence: what is wrong with our secret stands in ``BreakerState`` only."""

    code, message = "wechat_breaker_open", "微信服务暂时不可用，请稍后再试或联系银行"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, errcode: int, retry_after_seconds: int) -> None:
        DomainError.__init__(self)
        self.errcode, self.errmsg = errcode, "refused before, not asked again for a while"
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class BreakerState:
    """An open breaker; ``sentence`` says to a person what happened and what to do."""

    errcode: int
    closes_at: datetime
    sentence: str


def refuse_while_open(account_id: int) -> None:
    if is_open := _read(account_id):
        raise BreakerOpen(*is_open)


def open_after(account_id: int, errcode: int) -> None:
    """Open it when ``errcode``, the answer to a call with the secret, is a reason to."""
    if trip := TRIPS.get(errcode):
        redis().set(_key(account_id), errcode, ex=trip.seconds)
        logger.error("breaker opened", extra={"account_id": account_id, "errcode": errcode})


def breaker_state(account_id: int) -> BreakerState | None:
    """None while it is closed."""
    is_open = _read(account_id)
    if is_open is None:
        return None
    errcode, seconds = is_open
    closes_at = utc_now() + timedelta(seconds=seconds)
    why = TRIPS[errcode].sentence.format(errcode=errcode)
    minutes = -(-seconds // 60)
    return BreakerState(errcode, closes_at, f"{why}。已暂停请求，约 {minutes} 分钟后自动再试")


def close_breaker(account_id: int) -> None:
    redis().delete(_key(account_id))


def _read(account_id: int) -> tuple[int, int] | None:
    with redis().pipeline() as together:
        together.get(_key(account_id))
        together.ttl(_key(account_id))
        errcode, seconds = cast(tuple[str | None, int], together.execute())
    return (int(errcode), max(seconds, 1)) if errcode else None


def _key(account_id: int) -> str:
    return f"{PREFIX}breaker:{account_id}"
