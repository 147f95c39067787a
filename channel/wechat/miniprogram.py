"""A mini-program's API: sign-in, codes and links that open it, messages.

https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field, SecretStr

from channel.answers import Answer, read
from channel.platform import SIGN_IN_SECONDS
from channel.rules import RuleBroken, chars_at_most
from channel.wechat.ground import WechatClient
from channel.wechat.outgoing import Template
from channel.wechat.transport import Download, Request

SUBSCRIPTION_SEND = "/cgi-bin/message/subscribe/send"
_SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
LONGEST_QUERY = 1024
LONGEST_LINK_DAYS = 30
NARROWEST, WIDEST = 280, 1280
_EXPIRES_IN_DAYS = 1  # the link's ``expire_type``


class Release(StrEnum):
    """Which version opens."""

    RELEASE = "release"
    TRIAL = "trial"
    DEVELOP = "develop"


_STATES = {
    Release.RELEASE: "formal",
    Release.TRIAL: "trial",
    Release.DEVELOP: "developer",
}


@dataclass(frozen=True, slots=True)
class MiniprogramMessage:
    """A subscription message; ``page`` may carry a query."""

    template_id: str
    values: Mapping[str, str]
    page: str = ""
    release: Release = Release.RELEASE

    def body(self, openid: str) -> dict[str, Any]:
        body = {
            "touser": openid,
            "template_id": self.template_id,
            "data": {key: {"value": value} for key, value in self.values.items()},
            "miniprogram_state": _STATES[self.release],
            "lang": "zh_CN",
        }
        return body | ({"page": self.page} if self.page else {})


class MiniprogramSession(Answer):
    """``session_key`` decrypts what the phone sends, and never leaves the server."""

    openid: str
    session_key: SecretStr
    unionid: str | None = None


class PhoneNumber(Answer):
    number: str = Field(validation_alias="purePhoneNumber", repr=False)
    country_code: str = Field(default="86", validation_alias="countryCode")


class _PhoneAnswer(Answer):
    phone_info: PhoneNumber = Field(repr=False)


class _UrlLink(Answer):
    url_link: str


class _Scheme(Answer):
    openlink: str


class _Choices(Answer):
    keyword: str = Field(default="", validation_alias="keywordCode")
    values: tuple[str, ...] = Field(default=(), validation_alias="enumValueList")


class _SubscriptionTemplate(Answer):
    template_id: str = Field(validation_alias="priTmplId")
    title: str
    content: str
    example: str = ""
    choices: tuple[_Choices, ...] = Field(default=(), validation_alias="keywordEnumValueList")


class _SubscriptionTemplates(Answer):
    data: tuple[_SubscriptionTemplate, ...] = ()


class MiniprogramClient(WechatClient):
    def exchange_code(self, js_code: str) -> MiniprogramSession:
        """https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html"""
        params = {**self._credentials(), "js_code": js_code, "grant_type": "authorization_code"}
        request = Request("GET", "/sns/jscode2session", params, read_seconds=SIGN_IN_SECONDS)
        return read(MiniprogramSession, self._ask_with_secret(request))

    def get_phone_number(self, code: str) -> PhoneNumber:
        """``code`` comes from the person's tap on the button; good once, for five minutes.

        https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/phone-number/getPhoneNumber.html
        """
        answer = self._change("/wxa/business/getuserphonenumber", {"code": code})
        return read(_PhoneAnswer, answer).phone_info

    def get_code_picture(
        self,
        scene: str,
        page: str = "",
        *,
        release: Release = Release.RELEASE,
        checks_page: bool = True,
        width: int = 430,
    ) -> Download:
        """A round code that never expires; ``scene`` (≤ 32 plain characters) comes back to us.

        https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/qr-code/getUnlimitedQRCode.html
        """
        if not _SCENE.fullmatch(scene):
            raise RuleBroken(field="小程序码参数", reason="只能有 32 个以内的字母、数字和符号")
        if not NARROWEST <= width <= WIDEST:
            raise RuleBroken(field="小程序码宽度", reason=f"应在 {NARROWEST} 到 {WIDEST} 之间")
        body = {
            "scene": scene,
            "check_path": checks_page,
            "env_version": release.value,
            "width": width,
        }
        body |= {"page": page} if page else {}
        return self._download("/wxa/getwxacodeunlimit", {}, body)

    def make_url_link(self, path: str, query: str = "", *, days: int = LONGEST_LINK_DAYS) -> str:
        """A web address that opens the mini-program; outside WeChat for the first person only.

        https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/url-link/generateUrlLink.html
        """
        body = {"path": path, "query": _query(query), **_expiry(days)}
        return read(_UrlLink, self._change("/wxa/generate_urllink", body, is_safe=True)).url_link

    def make_scheme(self, path: str, query: str = "", *, days: int = LONGEST_LINK_DAYS) -> str:
        """``weixin://…`` for other apps and text messages.

        https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/url-scheme/generateScheme.html
        """
        body = {"jump_wxa": {"path": path, "query": _query(query)}, **_expiry(days)}
        return read(_Scheme, self._change("/wxa/generatescheme", body, is_safe=True)).openlink

    def list_templates(self) -> tuple[Template, ...]:
        """https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/subscribe-message/getMessageTemplateList.html"""
        found = read(_SubscriptionTemplates, self._get("/wxaapi/newtmpl/gettemplate")).data
        return tuple(
            Template(
                template_id=one.template_id,
                title=one.title,
                content=one.content,
                example=one.example,
                choices={some.keyword.removesuffix(".DATA"): some.values for some in one.choices},
            )
            for one in found
        )

    def send_subscription_message(self, openid: str, message: MiniprogramMessage) -> None:
        """https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/subscribe-message/sendMessage.html"""
        self._change(SUBSCRIPTION_SEND, message.body(openid))


def _query(query: str) -> str:
    return chars_at_most("链接参数", query, LONGEST_QUERY)


def _expiry(days: int) -> dict[str, Any]:
    if not 1 <= days <= LONGEST_LINK_DAYS:
        raise RuleBroken(field="有效期", reason=f"应为 1 到 {LONGEST_LINK_DAYS} 天")
    return {"is_expire": True, "expire_type": _EXPIRES_IN_DAYS, "expire_interval": days}
