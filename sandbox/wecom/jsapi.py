"""What the client does when a page inside it calls the JS-SDK, after its signatures were checked.

Results are the real ones where these are known: ``ok``, ``cancel``, ``fail no permission``…
https://developer.work.weixin.qq.com/document/path/94313
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sandbox.state import Account, Json
from sandbox.wecom import chats, media
from sandbox.wecom.call import sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Corp, Member
from sandbox.world import World

NO_PERMISSION = "fail no permission"
NO_CONTACT = "fail without context of external contact"
BAD_PICTURE = "fail invalid imgUrl"
BAD_PARAMETER = "fail invalid parameter"  # the real words for most of these are not known
CONTACT_ENTRIES = frozenset({"contact_profile", "single_chat_tools", "single_kf_tools"})
CHAT_ENTRIES = frozenset({"single_chat_tools", "group_chat_tools", "chat_attachment"})
MEDIA = {"image": "image", "video": "video", "file": "file"}


class Failed(Exception):
    """The words behind ``<api>:``."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page in the client: whose it is, where it stands, and what it may call."""

    member: Member
    entry: str = "normal"
    external_userid: str = ""
    chat_id: str = ""
    app: Account | None = None  # whose agentConfig was right
    agent_apis: frozenset[str] = field(default_factory=frozenset)
    corp_apis: frozenset[str] = field(default_factory=frozenset)


Api = Callable[[World, Corp, Page, Json], Json]


def invoke(world: World, corp: Corp, page: Page, name: str, params: Json) -> Json:
    """The result as the page sees it. ``effect`` in it is for the screen alone."""
    try:
        return {"errMsg": f"{name}:ok"} | _call(world, corp, page, name, params)
    except Failed as problem:
        return {"errMsg": f"{name}:{problem}"}


def _call(world: World, corp: Corp, page: Page, name: str, params: Json) -> Json:
    if name == "checkJsApi":
        wanted = params.get("jsApiList")
        names = [str(one) for one in wanted] if isinstance(wanted, list) else []
        return {"checkResult": {one: one in APP_APIS or one in PLAIN_APIS for one in names}}
    if api := APP_APIS.get(name):
        if page.app is None or name not in page.agent_apis:
            raise Failed(NO_PERMISSION)
        if not sees(page.app, page.member.userid):
            raise Failed(NO_PERMISSION)
        return api(world, corp, page, params)
    if name not in PLAIN_APIS:
        raise Failed("fail function not exist")
    if name not in FREE_APIS and name not in page.agent_apis | page.corp_apis:
        raise Failed(NO_PERMISSION)
    return {"effect": {"name": name, "params": params}}


# What the app's identity is needed for


def _get_context(_: World, __: Corp, page: Page, ___: Json) -> Json:
    return {"entry": page.entry, "shareTicket": ""}


def _get_contact(_: World, __: Corp, page: Page, ___: Json) -> Json:
    if page.entry not in CONTACT_ENTRIES or not page.external_userid:
        raise Failed(NO_CONTACT)
    return {"userId": page.external_userid}


def _get_chat(_: World, __: Corp, page: Page, ___: Json) -> Json:
    if page.entry != "group_chat_tools" or not page.chat_id:
        raise Failed(NO_CONTACT)
    return {"chatId": page.chat_id}


def _send(world: World, corp: Corp, page: Page, params: Json) -> Json:
    """Goes into the open chat at once; the member taps nothing more."""
    is_group = page.entry == "group_chat_tools"
    if page.entry not in CHAT_ENTRIES or not (page.chat_id if is_group else page.external_userid):
        raise Failed(NO_CONTACT)
    kind, content = content_of(world, corp, params)
    member = page.member.userid
    if is_group:
        said = chats.say(world, corp, "", page.chat_id, kind, content, via=chats.SIDEBAR)
        said.extra["userid"] = member
    else:
        chats.say(world, corp, member, page.external_userid, kind, content, via=chats.SIDEBAR)
    return {}


def _share(_: World, corp: Corp, __: Page, params: Json) -> Json:
    """Opens 群发助手: nothing goes out before the member says so."""
    wanted = params.get("externalUserIds") or []
    if isinstance(wanted, str):
        wanted = [one for one in wanted.split(";") if one]
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise Failed(BAD_PARAMETER)
    known = [one for one in wanted if one in corp.contacts]
    return {"effect": {"name": "shareToExternalContact", "params": params | {"to": known}}}


def _effect(name: str) -> Api:
    return lambda _, __, ___, params: {"effect": {"name": name, "params": params}}


APP_APIS: dict[str, Api] = {
    "getContext": _get_context,
    "getCurExternalContact": _get_contact,
    "getCurExternalChat": _get_chat,
    "sendChatMessage": _send,
    "shareToExternalContact": _share,
    **{
        name: _effect(name)
        for name in (
            "navigateToAddCustomer",
            "selectExternalContact",
            "shareToExternalChat",
            "shareToExternalMoments",
            "thirdPartyOpenPage",
        )
    },
}
# Either identity will do; what the screen then shows is its own affair.
PLAIN_APIS = frozenset(
    {
        "closeWindow",
        "getNetworkType",
        "hideOptionMenu",
        "launchMiniprogram",
        "openDefaultBrowser",
        "openEnterpriseChat",
        "openUserProfile",
        "previewFile",
        "previewImage",
        "selectEnterpriseContact",
        "setClipboardData",
        "showOptionMenu",
    }
)
FREE_APIS = frozenset({"closeWindow", "hideOptionMenu", "showOptionMenu"})


# What a page may send


def content_of(world: World, corp: Corp, message: Json) -> tuple[str, Json]:
    """Kind and content as the chats keep them, or the complaint."""
    kind = message.get("msgtype")
    given = message.get(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or not isinstance(given, dict):
        raise Failed(BAD_PARAMETER)
    if kind in MEDIA:
        return kind, {"media_id": _media(world, corp, kind, given)}
    if kind not in CONTENTS:
        raise Failed("fail unsupported msgtype")
    return CONTENTS[kind](given)


def _media(world: World, corp: Corp, kind: str, given: Json) -> str:
    """A file that was uploaded to WeCom; those of the official account are strangers here."""
    try:
        return media.require(corp, given.get("mediaid"), world.clock.now(), kind).media_id
    except Refusal:
        raise Failed("fail invalid mediaid") from None


def _text(given: Json) -> tuple[str, Json]:
    return "text", {"content": _needed(given, "content")}


def _news(given: Json) -> tuple[str, Json]:
    url = _needed(given, "link")
    if not is_web(url):
        raise Failed(BAD_PARAMETER)
    if given.get("imgUrl") and not is_web(str(given["imgUrl"])):
        raise Failed(BAD_PICTURE)
    return "link", {
        "title": str(given.get("title") or ""),
        "desc": str(given.get("desc") or ""),
        "url": url,
        "picurl": str(given.get("imgUrl") or ""),
    }


def _miniprogram(given: Json) -> tuple[str, Json]:
    page = _needed(given, "page")
    if not urlsplit(page).path.endswith(".html"):
        raise Failed(BAD_PARAMETER)
    if not is_web(str(given.get("imgUrl") or "")):
        raise Failed(BAD_PICTURE)
    return "miniprogram", {
        "title": _needed(given, "title"),
        "appid": _needed(given, "appid"),
        "page": page,
        "picurl": given["imgUrl"],
    }


CONTENTS: dict[str, Callable[[Json], tuple[str, Json]]] = {
    "text": _text,
    "news": _news,
    "miniprogram": _miniprogram,
}


def is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _needed(given: Json, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Failed(BAD_PARAMETER)
    return value
