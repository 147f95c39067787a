"""Which month a sheet pays for, as far as it says so."""

import re

_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_FULL = re.compile(r"(20\d{2})\s*[年./\-_]\s*(1[0-2]|0?[1-9])(?!\d)\s*月?")
_COMPACT = re.compile(r"(?<!\d)(20\d{2})(1[0-2]|0[1-9])(?!\d)")
_MONTH = re.compile(r"(?<!\d)(1[0-2]|0?[1-9])\s*月")
_YEAR = re.compile(r"(?<!\d)(20\d{2})(?!\d)")
_CHINESE_MONTH = re.compile(r"(十[一二]?|[一二三四五六七八九])\s*月")
_MONTHS = {"十": "10", "十一": "11", "十二": "12"}


def _arabic(text: str) -> str:
    def month(match: re.Match[str]) -> str:
        return f"{_MONTHS.get(match[1], match[1].translate(_DIGITS))}月"

    text = _CHINESE_MONTH.sub(month, text)
    return re.sub(
        r"二[〇零○]([一二三四五六七八九〇零]{2})",
        lambda m: f"20{m[1].translate(_DIGITS)}",
        text,
    )


def find_period(text: str) -> str | None:
    """``2026-03`` out of ``2026年3月工资表``; None when the year is missing."""
    text = _arabic(text)
    match = _FULL.search(text) or _COMPACT.search(text)
    return f"{match[1]}-{int(match[2]):02d}" if match else None


def find_month(text: str) -> int | None:
    match = _MONTH.search(_arabic(text))
    return int(match[1]) if match else None


def find_year(text: str) -> str | None:
    match = _YEAR.search(_arabic(text))
    return match[1] if match else None


def period_of(titles: list[str], sheet: str, filename: str) -> str | None:
    """The title knows best, then the sheet's name, then the file's; a month may borrow the year."""
    places = [*titles, sheet, filename]
    for place in places:
        if found := find_period(place):
            return found
    month = next((m for place in places if (m := find_month(place))), None)
    year = next((y for place in places if (y := find_year(place))), None)
    return f"{year}-{month:02d}" if month and year else None
