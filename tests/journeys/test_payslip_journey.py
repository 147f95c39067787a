"""The main job, by hand in a browser: HR's sheet in, a payslip read in WeChat, a question back."""

import re

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Demo, keep_picture, new_page

pytestmark = pytest.mark.browser

SCHOOL_HR = "方慧敏"
CHAT = "信桥农商银行"


def become(phone: Page, name: str) -> None:
    """Take another person's phone into one's hand."""
    phone.fill("#search", name)
    phone.locator("#people-rows button", has_text=name).first.click()
    expect(phone.locator("#title")).to_contain_text("微信")


def open_chat(phone: Page) -> None:
    phone.locator("#screen button", has_text=CHAT).click()
    expect(phone.locator("#title")).to_have_text(CHAT)


def tap(phone: Page, what: str) -> Page:
    """Tap the newest card or link that says ``what``; the page it opens, at a phone's width."""
    with phone.context.expect_page() as opened:
        phone.locator("#screen a", has_text=what).last.click()
    page = opened.value
    page.set_viewport_size({"width": 375, "height": 740})
    return page


def sign_in_at_the_desk(demo: Demo, desk: Page, phone: Page, hr: str = SCHOOL_HR) -> None:
    desk.goto(f"{demo.web}/hr/")
    expect(desk.get_by_text("扫码登录")).to_be_visible()
    keep_picture(desk, "01-desk-sign-in")
    become(phone, hr)
    phone.get_by_role("button", name="扫一扫").click()
    phone.locator("#screen button", has_text=CHAT).first.click()
    expect(phone.locator("#screen")).to_contain_text("您正在登录工作台")
    page = tap(phone, "点此确认登录")
    shown = desk.locator("[data-number]").or_(desk.locator(".qr__number"))
    expect(shown).to_be_visible()
    number = re.search(r"\d\d", shown.inner_text())
    assert number
    keep_picture(page, "02-phone-confirms")
    page.get_by_role("button", name=number[0], exact=True).click()
    expect(page.get_by_text("已登录，请看电脑")).to_be_visible()
    page.close()
    expect(desk).to_have_url(f"{demo.web}/hr/")
    keep_picture(desk, "03-desk-home")


def upload_and_publish(
    demo: Demo, desk: Page, sheet: str = "school-2026*.xlsx", *, is_gradual: bool = False
) -> int:
    """A sheet through review to its publication; how many get a slip."""
    path = next((demo.data_dir / "demo").glob(sheet))
    desk.goto(f"{demo.web}/hr/payroll")
    desk.get_by_role("link", name="上传工资表").first.click()
    desk.set_input_files("input[type=file]", path)
    desk.locator("main form button[type=submit]").click()
    expect(desk.locator("#held")).to_be_visible(timeout=30_000)
    keep_picture(desk, "04-review-held-rows")
    for box in desk.locator("input[name=held_id]").all():
        box.check()
    desk.get_by_role("button", name="选中的都不发").click()
    expect(desk.get_by_text("可以发布了")).to_be_visible()
    keep_picture(desk, "05-ready-to-publish")
    publish = desk.get_by_role("button", name=re.compile("发布给"))
    people = int(re.sub(r"\D", "", publish.inner_text()))
    publish.click()
    if is_gradual:
        desk.get_by_role("dialog").get_by_label("先发一小部分").check()
    desk.get_by_role("dialog").get_by_role("button", name="发布", exact=True).click()
    expect(desk.locator("#figures")).to_be_visible()
    return people


def messages(demo: Demo) -> dict[str, int]:
    """What became of the messages that the sandbox was given, in all journeys of this demo."""
    stats = requests.get(f"{demo.sandbox}/_sandbox/stats", timeout=5).json()["messages"]
    return {name: stats.get(name, 0) for name in ("accepted", "duplicates")}


def test_a_payroll_is_published_read_confirmed_and_asked_about(
    demo: Demo, browser: Browser
) -> None:
    phone, desk = new_page(browser, 1280, 860), new_page(browser, 1280, 860)
    problems: list[str] = []
    for page in (phone, desk):
        page.on("pageerror", lambda error: problems.append(str(error)))
    phone.goto(demo.sandbox)

    before = messages(demo)
    sign_in_at_the_desk(demo, desk, phone)
    people = upload_and_publish(demo, desk)
    assert people > 600
    # Three of the school have not bound their WeChat; everybody else gets exactly one message.
    expect(desk.locator("#figures")).to_contain_text(f"{people - 3}", timeout=120_000)
    expect(desk.locator("#figures")).to_contain_text("数字会自动更新", timeout=120_000)
    expect(desk.locator("#recipients tbody tr").first).to_contain_text("已送达")
    keep_picture(desk, "06-published")
    after = messages(demo)
    assert after["accepted"] - before["accepted"] == people - 3
    assert after["duplicates"] == before["duplicates"]

    name = desk.locator("table tbody tr").first.locator("th").inner_text().strip()
    become(phone, f"{name}（学校）")
    open_chat(phone)
    keep_picture(phone, "07-message-in-wechat")
    slip = tap(phone, "工资发放通知")
    expect(slip.get_by_role("heading", name="2026年3月工资条")).to_be_visible()
    keep_picture(slip, "08-payslip")
    slip.get_by_role("button", name="确认无误").first.click()
    slip.get_by_role("dialog").get_by_role("button", name="确认无误").click()
    expect(slip.get_by_text("您已于")).to_be_visible()
    slip.get_by_role("link", name="有疑问").click()
    slip.locator("textarea").fill("绩效工资比上月少了，是怎么算的？")
    keep_picture(slip, "09-ask")
    slip.locator("form button[type=submit]").last.click()
    expect(slip.get_by_text("绩效工资比上月少了")).to_be_visible()

    desk.reload()
    expect(desk.locator("#figures")).to_contain_text("待回复提问")
    desk.goto(f"{demo.web}/hr/questions")
    desk.locator("main table a").first.click()
    desk.locator("textarea").fill("三月有两天病假，按制度扣减，明细已发到部门。")
    keep_picture(desk, "10-answer")
    desk.get_by_role("button", name=re.compile("回复|发送")).last.click()
    expect(desk.get_by_text("三月有两天病假").last).to_be_visible()

    expect(phone.locator("#screen")).to_contain_text("咨询回复通知", timeout=30_000)
    answer = tap(phone, "咨询回复通知")
    expect(answer.get_by_text("三月有两天病假")).to_be_visible()
    keep_picture(answer, "11-answer-in-wechat")

    assert problems == []


def test_somebody_elses_payslip_is_refused_on_ones_own_phone(demo: Demo, browser: Browser) -> None:
    phone = new_page(browser, 1280, 860)
    phone.goto(demo.sandbox)
    become(phone, "（工厂）")
    open_chat(phone)
    with phone.context.expect_page() as opened:
        phone.get_by_role("button", name="我的工资条").click()
    page = opened.value
    expect(page.get_by_text("工资条").first).to_be_visible()

    response = page.goto(f"{demo.web}/me/payslips/1")

    assert response is not None
    assert response.status == 404
    expect(page.get_by_text("没有找到").first).to_be_visible()
    keep_picture(page, "12-not-yours")


def test_an_employee_binds_by_name_phone_and_id(demo: Demo, browser: Browser) -> None:
    roster = (demo.data_dir / "demo" / "factory-roster.csv").read_text(encoding="utf-8")
    head, *lines = [line.split(",") for line in roster.splitlines() if line]
    people = [dict(zip(head, line, strict=True)) for line in lines]
    phone = new_page(browser, 1280, 860)
    phone.goto(demo.sandbox)
    become(phone, "工厂·未绑定")
    named = phone.locator("#people-rows button[aria-current=true] .row-name").inner_text()
    person = next(row for row in people if row["name"] == named.partition("（")[0])
    open_chat(phone)
    with phone.context.expect_page() as opened:
        phone.get_by_role("button", name="我的工资条").click()
    page = opened.value
    page.set_viewport_size({"width": 375, "height": 740})
    expect(page.locator("input[name=name]")).to_be_visible()
    page.fill("input[name=name]", person["name"])
    page.fill("input[name=phone]", person["phone"])
    page.fill("input[name=id_tail]", "000000")
    page.locator("form button[type=submit]").click()
    expect(page.get_by_text("与单位花名册不一致")).to_be_visible()
    keep_picture(page, "13-binding-refused")

    page.fill("input[name=id_tail]", person["id_no"][-6:])
    page.locator("form button[type=submit]").click()

    expect(page).to_have_url(re.compile(r"/me/payslips"))
