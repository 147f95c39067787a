"""What the platforms are asked, what they say and how long they take, for Prometheus."""

import time
from collections import Counter as Counts
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from prometheus_client import Counter, Histogram

from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.metrics import observe_many

CALLS = Counter(
    "xinqiao_platform_calls_total", "Calls to WeChat and WeCom by their answer", ["api", "errcode"]
)
SECONDS = Histogram(
    "xinqiao_platform_call_seconds",
    "Time until WeChat or WeCom answered",
    ["api"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
NO_ANSWER = "none"


class Tally:
    """Calls of one API, kept until they are written: many beside each other share one write."""

    def __init__(self, api: str) -> None:
        self._api = api
        self._answers: list[int | str] = []
        self._seconds: list[float] = []

    def call(self) -> "_Call":
        return _Call(self)

    def note(self, answer: int | str, seconds: float) -> None:
        self._answers.append(answer)
        self._seconds.append(seconds)

    def write(self) -> None:
        if not self._answers:
            return
        for answer, count in Counts(self._answers).items():
            CALLS.labels(self._api, str(answer)).inc(count)
        observe_many(SECONDS.labels(self._api), self._seconds)
        self._answers.clear()
        self._seconds.clear()


class _Call:
    """One call under way; what was broken off on our side is not counted."""

    __slots__ = ("_began", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        match error:
            case None:
                answer: int | str = 0
            case WeChatError():
                answer = error.errcode
            case WeChatUnreachable():
                answer = NO_ANSWER
            case _:
                return
        self._tally.note(answer, time.perf_counter() - self._began)


@contextmanager
def counted(api: str) -> Iterator[None]:
    """One call by itself."""
    tally = Tally(api)
    try:
        with tally.call():
            yield
    finally:
        tally.write()


_tallies: dict[str, Tally] = {}


def tally_of(api: str) -> Tally:
    """The tally of this process's loop for an API; ``write_down`` empties it."""
    return _tallies.setdefault(api, Tally(api))


def write_down() -> None:
    for tally in _tallies.values():
        tally.write()
