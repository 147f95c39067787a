"""The two ways in which WeChat fails us: they said no, or they said nothing."""

from http import HTTPStatus

from core.errors import DomainError, Unavailable
from core.log import strike


class WeChatError(DomainError):
    """They said no. ``errmsg`` is theirs, without tokens, and for our eyes only."""

    code, message = "wechat_refused", "微信没有接受这次请求（{errcode}），请稍后再试或联系管理员"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, errcode: int, errmsg: str, *private: str) -> None:
        super().__init__(errcode=errcode)
        self.errcode = errcode
        for value in private:
            errmsg = errmsg.replace(value, "[struck]") if value else errmsg
        self.errmsg = strike(errmsg)

    def __str__(self) -> str:
        return f"{self.errcode}: {self.errmsg}"


class WeChatUnreachable(Unavailable):
    """They said nothing that we can read. ``why`` is a word for the log: never an address.

    ``may_have_arrived``: the call went out, and only its answer is missing.
    """

    code, message = "wechat_unreachable", "微信暂时没有回应，请稍后再试"

    def __init__(self, why: str, *, may_have_arrived: bool = False, **fields: object) -> None:
        super().__init__(**fields)
        self.why, self.may_have_arrived = why, may_have_arrived

    def __str__(self) -> str:
        return f"{self.code}: {self.why}"


# The exact token was refused; another one may be accepted.
TOKEN_REFUSED = frozenset(
    {
        40001,  # invalid credential, or not the latest
        40014,  # invalid access_token
        42001,  # access_token expired
    }
)
