"""The pages in a real browser: large type, narrow phones, what is hidden and what is not."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from domain.payroll.sheets.report import Item
from tests.factories import ITEMS, make_payslip, make_question

HOUSE = "http://phone.test"
PHONE = {"width": 375, "height": 812}
LONG = (
    *ITEMS,
    Item("城镇企业职工基本养老保险个人缴费部分（含补缴）", "", "deduction", "1", 123456789),
    Item("备注", "", "info", "3月起公积金缴存基数调整，差额随4月工资一并补发", None),
    Item("Reimbursement_" * 8, "", "earning", "1", 100),
    Item("凭证", "", "info", "0123456789" * 8, None),
)
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
TOO_SMALL = """[...document.querySelectorAll("a, button, input:not([type=hidden]), summary")]
    .filter(one => one.offsetParent && !one.closest(".switch"))
    .filter(one => one.getBoundingClientRect().height < 43.5)
    .map(one => one.outerHTML.slice(0, 80))"""

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(app, client, browser):
    """Open a phone whose every request is answered by the test's own application."""

    def answer(route):
        request = route.request
        parts = urlsplit(request.url)
        with app.app_context():
            reply = client.open(
                f"{parts.path}?{parts.query}",
                method=request.method,
                data=request.post_data_buffer,
                content_type=request.headers.get("content-type"),
            )
        headers = {name: value for name, value in reply.headers if name != "Set-Cookie"}
        route.fulfill(status=reply.status_code, headers=headers, body=reply.data)
        reply.close()

    def open_page(path, *, has_script=True):
        page = browser.new_page(base_url=HOUSE, viewport=PHONE, java_script_enabled=has_script)
        page.route("**/*", answer)
        page.goto(path)
        return page

    return open_page


def test_pages_stay_readable_up_to_double_type(phone, me):
    slip = make_payslip(me.employee, items=LONG, net_fen=1234567890)
    question = make_question(slip, "为什么" * 40, item=7, answer="https://example.com/" + "a" * 90)
    page = phone("/me/payslips")
    for path in (
        "/me/payslips",
        f"/me/payslips/{slip.id}",
        f"/me/payslips/{slip.id}/ask?item=7",
        f"/me/questions/{question.id}",
        "/me/account",
        "/me/payslips/999999",
    ):
        page.goto(path)
        for percent in (100, 150, 200):
            page.evaluate(f"document.documentElement.style.fontSize = '{percent}%'")

            assert page.evaluate(TOO_WIDE) <= 0, f"{path} at {percent} % is wider than the phone"
            assert page.evaluate(TOO_SMALL) == [], f"{path} at {percent} % is hard to tap"


def test_amounts_stay_covered_until_the_eye_is_tapped_and_then_for_the_session(phone, me):
    make_payslip(me.employee, net_fen=712050)
    page = phone("/me/payslips")
    sums = page.get_by_text("7,120.50")
    expect(sums.first).to_be_hidden()

    page.locator("[data-eye]").click()
    expect(sums.first).to_be_visible()

    page.reload()
    expect(sums.first).to_be_visible()


def test_lines_of_zero_appear_on_a_tap(phone, me):
    slip = make_payslip(me.employee)
    page = phone(f"/me/payslips/{slip.id}")
    expect(page.get_by_text("高温补贴")).to_be_hidden()

    page.get_by_role("switch").click()

    expect(page.get_by_text("高温补贴")).to_be_visible()


def test_without_script_nothing_is_lost(phone, me):
    slip = make_payslip(me.employee)
    page = phone(f"/me/payslips/{slip.id}", has_script=False)

    expect(page.get_by_text("高温补贴")).to_be_visible()
    expect(page.get_by_text("7,120.50")).to_be_visible()


def test_a_slip_is_confirmed_and_a_line_asked_about_with_a_few_taps(phone, me):
    slip = make_payslip(me.employee)
    page = phone(f"/me/payslips/{slip.id}")

    page.get_by_role("button", name="确认无误").click()
    page.get_by_role("dialog").get_by_role("button", name="确认无误").click()
    expect(page.get_by_text(re.compile("您已于.*确认"))).to_be_visible()

    page.locator("summary", has_text="养老保险").click()
    page.get_by_role("link", name="对这一项提问").locator("visible=true").click()
    page.get_by_label("要问什么").fill("为什么比上月多？")
    page.get_by_role("button", name="发给人事").click()
    expect(page.get_by_text("为什么比上月多？")).to_be_visible()
    expect(page.get_by_text("已发给单位人事")).to_be_visible()


def test_a_notice_keeps_its_distance_from_what_follows(phone, client, me):
    make_payslip(me.employee)
    page = phone("/me/payslips")
    gap = """() => document.querySelector(".hero").getBoundingClientRect().top
        - document.querySelector(".notice").getBoundingClientRect().bottom"""
    for width in (375, 800):
        client.sign_in("/me", **me.session, _flashes=[["ok", "绑定成功"]])
        page.set_viewport_size({"width": width, "height": 700})
        page.goto("/me/payslips")

        assert page.evaluate(gap) >= 12
