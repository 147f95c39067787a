"""The desk in a real browser: what scripts do, and a laptop's and a phone's width."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from core.db import transaction
from domain.payroll import service
from domain.pushes.models import Push, PushStatus
from tests.channel.workbench.conftest import LI, STRANGER, ZHANG, sheet
from tests.factories import make_binding, make_employee, make_payslip, make_push, make_question

HOUSE = "http://desk.test"
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 812}
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
TAPPED = "a, button, input:not([type=hidden]), textarea, summary"
TOO_SMALL = f"""[...document.querySelectorAll("{TAPPED}")]
    .filter(one => one.offsetParent && !one.closest(".choice, .held__pick, .switch, .skip"))
    .filter(one => one.getBoundingClientRect().height < 43.5)
    .map(one => one.outerHTML.slice(0, 80))"""

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(app, client, hr, browser):
    """A browser at the desk whose every request is answered by the test's own application."""
    complaints = []

    def answer(route):
        request = route.request
        parts = urlsplit(request.url)
        with app.app_context():
            reply = client.open(
                f"{parts.path}?{parts.query}",
                method=request.method,
                data=request.post_data_buffer,
                headers=[
                    (name, text) for name, text in request.headers.items() if name[:3] == "hx-"
                ],
                content_type=request.headers.get("content-type"),
            )
        headers = {name: value for name, value in reply.headers if name != "Set-Cookie"}
        route.fulfill(status=reply.status_code, headers=headers, body=reply.data)
        reply.close()

    page = browser.new_page(base_url=HOUSE, viewport=LAPTOP)
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else 0)
    page.route("**/*", answer)
    yield page
    page.close()
    assert complaints == []


def test_a_sheet_goes_from_the_drop_zone_to_its_employees(desk, held):
    desk.goto("/hr/payroll/new")
    rows = sheet(ZHANG, "002,李思,13800000002,5000.00,0,5000.00", STRANGER)
    desk.set_input_files("#sheet", {"name": "三月.csv", "mimeType": "text/csv", "buffer": rows})
    expect(desk.locator(".drop__file")).to_contain_text("三月.csv")
    desk.get_by_role("button", name="上传并识别").click()
    expect(desk.locator("progress")).to_be_visible()
    batch_id = int(urlsplit(desk.url).path.rsplit("/", 1)[1])

    service.read_sheet(batch_id)
    expect(desk.get_by_role("heading", name="2026年3月 工资条")).to_be_visible()
    assert len(held(batch_id)) == 2

    wrong = desk.locator(".held", has_text="李思")
    wrong.get_by_text("改正表里的内容").click()
    wrong.get_by_label("姓名", exact=True).first.fill("李四")
    wrong.get_by_role("button", name="保存").click()
    expect(desk.get_by_text("这一行已对上")).to_be_visible()

    desk.locator(".held", has_text="赵六").get_by_role("button", name="这一行不发").click()
    desk.locator(".head").get_by_text("发布给 2 人").click()
    dialog = desk.get_by_role("dialog")
    expect(dialog).to_contain_text("2 位员工会立即在微信里收到")
    dialog.get_by_role("button", name="发布").click()

    expect(desk.get_by_text("已发布，通知正在发出")).to_be_visible()
    expect(desk.locator("#figures")).to_contain_text("2 条待发")


def test_somebody_is_found_on_the_roster_and_chosen(desk, read, held):
    batch_id = read(ZHANG, STRANGER)
    desk.goto(f"/hr/payroll/{batch_id}")
    desk.get_by_text("从花名册里找人").click()
    box = desk.get_by_role("searchbox", name="姓名")

    box.press_sequentially("李")
    desk.get_by_text("是 李四").click()
    assert desk.locator(".held__found input").bounding_box()["width"] < 44
    box.press("Enter")
    assert len(held(batch_id)) == 1, "Enter in the search saved the row"
    desk.get_by_role("button", name="保存").click()

    expect(desk.get_by_text("这一行已对上")).to_be_visible()
    assert held(batch_id) == []


def test_all_held_rows_are_left_out_with_two_clicks(desk, read, held):
    batch_id = read(ZHANG, STRANGER, "010,钱七,13800000010,1.00,0,1.00")
    desk.goto(f"/hr/payroll/{batch_id}")

    desk.get_by_label("全选").check()
    desk.get_by_role("button", name="选中的都不发").click()

    expect(desk.get_by_text("2 行不发工资条")).to_be_visible()
    assert held(batch_id) == []


def test_the_numbers_move_by_themselves(desk, hr, account, read):
    batch_id = read(ZHANG, LI)
    service.publish_batch(hr, batch_id)
    desk.goto(f"/hr/payroll/{batch_id}")
    figures = desk.locator("#figures")
    expect(figures).to_contain_text("2 条待发")

    with transaction() as session:
        session.execute(update(Push).values(status=PushStatus.DELIVERED))

    expect(figures).not_to_contain_text("2 条待发", timeout=10_000)


def test_every_page_fits_a_laptop_and_a_phone(desk, hr, account, read):
    batch_id = read(ZHANG, STRANGER, f"010,{'欧阳' * 9},13800000011,1.00,0,1000000000000.00")
    employee = make_employee(name="阿卜杜拉·买买提江·吐尔逊")
    make_binding(employee, account)
    make_push(employee, account)
    slip = make_payslip(employee)
    question = make_question(slip, "为什么" * 100, item=1, answer="https://example.com/" + "a" * 90)

    for size in (LAPTOP, PHONE):
        desk.set_viewport_size(size)
        for path in (
            "/hr/",
            "/hr/roster",
            "/hr/roster/import",
            "/hr/payroll",
            "/hr/payroll?refused=1",
            "/hr/payroll/new",
            f"/hr/payroll/{batch_id}",
            f"/hr/payroll/{batch_id}/slips",
            f"/hr/payroll/{slip.batch_id}",
            f"/hr/payroll/slips/{slip.id}",
            "/hr/questions",
            f"/hr/questions/{question.id}",
            "/hr/pushes",
            "/hr/audit",
        ):
            desk.goto(path)

            assert desk.evaluate(TOO_WIDE) <= 0, f"{path} is wider than {size['width']} px"
            assert desk.evaluate(TOO_SMALL) == [], f"{path} is hard to tap"
