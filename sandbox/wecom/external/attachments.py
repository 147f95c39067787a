"""The text and the attachments of a welcome, a group message or a moment.

https://developer.work.weixin.qq.com/document/path/92137
"""

from collections.abc import Callable

from sandbox.state import Json
from sandbox.wecom import media
from sandbox.wecom.call import Call
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields

MOST = 9
LONGEST_TEXT = 4000  # bytes
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_URL, LONGEST_PROGRAM = 128, 512, 2048, 64  # bytes


def content(call: Call, longest_text: int = LONGEST_TEXT) -> Json:
    """Both, checked. Neither is refused."""
    given = call.body
    words = message_text(given, longest_text)
    attached = given.get("attachments") or []
    if not isinstance(attached, list):
        raise fields.bad("attachments")
    if len(attached) > MOST:
        raise fields.bad(f"attachments has at most {MOST} entries")
    if not words and not attached:
        raise Refusal(40063, detail="text and attachments")
    answer: Json = {"attachments": [attachment(call, one) for one in attached]}
    return answer | ({"text": {"content": words}} if words else {})


def message_text(given: Json, longest: int) -> str:
    words = fields.text(fields.inside(given, "text"), "content")
    if len(words.encode()) > longest:
        raise Refusal(45002)
    return words


def attachment(call: Call, given: object) -> Json:
    if not isinstance(given, dict):
        raise Refusal(41065)
    kind = str(given.get("msgtype"))
    if kind not in KINDS:
        raise Refusal(41065)
    return {"msgtype": kind, kind: KINDS[kind](call, fields.inside(given, kind))}


def _image(call: Call, given: Json) -> Json:
    if not given.get("media_id") and given.get("pic_url"):
        return {"pic_url": fields.text(given, "pic_url")}
    return {"media_id": _media(call, given, "media_id", "image")}


def _link(call: Call, given: Json) -> Json:
    if not given.get("url"):
        raise Refusal(41010)
    answer = {
        "title": _at_most(given, "title", LONGEST_TITLE, 41016),
        "url": _at_most(given, "url", LONGEST_URL, 41010),
    }
    for name, longest in (("picurl", LONGEST_URL), ("desc", LONGEST_DESCRIPTION)):
        if given.get(name):
            answer[name] = _at_most(given, name, longest, fields.BAD_FIELD)
    if given.get("media_id"):  # a moment's link has its picture as a file
        answer["media_id"] = _media(call, given, "media_id", "image")
    return answer


def _miniprogram(call: Call, given: Json) -> Json:
    return {
        "title": _at_most(given, "title", LONGEST_PROGRAM, 41016),
        "pic_media_id": _media(call, given, "pic_media_id", "image"),
        "appid": fields.needed(given, "appid"),
        "page": fields.needed(given, "page"),
    }


def _file_of(kind: str) -> Callable[[Call, Json], Json]:
    return lambda call, given: {"media_id": _media(call, given, "media_id", kind)}


def _media(call: Call, given: Json, name: str, kind: str) -> str:
    if not given.get(name):
        raise Refusal(41006)
    return media.require(call.corp, given[name], call.now, kind).media_id


def _at_most(given: Json, name: str, longest: int, missing: int) -> str:
    value = fields.needed(given, name, missing)
    if len(value.encode()) > longest:
        raise fields.bad(f"{name} is longer than {longest} bytes")
    return value


KINDS: dict[str, Callable[[Call, Json], Json]] = {
    "image": _image,
    "link": _link,
    "miniprogram": _miniprogram,
    "video": _file_of("video"),
    "file": _file_of("file"),
}
