"""The pages of operations in a real browser: scripts, and a laptop's and a phone's width."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from channel import budget
from channel.alarms import note_alarm
from channel.breaker import open_after
from channel.budget import Caller, Priority
from channel.checkup.findings import Check, Verdict, finding
from channel.checkup.service import Checkup, _keep
from core.clock import utc_now
from core.queues import FailedJob
from domain.directory.accounts import ChannelKind
from domain.inbox.models import InboxState
from domain.inbox.service import claim, record_processed
from domain.pushes.models import PushStatus
from tests.channel.workbench.conftest import LAPTOP, PHONE, TOO_SMALL, TOO_WIDE
from tests.channel.workbench.ops.test_templates import found, know
from tests.factories import make_binding, make_channel_account, make_employee, make_push
from tests.journeys.conftest import SCREENSHOTS

pytestmark = pytest.mark.browser

CUT_OFF = """[...document.querySelectorAll(".card, .table-wrap")]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => one.innerText.slice(0, 80))"""


@pytest.fixture
def desk(operator, desk_page):
    return desk_page


def test_a_content_is_looked_at_with_one_tap(desk, received):
    event_id = received(body="<xml><Event>SCAN</Event><Content>悄悄话</Content></xml>")
    desk.goto(f"/ops/inbox/{event_id}")

    desk.get_by_role("button", name="查看内容").click()

    expect(desk.locator("#body")).to_contain_text("SCAN")
    expect(desk.locator("#body")).not_to_contain_text("悄悄话")
    assert desk.url.endswith(f"/ops/inbox/{event_id}")


def test_a_replay_is_asked_about_and_its_end_shows_by_itself(desk, received):
    event_id = received(state="done")
    desk.goto(f"/ops/inbox/{event_id}")
    desk.locator(".head").get_by_text("重放", exact=True).click()
    dialog = desk.get_by_role("dialog")
    expect(dialog).to_contain_text("再处理一遍")
    dialog.get_by_role("button", name="重放").click()
    expect(desk.locator("#event")).to_contain_text("等待处理")

    record_processed(claim(event_id), InboxState.IGNORED)

    expect(desk.locator("#event")).to_contain_text("无需处理")


def test_a_page_of_callbacks_is_ticked_at_once(desk, received):
    for _ in range(3):
        received(state="done")
    desk.goto("/ops/inbox")

    desk.get_by_label("全选这一页").check()
    desk.get_by_role("button", name="重放选中的").click()

    expect(desk.get_by_text("3 条回调已重新排队")).to_be_visible()


def test_the_figures_move_by_themselves(desk, received):
    desk.goto("/ops/")
    expect(desk.locator(".stat").nth(1)).to_contain_text("0")

    received()
    desk.evaluate("htmx.trigger('#figures', 'poll-now')")

    expect(desk.locator(".stat").nth(1)).to_contain_text("1")


@pytest.fixture
def everything(account, app_account, received):
    """Long words on every page; the id of an event."""
    advice = "在后台填写并启用 https://wx.bank.example.cn/callback/wecom/" + "a" * 60
    broken = finding(account, Check.CALLBACK, Verdict.BROKEN, "没有这个回调地址（404）", advice)
    well = finding(account, Check.TOKEN, Verdict.WELL, "密钥有效，能取到凭证")
    _keep({account.id: Checkup(utc_now(), (broken, well))})
    open_after(account.id, 40125)
    note_alarm(account.id, "/cgi-bin/externalcontact/groupchat/get_new_external_userid", 40164)
    note_alarm(account.id, "/cgi-bin/message/template/send#question_answered.thing1", 47003)
    wecom = Caller(app_account.kind, app_account.appid, "1000002")
    budget.take(wecom, "/cgi-bin/externalcontact/get_follow_user_list", Priority.WELCOME)
    budget.block(app_account.appid, "/cgi-bin/externalcontact/get_follow_user_list")
    return received("change_external_contact", change_type="add_half_external_contact")


BROKEN_WORDS = """[...document.querySelectorAll(".api__path")]
    .flatMap(cell => [...cell.childNodes].filter(one => one.nodeType === Node.TEXT_NODE))
    .filter(part => {
        const range = document.createRange();
        range.selectNodeContents(part);
        return range.getClientRects().length > 1;
    })
    .map(part => part.data)"""


def test_paths_of_the_platform_break_after_a_slash_only(desk, everything):
    for size in (LAPTOP, PHONE):
        desk.set_viewport_size(size)
        desk.goto("/ops/usage")

        expect(desk.locator(".is-path")).not_to_have_count(0)
        assert desk.evaluate(BROKEN_WORDS) == []


def test_on_a_phone_the_menu_begins_at_the_current_page(desk, everything):
    desk.set_viewport_size(PHONE)
    for path in ("/ops/", "/ops/usage", "/ops/templates"):
        desk.goto(path)

        expect(desk.locator(".nav [aria-current]")).to_be_in_viewport(ratio=1)
        assert desk.evaluate("scrollY") == 0


def test_an_api_is_named_once_on_a_laptop_and_on_every_card_of_a_phone(desk, everything):
    for size, times in ((LAPTOP, 1), (PHONE, 2)):
        desk.set_viewport_size(size)
        desk.goto("/ops/usage")
        names = desk.locator("th .api").filter(has_text="get_follow_user_list")
        shown = names.evaluate_all(
            "all => all.filter(one => getComputedStyle(one).clipPath === 'none').length"
        )
        assert (names.count(), shown) == (2, times)


def test_every_page_fits_a_laptop_and_a_phone(desk, everything):
    for size in (LAPTOP, PHONE):
        desk.set_viewport_size(size)
        for path in (
            "/ops/",
            "/ops/inbox",
            "/ops/inbox?state=dead",
            "/ops/inbox/replay?event=change_external_contact",
            f"/ops/inbox/{everything}",
            "/ops/usage",
        ):
            desk.goto(path)

            assert desk.evaluate(TOO_WIDE) <= 0, f"{path} is wider than {size['width']} px"
            assert desk.evaluate(CUT_OFF) == [], f"{path} is cut off at {size['width']} px"
            assert desk.evaluate(TOO_SMALL) == [], f"{path} is hard to tap"


def test_what_is_wrong_with_messages_fits_a_laptop_and_a_phone(desk, account, monkeypatch):
    late = utc_now() - timedelta(hours=30)
    long_name = make_channel_account(name="an-official-account-of-a-long-name")
    for status, more in (
        (PushStatus.SENDING, {"due_at": late}),
        (PushStatus.UNKNOWN, {}),
        (PushStatus.PERMANENT_FAILURE, {"reason": "template", "errcode": 9300001}),
    ):
        make_push(make_employee(), long_name, status=status, **more)
    error = "sqlalchemy.exc.OperationalError: " + "(a.very.long.Name) " * 9
    job = FailedJob("1", "workers.jobs.send_pushes", (1, 1_000_001, 1_001_000), utc_now(), error)
    monkeypatch.setattr("channel.workbench.ops.pushes.list_failed_jobs", lambda *_: [job])
    for size in (LAPTOP, PHONE):
        desk.set_viewport_size(size)
        desk.goto("/ops/pushes")
        expect(desk.locator("#pushes tbody tr")).to_have_count(4)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        desk.screenshot(path=SCREENSHOTS / f"ops-pushes-{size['width']}.png", full_page=True)

        assert desk.evaluate(TOO_WIDE) <= 0, f"wider than {size['width']} px"
        assert desk.evaluate(CUT_OFF) == [], f"cut off at {size['width']} px"
        assert desk.evaluate(TOO_SMALL) == []


def test_the_pages_of_templates_fit_a_laptop_and_a_phone(desk, account, app_account):
    know(account, found(), found(None, template_id="o6_" + "b" * 40, title="活动通知"))
    know(account, found(None, keys=("thing1", "time5")))
    other = make_channel_account(name="bj-oa", templates={})
    know(other, found(template_id="o6_" + "k" * 40))
    mini = make_channel_account(name="mini", kind=ChannelKind.MINIPROGRAM, templates={})
    person = make_employee(name="张三丰", emp_no="1001")
    make_binding(person, mini)
    for size in (LAPTOP, PHONE):
        desk.set_viewport_size(size)
        for path in (
            "/ops/templates",
            "/ops/templates/preview",
            "/ops/templates/preview?who=张",
            "/ops/templates/preview?who=赵",
            f"/ops/templates/preview?who=张&employee_id={person.id}",
        ):
            desk.goto(path)

            assert desk.evaluate(TOO_WIDE) <= 0, f"{path} is wider than {size['width']} px"
            assert desk.evaluate(CUT_OFF) == [], f"{path} is cut off at {size['width']} px"
            assert desk.evaluate(TOO_SMALL) == [], f"{path} is hard to tap"


def test_a_message_is_previewed_for_a_person_who_was_looked_for(desk, account):
    know(account, found())
    person = make_employee(name="张三丰", emp_no="1001")
    make_binding(person, account)
    desk.goto("/ops/templates")

    desk.get_by_role("link", name="预览消息").click()
    desk.get_by_label("姓名或工号").fill("1001")
    desk.get_by_role("button", name="查找").click()
    desk.get_by_role("link", name="预览").last.click()

    expect(desk.locator(".wx-card")).to_contain_text("工资条已发布，点击查看")
    expect(desk.locator(".facts")).to_contain_text("公众号模板消息")
