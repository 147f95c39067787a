"""What each typed field of a template message may hold."""

import re

from sandbox.state import LongValues, MissingFields, Settings, Template
from sandbox.wechat.errors import Refusal
from sandbox.wechat.library import fields_of

LONGEST = 20
UNSHOWN = frozenset({"first", "remark"})  # accepted, but no longer shown since May 2023

_CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"
_DAY = (
    r"(\d{4}年\d{1,2}月(\d{1,2}日)?|\d{1,2}月\d{1,2}日"
    r"|(\d{4}[-/.])?\d{1,2}[-/.]\d{1,2}|\d{4}[-/.]\d{1,2})"
)
_MOMENT = rf"({_DAY}( ?{_CLOCK})?|{_CLOCK})"
_SPAN = rf"{_MOMENT}( ?~ ?{_MOMENT})?"

PATTERNS = {
    "character_string": re.compile(r"[\x20-\x7e]{1,32}"),
    "time": re.compile(_SPAN),
    "date": re.compile(_SPAN),
    "amount": re.compile(r"[¥￥$€£]?\d{1,10}(\.\d+)?元?"),
    "phone_number": re.compile(r"[\d+\-() #*]{1,17}"),
    "car_number": re.compile(r"[A-Za-z0-9\u4e00-\u9fff][A-Za-z0-9·]{0,6}[A-Za-z0-9\u4e00-\u9fff]"),
    "number": re.compile(r"-?\d{1,32}(\.\d+)?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(r"[^\w\s]{1,5}"),
    "phrase": re.compile(r"[\u4e00-\u9fff]{1,5}"),
    "name": re.compile(r"[\u4e00-\u9fff·]{1,10}|[A-Za-z .]{1,20}"),
}
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")


def shown_values(template: Template, data: object, settings: Settings) -> dict[str, str]:
    """The values as the card will show them. Refuses with 47003 what the real platform refuses."""
    if not isinstance(data, dict):
        raise Refusal(47001)
    return {key: _shown(key, data.get(key), template, settings) for key in fields_of(template)}


def _shown(key: str, entry: object, template: Template, settings: Settings) -> str:
    value = entry.get("value") if isinstance(entry, dict) else None
    value = EMOJI.sub("", str(value)) if value is not None else ""
    if key in UNSHOWN:
        return ""
    if not value:
        if settings.missing_fields is MissingFields.BLANK:
            return ""
        raise Refusal(47003, f"argument invalid! data.{key}.value is empty")
    kind = key.rstrip("0123456789")
    if not _fits(kind, value, template.enums.get(key), settings):
        raise Refusal(47003, f"argument invalid! data.{key}.value invalid")
    return value if kind in PATTERNS else value[:LONGEST]


def _fits(kind: str, value: str, allowed: list[str] | None, settings: Settings) -> bool:
    if kind in PATTERNS:
        return PATTERNS[kind].fullmatch(value) is not None
    if kind == "keyword":  # the untyped templates of old: cut, never refused
        return True
    if "\n" in value:
        return False
    if kind in {"const", "enum"} and allowed is not None and value not in allowed:
        return False
    return len(value) <= LONGEST or settings.long_values is LongValues.TRUNCATE
