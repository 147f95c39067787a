"""Our public address and our callback doors, called as the consoles call them."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests
import time_machine

from channel.checkup import reach
from channel.checkup.findings import Verdict
from core.clock import utc_now
from domain.directory.accounts import ChannelKind
from tests.factories import make_channel_account

WELL, BROKEN, UNKNOWN = Verdict


@pytest.mark.parametrize(
    ("url", "verdict", "says"),
    [
        ("https://wx.bank.example.cn", WELL, "wx.bank"),
        ("http://127.0.0.1:8000", UNKNOWN, "演示"),
        ("http://localhost:8000", UNKNOWN, "演示"),
        ("http://wx.bank.example.cn", BROKEN, "不是 https"),
        ("https://203.0.113.7", BROKEN, "是 IP"),
        ("https://wx.bank.example.cn:8443", BROKEN, "带了端口 8443"),
        ("https://intranet", BROKEN, "不是公网域名"),
        ("http://10.0.0.7:8000", BROKEN, "不是 https，是 IP，不是域名，带了端口 8000"),
    ],
)
def test_the_public_address_is_judged_as_the_consoles_do(url, verdict, says):
    found = reach.examine_public_url(url)

    assert (found.verdict, says in found.says) == (verdict, True)
    assert bool(found.advice) is (verdict is not WELL)


def through(client, change=lambda text: text):
    """Our own doors behind the public address."""

    def answer(request):
        parts = urlsplit(request.url)
        reply = client.get(f"{parts.path}?{parts.query}")
        return reply.status_code, {}, change(reply.text)

    return answer


@pytest.mark.parametrize("kind", ChannelKind)
def test_every_door_answers_its_own_console(client, platforms, kind):
    agentid = "1000002" if kind is ChannelKind.WECOM_APP else None
    account = make_channel_account(kind=kind, agentid=agentid)
    platforms.callback(account, through(client))

    found = reach.examine_callback(account, None)

    assert (found.verdict, found.advice) == (WELL, "")


def test_an_answer_that_somebody_changed_is_found(client, platforms, official_account):
    platforms.callback(official_account, through(client, lambda text: f"\ufeff{text}"))

    found = reach.examine_callback(official_account, None)

    assert (found.verdict, "被改动" in found.says) == (BROKEN, True)


@pytest.mark.parametrize(
    ("status", "says", "advice"),
    [
        (403, "拒绝了签名正确的请求", "时钟"),
        (404, "没有这个回调地址", "反向代理"),
        (301, "被转到别的地址", "不跟随跳转"),
        (503, "HTTP 503", "/readyz"),
    ],
)
def test_each_wrong_answer_has_a_cause(platforms, official_account, status, says, advice):
    platforms.callback(official_account, lambda _: (status, {}, "?"))

    found = reach.examine_callback(official_account, None)

    assert found.verdict is BROKEN
    assert says in found.says
    assert advice in found.advice


def failing(error):
    def answer(_):
        raise error

    return answer


def test_an_address_that_nobody_answers_is_broken(platforms, official_account):
    platforms.callback(official_account, failing(requests.ConnectTimeout()))
    long_ago = utc_now() - timedelta(days=3)

    for last_at in (None, long_ago):
        found = reach.examine_callback(official_account, last_at)
        assert (found.verdict, "ConnectTimeout" in found.says) == (BROKEN, True)


def test_an_address_closed_to_ourselves_is_open_when_callbacks_arrive(platforms, official_account):
    platforms.callback(official_account, failing(requests.ConnectTimeout()))

    found = reach.examine_callback(official_account, utc_now() - timedelta(hours=1))

    assert found.verdict is UNKNOWN


def test_a_bad_certificate_is_broken_whatever_arrives(platforms, official_account):
    platforms.callback(official_account, failing(requests.exceptions.SSLError()))

    found = reach.examine_callback(official_account, utc_now())

    assert (found.verdict, "证书" in found.says) == (BROKEN, True)


def test_a_right_answer_that_comes_late_is_pointed_out(
    client, platforms, official_account, monkeypatch
):
    monkeypatch.setattr(reach, "CONSOLE_SECONDS", 0.0)
    platforms.callback(official_account, through(client))

    found = reach.examine_callback(official_account, None)

    assert (found.verdict, "1 秒" in found.advice) == (UNKNOWN, True)


def test_when_the_last_callback_came_is_told(official_account):
    with time_machine.travel(datetime(2026, 3, 5, 4, 0, tzinfo=UTC)):
        found = reach.examine_arrivals(official_account, datetime(2026, 3, 5, 3, 0, tzinfo=UTC))

    assert (found.verdict, found.says) == (WELL, "最近一次 3月5日 11:00")


@pytest.mark.parametrize(
    ("kind", "door", "sign"),
    [
        (ChannelKind.OFFICIAL_ACCOUNT, "wechat", "关注一次公众号"),
        (ChannelKind.MINIPROGRAM, "wechat", "给客服发一条消息"),
        (ChannelKind.WECOM_APP, "wecom", "在企业微信里打开应用"),
    ],
)
def test_where_to_enter_the_address_and_what_to_do_then_is_told_when_none_came(
    session, kind, door, sign
):
    found = reach.examine_arrivals(make_channel_account(kind=kind, name="bank"), None)

    assert found.verdict is UNKNOWN
    assert f"/callback/{door}/bank" in found.advice
    assert sign in found.advice
    assert ("关注" in found.advice) is (kind is ChannelKind.OFFICIAL_ACCOUNT)
