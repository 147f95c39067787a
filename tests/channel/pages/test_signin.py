"""The way in: WeChat vouches for whoever holds the phone, once and for this browser only."""

import pytest
from sqlalchemy import func, select

from domain.directory.models import Identity
from tests.channel.pages.conftest import query_of
from tests.factories import make_org

OPENID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
ALLOWED = {"openid": OPENID, "access_token": "t", "scope": "snsapi_base"}


def set_out(client, path="/me/payslips"):
    """Open a page, be sent to WeChat; the state that leads back."""
    return query_of(client.get(path).location)["state"]


def come_back(client, state, code="c0de"):
    return client.get("/me/signin/demo-oa", query_string={"code": code, "state": state})


def test_a_stranger_is_sent_to_wechat(client, account):
    answer = client.get("/me/payslips/7?from=message")

    assert answer.status_code == 302
    assert "/connect/oauth2/authorize?" in answer.location
    asked = query_of(answer.location)
    assert asked["appid"] == account.appid
    assert asked["redirect_uri"].endswith("/me/signin/demo-oa")


def test_who_comes_back_is_signed_in_and_led_to_the_page_they_wanted(client, account, wechat):
    wechat(**ALLOWED)

    answer = come_back(client, set_out(client, "/me/payslips?year=2025"))

    assert answer.location == "/me/payslips?year=2025"
    assert client.get("/me/payslips").location == "/me/bind"  # known, and bound to nobody yet


def test_pages_name_the_bank_whose_account_was_opened(client, somebody, wechat):
    me = somebody()
    wechat(**ALLOWED | {"openid": me.identity.openid})

    come_back(client, set_out(client))

    assert make_org(me.account.org_path).name in client.get("/me/payslips").text


def test_signing_in_changes_the_session_id(client, account, wechat):
    wechat(**ALLOWED)
    state = set_out(client)
    before = client.get_cookie("xq_me", path="/me").value

    come_back(client, state)

    assert client.get_cookie("xq_me", path="/me").value != before


@pytest.mark.parametrize("state", ["", "0" * 32])
def test_a_state_that_we_did_not_give_is_refused(client, account, wechat, session, state):
    wechat(**ALLOWED)

    answer = come_back(client, state)

    assert answer.status_code == 400
    assert "登录链接已失效" in answer.text
    assert session.scalar(select(func.count(Identity.id))) == 0


def test_a_state_works_once(client, account, wechat):
    wechat(**ALLOWED)
    state = set_out(client)
    come_back(client, state)

    assert come_back(client, state).status_code == 400


def test_a_state_sent_to_another_browser_is_worth_nothing(app, client, account, wechat):
    wechat(**ALLOWED)
    state = set_out(client)

    answer = come_back(app.test_client(), state)

    assert answer.status_code == 400


@pytest.mark.parametrize("errcode", [40029, 40163])
def test_a_used_code_sets_out_once_more(client, account, wechat, errcode):
    wechat(errcode=errcode, errmsg="code been used")

    answer = come_back(client, set_out(client, "/me/payslips?year=2025"))

    assert answer.location == "/me/open?account=demo-oa&to=/me/payslips?year%3D2025"
    assert client.get("/me/account").location.startswith("http")  # not signed in


def test_a_browser_that_goes_round_is_stopped(client, account, wechat):
    wechat(errcode=40163, errmsg="code been used")
    way = "/me/payslips"
    for _ in range(2):
        way = come_back(client, set_out(client, way)).location

    answer = client.get(way)

    assert answer.status_code == 429
    assert "一分钟后" in answer.text


def test_a_snapshot_user_is_told_how_to_come_in(client, account, wechat, session):
    wechat(**ALLOWED, is_snapshotuser=1)

    answer = come_back(client, set_out(client))

    assert answer.status_code == 403
    assert "使用完整服务" in answer.text
    assert session.scalar(select(func.count(Identity.id))) == 0


def test_a_form_of_an_expired_session_says_so(client, account):
    answer = client.post("/me/payslips/1/confirm")

    assert answer.status_code == 401
    assert "从菜单或消息重新打开" in answer.text


def test_a_link_leads_only_into_the_employees_pages(client, account):
    for elsewhere in ("https://evil.example/", "//evil.example", "/hr/payroll"):
        assert client.get("/me/open", query_string={"to": elsewhere}).status_code == 400


def test_the_door_itself_leads_to_the_payslips(client):
    assert client.get("/me/").location == "/me/payslips"


def test_signing_out_ends_the_session_and_does_not_sign_in_again(client, me):
    answer = client.post("/me/account/sign-out")

    assert (answer.status_code, answer.location) == (303, "/me/signed-out")
    assert "已退出" in client.get("/me/signed-out").text
    assert client.get("/me/account").location.startswith("http")
