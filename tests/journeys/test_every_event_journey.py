"""Every message and event that the platforms know is caused by hand and found by operations."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Demo, keep_picture, new_page, wait_until
from tests.journeys.test_operations_journey import sign_in
from tests.journeys.test_payslip_journey import become, open_chat

pytestmark = pytest.mark.browser

OFFICIAL_ACCOUNT, WECOM, MEMBER = "demo-oa", "demo-wecom", "bank-ops"
# What became of an event; nothing may stand still or have failed.
SETTLED = {"已处理", "无需处理", "已过时限"}
# The result of a message that nobody sent waits a while for that message.
WAITS = "相关的记录还没有到"
# What the two tables of the manuals name, by the form that causes it, in an order in which each
# can happen.
PHONE = {
    "扫带参二维码": "SCAN",
    "取消关注": "unsubscribe",
    "关注": "subscribe",
    "文字": "text",
    "图片": "image",
    "语音": "voice",
    "视频": "video",
    "小视频": "shortvideo",
    "位置": "location",
    "链接": "link",
    "点击菜单": "CLICK",
    "打开菜单里的网页": "VIEW",
    "打开小程序": "view_miniprogram",
    "扫码推事件": "scancode_push",
    "扫码并等待消息": "scancode_waitmsg",
    "拍照发图": "pic_sysphoto",
    "拍照或相册": "pic_photo_or_album",
    "微信相册": "pic_weixin",
    "发送位置": "location_select",
    "上报地理位置": "LOCATION",
    "订阅通知：弹窗中选择": "subscribe_msg_popup_event",
    "订阅通知：在设置中关闭": "subscribe_msg_change_event",
    "订阅通知：发送结果": "subscribe_msg_sent_event",
    "模板消息送达结果": "TEMPLATESENDJOBFINISH",
    "群发结果": "MASSSENDJOBFINISH",
}
CONTACT, GROUP, TAG = "change_external_contact", "change_external_chat", "change_external_tag"
LINK, BOOK = "customer_acquisition", "change_contact"
DESKTOP = {
    "客户添加成员": f"{CONTACT} / add_external_contact",
    "修改备注": f"{CONTACT} / edit_external_contact",
    "客户同意会话存档": f"{CONTACT} / msg_audit_approved",
    "客户接替失败": f"{CONTACT} / transfer_fail",
    "建群": f"{GROUP} / create",
    "修改群名": f"{GROUP} / update",
    "解散群": f"{GROUP} / dismiss",
    "成员删除客户": f"{CONTACT} / del_external_contact",
    "免验证添加，尚未互为好友": f"{CONTACT} / add_half_external_contact",
    "客户删除成员": f"{CONTACT} / del_follow_user",
    "新建标签组": f"{TAG} / create",
    "新建标签": f"{TAG} / create",
    "标签改名": f"{TAG} / update",
    "标签重新排序": f"{TAG} / shuffle",
    "删除标签": f"{TAG} / delete",
    "额度即将耗尽": f"{LINK} / balance_low",
    "额度已耗尽": f"{LINK} / balance_exhausted",
    "额度即将过期": f"{LINK} / quota_expire_soon",
    "链接不可用": f"{LINK} / link_unavailable",
    "链接被删除": f"{LINK} / delete_link",
    "客户开口": f"{LINK} / customer_start_chat",
    "客户发起好友申请": f"{LINK} / friend_request",
    "点击卡片右上角菜单": "template_card_menu_event",
    "点击卡片按钮": "template_card_event",
    "审批引擎：状态变化": "open_approval_change",
    "审批应用：状态变化": "sys_approval_change",
    "新增成员": f"{BOOK} / create_user",
    "修改成员": f"{BOOK} / update_user",
    "成员离职": f"{BOOK} / delete_user",
    "新增部门": f"{BOOK} / create_party",
    "修改部门": f"{BOOK} / update_party",
    "删除部门": f"{BOOK} / delete_party",
    "成员标签变化": f"{BOOK} / update_tag",
    "异步任务完成": "batch_job_result",
    "成员不再可见应用": "unsubscribe",
    "成员可见应用": "subscribe",
    "进入应用": "enter_agent",
    "上报地理位置": "LOCATION",
    "点击菜单": "click",
    "打开菜单里的网页": "view",
    "打开小程序": "view_miniprogram",
    "扫码推事件": "scancode_push",
    "扫码并等待消息": "scancode_waitmsg",
    "拍照发图": "pic_sysphoto",
    "拍照或相册": "pic_photo_or_album",
    "微信相册": "pic_weixin",
    "发送位置": "location_select",
    "发文字": "text",
    "发图片": "image",
    "发语音": "voice",
    "发视频": "video",
    "发位置": "location",
    "发链接": "link",
}
# What a form does not offer by itself.
GIVEN = {
    "图片": ("url", "http://127.0.0.1/a.png"),
    "成员离职": ("userid", "new-member"),
}
CARD = {
    "card_type": "button_interaction",
    "task_id": "every-event",
    "main_title": {"title": "付款审批"},
    "action_menu": {"desc": "更多", "action_list": [{"text": "不再提醒", "key": "quiet"}]},
    "button_list": [{"text": "同意", "key": "yes"}, {"text": "驳回", "key": "no"}],
}


def cause_all(page: Page, forms: dict[str, str]) -> None:
    """Fill in and send each form; the list below it must say that our service took it."""
    outcomes = page.locator(".outcomes > li")
    for title, word in forms.items():
        newest = outcomes.first.inner_html()
        page.get_by_label("事件", exact=True).select_option(label=title)
        if title in GIVEN:
            name, value = GIVEN[title]
            page.locator(f".fields [name={name}]").fill(value)
        page.get_by_role("button", name="让它发生").click()
        expect(outcomes.first).not_to_have_js_property("innerHTML", newest)
        expect(outcomes.filter(has_text=word).first).to_contain_text("已确认")


def found_by_operations(desk: Page, account: str) -> Counter[tuple[str, str]]:
    """How often each event stands on the pages of callbacks, and how it ended."""
    found = Counter[tuple[str, str]]()
    while True:
        for row in desk.locator("tbody tr").all():
            words = row.locator("td[data-label=事件]").inner_text().split()
            state = row.locator("td[data-label=状态]").inner_text()
            found[" / ".join(words), WAITS if WAITS in row.inner_text() else state] += 1
        older = desk.get_by_role("link", name="下一页")
        if not older.count():
            return found
        older.click()


def told(demo: Demo, account: str, since: int) -> Counter[str]:
    """What the sandbox, which remembers only its newest callbacks, has told this account since."""
    mine = [one for one in remembered(demo) if one["account"] == account and one["id"] > since]
    assert {one["outcome"] for one in mine} == {"acknowledged"}
    changes = [re.search(r"<ChangeType><!\[CDATA\[(\w+)", one["xml"]) for one in mine]
    return Counter(
        f"{one['event']} / {change[1]}" if change else one["event"]
        for one, change in zip(mine, changes, strict=True)
    )


def remembered(demo: Demo) -> list[dict[str, Any]]:
    answer = requests.get(f"{demo.sandbox}/_sandbox/callbacks", timeout=5)
    return list(answer.json()["callbacks"])


def send_card(demo: Demo) -> None:
    """A card with buttons from the app, as approvals send them, for the member to press."""
    accounts = requests.get(f"{demo.sandbox}/_sandbox/accounts", timeout=5).json()["accounts"]
    (app,) = (one for one in accounts if one["name"] == WECOM)
    api = f"{demo.sandbox}/wecom/cgi-bin"
    whose = {"corpid": app["appid"], "corpsecret": app["secret"]}
    token = requests.get(f"{api}/gettoken", params=whose, timeout=5).json()["access_token"]
    message = {"touser": MEMBER, "agentid": int(app["agentid"]), "msgtype": "template_card"}
    answer = requests.post(
        f"{api}/message/send",
        params={"access_token": token},
        json=message | {"template_card": CARD},
        timeout=5,
    )
    assert answer.json()["errcode"] == 0


@pytest.fixture
def desk(demo: Demo, browser: Browser) -> Page:
    desk, phone = new_page(browser, 1280, 860), new_page(browser, 1280, 860)
    phone.goto(demo.sandbox)
    sign_in(demo, desk, phone)
    return desk


def settled(demo: Demo, desk: Page, account: str) -> Counter[tuple[str, str]]:
    """What operations find when everything that was told has been handled."""

    def is_settled() -> bool:
        if any(one["outcome"] == "waiting" for one in remembered(demo)):
            return False
        desk.goto(f"{demo.web}/ops/inbox?account={account}")
        rows = desk.locator("tbody tr", has_text=re.compile("等待处理|处理中"))
        return not rows.filter(has_not_text=WAITS).count()

    wait_until(is_settled)
    return found_by_operations(desk, account)


def check_all_found(
    demo: Demo, desk: Page, account: str, forms: dict[str, str], cause: Callable[[], None]
) -> None:
    before = settled(demo, desk, account)
    since = max((one["id"] for one in remembered(demo)), default=0)
    cause()
    found = settled(demo, desk, account)
    caused = told(demo, account, since)
    assert set(forms.values()) <= set(caused)
    assert by_word(found) - by_word(before) == caused
    assert {state for _, state in found} <= SETTLED | {WAITS}


def by_word(found: Counter[tuple[str, str]]) -> Counter[str]:
    words = Counter[str]()
    for (word, _), count in found.items():
        words[word] += count
    return words


def test_what_a_follower_does_is_found_by_operations(demo, browser, desk):
    phone = new_page(browser, 1280, 860)
    person = {"account": OFFICIAL_ACCOUNT, "count": 1, "names": ["路百通"]}
    fans = f"{demo.sandbox}/_sandbox/wechat/fans"
    requests.post(fans, json=person, timeout=5).raise_for_status()
    phone.goto(demo.sandbox)
    become(phone, "路百通")
    open_chat(phone)
    phone.get_by_role("button", name="更多").click()
    phone.get_by_role("button", name="更多事件").click()
    check_all_found(demo, desk, OFFICIAL_ACCOUNT, PHONE, lambda: cause_all(phone, PHONE))
    keep_picture(desk, "23-every-event-of-the-account")


def test_what_a_member_and_a_customer_do_is_found_by_operations(demo, browser, desk):
    send_card(demo)
    screen = new_page(browser, 1280, 860)
    corpid = requests.get(f"{demo.sandbox}/desktop/corps", timeout=5).json()["corps"][0]["corpid"]
    screen.goto(f"{demo.sandbox}/desktop?corp={corpid}&member={MEMBER}")
    screen.get_by_role("tab", name="事件").click()
    check_all_found(demo, desk, WECOM, DESKTOP, lambda: cause_all(screen, DESKTOP))
    keep_picture(desk, "24-every-event-of-the-corp")
