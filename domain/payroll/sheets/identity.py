"""Names, phones, ID numbers and cards as people type them and as Excel damages them."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache


class State(StrEnum):
    ABSENT = "absent"
    GOOD = "good"
    INVALID = "invalid"
    LOST = "lost"  # Excel kept 15 digits and the rest is gone


@dataclass(frozen=True, slots=True)
class Reading:
    """One identifier of one row. ``value`` is comparable with the roster's own reading."""

    state: State
    value: str = ""
    text: str = ""


ABSENT = Reading(State.ABSENT)

_DOTS = "·•・‧∙⋅˙᛫﹒．.●゠"
_IN_NAME = re.compile(rf"[\s\u200b-\u200f\u2060\ufeff{re.escape(_DOTS)}]+")
_STRETCHED = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_QUOTED = re.compile(r'^=\s*"(.*)"$')
_FLOAT = re.compile(r"^(\d+)\.0+$")
_SCIENTIFIC = re.compile(r"^\d(\.\d+)?E\+?\d{1,2}$")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_ID_18 = re.compile(r"\d{17}[\dX]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_KEPT_DIGITS = 15
_BLANKS = frozenset({"", "-", "--", "—", "——", "/", "无", "暂无", "未提供", "0"})


def plain(text: str) -> str:
    """Half-width, without blanks around, the ``="…"`` wrapper and Excel's leading apostrophe."""
    if text.isascii() and text.isalnum():
        return text
    text = unicodedata.normalize("NFKC", text).strip().strip("\u200b\ufeff")
    wrapped = _QUOTED.match(text)
    if wrapped:
        text = wrapped[1].strip()
    return text.lstrip("'`’‘").strip()


@lru_cache(maxsize=65536)
def name_key(text: str) -> str:
    """Equal for spellings of one name: spaces, middle dots and widths do not count."""
    return _IN_NAME.sub("", plain(text)).casefold()


def name_in_words(text: str) -> str:
    """As a sentence writes it: sheets stretch 刘 洋 to the width of three characters."""
    return _STRETCHED.sub("", plain(text))


def dept_key(text: str) -> str:
    return re.sub(r"\s+", "", plain(text)).casefold()


def _unscientific(text: str) -> tuple[str, str | None]:
    """Digits of ``1.99E+10``; and when some were lost, the leading ones that are still known."""
    upper = text.upper()
    if not _SCIENTIFIC.fullmatch(upper):
        return text, None
    digits = str(int(Decimal(upper)))
    written = upper.split("E")[0].replace(".", "")
    if len(written) >= len(digits):
        return digits, None
    return digits, written[:-1]  # the last one may have been rounded


def read_phone(text: str) -> Reading:
    """``+86 138-0013-8000``, ``13800138000.0`` and the like. ``1.38E+10`` has lost its digits."""
    cleaned = plain(text)
    if cleaned in _BLANKS:
        return ABSENT
    if _MOBILE.fullmatch(cleaned):
        return Reading(State.GOOD, cleaned, cleaned)
    number = _FLOAT.sub(r"\1", cleaned)
    number, lost = _unscientific(number)
    number = re.sub(r"[\s\-‐-―().·_]", "", number)
    number = re.sub(r"^(\+86|0086|86)(?=1\d{10}$)", "", number)
    if lost is not None or not _MOBILE.fullmatch(number):
        return Reading(State.INVALID, number, cleaned)
    return Reading(State.GOOD, number, cleaned)


def id_checksum(first_17: str) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True))
    return _CHECKS[total % 11]


def is_valid_id(number: str) -> bool:
    """18 characters, a day that exists, and the right check digit."""
    if not _ID_18.fullmatch(number) or id_checksum(number[:17]) != number[17]:
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return True


def read_id(text: str) -> Reading:
    cleaned = plain(text).upper()
    if cleaned in _BLANKS:
        return ABSENT
    number, lost = _unscientific(_FLOAT.sub(r"\1", cleaned))
    number = re.sub(r"[\s\-]", "", number)
    if re.fullmatch(r"\d{15}", number):
        first_17 = f"{number[:6]}19{number[6:]}"
        number = first_17 + id_checksum(first_17)
    if lost is None and re.fullmatch(r"\d{15}000", number) and not is_valid_id(number):
        lost = number[:_KEPT_DIGITS]
    if lost is not None:
        return Reading(State.LOST, lost, cleaned)
    return Reading(State.GOOD if is_valid_id(number) else State.INVALID, number, cleaned)


def read_card(text: str) -> Reading:
    cleaned = plain(text)
    if cleaned in _BLANKS:
        return ABSENT
    number, lost = _unscientific(_FLOAT.sub(r"\1", cleaned))
    number = re.sub(r"[\s\-]", "", number)
    if lost is not None:
        return Reading(State.LOST, lost, cleaned)
    good = re.fullmatch(r"\d{8,32}", number) is not None
    return Reading(State.GOOD if good else State.INVALID, number, cleaned)


def read_emp_no(text: str) -> Reading:
    cleaned = _FLOAT.sub(r"\1", plain(text)).casefold()
    cleaned = re.sub(r"\s+", "", cleaned)
    if cleaned in _BLANKS:
        return ABSENT
    return Reading(State.GOOD, cleaned, plain(text))
