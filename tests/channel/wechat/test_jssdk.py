import pytest

from channel.wechat.jssdk import PageNotOurs, js_config, js_signature
from tests.channel.wechat.conftest import API

OURS = "https://bank.example"
TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"


def test_the_official_sample_is_signed_as_in_the_documentation():
    signed = js_signature(
        TICKET, "Wm3WZYTPz0wzccnW", 1414587457, "http://mp.weixin.qq.com?params=value"
    )

    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


@pytest.fixture
def ticket(responses):
    token = {"access_token": "token-1", "expires_in": 7200}
    responses.post(f"{API}/cgi-bin/stable_token", json=token)
    answer = {"errcode": 0, "ticket": TICKET, "expires_in": 7200}
    responses.get(f"{API}/cgi-bin/ticket/getticket", json=answer)
    return TICKET


def test_a_page_of_ours_is_signed_for_its_address_without_the_fragment(wechat, ticket):
    config = js_config(wechat, "wx1", f"{OURS}/me/payslips?year=2026#top", OURS)

    assert config.appid == "wx1"
    assert config.signature == js_signature(
        ticket, config.nonce_str, config.timestamp, f"{OURS}/me/payslips?year=2026"
    )


def test_the_default_port_makes_no_difference(wechat, ticket):
    assert js_config(wechat, "wx1", f"{OURS}:443/me", OURS).signature


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/me",
        "https://bank.example.evil.example/me",
        "https://bank.example@evil.example/me",
        "https://bank.example\\@evil.example/me",
        "https://bank.example:8443/me",
        "http://bank.example/me",
        "https://[bank.example/me",
        "https://bank.example:port/me",
        "//bank.example/me",
        "/me",
        "",
    ],
)
def test_pages_of_others_are_not_signed(wechat, responses, page):
    with pytest.raises(PageNotOurs):
        js_config(wechat, "wx1", page, OURS)

    assert len(responses.calls) == 0
