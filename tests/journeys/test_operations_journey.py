"""Bank operations by hand: signed in with the sandbox's phone, all examined and found well."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Demo, keep_picture, new_page
from tests.journeys.test_payslip_journey import CHAT, become, open_chat, tap

pytestmark = pytest.mark.browser

OPERATIONS = "余运营"


def sign_in(demo: Demo, desk: Page, phone: Page) -> None:
    desk.goto(f"{demo.web}/ops/")
    expect(desk.get_by_text("扫码登录")).to_be_visible()
    become(phone, OPERATIONS)
    open_chat(phone)
    links = phone.locator("#screen a", has_text="点此确认登录")
    before = links.count()
    phone.get_by_role("button", name="返回").click()
    phone.get_by_role("button", name="扫一扫").click()
    phone.locator("#screen button", has_text=CHAT).first.click()
    expect(links).to_have_count(before + 1)
    page = tap(phone, "点此确认登录")
    shown = desk.locator(".qr__number")
    expect(shown).to_be_visible()
    page.get_by_role("button", name=shown.inner_text().strip(), exact=True).click()
    expect(page.get_by_text("已登录，请看电脑")).to_be_visible()
    page.close()


def test_operations_examine_the_accounts_and_find_their_own_scan(
    demo: Demo, browser: Browser
) -> None:
    phone, desk = new_page(browser, 1280, 860), new_page(browser, 1280, 860)
    phone.goto(demo.sandbox)
    sign_in(demo, desk, phone)

    desk.get_by_role("link", name="运行状况").first.click()
    desk.get_by_role("button", name="现在检查").click()
    expect(desk.get_by_text("已检查，没有发现问题")).to_be_visible()
    expect(desk.locator(".card", has_text="公众号 信桥农商银行")).to_contain_text("全部正常")
    keep_picture(desk, "20-operations-overview")

    desk.get_by_role("link", name="微信回调").first.click()
    scan = desk.locator("tbody tr", has_text=re.compile("SCAN", re.IGNORECASE)).first
    expect(scan).to_contain_text("已处理")
    keep_picture(desk, "21-operations-inbox")
    scan.get_by_role("link").click()
    desk.get_by_role("button", name="查看内容").click()
    expect(desk.locator("#body")).to_contain_text("FromUserName")
    keep_picture(desk, "22-operations-event")
