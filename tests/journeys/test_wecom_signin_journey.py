"""Signing in through WeCom against the sandbox: at the desk, beside a chat, and who is kept out."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Demo, keep_picture, new_page

pytestmark = pytest.mark.browser

PHONE, LAPTOP = {"width": 375, "height": 740}, {"width": 1280, "height": 800}
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"


def keep_both(page: Page, name: str) -> None:
    """Pictures at a phone's and a laptop's width; nothing may stick out."""
    for size in (PHONE, LAPTOP):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        assert page.evaluate(TOO_WIDE) <= 0, f"{name} is wider than {size['width']} px"
        keep_picture(page, f"{name}-{size['width']}")


def sign_in_at_the_desk(demo: Demo, page: Page, name: str) -> None:
    page.goto(f"{demo.web}/hr/")
    page.get_by_role("link", name="用企业微信登录").click()
    page.get_by_text(name).click()
    page.get_by_role("button", name="同意").click()
    expect(page).to_have_url(re.compile(r"/hr/$"))


def test_hr_signs_in_with_wecom_and_leaves_every_computer(demo: Demo, browser: Browser) -> None:
    office, home = new_page(browser, 1280, 800), new_page(browser, 1280, 800)
    office.goto(f"{demo.web}/hr/")
    expect(office.get_by_alt_text("登录二维码")).to_be_visible()
    keep_both(office, "20-desk-two-ways-in")

    sign_in_at_the_desk(demo, office, "方慧敏")
    sign_in_at_the_desk(demo, home, "方慧敏")
    expect(office.get_by_text("方慧敏").first).to_be_visible()
    keep_both(office, "21-desk-after-wecom")

    office.get_by_role("button", name="退出所有设备").first.click()
    keep_both(office, "22-leave-everywhere")
    office.get_by_role("dialog").get_by_role("button", name="退出所有设备").click()

    expect(office.get_by_role("link", name="用企业微信登录")).to_be_visible()
    home.reload()
    expect(home.get_by_role("link", name="用企业微信登录")).to_be_visible()


def test_a_member_opens_the_sidebar_and_an_outsider_does_not(demo: Demo, browser: Browser) -> None:
    member, outsider = new_page(browser, 375, 740), new_page(browser, 375, 740)
    member.goto(f"{demo.web}/sidebar/?account=demo-wecom")
    member.get_by_text("余运营").click()
    expect(member.get_by_role("heading", name="余**，您好")).to_be_visible()
    expect(member.get_by_text("客户经理助手").first).to_be_visible()
    keep_both(member, "23-sidebar")

    outsider.goto(f"{demo.web}/sidebar/?account=demo-wecom")
    outsider.goto(outsider.url.partition("#")[0] + "&sandbox_contact=-")
    expect(outsider.get_by_text("不是本企业的成员")).to_be_visible()
    keep_both(outsider, "24-sidebar-outsider")


def test_the_sidebar_is_signed_in_inside_a_frame_of_wecoms(demo: Demo, browser: Browser) -> None:
    desktop = new_page(browser, 1280, 800)
    complaints: list[str] = []
    desktop.on("console", lambda said: complaints.append(said.text))
    desktop.goto(f"{demo.sandbox}/")

    def frame(path: str) -> None:
        desktop.evaluate(
            """address => {
                const frame = document.createElement("iframe");
                frame.name = "sidebar"; frame.src = address;
                document.body.replaceChildren(frame);
            }""",
            f"{demo.web}{path}",
        )

    frame("/sidebar/?account=demo-wecom")
    inside = desktop.frame_locator("iframe")
    inside.get_by_text("余运营").click()
    expect(inside.get_by_role("heading", name="余**，您好")).to_be_visible()

    frame("/hr/signin/")
    desktop.wait_for_timeout(500)
    assert any("frame-ancestors" in said for said in complaints)


def test_pages_are_signed_for_the_corp_and_for_the_app_by_different_tickets(
    demo: Demo, browser: Browser
) -> None:
    page = new_page(browser, 1280, 800)
    signed = {
        kind: page.request.get(
            f"{demo.web}/jssdk/{kind}", params={"account": "demo-wecom", "url": f"{demo.web}/x"}
        ).json()
        for kind in ("corp", "agent")
    }

    assert signed["corp"]["signature"] != signed["agent"]["signature"]
    assert signed["corp"].keys() == {"corpId", "timestamp", "nonceStr", "signature"}
    assert signed["agent"].keys() == {*signed["corp"].keys(), "agentId"}
    assert signed["agent"]["agentId"] == "1000002"
