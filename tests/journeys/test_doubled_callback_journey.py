"""What WeChat really does to a sign-in: calls twice at the same moment, or shows a preview."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.journeys.conftest import Demo

ACCOUNT = "demo-oa"


class Phone:
    """A browser that follows no redirect by itself."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.http = demo, requests.Session()
        fans = requests.get(
            f"{demo.sandbox}/_sandbox/wechat/fans", params={"account": ACCOUNT}, timeout=10
        ).json()
        self.openid = fans["fans"][0]["openid"]

    def get(self, url: str) -> requests.Response:
        return self.http.get(url, allow_redirects=False, timeout=20)

    def way_back(self) -> str:
        """Set out for the payslips; the address to which WeChat sends the browser."""
        sent = self.get(f"{self.demo.web}/me/open?account={ACCOUNT}&to=/me/payslips")
        asked = parse_qs(urlsplit(sent.headers["Location"]).query)
        query = {
            "account": ACCOUNT,
            "openid": self.openid,
            "redirect_uri": asked["redirect_uri"][0],
            "state": asked["state"][0],
        }
        allowed = requests.get(
            f"{self.demo.sandbox}/_sandbox/authorize",
            params=query,
            allow_redirects=False,
            timeout=10,
        )
        return allowed.headers["Location"]


@pytest.fixture
def phone(demo: Demo) -> Phone:
    return Phone(demo)


def test_two_calls_at_the_same_moment_end_with_one_session(phone: Phone) -> None:
    way_back, cookies = phone.way_back(), phone.http.cookies.get_dict()

    def call(_number: int) -> requests.Response:
        return requests.get(way_back, cookies=cookies, allow_redirects=False, timeout=20)

    with ThreadPoolExecutor(3) as calls:
        answers = list(calls.map(call, range(3)))

    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [
        (302, "/me/payslips")
    ] * 3
    assert len({answer.cookies["xq_me"] for answer in answers}) == 1
    inside = requests.get(
        f"{phone.demo.web}/me/payslips",
        cookies={"xq_me": answers[0].cookies["xq_me"]},
        allow_redirects=False,
        timeout=20,
    )
    assert inside.status_code == 200


def test_the_invented_person_of_a_preview_is_not_let_in(phone: Phone) -> None:
    switch(phone.demo, snapshot_user=True)
    try:
        answer = phone.get(phone.way_back())
    finally:
        switch(phone.demo, snapshot_user=False)

    assert answer.status_code == 403
    assert "使用完整服务" in answer.text


def switch(demo: Demo, **settings: bool) -> None:
    body = {"name": ACCOUNT, "settings": settings}
    requests.post(f"{demo.sandbox}/_sandbox/accounts", json=body, timeout=10).raise_for_status()
