"""Bad days on order: slow answers, errcodes, HTTP errors, and no answer at all."""

from dataclasses import dataclass

PREFIXES = ("/wechat", "/wecom")


@dataclass(slots=True)
class Fault:
    path: str = ""  # empty: every API
    latency_ms: int = 0
    errcode: int | None = None
    http_status: int | None = None
    every: int = 1
    times: int | None = None
    drop: bool = False
    after: bool = False  # the request is carried out, only its answer is spoilt
    seen: int = 0
    hits: int = 0

    def matches(self, path: str) -> bool:
        if not self.path:
            return path.startswith(PREFIXES)
        return any(path == start + self.path for start in ("", *PREFIXES))

    def strikes(self, path: str) -> bool:
        """Count this request, and say whether it is one of those that suffer."""
        if not self.matches(path) or (self.times is not None and self.hits >= self.times):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.hits += 1
        return True


def first_strike(faults: list[Fault], path: str) -> Fault | None:
    return next((fault for fault in faults if fault.strikes(path)), None)
