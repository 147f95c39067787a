"""What is wrong with a template or a value is found before anybody is sent anything."""

import json

import pytest
import responses as responses_library

from channel import clients
from channel.alarms import list_alarms
from channel.checkup.findings import advice_for
from channel.message_texts import TITLES
from channel.setup import NoTemplatesThere, read_templates, set_up_account
from channel.ways import TEMPLATE_WAIT, TemplateWay, way_of
from channel.wechat.miniprogram import SUBSCRIPTION_SEND
from channel.wechat.outgoing import TEMPLATE_SEND
from core.clock import utc_now
from core.settings import get_settings
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import templates_of
from domain.directory.message_templates import find_template, sync_templates
from domain.pushes.claims import ClaimedChunk
from domain.pushes.models import MessageKind, PushStatus, Route
from sandbox.wechat.library import LIBRARY, template_from
from tests.factories import make_channel_account

READY = MessageKind.PAYSLIP_READY
PARAMS = {"enterprise": "滨江实验学校", "period": "2026-03"}


@pytest.fixture
def account(session, redis):
    return make_channel_account()


def claimed(account, route=Route.TEMPLATE, **params):
    return ClaimedChunk(
        campaign_id=1,
        channel_account_id=account.id,
        org_path=account.org_path,
        kind=READY,
        params=PARAMS | params,
        requested_at=utc_now(),
        path="/me/payslips/{}",
        ladder=(route,),
        claim=1,
        at=utc_now(),
        accounts={route: account.id},
        pushes=(),
    )


def alarms():
    return [(alarm.account_id, alarm.api, alarm.errcode) for alarm in list_alarms()]


# --- before sending -------------------------------------------------------------------------


def test_a_good_message_has_a_way_and_raises_no_alarm(account):
    assert isinstance(way_of(claimed(account), Route.TEMPLATE), TemplateWay)
    assert alarms() == []


def test_a_value_that_breaks_its_rule_ends_before_sending_and_operations_see_which(account):
    outcome = way_of(claimed(account, enterprise="🎉"), Route.TEMPLATE)

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "template")
    assert alarms() == [(account.id, f"{TEMPLATE_SEND}#payslip_ready.thing1", 47003)]
    assert "预览" in advice_for(account, 47003)


@pytest.mark.parametrize(
    ("kind", "route", "path"),
    [
        (ChannelKind.OFFICIAL_ACCOUNT, Route.TEMPLATE, TEMPLATE_SEND),
        (ChannelKind.MINIPROGRAM, Route.MINIPROGRAM, SUBSCRIPTION_SEND),
    ],
)
def test_a_message_without_a_template_ends_before_sending(session, redis, kind, route, path):
    account = make_channel_account(kind=kind, templates={})

    outcome = way_of(claimed(account, route), route)

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "template")
    assert alarms() == [(account.id, f"{path}#payslip_ready", 40037)]
    assert "立即同步" in advice_for(account, 40037)


# --- reading templates ----------------------------------------------------------------------


@pytest.fixture
def wechat():
    clients.forget_http()
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        api = get_settings().wechat_api_url
        mock.post(f"{api}/cgi-bin/stable_token", json={"access_token": "t", "expires_in": 7200})
        yield mock
    clients.forget_http()


def url(path):
    return f"{get_settings().wechat_api_url}{path}"


def of_the_library():
    made = (template_from("wx1", entry) for entry in LIBRARY)
    return [
        {"template_id": t.template_id, "title": t.title, "content": t.content, "example": t.example}
        for t in made
    ]


def test_setting_up_reads_the_templates_and_sets_the_menu(account, wechat):
    templates = {"template_list": of_the_library()}
    wechat.get(url("/cgi-bin/template/get_all_private_template"), json=templates)
    wechat.post(url("/cgi-bin/menu/create"), json={"errcode": 0})

    assert set_up_account(account) == []

    assert set(templates_of(account.id)) == {kind.value for kind in MessageKind}
    stored = find_template(account.id, READY.value)
    assert [(one.key, one.label) for one in stored.fields] == [
        ("thing1", "单位名称"),
        ("time2", "发放月份"),
        ("thing3", "温馨提示"),
    ]
    menu = json.loads(wechat.calls[-1].request.body)
    assert [button["name"] for button in menu["button"]] == ["我的工资条", "我的"]


def test_who_waits_for_a_template_that_is_gone_gets_no_text_message_instead(account, wechat):
    wechat.get(url("/cgi-bin/template/get_all_private_template"), json={"template_list": []})

    read_templates(Actor.system(), account)

    outcome = way_of(claimed(account), Route.TEMPLATE)
    assert (outcome.status, outcome.reason) == (PushStatus.CREATED, "template")
    assert outcome.due_at == outcome.held_until
    assert outcome.due_at - utc_now() <= TEMPLATE_WAIT
    assert outcome.holds_kind_only
    assert alarms() == [(account.id, f"{TEMPLATE_SEND}#payslip_ready", 40037)]


def test_a_template_whose_fields_were_changed_makes_people_wait_too(account, wechat):
    listed = of_the_library()
    path = "/cgi-bin/template/get_all_private_template"
    wechat.get(url(path), json={"template_list": listed})
    read_templates(Actor.system(), account)
    [ready] = [one for one in listed if one["title"] == TITLES[READY]]
    ready["content"] = ready["content"].replace("thing1", "thing9")
    wechat.replace(responses_library.GET, url(path), json={"template_list": listed})

    read_templates(Actor.system(), account)

    assert way_of(claimed(account), Route.TEMPLATE).status is PushStatus.CREATED


def test_a_step_of_the_miniprogram_waits_without_the_official_account(session, redis):
    mini = make_channel_account(kind=ChannelKind.MINIPROGRAM)
    sync_templates(Actor.system(), mini.id, [])

    outcome = way_of(claimed(mini, Route.MINIPROGRAM), Route.MINIPROGRAM)

    assert (outcome.status, outcome.held_until) == (PushStatus.CREATED, None)


def test_a_miniprogram_is_set_up_without_a_menu(session, redis, wechat):
    mini = make_channel_account(kind=ChannelKind.MINIPROGRAM, templates={})
    content = "单位:{{thing1.DATA}}\n月份:{{time2.DATA}}\n提示:{{thing3.DATA}}\n"
    shown = {"priTmplId": "M1", "title": "工资发放通知", "content": content, "type": 3}
    wechat.get(url("/wxaapi/newtmpl/gettemplate"), json={"errcode": 0, "data": [shown]})

    assert READY.value not in set_up_account(mini)

    assert templates_of(mini.id) == {READY.value: "M1"}


def test_an_app_has_no_templates(session):
    app = make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1", templates={})

    with pytest.raises(NoTemplatesThere):
        set_up_account(app)
