"""Web sign-in through an official account: who taps, as an openid.

https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
"""

from enum import StrEnum
from urllib.parse import quote

from redis import Redis

from channel.web_signin import SnapshotUser, WebSignIn
from channel.wechat.client import AuthorizedOpenid, OfficialAccountClient
from domain.directory.accounts import ChannelAccountCredentials


class Scope(StrEnum):
    SILENT = "snsapi_base"
    PROFILE = "snsapi_userinfo"  # only after the person tapped something


class OfficialAccountSignIn(WebSignIn[AuthorizedOpenid]):
    def __init__(
        self,
        redis: Redis,
        account: ChannelAccountCredentials,
        client: OfficialAccountClient,
        open_url: str,
        redirect_uri: str,
        scope: Scope = Scope.SILENT,
    ) -> None:
        super().__init__(redis, account, redirect_uri)
        self._client, self._open_url, self._scope = client, open_url, scope

    def _authorize_url(self, state: str) -> str:
        """WeChat has been seen to insist on this order of parameters. With ``connect_redirect`` it
        has been seen to call us once instead of twice."""
        return (
            f"{self._open_url}/connect/oauth2/authorize?appid={self._account.appid}"
            f"&redirect_uri={quote(self._redirect_uri, safe='')}&response_type=code"
            f"&scope={self._scope.value}&state={state}&connect_redirect=1#wechat_redirect"
        )

    def _exchange(self, code: str) -> AuthorizedOpenid:
        authorized = self._client.exchange_code(code)
        # The virtual person of a preview: whoever opens the page next gets another one.
        if authorized.is_snapshotuser:
            raise SnapshotUser
        return authorized
