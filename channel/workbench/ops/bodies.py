"""A callback's body as operators may see it: what it is about in clear, who it is about masked.

What is not known to be harmless is masked: the platforms add fields without asking us.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from channel.wechat.messages import read_fields

MOST_FIELDS = 200
LONGEST_SHOWN = 120
# The platforms go down half a dozen elements; what we are sent may go down three thousand.
DEEPEST = 20
TOO_DEEP = "（层级太深，没有展开）"
# Words of the protocol, numbers of messages and times: they tell what happened, not to whom.
CLEAR = frozenset(
    {
        *(
            "ToUserName",
            "MsgType",
            "Event",
            "ChangeType",
            "InfoType",
            "CreateTime",
            "TimeStamp",
            "MsgId",
        ),
        *("MsgID", "AgentID", "AgentId", "Status", "ErrCode", "ErrMsg", "ErrorCode", "ErrorStatus"),
        *("TaskId", "CardType", "JobType", "TagType", "UpdateDetail", "JoinScene", "QuitScene"),
        *("MemChangeCnt", "FailReason", "Source", "TemplateId", "SubscribeStatusString"),
        *("PopupScene", "MenuId", "Format", "SpStatus", "OpenSpStatus", "StatuChangeEvent"),
        *("IsRamUser", "Reason", "ScanType", "Count", "Scale"),
    }
)
# Ids that the platforms give, which operators compare: their ends are shown. Of all else, what
# people write above all, only the length.
IDS = frozenset(
    {
        *("FromUserName", "OpenID", "OpenId", "UnionID", "UnionId", "ChatId", "LinkId", "MediaId"),
        *("UserID", "UserId", "NewUserID", "ItemUserId", "ApplyUserId", "ExternalUserID"),
        *("AppID", "AppId", "JobId", "StrategyId", "TagId", "Id"),
    }
)
SHORTEST_ID = 16
# An ID or card number stays one where somebody has made it a member's userid.
_NUMBER = re.compile(r"[0-9Xx*-]+")


@dataclass(frozen=True, slots=True)
class BodyField:
    """``path`` goes down through the elements: ``ScanCodeInfo / ScanType``."""

    path: str
    shown: str
    is_masked: bool


def masked_fields(body: str) -> list[BodyField]:
    """Nothing for a body that cannot be read as a message."""
    found = read_fields(body)
    if found is None:
        return []
    return [one for _, one in zip(range(MOST_FIELDS), _fields(found, ()), strict=False)]


def _fields(value: Any, path: tuple[str, ...]) -> Iterator[BodyField]:
    if isinstance(value, dict | list) and len(path) >= DEEPEST:
        yield BodyField(" / ".join(path), TOO_DEEP, is_masked=True)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _fields(inner, (*path, str(name)))
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, path)
    else:
        text = "" if value is None else str(value)
        yield BodyField(" / ".join(path), *_shown(path[-1], text))


def _shown(name: str, text: str) -> tuple[str, bool]:
    """And whether it is masked."""
    if name in CLEAR or not text:
        return text[:LONGEST_SHOWN], False
    return masked_id(text) if name in IDS else _length(text), True


def masked_id(text: str) -> str:
    """``o6_b…k2Xw``; of what is too short for that, or no id, only the length."""
    is_id = text.isascii() and text.isprintable() and " " not in text
    if len(text) < SHORTEST_ID or not is_id or _NUMBER.fullmatch(text):
        return _length(text)
    return f"{text[:4]}…{text[-4:]}{_length(text)}"


def _length(text: str) -> str:
    return f"（{len(text)} 字符）" if text else ""
