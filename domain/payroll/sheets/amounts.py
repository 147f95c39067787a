"""Amounts as people type them. What is not exactly one amount is a problem, never a guess."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from core.money import parse_yuan

from .report import Reason

UNCACHED = "#未计算"  # stands in a cell whose formula was saved without a result

_MARKS = re.compile(r"^(人民币|RMB|CNY|¥|￥)|(元整|圆整|元|圆|RMB|CNY)$", re.IGNORECASE)
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_BLANKS = frozenset({"", "-", "--", "/", "—", "——", "–", "―", "无", "\\"})
_ERRORS = frozenset(
    {"#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#N/A", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
)
_MARKUP = re.compile(r"<\s*/?\s*[a-zA-Z!]")


@dataclass(frozen=True, slots=True)
class Problem:
    reason: Reason
    sentence: str


def is_error(text: str) -> bool:
    return text in _ERRORS


def is_literal(text: str) -> bool:
    """Text that a spreadsheet or a browser might run. We never do; a person should know."""
    return (text[:1] in "=@" and len(text) > 1) or _MARKUP.search(text) is not None


def _unmarked(text: str) -> tuple[str, bool]:
    """Without currency marks; and whether accountants' brackets made it negative."""
    negative = False
    for _ in range(3):  # ￥(200.00)元 and (￥200.00) both exist
        text = _MARKS.sub("", text).strip()
        if text.startswith("(") and text.endswith(")"):
            text, negative = text[1:-1].strip(), True
    return text, negative


def read_amount(text: str) -> int | Problem | None:
    """Fen, None for a blank or a dash, or what is wrong with it."""
    # Nearly all amounts are plain, and there are hundreds of thousands of them.
    whole, point, cents = text.partition(".")
    if len(text) <= 15 and whole.isdecimal():
        if not point:
            return int(whole) * 100
        if len(cents) <= 2 and cents.isdecimal():
            return int(whole + cents.ljust(2, "0"))
    try:
        return parse_yuan(text)
    except ValueError:
        return _read_typed(text)


@lru_cache(maxsize=8192)
def _read_typed(text: str) -> int | Problem | None:
    cleaned = unicodedata.normalize("NFKC", text).strip().lstrip("'").strip()
    wrapped = re.fullmatch(r'=\s*"(.*)"', cleaned)
    if wrapped:
        cleaned = wrapped[1].strip()
    if cleaned in _BLANKS:
        return None
    if cleaned == UNCACHED:
        return Problem(Reason.FORMULA_UNCACHED, "公式没有计算结果，请用 Excel 打开后保存再上传")
    if is_error(cleaned):
        return Problem(Reason.BAD_AMOUNT, f"公式出错 {cleaned}，请改正公式")
    if is_literal(cleaned):
        return Problem(Reason.LITERAL_TEXT, "是一段文字而不是数，请填写数值")
    return _from_marks(cleaned)


def _from_marks(cleaned: str) -> int | Problem:
    number, negative = _unmarked(cleaned)
    number = re.sub(r"^([+−–—-])\s*", lambda sign: "" if sign[1] == "+" else "-", number)
    if number.startswith("-"):
        number = "-" + _MARKS.sub("", number[1:]).strip()
    times = 1
    if number.endswith("万"):
        number, times = number[:-1].strip(), 10_000
    if _GROUPED.fullmatch(number):
        number = number.replace(",", "")
    if not re.fullmatch(r"-?\d{1,13}(\.\d{1,15})?", number) or (negative and number[0] == "-"):
        return Problem(Reason.BAD_AMOUNT, f"“{cleaned[:30]}”不是金额，请填写数字")
    value = Decimal(number) * times
    whole = f"{value:f}"
    if "." in whole:
        whole = whole.rstrip("0").rstrip(".")
    try:
        fen = parse_yuan(whole)
    except ValueError:
        return Problem(Reason.BAD_AMOUNT, f"“{cleaned[:30]}”超过两位小数，请用 ROUND 四舍五入到分")
    return -fen if negative else fen
