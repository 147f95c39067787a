"""The desk in a real browser: what scripts do, and a laptop's and a phone's width."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update

from core.clock import utc_now
from core.db import reading, transaction
from domain.payroll import service
from domain.pushes.campaigns import prepare
from domain.pushes.models import Campaign, Push, PushStatus, Route
from tests.channel.workbench.conftest import (
    LAPTOP,
    LI,
    PHONE,
    STRANGER,
    TOO_SMALL,
    TOO_WIDE,
    ZHANG,
    sheet,
)
from tests.factories import (
    make_binding,
    make_campaign,
    make_employee,
    make_payslip,
    make_push,
    make_question,
)

pytestmark = pytest.mark.browser


def campaign_of(batch_id):
    return reading().scalars(select(Campaign.id).where(Campaign.audience_id == batch_id)).one()


@pytest.fixture
def desk(hr, desk_page):
    """HR at their desk."""
    return desk_page


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
    reading().rollback()  # what was read must not enclose what the browser is about to write

    wrong = desk.locator(".held", has_text="李思")
    wrong.get_by_text("改正表里的内容").click()
    wrong.get_by_label("姓名", exact=True).first.fill("李四")
    wrong.get_by_role("button", name="保存").click()
    expect(desk.get_by_text("这一行已对上")).to_be_visible()

    desk.locator(".held", has_text="赵六").get_by_role("button", name="这一行不发").click()
    desk.locator(".head").get_by_text("发布给 2 人").click()
    dialog = desk.get_by_role("dialog")
    expect(dialog).to_contain_text("2 位员工可以查看")
    dialog.get_by_role("button", name="发布").click()

    expect(desk.get_by_text("已发布，通知正在发出")).to_be_visible()
    expect(desk.locator("#figures")).to_contain_text("正在准备名单")
    prepare(campaign_of(batch_id))
    expect(desk.locator("#figures")).to_contain_text("2 条待发", timeout=10_000)


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
    prepare(campaign_of(batch_id))
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
    told = make_campaign(account, is_gradual=True)
    steps = [
        {"route": route, "reason": reason, "errcode": 43101, "at": utc_now().isoformat()}
        for route, reason in (("template", "muted"), ("miniprogram", "wechat_refused"))
    ]
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "route": Route.SMS, "due_at": utc_now()}
    make_push(employee, account, campaign=told, tried=steps, reason="quiet-hours", **waits)
    lost = {"status": PushStatus.PERMANENT_FAILURE, "reason": "muted"}
    make_push(make_employee(), account, campaign=told, tried=steps, **lost)
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
            f"/hr/pushes/{told.id}",
            "/hr/audit",
        ):
            desk.goto(path)

            assert desk.evaluate(TOO_WIDE) <= 0, f"{path} is wider than {size['width']} px"
            assert desk.evaluate(TOO_SMALL) == [], f"{path} is hard to tap"


def test_a_row_left_out_is_brought_back_on_a_laptop_and_on_a_phone(desk, hr, read, held):
    batch_id = read(ZHANG, STRANGER, "010,钱七,13800000010,3200.00,0,3200.00")
    for width in (LAPTOP, {"width": 800, "height": 800}, PHONE):
        ids = held(batch_id)
        for held_id in ids:
            service.leave_out(hr, held_id)
        desk.set_viewport_size(width)
        desk.goto(f"/hr/payroll/{batch_id}")
        assert desk.evaluate(TOO_WIDE) <= 0
        assert desk.evaluate(TOO_SMALL) == []

        desk.locator("tr", has_text="赵六").get_by_role("button", name="恢复").click()
        expect(desk.get_by_text("1 行已恢复")).to_be_visible()
        desk.locator("#left-out").get_by_role("button", name="恢复").click()
        expect(desk.locator("#left-out")).to_have_count(0)

        assert held(batch_id) == ids


def test_a_campaign_is_watched_paused_and_explained_by_itself(desk, account):
    push = make_push(make_employee(name="陈静"), account)
    desk.goto(f"/hr/pushes/{push.campaign_id}")
    people = desk.locator("#people")
    expect(people).to_contain_text("待发送")

    with transaction() as session:
        failed = session.get_one(Push, push.id)
        failed.status, failed.reason = PushStatus.PERMANENT_FAILURE, "not-bound"
    expect(desk.locator("#figures")).to_contain_text("员工还没有绑定微信", timeout=10_000)
    expect(people).to_contain_text("未送达")
    expect(desk.locator("#actions")).to_contain_text("重新发送给失败的人")

    desk.get_by_role("button", name="暂停").click()
    desk.get_by_role("dialog").get_by_role("button", name="暂停").click()
    expect(desk.get_by_text("已暂停，正在路上的几条还会发出")).to_be_visible()
    desk.get_by_role("button", name="继续").click()
    expect(desk.get_by_text("已继续发送")).to_be_visible()
