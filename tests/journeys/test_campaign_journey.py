"""A campaign by hand at the desk: watched, paused, resumed, explained to its last failed person."""

import re

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from domain.pushes.policy import LEAST_AT_FIRST
from tests.journeys.conftest import Demo, keep_picture, new_page
from tests.journeys.test_payslip_journey import sign_in_at_the_desk, upload_and_publish

pytestmark = pytest.mark.browser

SITE_HR, SHEET = "龚大年", "site-3*.csv"
SEND, MUTED, MUTES = "/cgi-bin/message/template/send", 43101, 2


def mute_some(demo: Demo) -> None:
    """WeChat says of two of the first that they muted this message."""
    fault = {"path": SEND, "errcode": MUTED, "every": 5, "times": MUTES}
    requests.post(f"{demo.sandbox}/_sandbox/faults", json=fault, timeout=5).raise_for_status()


def keep_both_widths(page: Page, name: str) -> None:
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 860})
        scrolls = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not scrolls, f"wider than a screen of {width}"
        keep_picture(page, f"{name}-{width}")
    page.set_viewport_size({"width": 1280, "height": 860})


def test_a_campaign_is_watched_paused_resumed_and_explained(demo: Demo, browser: Browser) -> None:
    phone, desk = new_page(browser, 1280, 860), new_page(browser, 1280, 860)
    phone.goto(demo.sandbox)
    sign_in_at_the_desk(demo, desk, phone, SITE_HR)
    mute_some(demo)
    people = upload_and_publish(demo, desk, SHEET, is_gradual=True)

    desk.goto(f"{demo.web}/hr/pushes")
    keep_both_widths(desk, "30-campaigns")
    desk.locator("main table a").first.click()
    figures = desk.locator("#figures")
    expect(figures).to_contain_text(f"{LEAST_AT_FIRST} / {people}", timeout=60_000)
    expect(figures).to_contain_text("灰度")
    keep_both_widths(desk, "31-campaign-sending")

    desk.get_by_role("button", name="暂停").first.click()
    desk.get_by_role("dialog").get_by_role("button", name="暂停", exact=True).click()
    expect(figures).to_contain_text(f"已暂停，{people - LEAST_AT_FIRST} 人还没有发")
    keep_both_widths(desk, "32-campaign-paused")
    desk.get_by_role("button", name="继续").click()
    expect(figures).to_contain_text("发送中")

    desk.get_by_role("link", name="失败").click()
    failed = desk.locator("#people tbody tr")
    expect(failed.filter(has_text=f"错误码 {MUTED}")).to_have_count(MUTES)
    keep_both_widths(desk, "33-campaign-failed")

    desk.get_by_role("button", name="取消", exact=True).first.click()
    desk.get_by_role("dialog").get_by_role("button", name="取消发送").click()
    expect(figures).to_contain_text(re.compile("已取消"))
    expect(figures).to_contain_text("不会再发", timeout=30_000)
    keep_both_widths(desk, "34-campaign-cancelled")
