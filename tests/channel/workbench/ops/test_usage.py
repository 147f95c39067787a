"""What may still be called, what is closed, and what needs a person."""

from datetime import timedelta

from channel import budget
from channel.alarms import note_alarm
from channel.breaker import open_after
from channel.budget import Caller, Priority
from core.clock import china_time, utc_now
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import set_account_enabled
from tests.factories import make_campaign, make_channel_account, make_operator

API = "/cgi-bin/externalcontact/list"


def call(appid, times=1, kind=ChannelKind.WECOM_APP):
    budget.take(Caller(kind, appid, "1000002"), API, Priority.WELCOME, times)


def test_without_calls_there_is_nothing_to_show(client, operator):
    page = client.get("/ops/usage").text

    assert "最近没有有上限的调用" in page
    assert "没有告警" in page


def test_calls_are_shown_by_corp_and_window(client, operator, app_account):
    call("ww1", 7)

    page = client.get("/ops/usage").text

    assert "企业微信 ww1" in page
    assert "9,993" in page
    assert "每小时" in page
    assert "全部接口合计" in page
    assert "本机地址" in page


def test_what_is_nearly_used_up_is_marked(client, operator, account, app_account):
    budget.take(
        Caller(ChannelKind.WECOM_APP, "ww1", "1000002"), "/cgi-bin/ticket/get", Priority.WELCOME, 1
    )
    assert "企业微信 ww1 · 应用 1000002" in client.get("/ops/usage").text
    menus = Caller(ChannelKind.OFFICIAL_ACCOUNT, account.appid)
    budget.take(menus, "/cgi-bin/menu/create", Priority.WELCOME, 799)
    assert "将用完" not in client.get("/ops/usage/now").text
    budget.take(menus, "/cgi-bin/menu/create", Priority.WELCOME, 1)

    page = client.get("/ops/usage/now").text

    assert page.count("将用完") == 1
    assert "<html" not in page


def test_what_is_paused_is_said_once_and_not_of_each_window(client, operator, app_account):
    call("ww1")
    budget.block("ww1", API)

    page = client.get("/ops/usage").text

    assert page.count("读取客户名单：这个接口已暂停，到 ") == 1
    assert page.count("暂停") == 1 + page.count("哪些被暂停")
    assert page.count("is-again") == 2  # of the corp and of our address: an hour after a minute


def test_apis_have_names_with_the_path_below(client, operator, account):
    wechat = Caller(ChannelKind.OFFICIAL_ACCOUNT, account.appid, "")
    for api in ("/cgi-bin/message/template/send", "/cgi-bin/stable_token"):
        budget.take(wechat, api, Priority.PAYSLIP, 1)

    page = client.get("/ops/usage").text

    assert "公众号模板消息<small" in page
    assert page.count("获取令牌<small") == 2  # a day and a minute
    assert page.count("is-again") == 1
    assert "message/<wbr>template/<wbr>send" in page


def test_an_alarm_names_the_kind_of_message_and_how_long_it_waits(client, operator, account):
    send = "/cgi-bin/message/template/send"
    note_alarm(account.id, f"{send}#payslip_ready", 40037)
    note_alarm(account.id, f"{send}#question_answered.thing1", 47003)
    until = utc_now() + timedelta(minutes=10)
    make_campaign(account, held_until=until)

    page = client.get("/ops/usage").text

    assert "公众号模板消息 · 工资条通知<small" in page
    assert "公众号模板消息 · 提问的回复 · 字段 thing1<small" in page
    assert page.count("这种消息已暂停，到 ") == 1
    assert f"{china_time(until):%H:%M}" in page


def test_a_block_of_an_api_without_known_limits_is_shown(client, operator, account):
    budget.block(account.appid, "/cgi-bin/unheard")

    page = client.get("/ops/usage").text

    assert "cgi-bin/<wbr>unheard" in page
    assert "公众号" in page


def test_a_closed_account_and_its_alarms_say_what_to_do(client, operator, account):
    open_after(account.id, 40125)
    note_alarm(account.id, "/cgi-bin/stable_token", 40125)

    page = client.get("/ops/usage").text

    assert "：整个账号已暂停请求，到" in page
    assert "rotate demo-oa" in page
    assert "cgi-bin/<wbr>stable_token" in page


def test_a_disabled_account_needs_nobody(client, operator):
    account = make_channel_account(name="old-oa")
    open_after(account.id, 40125)
    note_alarm(account.id, "/cgi-bin/stable_token", 40125)

    set_account_enabled(operator, account.name, is_enabled=False)

    page = client.get("/ops/usage").text
    assert "没有告警" in page
    assert "已暂停请求" not in page


def test_a_branch_sees_neither_others_calls_nor_their_alarms(client, account, app_account):
    make_channel_account("/hq/sh/", kind=ChannelKind.WECOM_APP, appid="ww2", agentid="1")
    call("ww1")
    call("ww2")
    note_alarm(account.id, "/cgi-bin/stable_token", 40125)
    open_after(account.id, 40125)
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)

    page = client.get("/ops/usage").text

    assert "企业微信 ww2" in page
    for hidden in ("ww1", "本机地址", "stable_token", "已暂停请求"):
        assert hidden not in page
