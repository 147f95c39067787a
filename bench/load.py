"""A load generator that is cheaper than what it measures: raw keep-alive connections."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

END_OF_HEAD = b"\r\n\r\n"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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
    asyncio.run(_hammer(port, repeat(request), connections, seconds / 5))
    return asyncio.run(_hammer(port, repeat(request), connections, seconds))


def post_all(port: int, requests: Sequence[bytes], *, connections: int) -> Load:
    """Send every request once, each connection the next one as soon as it has its answer."""
    return asyncio.run(_hammer(port, iter(requests), connections, seconds=float("inf")))


def post_paced(
    port: int, requests: Sequence[bytes], *, per_second: float, connections: int
) -> Load:
    """Send every request once at its own moment, whatever became of those before: a time is
    counted from that moment, so that waiting for a free connection counts too."""
    return asyncio.run(_paced(port, requests, per_second, connections))


async def _hammer(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    load, start = Load(), time.perf_counter()
    users = (_user(port, requests, start + seconds, load) for _ in range(connections))
    await asyncio.gather(*users)
    load.seconds = time.perf_counter() - start
    return load


async def _user(port: int, requests: Iterator[bytes], end: float, load: Load) -> None:
    line = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        if (began := time.perf_counter()) >= end:
            break
        await _exchange(line, request, began, load)
    line[1].close()
    await line[1].wait_closed()


async def _paced(port: int, requests: Sequence[bytes], per_second: float, connections: int) -> Load:
    load, free = Load(), asyncio.Queue[Line]()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def send(request: bytes, due: float) -> None:
        line = await free.get()
        await _exchange(line, request, due, load)
        free.put_nowait(line)

    start, under_way = time.perf_counter(), []
    for number, request in enumerate(requests):
        due = start + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        under_way.append(asyncio.create_task(send(request, due)))
    await asyncio.gather(*under_way)
    load.seconds = time.perf_counter() - start
    while not free.empty():
        free.get_nowait()[1].close()
    return load


async def _exchange(line: Line, request: bytes, began: float, load: Load) -> None:
    reader, writer = line
    writer.write(request)
    head = await reader.readuntil(END_OF_HEAD)
    await reader.readexactly(_length(head))
    load.times.append(time.perf_counter() - began)
    if not head.startswith(b"HTTP/1.1 200"):
        load.refused += 1


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[start : lower.index(b"\r\n", start)])
