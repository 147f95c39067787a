"""The official account's API: typed questions and answers, no business.

The calls are grouped by noun in the modules beside this one; sign-in and tickets are here.
"""

from pydantic import Field, SecretStr

from channel.answers import Answer, read
from channel.platform import SIGN_IN_SECONDS, TicketAnswer
from channel.tokens import FetchedToken, TokenKind
from channel.wechat.followers import FollowerCalls
from channel.wechat.media import MediaCalls
from channel.wechat.menus import MenuCalls
from channel.wechat.outgoing import OutgoingCalls
from channel.wechat.transport import Request, exchange


class AuthorizedOpenid(Answer):
    """``is_snapshotuser``: the openid is invented, because the person has not tapped anything."""

    openid: str
    access_token: SecretStr
    scope: str = ""
    is_snapshotuser: bool = False
    unionid: str | None = None


class SnsUser(Answer):
    openid: str
    nickname: str = Field(default="", repr=False)
    headimgurl: str = Field(default="", repr=False)
    unionid: str | None = None


class OfficialAccountClient(OutgoingCalls, FollowerCalls, MenuCalls, MediaCalls):
    def get_jsapi_ticket(self) -> str:
        """https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/JS-SDK.html"""
        return self._tokens.get(self._account.id, TokenKind.JSAPI_TICKET, self._fetch_jsapi_ticket)

    def _fetch_jsapi_ticket(self) -> FetchedToken:
        answer = read(TicketAnswer, self._get("/cgi-bin/ticket/getticket", {"type": "jsapi"}))
        return FetchedToken(answer.ticket, answer.expires_in)

    def exchange_code(self, code: str) -> AuthorizedOpenid:
        """https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html"""
        params = {**self._credentials(), "code": code, "grant_type": "authorization_code"}
        request = Request("GET", "/sns/oauth2/access_token", params, read_seconds=SIGN_IN_SECONDS)
        return read(AuthorizedOpenid, self._ask_with_secret(request))

    def get_sns_user(self, authorized: AuthorizedOpenid) -> SnsUser:
        """Needs the scope ``snsapi_userinfo``, which the person must have asked for by a tap.

        https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
        """
        params = {
            "access_token": authorized.access_token.get_secret_value(),
            "openid": authorized.openid,
            "lang": "zh_CN",
        }
        request = Request("GET", "/sns/userinfo", params, read_seconds=SIGN_IN_SECONDS)
        return read(SnsUser, self._exchange(request, exchange))
