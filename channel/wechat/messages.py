"""What WeChat tells an official account, as small frozen values, and what may be answered at once.

https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html

wechatpy parses; it raises at least six kinds of errors on odd input, so nothing of it reaches the
caller: a body that cannot be understood is an ``UnknownEvent``, one that is no body is ``None``.
Knows nothing of our house: the sandbox uses this file too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import xmltodict
from wechatpy import events, messages
from wechatpy.parser import parse_message
from wechatpy.replies import ArticlesReply, BaseReply, TextReply, TransferCustomerServiceReply

BODY_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """``name`` is WeChat's own word: the ``Event`` of an event, else the ``MsgType``."""

    name: str
    openid: str
    to: str
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage(Received):
    msgid: int
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage(Received):
    """A picture, a voice, a place: what a person sends that is no text."""

    msgid: int
    fields: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerSubscribed(Received):
    """``scene`` is that of the QR code scanned, empty when the person came another way."""

    scene: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerLeft(Received):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeScanned(Received):
    """A follower scanned a QR code with a scene; others arrive as ``FollowerSubscribed``."""

    scene: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuClicked(Received):
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuViewed(Received):
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSendFinished(Received):
    """``reason`` is empty when ``ok``, else WeChat's: ``user block``, ``system failed``."""

    msgid: int
    ok: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Received):
    fields: Mapping[str, Any] = field(repr=False)


def read_message(body: str) -> Received | None:
    """The message in a callback's (decrypted) body. Never raises."""
    if is_refused(body):
        return None
    try:
        return _typed(parse_message(body))
    except Exception:  # wechatpy's errors are many and undocumented
        return _unknown(body)


def read_fields(body: str) -> Mapping[str, Any] | None:
    """The top-level fields of ``<xml>…</xml>``, or None. Never raises."""
    if is_refused(body):
        return None
    try:
        fields = xmltodict.parse(body)["xml"]
    except Exception:  # expat's, xmltodict's and encoding errors alike mean: no such body
        return None
    return fields if isinstance(fields, dict) else None


def is_refused(body: str) -> bool:
    """Whether a body is not even parsed: WeChat never sends a DTD, nor anything this long."""
    too_long = len(body) > BODY_LIMIT_BYTES or len(body.encode(errors="replace")) > BODY_LIMIT_BYTES
    return too_long or "<!DOCTYPE" in body or "<!ENTITY" in body


def _typed(parsed: messages.BaseMessage) -> Received:
    fields: dict[str, Any] = parsed._data
    is_event = _text(fields, "MsgType").lower() == "event"
    about: dict[str, Any] = {
        "name": _text(fields, "Event") if is_event else _text(fields, "MsgType"),
        "openid": _text(fields, "FromUserName"),
        "to": _text(fields, "ToUserName"),
        "sent_at": datetime.fromtimestamp(int(parsed.time), UTC),
    }
    match parsed:
        case messages.TextMessage():
            return TextMessage(msgid=parsed.id, content=_text(fields, "Content"), **about)
        case events.SubscribeScanEvent():
            # wechatpy has put its own name into the fields and cut the prefix off the key.
            about["name"] = events.SubscribeEvent.event
            return FollowerSubscribed(scene=_text(fields, "EventKey"), **about)
        case events.SubscribeEvent():
            return FollowerSubscribed(scene="", **about)
        case events.UnsubscribeEvent():
            return FollowerLeft(**about)
        case events.ScanEvent():
            return CodeScanned(scene=_text(fields, "EventKey"), **about)
        case events.ClickEvent():
            return MenuClicked(key=_text(fields, "EventKey"), **about)
        case events.ViewEvent():
            return MenuViewed(url=_text(fields, "EventKey"), **about)
        case events.TemplateSendJobFinishEvent():
            return _template_send_finished(fields, about)
    if is_event:
        return UnknownEvent(fields=fields, **about)
    return RawMessage(msgid=parsed.id, fields=fields, **about)


def _template_send_finished(
    fields: Mapping[str, Any], about: Mapping[str, Any]
) -> TemplateSendFinished:
    # "failed:user block" and "failed: user block" are both in use.
    result, _, reason = _text(fields, "Status").partition(":")
    ok = result.strip().lower() == "success"
    # The documentation writes MsgID here and MsgId everywhere else.
    msgid = int(fields.get("MsgID") or fields["MsgId"])
    return TemplateSendFinished(
        msgid=msgid, ok=ok, reason="" if ok else reason.strip() or result.strip(), **about
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):  # an element given twice, or with elements inside
        raise TypeError(name)
    return value


def _unknown(body: str) -> UnknownEvent | None:
    fields = read_fields(body)
    if fields is None:
        return None
    # InfoType: pushes to a third-party platform, which have no MsgType.
    names = [fields.get(key) for key in ("Event", "InfoType", "MsgType")]
    people = [fields.get(key) for key in ("FromUserName", "ToUserName")]
    return UnknownEvent(
        name=next((name for name in names if name and isinstance(name, str)), ""),
        openid=people[0] if isinstance(people[0], str) else "",
        to=people[1] if isinstance(people[1], str) else "",
        sent_at=_instant(fields.get("CreateTime")),
        fields=fields,
    )


def _instant(value: object) -> datetime:
    try:
        return datetime.fromtimestamp(int(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


# --- passive replies ------------------------------------------------------------------------
# https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Passive_user_reply_message.html


@dataclass(frozen=True, slots=True)
class Article:
    title: str
    description: str
    image: str
    url: str


def text_reply(to: Received, content: str, at: datetime) -> str:
    return _render(TextReply(content=_cdata(content)), to, at)


def news_reply(to: Received, articles: Sequence[Article], at: datetime) -> str:
    rendered = [
        {
            "title": _cdata(article.title),
            "description": _cdata(article.description),
            "image": _cdata(article.image),
            "url": _cdata(article.url),
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
    reply.source, reply.target = _cdata(to.to), _cdata(to.openid)
    return str(reply.render())


def _cdata(text: str) -> str:
    """Make text safe inside the CDATA sections that wechatpy writes without looking."""
    printable = "".join(char for char in text if char in "\t\n\r" or char >= " ")
    return printable.replace("]]>", "]]]]><![CDATA[>")
