"""A sandbox on a loopback port, an account in it, and a server that takes its callbacks."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from sandbox.server import running
from tests.sandbox.wecom import Corp

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with running() as address:
        yield address


@dataclass
class Client:
    """Speaks to the sandbox as a developer, and as one account's server."""

    address: str
    account: dict[str, Any] = field(default_factory=dict)
    _token: str = ""

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        url = f"{self.address}/_sandbox{path}"
        response = requests.request(method, url, json=body, params=query, timeout=10)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> str:
        url = f"{self.address}/_sandbox{path}"
        response = requests.request(
            method, url, json=body, params=query, timeout=10, allow_redirects=False
        )
        assert response.status_code == 400, response.text
        return response.text

    def keep_account(self, **fields: Any) -> dict[str, Any]:
        self.account = self.control("POST", "/accounts", fields)
        return self.account

    def switch(self, **settings: Any) -> None:
        self.keep_account(name=self.name, settings=settings)

    @property
    def name(self) -> str:
        return self.account["name"]

    @property
    def token(self) -> str:
        if not self._token:
            self._token = self.stable_token()["access_token"]
        return self._token

    def stable_token(self, **more: Any) -> Any:
        body = {"grant_type": "client_credential", **self.credentials, **more}
        return self.post("/cgi-bin/stable_token", body, token=None)

    def plain_token(self, **more: Any) -> Any:
        query = {"grant_type": "client_credential", **self.credentials, **more}
        return self.get("/cgi-bin/token", token=None, **query)

    @property
    def credentials(self) -> dict[str, str]:
        return {"appid": self.account["appid"], "secret": self.account["secret"]}

    def get(self, path: str, token: str | None = "own", **query: Any) -> Any:
        response = requests.get(self.url(path), params=self._query(token, query), timeout=10)
        assert response.status_code == 200
        return response.json()

    def post(self, path: str, body: Any, token: str | None = "own") -> Any:
        response = requests.post(
            self.url(path), json=body, params=self._query(token, {}), timeout=10
        )
        assert response.status_code == 200
        return response.json()

    def url(self, path: str) -> str:
        return f"{self.address}/wechat{path}"

    def _query(self, token: str | None, query: dict[str, Any]) -> dict[str, Any]:
        if token is None:
            return query
        return {"access_token": self.token if token == "own" else token, **query}

    # People

    def fan(self, **more: Any) -> str:
        return self.fans(1, **more)[0]

    def fans(self, count: int, **more: Any) -> list[str]:
        body = {"account": self.name, "count": count, **more}
        return self.control("POST", "/wechat/fans", body)["openids"]

    def happen(self, openid: str, event: str, **more: Any) -> Any:
        body = {"account": self.name, "openid": openid, "event": event, "wait": True, **more}
        return self.control("POST", "/wechat/events", body)["callbacks"]

    def inbox(self, openid: str) -> Any:
        return self.control("GET", f"/wechat/fans/{openid}/inbox")

    def payslip(self, openid: str, **more: Any) -> Any:
        values = {"thing1": "滨江实验学校", "time2": "2026年3月", "thing3": "点击查看"}
        body = {
            "touser": openid,
            "template_id": self.account["templates"]["payslip"],
            "url": "http://127.0.0.1:8000/me/payslips/1",
            "data": {key: {"value": value} for key, value in values.items()},
        }
        return self.post("/cgi-bin/message/template/send", body | more)

    def advance(self, seconds: float) -> None:
        self.control("POST", "/clock", {"advance_seconds": seconds})


@pytest.fixture
def client(address: str) -> Client:
    client = Client(address)
    client.control("POST", "/reset")
    client.control("POST", "/clock", {"now": "2026-03-28T10:00:00+08:00"})
    number = next(NUMBERS)
    client.keep_account(
        kind="official_account",
        name=f"oa-{number}",
        appid=f"wx{number:016x}",
        secret="s" * 32,
        token="callback-token",
        aes_key=AES_KEY,
    )
    return client


@dataclass
class Received:
    method: str
    query: dict[str, str]
    body: str


@dataclass
class Receiver:
    """Stands where the platform stands: takes callbacks and answers what the test says."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, str]] = lambda _: (200, "success")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._take(Received("POST", dict(parse_qsl(urlsplit(self.path).query)), body))

        def do_GET(self) -> None:
            self._take(Received("GET", dict(parse_qsl(urlsplit(self.path).query)), ""))

        def _take(self, received: Received) -> None:
            receiver.received.append(received)
            status, text = receiver.answer(received)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/callback"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def corp(address: str) -> Corp:
    number = next(NUMBERS)
    corp = Corp(address, f"ww{number:016x}", f"app-{number}")
    corp.control("POST", "/reset")
    corp.control("POST", "/clock", {"now": "2026-03-28T10:00:00+08:00"})
    return corp.keep()
