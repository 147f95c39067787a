"""What a message of each plain type may hold. Too long is sometimes cut and sometimes refused."""

from collections.abc import Callable

from sandbox.state import Json
from sandbox.wecom import media
from sandbox.wecom.call import Call
from sandbox.wecom.errors import Refusal

LONGEST_TEXT = 2048
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_URL = 128, 512, 2048
LONGEST_BUTTON = 4
MOST_ARTICLES = 8
LARGEST_MP_NEWS = 666 << 10
MOST_ITEMS = 10
NOTICE_TITLE = range(4, 13)


def text(_: Call, given: Json) -> Json:
    return {"content": cut(_needed(given, "content", 44004), LONGEST_TEXT)}


def markdown(_: Call, given: Json) -> Json:
    content = _needed(given, "content", 44004)
    if len(content.encode()) > LONGEST_TEXT:
        raise Refusal(45002)
    return {"content": content}


def file_of(kind: str) -> Callable[[Call, Json], Json]:
    def check(call: Call, given: Json) -> Json:
        return {"media_id": _media(call, given, kind)}

    return check


def video(call: Call, given: Json) -> Json:
    return {
        "media_id": _media(call, given, "video"),
        "title": cut(str(given.get("title") or ""), LONGEST_TITLE),
        "description": cut(str(given.get("description") or ""), LONGEST_DESCRIPTION),
    }


def text_card(_: Call, given: Json) -> Json:
    return {
        "title": cut(_needed(given, "title", 41016), LONGEST_TITLE),
        "description": cut(_needed(given, "description", 41033), LONGEST_DESCRIPTION),
        "url": _url(given),
        "btntxt": str(given.get("btntxt") or "详情")[:LONGEST_BUTTON],
    }


def news(_: Call, given: Json) -> Json:
    return {"articles": [_article(one) for one in _articles(given)]}


def mp_news(call: Call, given: Json) -> Json:
    articles = [_mp_article(call, one) for one in _articles(given)]
    if sum(len(one["content"].encode()) for one in articles) > LARGEST_MP_NEWS:
        raise Refusal(45002)
    return {"articles": articles}


def miniprogram_notice(_: Call, given: Json) -> Json:
    items = given.get("content_item") or []
    if not isinstance(items, list) or len(items) > MOST_ITEMS:
        raise Refusal(40058, detail="content_item has at most 10 items")
    title = _needed(given, "title", 41016)
    if len(title) not in NOTICE_TITLE:
        raise Refusal(40058, detail="title has 4 to 12 characters")
    return given | {"appid": _needed(given, "appid", 40063)}


def cut(value: str, longest: int) -> str:
    """As many whole characters as fit into so many bytes."""
    return value.encode()[:longest].decode(errors="ignore")


def _article(given: object) -> Json:
    if not isinstance(given, dict):
        raise Refusal(45008)
    if not given.get("appid"):
        _url(given)
    return given | {
        "title": cut(_needed(given, "title", 41016), LONGEST_TITLE),
        "description": cut(str(given.get("description") or ""), LONGEST_DESCRIPTION),
    }


def _mp_article(call: Call, given: object) -> Json:
    if not isinstance(given, dict):
        raise Refusal(45008)
    media.require(call.corp, given.get("thumb_media_id"), call.now, "image")
    return given | {
        "title": cut(_needed(given, "title", 41016), LONGEST_TITLE),
        "content": _needed(given, "content", 44004),
    }


def _articles(given: Json) -> list[object]:
    articles = given.get("articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= MOST_ARTICLES:
        raise Refusal(45008)
    return articles


def _media(call: Call, given: Json, kind: str) -> str:
    if not given.get("media_id"):
        raise Refusal(41006)
    return media.require(call.corp, given["media_id"], call.now, kind).media_id


def _url(given: Json) -> str:
    url = _needed(given, "url", 41010)
    if len(url.encode()) > LONGEST_URL:
        raise Refusal(40058, detail="url is longer than 2048 bytes")
    return url


def _needed(given: Json, name: str, errcode: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Refusal(errcode, detail=name if errcode == 40063 else "")
    return value
