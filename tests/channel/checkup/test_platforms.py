"""Each account's questions, and what their answers are taken for."""

import time

import pytest
import requests
from redis.exceptions import ConnectionError as RedisAway

from channel.breaker import open_after
from channel.budget import BudgetExhausted
from channel.checkup import platforms as examined
from channel.checkup.findings import Verdict
from domain.directory.accounts import ChannelKind
from domain.pushes.models import MessageKind
from tests.factories import make_channel_account

WELL, BROKEN, UNKNOWN = Verdict


def soon():
    return time.monotonic() + 60


def of_wechat(account, templates=None, deadline=None):
    known = {kind.value: "T1" for kind in MessageKind} if templates is None else templates
    found = examined.examine_official_account(account, known, deadline or soon())
    return {one.id: one for one in found}


def of_wecom(account):
    return {one.id: one for one in examined.examine_wecom_app(account, soon())}


def verdicts(found):
    return {name: one.verdict for name, one in found.items()}


def refusal(errcode, errmsg="no"):
    return {"json": {"errcode": errcode, "errmsg": errmsg}}


# --- official accounts ----------------------------------------------------------------------


def test_a_well_account_is_well_all_over(platforms, official_account):
    platforms.wechat_is_well()

    found = of_wechat(official_account)

    assert set(verdicts(found).values()) == {WELL}
    assert set(found) == {
        *("token", "ip-allowlist", "permission-templates", "permission-followers"),
        *("js-tickets", "callback-network", "templates"),
    }
    assert {one.account for one in found.values()} == {"bank-oa"}


def test_a_refused_address_is_named_with_the_list_it_belongs_into(platforms, official_account):
    errmsg = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6aac"
    platforms.wechat("POST", "stable_token", **refusal(40164, errmsg))

    found = of_wechat(official_account)

    assert "203.0.113.7 不在白名单" in found["ip-allowlist"].says
    assert "203.0.113.7" in found["token"].advice
    assert verdicts(found)["ip-allowlist"] is BROKEN
    assert found["permission-templates"].says == "出口 IP 被拒，没有检查"


@pytest.mark.parametrize("errcode", [40001, 40125, 40013])
def test_a_refused_secret_is_said_once_and_not_tried_again(platforms, official_account, errcode):
    asked = platforms.wechat("POST", "stable_token", **refusal(errcode))

    first, second = of_wechat(official_account), of_wechat(official_account)

    assert first["token"].verdict is second["token"].verdict is BROKEN
    assert str(errcode) in first["token"].says
    assert "之前不再询问" in first["token"].says
    assert "之前返回" in second["token"].says
    assert asked.call_count == 1
    assert verdicts(first)["ip-allowlist"] is UNKNOWN
    # There is one thing to mend, and the templates were not asked of WeChat.
    assert [one for one, verdict in verdicts(first).items() if verdict is BROKEN] == ["token"]


def test_a_secret_that_is_kept_as_token_is_still_asked_about(platforms, official_account):
    platforms.wechat_is_well()
    of_wechat(official_account)
    platforms.wechat("POST", "stable_token", **refusal(40125))

    assert of_wechat(official_account)["token"].verdict is BROKEN


def test_a_refusal_without_a_breaker_only_tells_the_number(platforms, official_account):
    platforms.wechat("POST", "stable_token", **refusal(50002))

    token = of_wechat(official_account)["token"]

    assert token.says == "接口返回 50002"
    assert "限制使用" in token.advice


def test_an_api_without_permission_hides_no_other(platforms, official_account):
    platforms.wechat_is_well()
    platforms.wechat("GET", "template/get_all_private_template", **refusal(48001))
    platforms.wechat("GET", "user/info", **refusal(48001))

    found = of_wechat(official_account)

    broken = {name for name, one in found.items() if one.verdict is BROKEN}
    assert broken == {"permission-templates", "permission-followers"}
    assert "接口权限" in found["permission-templates"].advice


def test_a_platform_that_says_nothing_is_named_with_the_setting(platforms, official_account):
    platforms.wechat("POST", "stable_token", body=requests.ConnectTimeout())

    found = of_wechat(official_account)

    assert "连不上微信" in found["token"].says
    assert "XINQIAO_WECHAT_API_URL" in found["token"].advice
    assert found["ip-allowlist"].says == "连不上平台，没有检查"
    assert verdicts(found)["js-tickets"] is UNKNOWN


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        ({"json": {"dns": [], "ping": []}}, BROKEN, "解析不出"),
        (
            {"json": {"dns": [{"ip": "1.2.3.4"}], "ping": [{"package_loss": "100%"}]}},
            UNKNOWN,
            "ping 不通",
        ),
        (refusal(40201), BROKEN, "40201"),
        (refusal(48001), UNKNOWN, "48001"),
        ({"body": requests.ReadTimeout()}, UNKNOWN, "几秒"),
    ],
)
def test_how_wechat_finds_our_address(platforms, official_account, answer, verdict, says):
    platforms.wechat_is_well()
    platforms.wechat("POST", "callback/check", **answer)

    network = of_wechat(official_account)["callback-network"]

    assert (network.verdict, says in network.says) == (verdict, True)


def test_missing_templates_are_named(platforms, official_account):
    platforms.wechat_is_well()

    templates = of_wechat(official_account, {"payslip_ready": "T1"})["templates"]

    assert templates.says == "缺 payslip_reminder、question_answered"
    assert "setup bank-oa" in templates.advice


def test_when_time_is_up_nothing_more_is_asked(platforms, official_account):
    asked = platforms.wechat("POST", "stable_token", **refusal(40125))

    found = of_wechat(official_account, deadline=time.monotonic())

    assert set(verdicts(found).values()) == {UNKNOWN, WELL}  # templates are our own to know
    assert asked.call_count == 0


def test_a_used_up_budget_is_no_fault(platforms, official_account, monkeypatch):
    def used_up(*_):
        raise BudgetExhausted("/cgi-bin/stable_token", 60)

    monkeypatch.setattr("channel.budget.take", used_up)

    assert of_wechat(official_account)["token"].verdict is UNKNOWN


def test_without_redis_the_rest_is_still_told(platforms, official_account, monkeypatch):
    def away(*_):
        raise RedisAway

    monkeypatch.setattr(examined, "breaker_state", away)
    found = of_wechat(official_account)
    assert "Redis" in found["token"].says
    assert found["templates"].verdict is WELL


def test_redis_may_go_away_between_two_questions(platforms, official_account, monkeypatch):
    platforms.wechat("POST", "stable_token", **refusal(40125))
    asked = iter([None])

    def goes_away(_):
        for state in asked:
            return state
        raise RedisAway

    monkeypatch.setattr(examined, "breaker_state", goes_away)

    assert of_wechat(official_account)["token"].says == "接口返回 40125"


# --- mini-programs --------------------------------------------------------------------------


def test_a_miniprogram_is_asked_for_its_token_only(platforms, session):
    platforms.wechat_is_well()
    account = make_channel_account(kind=ChannelKind.MINIPROGRAM, name="bank-mp")

    found = {one.id: one for one in examined.examine_miniprogram(account, soon())}

    assert verdicts(found) == {"token": WELL, "ip-allowlist": WELL}
    assert found["token"].check == "小程序 bank-mp"


# --- WeCom ----------------------------------------------------------------------------------


def test_a_well_app_is_well_all_over(platforms, wecom_app):
    platforms.wecom_is_well()

    found = of_wecom(wecom_app)

    assert set(verdicts(found).values()) == {WELL}
    assert "2 位成员" in found["permission-customers"].says
    assert set(found) == {
        *("token", "ip-allowlist", "permission-members", "agent", "permission-customers"),
        "js-tickets",
    }


def test_wecom_gives_tokens_to_every_address_but_answers_only_trusted_ones(platforms, wecom_app):
    platforms.wecom_is_well()
    errmsg = "not allow to access from your ip, hint: [17], from ip: 203.0.113.8, more info at"
    platforms.wecom("GET", "user/get", **refusal(60020, errmsg))

    found = of_wecom(wecom_app)

    assert found["token"].verdict is WELL
    assert found["ip-allowlist"].says == "203.0.113.8 不在白名单（60020）"
    assert "企业可信 IP" in found["ip-allowlist"].advice
    assert verdicts(found)["agent"] is verdicts(found)["permission-customers"] is UNKNOWN


def test_an_app_that_may_not_serve_customers_is_told_where_to_tick(platforms, wecom_app):
    platforms.wecom_is_well()
    platforms.wecom("GET", "externalcontact/get_follow_user_list", **refusal(48002))
    platforms.wecom("GET", "user/get", **refusal(60011))

    found = of_wecom(wecom_app)

    assert found["ip-allowlist"].verdict is WELL
    assert "可见范围" in found["permission-members"].advice
    assert "可调用接口的应用" in found["permission-customers"].advice
    assert found["js-tickets"].verdict is WELL


def test_an_app_without_anybody_to_serve_customers_is_pointed_out(platforms, wecom_app):
    platforms.wecom_is_well()
    platforms.wecom("GET", "externalcontact/get_follow_user_list", json={"follow_user": []})

    customers = of_wecom(wecom_app)["permission-customers"]

    assert (customers.verdict, "使用范围" in customers.advice) == (UNKNOWN, True)


def test_an_agentid_of_another_app_is_found(platforms, wecom_app):
    platforms.wecom_is_well()
    platforms.wecom("GET", "agent/get", **refusal(301002))

    agent = of_wecom(wecom_app)["agent"]

    assert (agent.verdict, "同一个应用" in agent.advice) == (BROKEN, True)


def test_a_refused_secret_of_an_app_is_not_asked_again(platforms, wecom_app):
    open_after(wecom_app.id, 40001)

    found = of_wecom(wecom_app)

    assert "之前不再询问" in found["token"].says
    assert "rotate rm-app" in found["token"].advice
    assert found["ip-allowlist"].says == "密钥被拒，没有检查"


def test_a_disabled_app_is_told_apart_from_a_wrong_secret(platforms, wecom_app):
    platforms.wecom("GET", "gettoken", **refusal(50003))

    found = of_wecom(wecom_app)

    assert "启用" in found["token"].advice
    assert found["ip-allowlist"].says == "接口被拒，没有检查"


def test_a_silent_wecom_is_named_with_its_own_setting(platforms, wecom_app):
    platforms.wecom("GET", "gettoken", status=502, body="bad gateway")

    token = of_wecom(wecom_app)["token"]

    assert "连不上企业微信" in token.says
    assert "XINQIAO_WECOM_API_URL" in token.advice
