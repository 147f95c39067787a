"""What a field of a template message may hold, by its type: the key without its number.

https://developers.weixin.qq.com/miniprogram/dev/api-backend/open-api/subscribe-message/subscribeMessage.send.html
The same types are used by the templates of official accounts. Pure rules: a value that is too long
is shortened where a short one still says the same, and what cannot be made to fit is refused here,
before WeChat refuses it (47003) person by person.
"""

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from channel.rules import RuleBroken


class FieldRefused(RuleBroken):
    """``field`` is the template's key; the value is not told, it may name somebody."""

    code, message = "template_field", "消息字段 {field} 的内容不符合微信的规则：{reason}"

    @property
    def field(self) -> str:
        return str(self.fields["field"])


@dataclass(frozen=True, slots=True)
class Rule:
    """``ending`` marks what was shortened; without one nothing of this type is shortened.

    ``is_plain``: full-width digits, letters and signs, as people type them, become plain ones.
    """

    words: str
    longest: int
    ending: str | None = None
    is_plain: bool = False
    is_met: Callable[[str], bool] = bool


def fit(key: str, value: str, choices: Collection[str] = ()) -> str:
    """The value as it can be sent in this field, else FieldRefused. ``choices``: the values that
    the template declares, if any."""
    rule, plain = rule_of(key), value
    if rule.is_plain:
        plain = unicodedata.normalize("NFKC", plain)
    plain = _clean(plain)
    if not plain:
        raise FieldRefused(field=key, reason="不能为空")
    if rule is _NAME:
        plain = _shorten_name(plain)
    elif rule.ending is not None:
        plain = shorten(plain, rule.longest, rule.ending)
    if not fits(key, plain, choices):
        raise FieldRefused(field=key, reason=rule.words)
    return plain


def fits(key: str, value: str, choices: Collection[str] = ()) -> bool:
    """Whether WeChat takes the value as it is."""
    rule = rule_of(key)
    return (
        bool(value)
        and _clean(value) == value
        and length(value) <= rule.longest
        and rule.is_met(value)
        and (not choices or value in choices)
    )


def type_of(key: str) -> str:
    return key.rstrip("0123456789")


def rule_of(key: str) -> Rule:
    """A type that the documents do not describe is held to the strictest rule for texts."""
    return RULES.get(type_of(key), _TEXT)


def length(text: str) -> int:
    """As WeChat counts: a character beyond the first plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, longest: int, ending: str) -> str:
    """At most ``longest``, never cut inside a character and the marks on it."""
    if length(text) <= longest:
        return text
    room, kept = longest - length(ending), ""
    for whole in _whole_characters(text):
        if length(kept + whole) > room:
            break
        kept += whole
    return kept.rstrip() + ending


def _shorten_name(name: str) -> str:
    """No sign for what is left out belongs in a name."""
    longest = 10 if _HAN_IN.search(name) else 20
    return shorten(name, longest, "").rstrip("· .")


def _whole_characters(text: str) -> list[str]:
    starts = [
        place
        for place, character in enumerate(text)
        if place == 0 or not unicodedata.category(character).startswith("M")
    ]
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


# --- what no field holds --------------------------------------------------------------------

# Emoji and the pieces of which they are made; WeChat leaves them out, or refuses the message.
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f"
    "\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c"
    "\u2b50\u2b55\u3030\u303d\u3297\u3299\u200d\u20e3\ufe00-\ufe0f]"
)
# Control characters, invisible ones, and halves of characters, which no answer can carry.
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})


def _clean(value: str) -> str:
    seen = (
        character
        for character in _EMOJI.sub("", value)
        if character.isspace() or unicodedata.category(character) not in _UNSEEN
    )
    return " ".join("".join(seen).split())


# --- times and days -------------------------------------------------------------------------

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_DAYS = (
    re.compile(r"(?P<year>[0-9]{4})年(?P<month>[0-9]{1,2})月((?P<day>[0-9]{1,2})日)?"),
    re.compile(r"(?P<month>[0-9]{1,2})月(?P<day>[0-9]{1,2})日"),
    re.compile(r"(?P<year>[0-9]{4})([-/.])(?P<month>[0-9]{1,2})(\2(?P<day>[0-9]{1,2}))?"),
    re.compile(r"(?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})"),
)
_LEAP_YEAR = 2024


def _is_time(value: str) -> bool:
    """``15:01``, ``2019年10月1日 15:01``, a day or a month alone, or two of them with ~ between."""
    parts = re.split(r" ?~ ?", value)
    return len(parts) <= 2 and all(_is_moment(part) for part in parts)


def _is_moment(text: str) -> bool:
    day, blank, clock = text.partition(" ")
    if not blank and _CLOCK.fullmatch(text):
        return True
    return _is_day(day) and (not blank or _CLOCK.fullmatch(clock) is not None)


def _is_day(text: str) -> bool:
    for shape in _DAYS:
        if found := shape.fullmatch(text):
            parts = {name: int(number) for name, number in found.groupdict().items() if number}
            try:
                date(**{"year": _LEAP_YEAR, "day": 1, **parts})
            except ValueError:
                return False
            return True
    return False


# --- the rules ------------------------------------------------------------------------------

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_HAN_IN = re.compile(f"[{_HAN}]")


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _is_number(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return digits <= 32 and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


def _are_symbols(value: str) -> bool:
    return all(unicodedata.category(character)[0] in "PS" for character in value)


_TEXT = Rule("最多 20 个字", 20, ending="…")
_NAME = Rule(
    "只能是 10 个以内的汉字，或 20 个以内的字母",
    20,
    # Signs alone are nobody's name.
    is_met=_like(f"(?=·*[{_HAN}])[{_HAN}·]{{1,10}}|(?=[ .]*[A-Za-z])[A-Za-z .]{{1,20}}"),
)
_CHOICE = Rule("只能是模板里列出的内容，最多 20 个字", 20)

RULES = {
    "thing": _TEXT,
    "character_string": Rule(
        "只能有字母、数字和符号，不能有汉字，最多 32 个",
        32,
        ending="...",
        is_plain=True,
        is_met=_like(r"[\x20-\x7e]+"),
    ),
    "time": Rule(
        "应为 24 小时制的时间，如 15:01 或 2019年10月1日 15:01，时间段用 ~ 连接",
        80,
        is_plain=True,
        is_met=_is_time,
    ),
    "date": Rule(
        "应为日期，如 2019年10月1日，可以带时间，时间段用 ~ 连接",
        80,
        is_plain=True,
        is_met=_is_time,
    ),
    "amount": Rule(
        "应为 1 个币种符号加 10 位以内的数字，可以有小数",
        16,
        is_plain=True,
        is_met=_like(r"[¥$€£]?[0-9]{1,10}(\.[0-9]{1,2})?元?"),
    ),
    "phone_number": Rule(
        "应为 17 位以内的电话号码，只能有数字和符号",
        17,
        is_plain=True,
        is_met=_like(r"(?=.*[0-9])[0-9+\-() #*]+"),
    ),
    "car_number": Rule(
        "应为 8 位以内的车牌号，只有第一位和最后一位可以是汉字",
        8,
        is_plain=True,
        is_met=_like(f"[A-Za-z0-9{_HAN}][A-Za-z0-9·]{{0,6}}[A-Za-z0-9{_HAN}]"),
    ),
    "const": _CHOICE,
    "enum": _CHOICE,
    "number": Rule("应为 32 位以内的数字，可以有小数", 34, is_plain=True, is_met=_is_number),
    "letter": Rule("只能有字母，最多 32 个", 32, is_plain=True, is_met=_like("[A-Za-z]+")),
    "symbol": Rule("只能有符号，最多 5 个", 5, ending="…", is_met=_are_symbols),
    "name": _NAME,
    "phrase": Rule("只能有汉字，最多 5 个", 10, is_met=_like(f"[{_HAN}]{{1,5}}")),
}
