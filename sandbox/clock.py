"""The sandbox's own time, in unix seconds as both platforms count it. It runs, but can be moved."""

import time
from datetime import UTC, datetime

CHINA_OFFSET = 8 * 3600
DAY = 86_400


class Clock:
    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return time.time() + self.offset

    def set(self, instant: float) -> None:
        self.offset = instant - time.time()


def china_day(instant: float) -> int:
    """Quotas begin anew at midnight in China."""
    return int((instant + CHINA_OFFSET) // DAY)


def china_month(instant: float) -> str:
    return datetime.fromtimestamp(instant + CHINA_OFFSET, UTC).strftime("%Y-%m")


def as_text(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
