"""Time: instants are aware UTC, days and months follow the calendar of China."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")


def utc_now() -> datetime:
    return datetime.now(UTC)


def china_time(instant: datetime) -> datetime:
    """The same instant on a clock in China. Refuses naive values."""
    if instant.tzinfo is None:
        raise ValueError("a naive datetime has no instant")
    return instant.astimezone(CHINA)


def business_date(instant: datetime | None = None) -> date:
    """The day on which quotas, months and statements count ``instant`` (default: now)."""
    return china_time(instant or utc_now()).date()
