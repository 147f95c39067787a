"""Messages that an official account sends: templates, subscriptions, customer service.

https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from channel.answers import Answer, read
from channel.rules import bytes_at_most, need, some
from channel.wechat.ground import WechatClient

TEMPLATE_SEND = "/cgi-bin/message/template/send"
CUSTOM_SEND = "/cgi-bin/message/custom/send"
LONGEST_CUSTOM_TEXT = 2048  # bytes
MOST_MENU_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Miniprogram:
    appid: str
    pagepath: str

    def body(self) -> dict[str, Any]:
        return {"appid": self.appid, "pagepath": self.pagepath}


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
            "data": _values(self.values),
        }
        if self.url:
            body["url"] = self.url
        if self.miniprogram:
            body["miniprogram"] = self.miniprogram.body()
        if self.client_msg_id:
            body["client_msg_id"] = self.client_msg_id
        return body


@dataclass(frozen=True, slots=True)
class SubscriptionMessage:
    """A message that the person agreed to get, once or for long."""

    template_id: str
    values: Mapping[str, str]
    page: str | None = None
    miniprogram: Miniprogram | None = None

    def body(self, openid: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": self.template_id,
            "data": _values(self.values),
        }
        if self.page:
            body["page"] = self.page
        if self.miniprogram:
            body["miniprogram"] = self.miniprogram.body()
        return body


class CustomMessage(Protocol):
    """What customer service may send; ``body`` is the part beside ``touser``."""

    def body(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class CustomText:
    content: str

    def body(self) -> dict[str, Any]:
        content = bytes_at_most("文本", need("文本", self.content), LONGEST_CUSTOM_TEXT)
        return {"msgtype": "text", "text": {"content": content}}


@dataclass(frozen=True, slots=True)
class CustomImage:
    media_id: str

    def body(self) -> dict[str, Any]:
        return {"msgtype": "image", "image": {"media_id": self.media_id}}


@dataclass(frozen=True, slots=True)
class CustomArticle:
    """One picture with a text that leads to a page; more than one is refused since 2018."""

    title: str
    description: str
    url: str
    picurl: str

    def body(self) -> dict[str, Any]:
        article = {
            "title": need("标题", self.title),
            "description": self.description,
            "url": self.url,
            "picurl": self.picurl,
        }
        return {"msgtype": "news", "news": {"articles": [article]}}


@dataclass(frozen=True, slots=True)
class CustomMenu:
    """A question with answers to tap: id → what the person reads. The tap comes as a text."""

    head: str
    choices: Sequence[tuple[str, str]]
    tail: str = ""

    def body(self) -> dict[str, Any]:
        choices = some("选项", self.choices, MOST_MENU_ITEMS)
        return {
            "msgtype": "msgmenu",
            "msgmenu": {
                "head_content": self.head,
                "list": [{"id": id_, "content": content} for id_, content in choices],
                "tail_content": self.tail,
            },
        }


@dataclass(frozen=True, slots=True)
class CustomMiniprogram:
    title: str
    appid: str
    pagepath: str
    thumb_media_id: str

    def body(self) -> dict[str, Any]:
        page = {
            "title": self.title,
            "appid": self.appid,
            "pagepath": self.pagepath,
            "thumb_media_id": self.thumb_media_id,
        }
        return {"msgtype": "miniprogrampage", "miniprogrampage": page}


class TemplateMessageSent(Answer):
    """Accepted, not delivered: that is told by ``TemplateSendFinished``."""

    msgid: int


class Template(Answer):
    """``content`` has lines like ``label:{{key.DATA}}``; ``choices``: the only values of a key."""

    template_id: str
    title: str
    content: str
    example: str = ""
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class _Templates(Answer):
    template_list: tuple[Template, ...]


class _TemplateAdded(Answer):
    template_id: str


class OutgoingCalls(WechatClient):
    def send_template_message(self, openid: str, message: TemplateMessage) -> TemplateMessageSent:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html"""
        answer = self._change(
            TEMPLATE_SEND,
            message.body(openid),
            is_safe=message.client_msg_id is not None,
        )
        return read(TemplateMessageSent, answer)

    def list_templates(self) -> tuple[Template, ...]:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html"""
        answer = self._get("/cgi-bin/template/get_all_private_template")
        return read(_Templates, answer).template_list

    def add_template(self, short_id: str, keywords: Sequence[str] = ()) -> str:
        """Take a template out of the library; the id that it has in this account.

        https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html
        """
        body: dict[str, Any] = {"template_id_short": short_id}
        if keywords:
            body["keyword_name_list"] = list(keywords)
        answer = self._change("/cgi-bin/template/api_add_template", body)
        return read(_TemplateAdded, answer).template_id

    def delete_template(self, template_id: str) -> None:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html"""
        self._change("/cgi-bin/template/del_private_template", {"template_id": template_id})

    def send_subscription_message(self, openid: str, message: SubscriptionMessage) -> None:
        """Only after the person agreed to this template.

        https://developers.weixin.qq.com/doc/offiaccount/Subscription_Messages/api.html
        """
        self._change("/cgi-bin/message/subscribe/bizsend", message.body(openid))

    def send_custom(self, openid: str, message: CustomMessage) -> None:
        """Only within 48 hours of the person's last message, or a minute of a tap or scan.

        https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html
        """
        self._change(CUSTOM_SEND, {"touser": openid, **message.body()})

    def send_custom_text(self, openid: str, text: str) -> None:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html"""
        self.send_custom(openid, CustomText(text))

    def show_typing(self, openid: str, *, is_typing: bool = True) -> None:
        """https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html"""
        command = "Typing" if is_typing else "CancelTyping"
        self._change(
            "/cgi-bin/message/custom/typing", {"touser": openid, "command": command}, is_safe=True
        )


def _values(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {key: {"value": value} for key, value in values.items()}
