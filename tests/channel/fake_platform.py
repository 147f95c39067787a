"""A platform on a loopback port that gives out tokens and answers what a test says."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN_PATHS = ("/cgi-bin/stable_token", "/cgi-bin/gettoken")
# Instead of an answer: the connection ends without a word.
SILENCE = object()


@dataclass(frozen=True)
class Call:
    path: str
    query: dict[str, str]
    body: dict[str, Any]

    @property
    def token(self) -> str:
        return self.query["access_token"]


def accept(call: Call) -> Any:
    return {"errcode": 0, "errmsg": "ok", "msgid": int(time.monotonic_ns())}


@dataclass
class Platform:
    """``answer`` gives a JSON object, ``(status, text)`` or ``SILENCE``."""

    url: str = ""
    answer: Callable[[Call], Any] = accept
    calls: list[Call] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    connections: int = 0
    token_answer: Any = None

    def take(self, call: Call) -> Any:
        if call.path in TOKEN_PATHS:
            self.tokens.append(f"t0ken-{len(self.tokens) + 1}")
            given = {"errcode": 0, "access_token": self.tokens[-1], "expires_in": 7200}
            return self.token_answer or given
        self.calls.append(call)
        return self.answer(call)


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


@contextmanager
def running_platform() -> Iterator[Platform]:
    platform, lock = Platform(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is one segment, or the client waits for the other.
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            with lock:
                platform.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            call = Call(parts.path, dict(parse_qsl(parts.query)), json.loads(body or b"{}"))
            with lock:
                said = platform.take(call)
            if said is SILENCE:
                self.close_connection = True
                return
            status, text = said if isinstance(said, tuple) else (200, json.dumps(said))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    platform.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
