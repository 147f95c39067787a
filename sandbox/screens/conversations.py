"""How the screens name messages, and how the desktop shows them and customers."""

from sandbox.clock import as_text
from sandbox.state import Json
from sandbox.wecom.corps import follow_of
from sandbox.wecom.state import Corp, ExternalContact, Member

NAMES = {
    "image": "图片",
    "voice": "语音",
    "video": "视频",
    "shortvideo": "小视频",
    "music": "音乐",
    "file": "文件",
    "location": "位置",
    "link": "链接",
    "news": "图文",
    "mpnews": "图文",
    "textcard": "卡片",
    "template_card": "卡片",
    "miniprogram": "小程序",
    "miniprogram_notice": "小程序通知",
    "miniprogrampage": "小程序",
    "mpnewsarticle": "图文",
    "wxcard": "卡券",
}
ADD_WAYS = {1: "扫描二维码", 2: "搜索手机号", 16: "获客链接", 202: "管理员分配"}
MEDIA_NAMES = ("media_id", "pic_media_id", "thumb_media_id")
PICTURE_NAMES = ("picurl", "pic_url", "PicUrl", "image_url")


def summary_of(kind: str, content: Json) -> str:
    """One line for the list of chats."""
    if kind in {"text", "markdown", "notice"}:
        return str(content.get("content") or content.get("Content") or "")
    title = _title(kind, content)
    label = f"[{NAMES.get(kind, kind)}]"
    return f"{label} {title}" if title else label


def _title(kind: str, content: Json) -> str:
    if kind == "template_card":
        content = content.get("main_title") or {}
    elif articles := content.get("articles"):
        content = articles[0] if isinstance(articles, list) and articles else {}
    return str(content.get("title") or content.get("Title") or "")


def message_json(corpid: str, kind: str, content: Json) -> Json:
    """What a screen needs of a message; ``content`` stays whole for cards and their like."""
    text = content.get("content") or content.get("Content") or ""
    return {
        "kind": kind,
        "name": NAMES.get(kind, kind),
        "text": text if isinstance(text, str) else "",
        "title": _title(kind, content),
        "picture": _picture(corpid, content),
        "content": content,
    }


def _picture(corpid: str, content: Json) -> str:
    for name in PICTURE_NAMES:
        if str(content.get(name) or "").startswith(("http://", "https://")):
            return str(content[name])
    for name in MEDIA_NAMES:
        if content.get(name):
            return f"/desktop/{corpid}/media/{content[name]}"
    return ""


def customer_json(corp: Corp, member: Member, contact: ExternalContact) -> Json:
    """The customer as this member knows them; ``relation`` is null when they parted."""
    relation = follow_of(corp, member.userid, contact.external_userid)
    answer: Json = {
        "external_userid": contact.external_userid,
        "name": contact.name,
        "type": contact.type,
        "corp_name": contact.corp_name,
        "relation": None,
    }
    if relation is None:
        return answer
    tags = {tag.id: tag.name for group in corp.tag_groups.values() for tag in group.tags.values()}
    answer["relation"] = {
        "remark": relation.remark,
        "description": relation.description,
        "state": relation.state,
        "since": as_text(relation.created_at),
        "add_way": ADD_WAYS.get(relation.add_way, str(relation.add_way)),
        "tags": [tags[one] for one in relation.tag_ids if one in tags],
        "mobiles": relation.remark_mobiles,
        "half": relation.is_half,
        "lost": bool(relation.lost_at),
    }
    return answer
