"""What WeChat tells an official account or a mini-program, as small frozen values, and what may be
answered at once.

https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html
https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_event_pushes.html

A body that cannot be understood is an ``UnknownEvent``, one that is no body is ``None``; nothing
raises. What people write, and where they are, does not appear when a value is printed.
Knows nothing of our house: the sandbox uses this file too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wechatpy.replies import (
    ArticlesReply,
    BaseReply,
    ImageReply,
    TextReply,
    TransferCustomerServiceReply,
)

from channel.wechat.fields import (
    BODY_LIMIT_BYTES,
    FieldOdd,
    Fields,
    Received,
    build,
    decimal,
    found_number,
    is_refused,
    listed,
    many,
    maybe,
    maybe_in,
    number,
    plain,
    present,
    read_fields,
    reading,
    text,
    text_in,
    told_name,
    unknown_about,
    whole,
)

__all__ = ["BODY_LIMIT_BYTES", "Received", "is_refused", "read_fields"]  # for who reads messages


@dataclass(frozen=True, slots=True, kw_only=True)
class WeChatReceived(Received):
    openid: str = field(metadata=text("FromUserName"))

    @property
    def person(self) -> str:
        return self.openid


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(WeChatReceived):
    fields: Mapping[str, Any] = field(repr=False)


# --- messages -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(WeChatReceived):
    """What a person sends. WeChat's repeats of one message have the same ``msgid``."""

    msgid: int = field(metadata=number("MsgId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage(Message):
    content: str = field(repr=False, metadata=present("Content"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMessage(Message):
    media_id: str = field(metadata=text("MediaId"))
    url: str = field(repr=False, metadata=maybe("PicUrl"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMessage(Message):
    """``recognition`` is empty unless the account has speech recognition switched on."""

    media_id: str = field(metadata=text("MediaId"))
    format: str = field(metadata=maybe("Format"))
    recognition: str = field(repr=False, metadata=maybe("Recognition"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMessage(Message):
    """``name`` is ``video`` or ``shortvideo``."""

    media_id: str = field(metadata=text("MediaId"))
    thumb_media_id: str = field(metadata=maybe("ThumbMediaId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationMessage(Message):
    latitude: float = field(repr=False, metadata=decimal("Location_X"))
    longitude: float = field(repr=False, metadata=decimal("Location_Y"))
    scale: int | None = field(metadata=found_number("Scale"))
    label: str = field(repr=False, metadata=maybe("Label"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMessage(Message):
    title: str = field(repr=False, metadata=maybe("Title"))
    description: str = field(repr=False, metadata=maybe("Description"))
    url: str = field(repr=False, metadata=text("Url"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniprogramPageMessage(Message):
    """A card sent to a mini-program's customer service."""

    title: str = field(repr=False, metadata=maybe("Title"))
    appid: str = field(metadata=text("AppId"))
    page_path: str = field(metadata=maybe("PagePath"))
    thumb_url: str = field(repr=False, metadata=maybe("ThumbUrl"))
    thumb_media_id: str = field(metadata=maybe("ThumbMediaId"))


# --- followers ------------------------------------------------------------------------------

_SCENE = "qrscene_"


def _scene(told: Fields) -> str:
    # Without the prefix it is another kind of key, such as the payment that led here.
    key = maybe_in(told, "EventKey")
    return key.removeprefix(_SCENE) if key.startswith(_SCENE) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerSubscribed(WeChatReceived):
    """``scene`` is that of the QR code scanned, empty when the person came another way."""

    scene: str = field(metadata=reading(_scene))
    ticket: str = field(metadata=maybe("Ticket"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerLeft(WeChatReceived):
    """WeChat's rules ask that the person's data be deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeScanned(WeChatReceived):
    """A follower scanned a QR code with a scene; others arrive as ``FollowerSubscribed``."""

    scene: str = field(metadata=text("EventKey"))
    ticket: str = field(metadata=maybe("Ticket"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationReported(WeChatReceived):
    """Sent when a follower who agreed to it opens the account."""

    latitude: float = field(repr=False, metadata=decimal("Latitude"))
    longitude: float = field(repr=False, metadata=decimal("Longitude"))
    precision: float = field(repr=False, metadata=decimal("Precision"))


# --- the menu -------------------------------------------------------------------------------
# https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Custom_Menu_Push_Events.html


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuClicked(WeChatReceived):
    key: str = field(metadata=text("EventKey"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuViewed(WeChatReceived):
    url: str = field(metadata=text("EventKey"))
    menu_id: str = field(metadata=maybe("MenuId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuMiniprogramOpened(WeChatReceived):
    page_path: str = field(metadata=text("EventKey"))
    menu_id: str = field(metadata=maybe("MenuId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuCodeScanned(WeChatReceived):
    """``name`` is ``scancode_push``, or ``scancode_waitmsg`` when an answer is awaited."""

    key: str = field(metadata=text("EventKey"))
    scan_type: str = field(metadata=text("ScanCodeInfo", "ScanType"))
    scan_result: str = field(repr=False, metadata=present("ScanCodeInfo", "ScanResult"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPicture:
    md5: str = field(metadata=text("PicMd5Sum"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuPicturesSent(WeChatReceived):
    """``name`` is ``pic_sysphoto``, ``pic_photo_or_album`` or ``pic_weixin``. The pictures follow
    as messages of their own."""

    key: str = field(metadata=text("EventKey"))
    count: int = field(metadata=number("SendPicsInfo", "Count"))
    pictures: tuple[SentPicture, ...] = field(
        metadata=many("SendPicsInfo", "PicList", "item", of=SentPicture)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuLocationSent(WeChatReceived):
    """The place follows as a message of its own."""

    key: str = field(metadata=text("EventKey"))
    latitude: float = field(repr=False, metadata=decimal("SendLocationInfo", "Location_X"))
    longitude: float = field(repr=False, metadata=decimal("SendLocationInfo", "Location_Y"))
    scale: int | None = field(metadata=found_number("SendLocationInfo", "Scale"))
    label: str = field(repr=False, metadata=maybe("SendLocationInfo", "Label"))
    poi_name: str = field(repr=False, metadata=maybe("SendLocationInfo", "Poiname"))


# --- what became of what we sent ----------------------------------------------------------------


def _is_template_sent(told: Fields) -> bool:
    return text_in(told, "Status").lower() == "success"


def _template_reason(told: Fields) -> str:
    # "failed:user block" and "failed: user block" are both in use.
    result, _, reason = text_in(told, "Status").partition(":")
    return "" if _is_template_sent(told) else reason.strip() or result.strip()


def _report_msgid(told: Fields) -> int:
    # The documentation writes MsgID here and MsgId everywhere else.
    return whole(plain(told, "MsgID") or plain(told, "MsgId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSendFinished(WeChatReceived):
    """``reason`` is empty when ``ok``, else WeChat's: ``user block``, ``system failed``."""

    msgid: int = field(metadata=reading(_report_msgid))
    ok: bool = field(metadata=reading(_is_template_sent))
    reason: str = field(metadata=reading(_template_reason))


def _is_mass_sent(told: Fields) -> bool:
    # "sendsuccess" and "send success" are both in use.
    return text_in(told, "Status").replace(" ", "").lower() == "sendsuccess"


def _mass_reason(told: Fields) -> str:
    return "" if _is_mass_sent(told) else text_in(told, "Status")


@dataclass(frozen=True, slots=True, kw_only=True)
class MassSendFinished(WeChatReceived):
    """``reason`` is empty when ``ok``, else WeChat's: ``send fail``, ``err(10001)``."""

    msgid: int = field(metadata=reading(_report_msgid))
    ok: bool = field(metadata=reading(_is_mass_sent))
    reason: str = field(metadata=reading(_mass_reason))
    total_count: int = field(metadata=number("TotalCount"))
    filter_count: int = field(metadata=number("FilterCount"))
    sent_count: int = field(metadata=number("SentCount"))
    error_count: int = field(metadata=number("ErrorCount"))


# --- subscription notices -----------------------------------------------------------------------
# https://developers.weixin.qq.com/doc/offiaccount/Subscription_Messages/api.html


def _is_accepted(told: Fields) -> bool:
    choice = text_in(told, "SubscribeStatusString").lower()
    if choice not in {"accept", "reject"}:
        raise FieldOdd("SubscribeStatusString")
    return choice == "accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeChoice:
    template_id: str = field(metadata=text("TemplateId"))
    is_accepted: bool = field(metadata=reading(_is_accepted))
    popup_scene: str = field(metadata=maybe("PopupScene"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticesChosen(WeChatReceived):
    """A person answered the question whether we may send notices of these templates."""

    choices: tuple[NoticeChoice, ...] = field(
        metadata=many("SubscribeMsgPopupEvent", "List", of=NoticeChoice, least=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticesChanged(WeChatReceived):
    """A person changed their mind in the settings; only refusals are told."""

    choices: tuple[NoticeChoice, ...] = field(
        metadata=many("SubscribeMsgChangeEvent", "List", of=NoticeChoice, least=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNotice:
    template_id: str = field(metadata=text("TemplateId"))
    msgid: int = field(metadata=number("MsgID"))
    errcode: int = field(metadata=number("ErrorCode"))
    status: str = field(metadata=maybe("ErrorStatus"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticesSent(WeChatReceived):
    notices: tuple[SentNotice, ...] = field(
        metadata=many("SubscribeMsgSentEvent", "List", of=SentNotice, least=1)
    )


# --- mini-programs, and what a person allows us to know ------------------------------------------
# https://developers.weixin.qq.com/miniprogram/dev/framework/security.userinfo.html


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntered(WeChatReceived):
    """A person opened a mini-program's customer service."""

    session_from: str = field(repr=False, metadata=maybe("SessionFrom"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationEvent(WeChatReceived):
    """``openid`` is the person's in ``appid``, which need not be the account that is told."""

    openid: str = field(metadata=text("OpenID"))
    appid: str = field(metadata=text("AppID"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonInfoModified(AuthorizationEvent):
    """WeChat cleared a person's nickname or picture; so should we."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRevoked(AuthorizationEvent):
    """``revoked`` are WeChat's codes of what may no longer be kept."""

    revoked: tuple[str, ...] = field(metadata=listed("RevokeInfo"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCancelled(AuthorizationEvent):
    """The person closed their WeChat account."""


# --- which is which ---------------------------------------------------------------------------

_MESSAGES: Mapping[str, type[WeChatReceived]] = {
    "text": TextMessage,
    "image": ImageMessage,
    "voice": VoiceMessage,
    "video": VideoMessage,
    "shortvideo": VideoMessage,
    "location": LocationMessage,
    "link": LinkMessage,
    "miniprogrampage": MiniprogramPageMessage,
}
_EVENTS: Mapping[str, type[WeChatReceived]] = {
    "subscribe": FollowerSubscribed,
    "unsubscribe": FollowerLeft,
    "scan": CodeScanned,
    "location": LocationReported,
    "click": MenuClicked,
    "view": MenuViewed,
    "view_miniprogram": MenuMiniprogramOpened,
    "scancode_push": MenuCodeScanned,
    "scancode_waitmsg": MenuCodeScanned,
    "pic_sysphoto": MenuPicturesSent,
    "pic_photo_or_album": MenuPicturesSent,
    "pic_weixin": MenuPicturesSent,
    "location_select": MenuLocationSent,
    "templatesendjobfinish": TemplateSendFinished,
    "masssendjobfinish": MassSendFinished,
    "subscribe_msg_popup_event": NoticesChosen,
    "subscribe_msg_change_event": NoticesChanged,
    "subscribe_msg_sent_event": NoticesSent,
    "user_enter_tempsession": ServiceEntered,
    "user_info_modified": PersonInfoModified,
    "user_authorization_revoke": AuthorizationRevoked,
    "user_authorization_cancellation": PersonCancelled,
}


def read_message(body: str) -> WeChatReceived | None:
    """The message in a callback's (decrypted) body. Never raises."""
    told = read_fields(body)
    if told is None:
        return None
    try:
        is_event = plain(told, "MsgType").lower() == "event"
        kind = (_EVENTS if is_event else _MESSAGES).get(told_name(told).lower())
        if kind is not None:
            return build(kind, told)
    except FieldOdd:
        pass
    return UnknownEvent(openid=plain(told, "FromUserName"), **unknown_about(told))


# --- passive replies ------------------------------------------------------------------------
# https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Passive_user_reply_message.html
# The same for WeCom: https://developer.work.weixin.qq.com/document/path/90241

# What XML 1.0 has no room for: control characters and halves of surrogate pairs.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Article:
    title: str
    description: str
    image: str
    url: str


def text_reply(to: Received, content: str, at: datetime) -> str:
    return _render(TextReply(content=cdata(content)), to, at)


def image_reply(to: Received, media_id: str, at: datetime) -> str:
    return _render(ImageReply(media_id=cdata(media_id)), to, at)


def news_reply(to: Received, articles: Sequence[Article], at: datetime) -> str:
    rendered = [
        {
            "title": cdata(article.title),
            "description": cdata(article.description),
            "image": cdata(article.image),
            "url": cdata(article.url),
        }
        for article in articles
    ]
    return _render(ArticlesReply(articles=rendered), to, at)


def transfer_reply(to: Received, at: datetime) -> str:
    """Hand the person over to the account's customer service."""
    return _render(TransferCustomerServiceReply(), to, at)


def _render(reply: BaseReply, to: Received, at: datetime) -> str:
    # Set here because wechatpy's default is the second in which it was imported.
    reply.time = int(at.timestamp())
    reply.source, reply.target = cdata(to.to), cdata(to.person)
    return str(reply.render())


def cdata(written: str) -> str:
    """Make text safe inside the CDATA sections that wechatpy writes without looking."""
    return _NO_XML.sub("", written).replace("]]>", "]]]]><![CDATA[>")
