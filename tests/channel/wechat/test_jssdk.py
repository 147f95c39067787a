from hashlib import sha1

import pytest

from channel.wechat.jssdk import PageNotOurs, js_signature, require_own_page, sign_page

OURS = "https://bank.example"
TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"


def test_the_official_sample_is_signed_as_in_the_documentation():
    signed = js_signature(
        TICKET, "Wm3WZYTPz0wzccnW", 1414587457, "http://mp.weixin.qq.com?params=value"
    )

    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


@pytest.mark.parametrize("page", ["/me/payslips?year=2026", "/me?", "/me/?a=%E4%B8%AD&b=1"])
def test_a_page_is_signed_for_its_exact_address_without_the_fragment(page):
    signed = sign_page(TICKET, f"{OURS}{page}#top")

    expected = js_signature(TICKET, signed.nonce_str, signed.timestamp, f"{OURS}{page}")
    text = (
        f"jsapi_ticket={TICKET}&noncestr={signed.nonce_str}"
        f"&timestamp={signed.timestamp}&url={OURS}{page}"
    )
    assert signed.signature == expected == sha1(text.encode()).hexdigest()


@pytest.mark.parametrize("page", [f"{OURS}:443/me", f"{OURS}/me", "https://BANK.example/me"])
def test_pages_of_ours_may_be_signed(page):
    require_own_page(page, OURS)


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
        "https://bank.example/me\n&url=x",
        f"https://bank.example/{'a' * 2048}",
    ],
)
def test_pages_of_others_are_not_signed(page):
    with pytest.raises(PageNotOurs):
        require_own_page(page, OURS)
