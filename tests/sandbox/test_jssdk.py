"""The JS-SDK: tickets, and signatures that are really checked."""

import pytest
import requests

from sandbox.wechat.jssdk import signature_of

PAGE = "http://127.0.0.1:8000/me/payslips/1?from=card"


def test_the_signature_equals_the_official_example():
    ticket = (
        "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    )
    signed = signature_of(
        ticket, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com?params=value"
    )
    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


def test_the_ticket_is_shared_and_renewed_before_its_end(client):
    first = client.get("/cgi-bin/ticket/getticket", type="jsapi")
    assert (first["errcode"], first["expires_in"]) == (0, 7200)
    client.advance(6000)
    assert client.get("/cgi-bin/ticket/getticket", type="jsapi")["ticket"] == first["ticket"]
    client.advance(950)
    assert client.get("/cgi-bin/ticket/getticket", type="jsapi")["ticket"] != first["ticket"]
    assert client.get("/cgi-bin/ticket/getticket", type="nonsense")["errcode"] == 40097


@pytest.fixture
def checking(client):
    ticket = client.get("/cgi-bin/ticket/getticket", type="jsapi")["ticket"]

    def check(**changed):
        query = {
            "appId": client.account["appid"],
            "timestamp": "1700000000",
            "nonceStr": "n",
            "signature": signature_of(ticket, "n", "1700000000", PAGE),
            "url": PAGE,
            "call": "1",
            **changed,
        }
        return requests.get(client.url("/open/js/check"), params=query, timeout=5).text

    return check


def test_a_right_signature_is_ok_whatever_follows_the_hash(checking):
    assert "config:ok" in checking()
    assert "config:ok" in checking(url=PAGE + "#top")


def test_a_signature_for_another_page_or_account_is_invalid(checking):
    assert "config:invalid signature" in checking(url=PAGE + "&x=1")
    assert "config:invalid signature" in checking(timestamp="1700000001")
    assert "config:invalid appid" in checking(appId="wxnobody")


def test_a_ticket_that_ended_signs_nothing(client, checking):
    client.advance(7201)
    assert "config:invalid signature" in checking()


def test_the_script_is_served(client):
    response = requests.get(client.url("/open/js/jweixin-1.6.0.js"), timeout=5)
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert "wx.config" in response.text or "config:" in response.text
