"""What a welcome, a message to customers or a moment may carry beside its text.

https://developer.work.weixin.qq.com/document/path/92137
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from channel.rules import RuleBroken, at_most, bytes_at_most, need

MOST_ATTACHMENTS = 9
LONGEST_TEXT = 4000  # bytes
LONGEST_LINK_TITLE, LONGEST_LINK_DESCRIPTION, LONGEST_URL = 128, 512, 2048  # bytes
LONGEST_MINIPROGRAM_TITLE = 64  # bytes


class Attachment(Protocol):
    """``body`` is one entry of ``attachments``."""

    def body(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class AttachedImage:
    """An uploaded file, or the address that WeCom gave a picture for good."""

    media_id: str = ""
    pic_url: str = ""

    def body(self) -> dict[str, Any]:
        if not (self.media_id or self.pic_url):
            raise RuleBroken(field="图片", reason="不能为空")
        image = {"media_id": self.media_id} if self.media_id else {"pic_url": self.pic_url}
        return {"msgtype": "image", "image": image}


@dataclass(frozen=True, slots=True)
class AttachedLink:
    title: str
    url: str
    picurl: str = ""
    description: str = ""

    def body(self) -> dict[str, Any]:
        link = {
            "title": bytes_at_most("链接标题", need("链接标题", self.title), LONGEST_LINK_TITLE),
            "url": bytes_at_most("链接", need("链接", self.url), LONGEST_URL),
        }
        if self.picurl:
            link["picurl"] = bytes_at_most("链接图片", self.picurl, LONGEST_URL)
        if self.description:
            link["desc"] = bytes_at_most("链接描述", self.description, LONGEST_LINK_DESCRIPTION)
        return {"msgtype": "link", "link": link}


@dataclass(frozen=True, slots=True)
class AttachedMiniprogram:
    title: str
    pic_media_id: str
    appid: str
    page: str

    def body(self) -> dict[str, Any]:
        title = bytes_at_most(
            "小程序标题", need("小程序标题", self.title), LONGEST_MINIPROGRAM_TITLE
        )
        miniprogram = {
            "title": title,
            "pic_media_id": self.pic_media_id,
            "appid": self.appid,
            "page": self.page,
        }
        return {"msgtype": "miniprogram", "miniprogram": miniprogram}


@dataclass(frozen=True, slots=True)
class AttachedVideo:
    media_id: str

    def body(self) -> dict[str, Any]:
        return {"msgtype": "video", "video": {"media_id": need("视频", self.media_id)}}


@dataclass(frozen=True, slots=True)
class AttachedFile:
    media_id: str

    def body(self) -> dict[str, Any]:
        return {"msgtype": "file", "file": {"media_id": need("文件", self.media_id)}}


def content_body(
    text: str, attachments: Sequence[Attachment], longest_text: int = LONGEST_TEXT
) -> dict[str, Any]:
    """Text, attachments, or both: never neither."""
    if not (text.strip() or attachments):
        raise RuleBroken(field="正文", reason="不能为空")
    body: dict[str, Any] = {}
    if text.strip():
        body["text"] = {"content": bytes_at_most("正文", text, longest_text)}
    if attachments:
        attached = at_most("附件", attachments, MOST_ATTACHMENTS)
        body["attachments"] = [attachment.body() for attachment in attached]
    return body
