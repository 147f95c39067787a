"""Which template carries which message, reading them anew, and a message as one person gets it."""

from datetime import timedelta

import pytest
import responses as responses_library
import time_machine

from channel import clients
from channel.message_texts import TITLES
from channel.workbench.ops import templates as page_module
from core.clock import utc_now
from core.db import transaction
from core.settings import get_settings
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import templates_of
from domain.directory.message_templates import FoundTemplate, TemplateField, sync_templates
from domain.pushes import previews
from domain.pushes.models import MessageKind, Unreachable
from tests.factories import (
    make_binding,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_operator,
    make_org,
    make_user,
)

READY = MessageKind.PAYSLIP_READY
TITLE = TITLES[READY]
LABELS = {"thing1": "单位名称", "time2": "发放月份", "thing3": "温馨提示"}
CONTENT = "".join(f"{label}:{{{{{key}.DATA}}}}\n" for key, label in LABELS.items())


def found(kind=READY.value, *, template_id="T1", title=TITLE, keys=tuple(LABELS)):
    fields = tuple(TemplateField(key, LABELS.get(key, "别的")) for key in keys)
    return FoundTemplate(template_id, title, CONTENT, "", fields, kind)


def know(account, *templates):
    sync_templates(Actor.system(), account.id, templates)


@pytest.fixture
def wechat():
    clients.forget_http()
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        api = get_settings().wechat_api_url
        mock.post(f"{api}/cgi-bin/stable_token", json={"access_token": "t", "expires_in": 7200})
        yield mock
    clients.forget_http()


def lists(wechat, *templates):
    api = get_settings().wechat_api_url
    wechat.get(
        f"{api}/cgi-bin/template/get_all_private_template", json={"template_list": list(templates)}
    )


ON_WECHAT = {"template_id": "T1", "title": TITLE, "content": CONTENT, "example": ""}


# --- the list -------------------------------------------------------------------------------


def test_each_message_says_whether_it_has_a_template(client, operator, account):
    know(account, found(), found(None, template_id="T9", title="活动通知"))

    page = client.get("/ops/templates").text

    assert "已就绪" in page
    assert "编号 T1" in page
    assert "同步于" in page
    assert "2 条消息没有能用的模板" in page
    assert f"选用“{TITLES[MessageKind.QUESTION_ANSWERED]}”，字段为 thing1、thing2、time3" in page
    assert "活动通知" in page.partition("<details")[2]


def test_a_template_that_was_never_read_asks_for_a_sync(client, operator, account):
    page = client.get("/ops/templates").text

    assert "没有核对" in page
    assert "还没有读到模板" in page


def test_a_template_with_changed_fields_shows_before_and_after(client, operator, account):
    know(account, found())
    know(account, found(None, keys=("thing1", "time5")))

    page = client.get("/ops/templates").text

    assert "字段对不上" in page
    assert "原来是 thing1、time2、thing3，现在是 thing1、time5" in page


def test_a_template_with_other_fields_from_the_start_says_which(client, operator, account):
    know(account, found(None, keys=("thing7",)))

    assert "模板的字段现在是 thing7" in client.get("/ops/templates").text


def test_a_template_that_is_gone_says_so(client, operator, account):
    know(account, found())
    know(account)

    page = client.get("/ops/templates").text

    assert "已被删除" in page
    assert "已就绪" not in page


def test_apps_and_disabled_accounts_are_left_out(client, operator, account, app_account):
    make_channel_account(name="mini", kind=ChannelKind.MINIPROGRAM, templates={})
    make_channel_account(name="old-oa", is_enabled=False)

    page = client.get("/ops/templates").text

    assert page.count('<section class="card"') == 2
    assert "小程序 测试公众号" in page
    assert "在小程序后台" in page


def test_without_accounts_there_is_nothing_to_show(client, session):
    make_org("/hq/sh/")
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)
    make_channel_account("/hq/bj/")

    assert "没有用模板的账号" in client.get("/ops/templates").text


def test_hr_may_look_at_neither_page(client, account):
    client.sign_in("/ops", user_id=make_hr().id)

    assert client.get("/ops/templates").status_code == 403


def test_an_auditor_may_not_preview(client, account):
    client.sign_in("/ops", user_id=make_user("/hq/").id)

    assert client.get("/ops/templates/preview?who=张").status_code == 403
    assert client.post(f"/ops/templates/{account.id}/sync").status_code == 403


# --- reading anew ---------------------------------------------------------------------------


def test_a_sync_reads_the_platform(client, operator, account, wechat):
    lists(wechat, ON_WECHAT)

    answer = client.post(f"/ops/templates/{account.id}/sync")

    assert (answer.status_code, answer.location) == (303, "/ops/templates")
    page = client.get("/ops/templates").text
    assert "读到 1 个模板" in page
    assert templates_of(account.id) == {READY.value: "T1"}


def test_a_sync_tells_what_changed_and_what_is_gone(client, operator, account, wechat):
    know(account, found(), found(None, template_id="T9", title="活动通知"))
    lists(wechat, {**ON_WECHAT, "content": "单位名称:{{thing4.DATA}}"})

    client.post(f"/ops/templates/{account.id}/sync")

    page = client.get("/ops/templates").text
    assert f"字段变了：{TITLE}" in page
    assert "已被删除：活动通知" in page
    assert templates_of(account.id) == {}


def test_a_refusal_of_the_platform_is_told_and_changes_nothing(client, operator, account, wechat):
    know(account, found())
    api = get_settings().wechat_api_url
    wechat.get(f"{api}/cgi-bin/template/get_all_private_template", json={"errcode": 48001})

    client.post(f"/ops/templates/{account.id}/sync")

    assert "48001" in client.get("/ops/templates").text
    assert templates_of(account.id) == {READY.value: "T1"}


def test_an_app_has_no_templates_to_read(client, operator, app_account):
    client.post(f"/ops/templates/{app_account.id}/sync")

    assert "没有消息模板" in client.get("/ops/templates").text


def test_templates_of_a_miniprogram_are_read_too(client, operator, wechat):
    mini = make_channel_account(kind=ChannelKind.MINIPROGRAM, templates={})
    api = get_settings().wechat_api_url
    shown = {
        "priTmplId": "M1",
        "title": TITLE,
        "content": CONTENT,
        "example": "",
        "type": 3,
        "keywordEnumValueList": [{"keywordCode": "thing3.DATA", "enumValueList": ["甲", "乙"]}],
    }
    wechat.get(f"{api}/wxaapi/newtmpl/gettemplate", json={"errcode": 0, "data": [shown]})

    client.post(f"/ops/templates/{mini.id}/sync")

    assert templates_of(mini.id) == {READY.value: "M1"}


def test_anothers_account_cannot_be_read(client, account):
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)

    assert client.post(f"/ops/templates/{account.id}/sync").status_code == 404


# --- the preview ----------------------------------------------------------------------------


@pytest.fixture
def person(account):
    make_org("/hq/bj/ent-1/", name="滨江实验学校")
    return make_employee("/hq/bj/ent-1/", name="张三丰", emp_no="1001")


def preview(client, person, kind=READY):
    return client.get(f"/ops/templates/preview?kind={kind.value}&employee_id={person.id}").text


def test_a_person_is_found_and_shown_without_the_whole_name(client, operator, person):
    page = client.get("/ops/templates/preview?who=张三").text

    assert "张**" in page
    assert "张三丰" not in page
    assert f"employee_id={person.id}" in page
    assert "1001" in page


def test_nobody_found_and_nobody_looked_for_are_told_apart(client, operator, person):
    assert "没有找到" in client.get("/ops/templates/preview?who=赵").text
    assert "先选一个人" in client.get("/ops/templates/preview").text


@time_machine.travel("2026-03-29 02:15:00+00:00", tick=False)
def test_the_card_is_shown_as_the_person_would_get_it(client, operator, account, person):
    know(account, found())
    make_binding(person, account)

    page = preview(client, person)

    for part in (TITLE, "单位名称", "滨江实验学校", "2026年3月", "查看详情", "公众号模板消息"):
        assert part in page
    assert "再打开这一份工资条" in page
    assert "现在会走这一步" in page
    assert "元" not in page.partition("wx-card")[2].partition("</article>")[0]


def test_without_a_template_the_preview_says_it_would_not_be_sent(
    client, operator, account, person
):
    know(account)
    make_binding(person, account)

    assert "没有能用的模板" in preview(client, person)


def test_a_value_that_breaks_its_rule_is_shown_before_anybody_gets_it(client, operator, account):
    make_org("/hq/bj/ent-2/", name="🎉")
    person = make_employee("/hq/bj/ent-2/")
    know(account, found())
    make_binding(person, account)

    page = preview(client, person)

    assert "这样发不出去" in page
    assert "消息字段 thing1" in page


def test_who_does_not_follow_is_told_of(client, operator, account, person):
    make_binding(person, account, make_identity(account, is_follower=False))

    page = preview(client, person)

    assert "没有关注" in page
    assert "微信若退回，就走下一步" in page


def test_a_message_of_an_app_is_shown_as_text(client, operator, app_account, person):
    make_binding(person, app_account)

    page = preview(client, person)

    assert "请到微信公众号里查看" in page
    assert "没有链接" in page
    assert "wx-card" not in page


def test_a_message_of_a_miniprogram_has_its_own_template(client, operator, account, person):
    mini = make_channel_account(kind=ChannelKind.MINIPROGRAM, templates={})
    know(mini, found(template_id="M1"))
    make_binding(person, mini)

    page = preview(client, person)

    assert "打开小程序首页" in page
    assert "单位名称" in page


def test_a_text_message_is_shown_whole(client, operator, person, monkeypatch):
    with_sms = get_settings().model_copy(update={"sms_gateway": "file"})
    monkeypatch.setattr(previews, "get_settings", lambda: with_sms)

    assert "【测试公众号】" in preview(client, person)


def test_what_was_refused_before_is_told_with_its_reason(client, operator, account, person):
    identity = make_binding(person, account)
    now = utc_now()
    with transaction() as session:
        said = {"reason": "muted", "noted_at": now, "until": now + timedelta(days=1)}
        session.add(Unreachable(identity_id=identity.id, kind=READY.value, **said))

    page = preview(client, person)

    assert "发不到" in page
    assert "员工关闭了这类消息" in page
    assert "哪一步都到不了这个人" in page


def test_without_an_account_the_preview_says_what_is_missing(client, session):
    make_channel_account("/hq/bj/")
    client.sign_in("/ops", user_id=make_operator().id)

    page = preview(client, make_employee("/hq/sh/ent-7/"))

    assert "现在发不出去" in page


def test_anothers_employee_is_not_found(client, person):
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)

    answer = client.get(f"/ops/templates/preview?employee_id={person.id}")

    assert answer.status_code == 404


def test_every_message_and_step_has_its_words():
    assert set(page_module.KINDS) == set(page_module.PAGES) == set(MessageKind)
    assert set(page_module.STEP_STATES) == set(previews.StepState)
