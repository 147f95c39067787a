"""Pure rules of payroll."""

import re
from datetime import datetime, timedelta

from core.clock import business_date, china_time

MOST_OPEN_QUESTIONS = 5
LONGEST_QUESTION = 500

_PERIOD = re.compile(r"(20\d{2})[-年./]?(0[1-9]|1[0-2]|[1-9])月?")


def plain_period(text: str) -> str:
    """``2026年3月``, ``2026-3`` or ``202603`` as ``2026-03``; empty when it is no month."""
    match = _PERIOD.fullmatch("".join(text.split()))
    return f"{match[1]}-{int(match[2]):02d}" if match else ""


def moment_in_words(instant: datetime, now: datetime) -> str:
    """``今天 17:00``, ``明天 08:00`` or ``4月7日 08:00``; never too early."""
    local = china_time(instant + timedelta(seconds=59))
    days = (local.date() - business_date(now)).days
    day = {0: "今天", 1: "明天"}.get(days, f"{local.month}月{local.day}日")
    return f"{day} {local:%H:%M}"


def period_in_words(period: str) -> str:
    """``2026-03`` as ``2026年3月``."""
    year, _, month = period.partition("-")
    return f"{year}年{int(month)}月" if month else ""
