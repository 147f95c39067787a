"""The official account's API: typed questions and answers, no business.

Request shapes are wechatpy's. Its session, token cache, retry (without end) and error handling
(a web page passes as an answer) are not used: every call of it ends in our ``_call``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from wechatpy.client import WeChatClient

from channel.tokens import FetchedToken, TokenKind, TokenStore
from channel.wechat.errors import TOKEN_REFUSED, WeChatError, WeChatUnreachable
from channel.wechat.transport import exchange
from domain.directory.accounts import ChannelAccountCredentials

API_URL = "https://api.weixin.qq.com"
PICTURES_URL = "https://mp.weixin.qq.com"
NO_MENU = 46003
SIGN_IN_SECONDS = 4
LONGEST_QR_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Miniprogram:
    appid: str
    pagepath: str


@dataclass(frozen=True, slots=True)
class TemplateMessage:
    """``client_msg_id`` (≤ 32 characters): WeChat drops a repeat to one person for ten minutes."""

    template_id: str
    values: Mapping[str, str]
    url: str | None = None
    miniprogram: Miniprogram | None = None
    client_msg_id: str | None = None

    def body(self, openid: str) -> dict[str, Any]:
        """What is posted. wechatpy's own shape lacks ``client_msg_id``."""
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": self.template_id,
            "data": {key: {"value": value} for key, value in self.values.items()},
        }
        if self.url:
            body["url"] = self.url
        if self.miniprogram:
            body["miniprogram"] = {
                "appid": self.miniprogram.appid,
                "pagepath": self.miniprogram.pagepath,
            }
        if self.client_msg_id:
            body["client_msg_id"] = self.client_msg_id
        return body


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TemplateMessageSent(_Answer):
    """Accepted, not delivered: that is told by ``TemplateSendFinished``."""

    msgid: int


class Template(_Answer):
    template_id: str
    title: str
    content: str


class _Templates(_Answer):
    template_list: tuple[Template, ...]


class QrCode(_Answer):
    """``url`` is what the picture holds: draw it ourselves, or fetch it by ``ticket``."""

    ticket: str
    url: str
    expire_seconds: int


class UserInfo(_Answer):
    """Name and picture are no longer told (since 2021). ``unionid`` needs an open platform."""

    openid: str
    subscribe: bool
    unionid: str | None = None
    subscribe_scene: str = ""
    qr_scene_str: str = ""


class _Openids(_Answer):
    openid: tuple[str, ...] = ()


class FollowerPage(_Answer):
    """The last page is empty; ``next_openid`` asks for the page after this one."""

    total: int
    count: int
    data: _Openids = _Openids()
    next_openid: str = ""


class Menu(_Answer):
    button: tuple[dict[str, Any], ...] = ()


class _MenuAnswer(_Answer):
    menu: Menu


class AuthorizedOpenid(_Answer):
    """``is_snapshotuser``: the openid is invented, because the person has not tapped anything."""

    openid: str
    access_token: SecretStr
    scope: str = ""
    is_snapshotuser: bool = False
    unionid: str | None = None


class SnsUser(_Answer):
    openid: str
    nickname: str = Field(default="", repr=False)
    headimgurl: str = Field(default="", repr=False)
    unionid: str | None = None


class _TokenAnswer(_Answer):
    access_token: str = Field(repr=False)
    expires_in: int


class _TicketAnswer(_Answer):
    ticket: str = Field(repr=False)
    expires_in: int


_A = TypeVar("_A", bound=_Answer)
_Call = Callable[[str, str, Mapping[str, str], Mapping[str, Any] | None], dict[str, Any]]


class _Wechatpy(WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """wechatpy's methods, with ``call`` in the place of everything beneath them."""

    def __init__(self, call: _Call) -> None:
        # Not super().__init__(): it makes the session and the token cache that nobody may use.
        self._call = call

    def _request(self, method: str, url_or_endpoint: str, **kwargs: Any) -> dict[str, Any]:
        base = kwargs.get("api_base_url") or self.API_BASE_URL
        path = f"{base}{url_or_endpoint}".removeprefix(API_URL)
        return self._call(method, path, kwargs.get("params") or {}, kwargs.get("data"))


class OfficialAccountClient:
    """One account's API. Cheap to make; ``http`` and ``tokens`` are shared by the process."""

    def __init__(
        self,
        account: ChannelAccountCredentials,
        http: requests.Session,
        tokens: TokenStore,
        api_url: str = API_URL,
    ) -> None:
        self._account, self._http, self._tokens = account, http, tokens
        self._api_url = api_url.rstrip("/")
        self._wechatpy = _Wechatpy(self._call)

    # --- messages ---------------------------------------------------------------------------

    def send_template_message(self, openid: str, message: TemplateMessage) -> TemplateMessageSent:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html"""
        body = message.body(openid)
        return _read(TemplateMessageSent, self._wechatpy.post("message/template/send", data=body))

    def list_templates(self) -> tuple[Template, ...]:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html"""
        answer = self._wechatpy.template.get_all_private_template()
        return _read(_Templates, answer).template_list

    def send_custom_text(self, openid: str, text: str) -> None:
        """Only within 48 hours of the person's last message.

        https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html
        """
        self._wechatpy.message.send_text(openid, text)

    # --- people -----------------------------------------------------------------------------

    def get_user_info(self, openid: str) -> UserInfo:
        """https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html"""
        return _read(UserInfo, self._wechatpy.user.get(openid))

    def list_followers(self, next_openid: str = "") -> FollowerPage:
        """https://developers.weixin.qq.com/doc/offiaccount/User_Management/Getting_a_User_List.html"""
        return _read(FollowerPage, self._wechatpy.user.get_followers(next_openid))

    # --- QR codes and menu ------------------------------------------------------------------

    def create_qrcode(self, scene: str, expire_seconds: int) -> QrCode:
        """A code that expires; whoever scans it is told to us with ``scene`` (1-64 characters).

        https://developers.weixin.qq.com/doc/offiaccount/Account_Management/Generating_a_Parametric_QR_Code.html
        """
        wanted = {
            "expire_seconds": min(expire_seconds, LONGEST_QR_SECONDS),
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        return _read(QrCode, self._wechatpy.qrcode.create(wanted))

    def get_menu(self) -> Menu:
        """https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Querying_Custom_Menus.html"""
        try:
            return _read(_MenuAnswer, self._wechatpy.menu.get()).menu
        except WeChatError as error:
            if error.errcode == NO_MENU:
                return Menu()
            raise

    def set_menu(self, buttons: Sequence[Mapping[str, Any]]) -> None:
        """Replaces the whole menu; phones show it within five minutes.

        https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Creating_Custom-Defined_Menu.html
        """
        self._wechatpy.menu.create({"button": list(buttons)})

    # --- tokens and tickets -----------------------------------------------------------------

    def fetch_stable_token(self) -> FetchedToken:
        """Asks the platform; everybody else takes the token from the ``TokenStore``.

        https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html
        """
        body = {
            "grant_type": "client_credential",
            "appid": self._account.appid,
            "secret": self._account.secret.get_secret_value(),
            "force_refresh": False,
        }
        answer = _read(_TokenAnswer, self._exchange("POST", "/cgi-bin/stable_token", {}, body))
        return FetchedToken(answer.access_token, answer.expires_in)

    def get_jsapi_ticket(self) -> str:
        """https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/JS-SDK.html"""
        return self._tokens.get(self._account.id, TokenKind.JSAPI_TICKET, self._fetch_jsapi_ticket)

    def _fetch_jsapi_ticket(self) -> FetchedToken:
        answer = _read(_TicketAnswer, self._wechatpy.jsapi.get_ticket())
        return FetchedToken(answer.ticket, answer.expires_in)

    # --- web sign-in ------------------------------------------------------------------------

    def exchange_code(self, code: str) -> AuthorizedOpenid:
        """https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html"""
        params = {
            "appid": self._account.appid,
            "secret": self._account.secret.get_secret_value(),
            "code": code,
            "grant_type": "authorization_code",
        }
        return _read(AuthorizedOpenid, self._ask_while_waited_for("oauth2/access_token", params))

    def get_sns_user(self, authorized: AuthorizedOpenid) -> SnsUser:
        """Needs the scope ``snsapi_userinfo``, which the person must have asked for by a tap.

        https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
        """
        params = {
            "access_token": authorized.access_token.get_secret_value(),
            "openid": authorized.openid,
            "lang": "zh_CN",
        }
        return _read(SnsUser, self._ask_while_waited_for("userinfo", params))

    # --- beneath ----------------------------------------------------------------------------

    def _call(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """An exchange with our access token; once more with another when that one is refused."""
        token = self._access_token()
        try:
            return self._exchange(method, path, {**params, "access_token": token}, body)
        except WeChatError as error:
            if error.errcode not in TOKEN_REFUSED:
                raise
        self._tokens.invalidate(self._account.id, TokenKind.ACCESS, token)
        again = {**params, "access_token": self._access_token()}
        return self._exchange(method, path, again, body)

    def _access_token(self) -> str:
        try:
            return self._tokens.get(self._account.id, TokenKind.ACCESS, self.fetch_stable_token)
        except WeChatUnreachable as error:
            error.may_have_arrived = False  # what the token was wanted for has not been sent
            raise

    def _ask_while_waited_for(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """A person looks at an empty page meanwhile, and holds one of our web threads."""
        url = f"{self._api_url}/sns/{path}"
        return exchange(self._http, "GET", url, params, read_seconds=SIGN_IN_SECONDS)

    def _exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return exchange(self._http, method, f"{self._api_url}{path}", params, body)


def showqrcode_url(ticket: str, pictures_url: str = PICTURES_URL) -> str:
    """Where a browser finds the picture of a ``QrCode``."""
    return f"{pictures_url}/cgi-bin/showqrcode?{urlencode({'ticket': ticket})}"


def _read(model: type[_A], answer: Mapping[str, Any]) -> _A:
    try:
        return model.model_validate(answer)
    except ValidationError:
        pass  # its text holds what was received; ours is raised outside, without it
    raise WeChatUnreachable(f"the answer is no {model.__name__}", may_have_arrived=True)
