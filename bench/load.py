"""A load generator that is cheaper than what it measures: raw keep-alive connections."""

import asyncio
import time
from dataclasses import dataclass, field

END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Load:
    """What one run saw. Times are seconds."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def percentile_ms(self, share: float) -> float:
        return sorted(self.times)[int(len(self.times) * share)] * 1000


def hammer(port: int, path: str, *, cookie: str = "", connections: int, seconds: float) -> Load:
    """GET ``path`` on loopback over and over, for ``seconds`` after a short warm-up."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
    asyncio.run(_hammer(port, request, connections, seconds / 5))
    return asyncio.run(_hammer(port, request, connections, seconds))


async def _hammer(port: int, request: bytes, connections: int, seconds: float) -> Load:
    load, start = Load(), time.perf_counter()
    users = (_user(port, request, start + seconds, load) for _ in range(connections))
    await asyncio.gather(*users)
    load.seconds = time.perf_counter() - start
    return load


async def _user(port: int, request: bytes, end: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < end:
        writer.write(request)
        head = await reader.readuntil(END_OF_HEAD)
        await reader.readexactly(_length(head))
        load.times.append(time.perf_counter() - began)
        if not head.startswith(b"HTTP/1.1 200"):
            load.refused += 1
    writer.close()
    await writer.wait_closed()


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[start : lower.index(b"\r\n", start)])
