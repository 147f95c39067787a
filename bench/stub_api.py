"""A platform that answers every call after a fixed time and does nothing else.

``python -m bench.stub_api PORT LATENCY_MS``. One process, raw HTTP: it must never be what a
benchmark measures. ``GET /count`` tells how many messages were taken; ``GET /healthz`` that it
lives.
"""

import asyncio
import json
import sys
from itertools import count

TOKEN = json.dumps({"access_token": "stub-token", "expires_in": 7200})


class Stub(asyncio.Protocol):
    numbers = count(1)
    taken = 0
    latency = 0.03

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._unread) < end + 4 + length:
                return
            self._unread = self._unread[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if b"/message/" in head[:80]:
            Stub.taken += 1
            text = f'{{"errcode":0,"errmsg":"ok","msgid":{next(self.numbers)}}}'
            asyncio.get_running_loop().call_later(self.latency, self._write, text)
        elif b"/count" in head[:80]:
            self._write(str(Stub.taken))
        else:
            self._write(TOKEN)

    def _write(self, text: str) -> None:
        if not self._out.is_closing():
            self._out.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                + str(len(text)).encode()
                + b"\r\n\r\n"
                + text.encode()
            )


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stub, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    Stub.latency = float(sys.argv[2]) / 1000
    asyncio.run(serve(int(sys.argv[1])))
