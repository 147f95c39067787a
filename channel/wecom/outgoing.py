"""Messages of an app to members, and the files they carry.

https://developer.work.weixin.qq.com/document/path/90236
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pydantic import field_validator

from channel.answers import Answer, read
from channel.caps import take_for_members
from channel.platform import PlatformClient
from channel.rules import RuleBroken, at_most, bytes_at_most, chars_at_most, need, some
from channel.wechat.transport import Download, File
from channel.wecom.cards import TemplateCard

MESSAGE_SEND = "/cgi-bin/message/send"
EVERYBODY = "@all"
MOST_USERS, MOST_PARTIES, MOST_TAGS, MOST_ARTICLES = 1000, 100, 100, 8
LONGEST_TEXT, LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_URL = 2048, 128, 512, 2048  # bytes
LONGEST_BUTTON = 4  # characters
LONGEST_DUPLICATE_CHECK_SECONDS = 14_400


@dataclass(frozen=True, slots=True)
class Receivers:
    """Members, departments, tags; or everybody who sees the app."""

    userids: Sequence[str] = ()
    partyids: Sequence[int] = ()
    tagids: Sequence[int] = ()
    is_everybody: bool = False

    def body(self) -> dict[str, str]:
        if self.is_everybody:
            return {"touser": EVERYBODY}
        if not (self.userids or self.partyids or self.tagids):
            raise RuleBroken(field="接收人", reason="不能为空")
        given: dict[str, list[str] | list[int]] = {
            "touser": at_most("接收人", self.userids, MOST_USERS),
            "toparty": at_most("接收部门", self.partyids, MOST_PARTIES),
            "totag": at_most("接收标签", self.tagids, MOST_TAGS),
        }
        return {key: "|".join(str(id_) for id_ in ids) for key, ids in given.items() if ids}


class AppMessage(Protocol):
    """``body`` is the part with ``msgtype``; rules are checked as it is made."""

    def body(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Text:
    """The platform cuts longer texts without a word, so they are refused here."""

    content: str

    def body(self) -> dict[str, Any]:
        content = bytes_at_most("正文", need("正文", self.content), LONGEST_TEXT)
        return {"msgtype": "text", "text": {"content": content}}


@dataclass(frozen=True, slots=True)
class Markdown:
    content: str

    def body(self) -> dict[str, Any]:
        content = bytes_at_most("正文", need("正文", self.content), LONGEST_TEXT)
        return {"msgtype": "markdown", "markdown": {"content": content}}


@dataclass(frozen=True, slots=True)
class TextCard:
    title: str
    description: str
    url: str
    button: str = "详情"

    def body(self) -> dict[str, Any]:
        card = {
            "title": bytes_at_most("标题", need("标题", self.title), LONGEST_TITLE),
            "description": bytes_at_most("描述", self.description, LONGEST_DESCRIPTION),
            "url": bytes_at_most("链接", need("链接", self.url), LONGEST_URL),
            "btntxt": chars_at_most("按钮文字", self.button, LONGEST_BUTTON),
        }
        return {"msgtype": "textcard", "textcard": card}


@dataclass(frozen=True, slots=True)
class Article:
    title: str
    url: str
    description: str = ""
    picurl: str = ""

    def body(self) -> dict[str, str]:
        return {
            "title": bytes_at_most("标题", need("标题", self.title), LONGEST_TITLE),
            "description": bytes_at_most("描述", self.description, LONGEST_DESCRIPTION),
            "url": bytes_at_most("链接", need("链接", self.url), LONGEST_URL),
            "picurl": self.picurl,
        }


@dataclass(frozen=True, slots=True)
class News:
    articles: Sequence[Article]

    def body(self) -> dict[str, Any]:
        articles = [article.body() for article in some("图文", self.articles, MOST_ARTICLES)]
        return {"msgtype": "news", "news": {"articles": articles}}


@dataclass(frozen=True, slots=True)
class Image:
    media_id: str

    def body(self) -> dict[str, Any]:
        return {"msgtype": "image", "image": {"media_id": need("图片", self.media_id)}}


@dataclass(frozen=True, slots=True)
class FileMessage:
    media_id: str

    def body(self) -> dict[str, Any]:
        return {"msgtype": "file", "file": {"media_id": need("文件", self.media_id)}}


class WecomMediaKind(StrEnum):
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"


SMALLEST_FILE = 6  # bytes; five and less are refused
LARGEST_BYTES = {
    WecomMediaKind.IMAGE: 10 << 20,
    WecomMediaKind.VOICE: 2 << 20,
    WecomMediaKind.VIDEO: 10 << 20,
    WecomMediaKind.FILE: 20 << 20,
}


class MessageSent(Answer):
    """Accepted for all but those named here; whoever gets too many never sees it, unsaid.

    ``response_code`` (72 hours, good once) changes a button card.
    """

    msgid: str = ""
    invaliduser: tuple[str, ...] = ()
    invalidparty: tuple[str, ...] = ()
    invalidtag: tuple[str, ...] = ()
    unlicenseduser: tuple[str, ...] = ()
    response_code: str = ""

    @field_validator("invaliduser", "invalidparty", "invalidtag", "unlicenseduser", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split("|"))) if isinstance(value, str) else value

    @property
    def is_complete(self) -> bool:
        return not (self.invaliduser or self.invalidparty or self.invalidtag or self.unlicenseduser)


class CardUpdated(Answer):
    invaliduser: tuple[str, ...] = ()


class WecomMedia(Answer):
    """``created_at`` in seconds; the file is gone three days later."""

    media_id: str
    created_at: int


class OutgoingCalls(PlatformClient):
    @property
    def agentid(self) -> int:
        if self._account.agentid is None:
            raise RuleBroken(field="企业微信应用的 agentid", reason="没有填写")
        return int(self._account.agentid)

    def counted_body(
        self,
        receivers: Receivers,
        message: AppMessage,
        *,
        is_confidential: bool = False,
        drop_repeats_for_seconds: int = 0,
    ) -> dict[str, Any]:
        """What is posted, and the only way to it: every member named in it has been counted, so
        that none gets more than WeCom delivers. Raises MemberFull. Who gets it by department or
        tag, or as one of all, is not known here and not counted."""
        body = {**receivers.body(), **message.body(), "agentid": self.agentid}
        if is_confidential:
            body["safe"] = 1
        if drop_repeats_for_seconds:
            seconds = min(drop_repeats_for_seconds, LONGEST_DUPLICATE_CHECK_SECONDS)
            body |= {"enable_duplicate_check": 1, "duplicate_check_interval": seconds}
        if receivers.userids:
            take_for_members(self.account_id, receivers.userids)
        return body

    def send_message(
        self,
        receivers: Receivers,
        message: AppMessage,
        *,
        is_confidential: bool = False,
        drop_repeats_for_seconds: int = 0,
    ) -> MessageSent:
        """``drop_repeats_for_seconds`` (≤ 4 hours): the same message to the same people is
        delivered once; without it, a call whose answer was lost must not be repeated. Raises
        MemberFull when one of the members can get no more now.

        https://developer.work.weixin.qq.com/document/path/90236
        """
        body = self.counted_body(
            receivers,
            message,
            is_confidential=is_confidential,
            drop_repeats_for_seconds=drop_repeats_for_seconds,
        )
        answer = self._change(MESSAGE_SEND, body, is_safe=bool(drop_repeats_for_seconds))
        return read(MessageSent, answer)

    def recall_message(self, msgid: str) -> None:
        """Within 24 hours, by the app that sent it.

        https://developer.work.weixin.qq.com/document/path/94867
        """
        self._change("/cgi-bin/message/recall", {"msgid": msgid}, is_safe=True)

    def replace_card_button(
        self, response_code: str, text: str, userids: Sequence[str] = ()
    ) -> CardUpdated:
        """Make a card's buttons one that says ``text`` and does nothing; for all without userids.

        https://developer.work.weixin.qq.com/document/path/94888
        """
        return self._update_card(
            response_code, {"button": {"replace_name": need("按钮文字", text)}}, userids
        )

    def replace_card(
        self, response_code: str, card: TemplateCard, userids: Sequence[str] = ()
    ) -> CardUpdated:
        """https://developer.work.weixin.qq.com/document/path/94888"""
        return self._update_card(
            response_code, {"template_card": card.body()["template_card"]}, userids
        )

    def upload_media(self, kind: WecomMediaKind, file: File) -> WecomMedia:
        """https://developer.work.weixin.qq.com/document/path/90253"""
        if not SMALLEST_FILE <= len(file.content) <= LARGEST_BYTES[kind]:
            raise RuleBroken(
                field="文件", reason=f"应在 5 字节和 {LARGEST_BYTES[kind] >> 20} MB 之间"
            )
        return read(WecomMedia, self._upload("/cgi-bin/media/upload", {"type": kind.value}, file))

    def get_media(self, media_id: str) -> Download:
        """https://developer.work.weixin.qq.com/document/path/90254"""
        return self._download("/cgi-bin/media/get", {"media_id": media_id})

    def _update_card(
        self, response_code: str, change: dict[str, Any], userids: Sequence[str]
    ) -> CardUpdated:
        body = {"agentid": self.agentid, "response_code": response_code, **change}
        whom = {"userids": at_most("接收人", userids, MOST_USERS)} if userids else {"atall": 1}
        answer = self._change("/cgi-bin/message/update_template_card", body | whom)
        return read(CardUpdated, answer)
