"""A bank's gateway for text messages as docs/sms.md describes it, on a loopback port."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-of-the-gateway"

Said = tuple[int, bytes, dict[str, str]]


@dataclass
class Gateway:
    """``rung`` are the messages that went out: an id rings once. ``says`` answers instead; None
    hangs up without an answer, after the message went out."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    rung: dict[str, dict[str, Any]] = field(default_factory=dict)
    says: Callable[[dict[str, Any]], Said | None] | None = None

    def answer(self, sms: dict[str, Any], authorization: str) -> Said | None:
        self.asked.append(sms)
        if authorization != f"Bearer {TOKEN}":
            return said(401, code="unauthorized")
        answer = self.says(sms) if self.says else said(200, message_id=f"m-{sms['id']}")
        if answer is None or 200 <= answer[0] < 300:
            self.rung.setdefault(sms["id"], sms)
        return answer


def said(status: int, **body: Any) -> Said:
    return status, json.dumps(body, ensure_ascii=False).encode(), {}


@contextmanager
def running_gateway() -> Iterator[Gateway]:
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sms = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = gateway.answer(sms, self.headers.get("Authorization", ""))
            if answer is None:
                self.close_connection = True
                return
            status, content, headers = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway.url = f"http://127.0.0.1:{server.server_port}/sms"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield gateway
    server.shutdown()
    thread.join()
    server.server_close()
