"""What may still be called, what is closed, and what needs a person."""

from channel import budget
from channel.alarms import note_alarm
from channel.breaker import open_after
from channel.budget import Caller, Priority
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import set_account_enabled
from tests.factories import make_channel_account, make_operator

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


def test_what_is_nearly_used_up_is_marked(client, operator, app_account):
    budget.take(
        Caller(ChannelKind.WECOM_APP, "ww1", "1000002"), "/cgi-bin/ticket/get", Priority.WELCOME, 1
    )
    assert "企业微信 ww1 · 应用 1000002" in client.get("/ops/usage").text
    call("ww1", 1900)
    call("ww1", 100)
    assert "将用完" not in client.get("/ops/usage/now").text
    budget.block("ww1", API)

    page = client.get("/ops/usage/now").text

    assert "暂停" in page
    assert "<html" not in page


def test_a_block_of_an_api_without_known_limits_is_shown(client, operator, account):
    budget.block(account.appid, "/cgi-bin/unheard")

    page = client.get("/ops/usage").text

    assert "cgi-bin/<wbr>unheard" in page
    assert "公众号" in page


def test_a_closed_account_and_its_alarms_say_what_to_do(client, operator, account):
    open_after(account.id, 40125)
    note_alarm(account.id, "/cgi-bin/stable_token", 40125)

    page = client.get("/ops/usage").text

    assert "已暂停请求，到" in page
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
