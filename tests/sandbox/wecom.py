"""A developer of a WeCom app: speaks to the sandbox as such, and as the app's server."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@dataclass
class Corp:
    """One corp, seen through one of its apps."""

    address: str
    corpid: str
    name: str
    agentid: int = 1000002
    secret: str = "s" * 43
    _token: str = field(default="")

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

    def keep(self, **fields: Any) -> "Corp":
        body = {
            "kind": "wecom_app",
            "name": self.name,
            "appid": self.corpid,
            "agentid": self.agentid,
            "secret": self.secret,
            "token": "callback-token",
            "aes_key": AES_KEY,
        }
        self.control("POST", "/accounts", body | fields)
        return self

    def app(self, agentid: int, **fields: Any) -> "Corp":
        """Another app of the same corp."""
        name, secret = f"{self.name}-{agentid}", f"{agentid}" * 6
        return Corp(self.address, self.corpid, name, agentid, secret).keep(**fields)

    def switch(self, **settings: Any) -> None:
        self.keep(settings=settings)

    @property
    def token(self) -> str:
        if not self._token:
            self._token = self.gettoken()["access_token"]
        return self._token

    def gettoken(self, **more: Any) -> Any:
        query = {"corpid": self.corpid, "corpsecret": self.secret, **more}
        return self.get("/cgi-bin/gettoken", token=None, **query)

    def get(self, path: str, token: str | None = "own", **query: Any) -> Any:
        response = requests.get(self.url(path), params=self._query(token, query), timeout=10)
        assert response.status_code == 200
        return response.json()

    def post(self, path: str, body: Any, token: str | None = "own", **query: Any) -> Any:
        response = requests.post(
            self.url(path), json=body, params=self._query(token, query), timeout=10
        )
        assert response.status_code == 200
        return response.json()

    def url(self, path: str) -> str:
        return f"{self.address}/wecom{path}"

    def _query(self, token: str | None, query: dict[str, Any]) -> dict[str, Any]:
        if token is None:
            return query
        return {"access_token": self.token if token == "own" else token, **query}

    # People

    def members(self, *userids: str, **more: Any) -> list[str]:
        body = {"account": self.name, "userids": userids, **more}
        return self.control("POST", "/wecom/members", body)["userids"]

    def contacts(self, userid: str, count: int = 1, **more: Any) -> list[str]:
        body = {"account": self.name, "userid": userid, "count": count, **more}
        return self.control("POST", "/wecom/contacts", body)["external_userids"]

    def happen(self, event: str, **more: Any) -> Any:
        body = {"account": self.name, "event": event, "wait": True, **more}
        return self.control("POST", "/wecom/events", body)["callbacks"]

    def impossible(self, event: str, **more: Any) -> str:
        body = {"account": self.name, "event": event, **more}
        return self.refused("POST", "/wecom/events", body)

    def inbox(self, userid: str) -> Any:
        return self.control("GET", f"/wecom/members/{userid}/inbox", account=self.name)

    def code(self, userid: str, **more: Any) -> str:
        query = {"account": self.name, "userid": userid, "redirect_uri": "http://127.0.0.1:8000/x"}
        response = requests.get(
            f"{self.address}/_sandbox/authorize",
            params=query | more,
            timeout=10,
            allow_redirects=False,
        )
        assert response.status_code == 302, response.text
        return parse_qs(urlsplit(response.headers["Location"]).query)["code"][0]

    def send(self, touser: str, msgtype: str = "text", content: Any = None, **more: Any) -> Any:
        body = {
            "touser": touser,
            "agentid": self.agentid,
            "msgtype": msgtype,
            msgtype: content or {"content": "您有一条待办"},
        }
        return self.post("/cgi-bin/message/send", body | more)

    def advance(self, seconds: float) -> None:
        self.control("POST", "/clock", {"advance_seconds": seconds})

    def next_morning(self) -> None:
        """Five o'clock of the day after; the token of yesterday is none any more."""
        self.control("POST", "/clock", {"now": "2026-03-29T05:00:00+08:00"})
        self._token = ""

    def a_day_later(self) -> None:
        self.advance(86_400)
        self._token = ""

    def stats(self) -> Any:
        return self.control("GET", "/stats")["wecom_messages"]
