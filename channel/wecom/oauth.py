"""Web sign-in through a WeCom app: which member of the corp it is.

In WeCom's own browser the authorize page answers without asking; at a desk the member scans
WeCom's QR code. What is not a member of the corp is refused.
https://developer.work.weixin.qq.com/document/path/96441
https://developer.work.weixin.qq.com/document/path/98151
"""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, urlencode

from redis import Redis

from channel.web_signin import NotAMember, WebSignIn
from channel.wecom.client import MemberDetail, WecomClient
from domain.directory.accounts import ChannelAccountCredentials


class Scope(StrEnum):
    SILENT = "snsapi_base"
    PRIVATE = "snsapi_privateinfo"  # the member is asked; gives a ticket for their details


@dataclass(frozen=True, slots=True)
class SignedInMember:
    """``detail`` is what the member let us see, when they were asked."""

    userid: str
    detail: MemberDetail | None = field(default=None, repr=False)


class WecomSignIn(WebSignIn[SignedInMember]):
    def __init__(
        self,
        redis: Redis,
        account: ChannelAccountCredentials,
        client: WecomClient,
        open_url: str,
        redirect_uri: str,
        scope: Scope = Scope.SILENT,
    ) -> None:
        super().__init__(redis, account, redirect_uri)
        self._client, self._open_url, self._scope = client, open_url, scope

    def _authorize_url(self, state: str) -> str:
        return (
            f"{self._open_url}/connect/oauth2/authorize?appid={self._account.appid}"
            f"&redirect_uri={quote(self._redirect_uri, safe='')}&response_type=code"
            f"&scope={self._scope.value}&state={state}&agentid={self._account.agentid}"
            "#wechat_redirect"
        )

    def _exchange(self, code: str) -> SignedInMember:
        visitor = self._client.exchange_code(code)
        if visitor.userid is None:
            raise NotAMember
        if visitor.user_ticket is None:
            return SignedInMember(visitor.userid)
        return SignedInMember(visitor.userid, self._client.get_user_detail(visitor.user_ticket))


class WecomQrSignIn(WecomSignIn):
    """At a desk: WeCom's own page shows the QR code, ``open_url`` is that page's host."""

    def _authorize_url(self, state: str) -> str:
        query = {
            "login_type": "CorpApp",
            "appid": self._account.appid,
            "agentid": self._account.agentid or "",
            "redirect_uri": self._redirect_uri,
            "state": state,
        }
        return f"{self._open_url}/wwlogin/sso/login?{urlencode(query)}"
