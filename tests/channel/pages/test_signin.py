"""The way in: WeChat vouches for whoever holds the phone, once and for this browser only."""

import pytest
from sqlalchemy import func, select

from core.settings import get_settings
from domain.audit.models import AuditEvent
from domain.directory.access import Actor, ActorKind
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import set_account_enabled
from domain.directory.models import Identity
from tests.channel.pages.conftest import query_of
from tests.factories import make_channel_account, make_org

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


def sessions(redis):
    """Those in which somebody is signed in."""
    stored = [redis.get(key) for key in redis.scan_iter("xq:session:xq_me:*")]
    return [values for values in stored if "identity_id" in values]


def test_wechat_calling_twice_ends_with_one_session_and_no_error(
    app, client, account, wechat, redis
):
    wechat(**ALLOWED)
    state = set_out(client, "/me/payslips?year=2025")
    before = client.get_cookie("xq_me", path="/me").value
    first = come_back(client, state)
    signed_in = client.get_cookie("xq_me", path="/me").value
    # The second call left before the first was answered: it still has the cookie of before.
    client.set_cookie("xq_me", before, path="/me")

    second = come_back(client, state)

    assert first.location == second.location == "/me/payslips?year=2025"
    assert client.get_cookie("xq_me", path="/me").value == signed_in
    assert len(sessions(redis)) == 1
    assert client.get("/me/payslips").location == "/me/bind"


def test_a_planted_cookie_and_state_do_not_lead_to_the_session_of_who_came_in(
    app, client, account, wechat
):
    wechat(**ALLOWED)
    state = set_out(client)
    planted = client.get_cookie("xq_me", path="/me").value
    assert come_back(client, state).location == "/me/payslips"  # with a code of their own
    attacker = app.test_client()
    attacker.set_cookie("xq_me", planted, path="/me")

    answer = come_back(attacker, state, code="nonsense")

    assert answer.location.startswith("http")  # asked anew
    assert attacker.get("/me/payslips").location.startswith("http")


def test_going_back_to_the_used_address_leads_on(client, account, wechat, redis):
    wechat(**ALLOWED)
    state = set_out(client)
    come_back(client, state)

    assert come_back(client, state).location == "/me/payslips"
    assert len(sessions(redis)) == 1


def test_going_back_at_once_does_not_end_a_newer_sign_in(client, account, wechat, redis):
    wechat(**ALLOWED)
    first, second = set_out(client), set_out(client)
    come_back(client, first)
    come_back(client, second, code="newer")
    newer = client.get_cookie("xq_me", path="/me").value

    assert come_back(client, first).location == "/me/payslips"

    assert client.get_cookie("xq_me", path="/me").value == newer
    assert client.get("/me/payslips").location == "/me/bind"


def test_the_session_id_of_before_shows_nothing_any_more(client, account, wechat):
    wechat(**ALLOWED)
    state = set_out(client)
    before = client.get_cookie("xq_me", path="/me").value
    come_back(client, state)

    client.set_cookie("xq_me", before, path="/me")

    assert client.get("/me/payslips").location.startswith("http")


def test_two_links_tapped_one_after_the_other_both_lead_on(client, account, wechat):
    wechat(**ALLOWED)
    first, second = set_out(client, "/me/payslips?year=2024"), set_out(client)

    assert come_back(client, first).location == "/me/payslips?year=2024"
    assert come_back(client, second).location == "/me/payslips"


def test_after_signing_out_the_used_address_is_worth_nothing(client, somebody, wechat):
    wechat(**ALLOWED | {"openid": somebody().identity.openid})
    state = set_out(client)
    come_back(client, state)
    client.post("/me/account/sign-out")

    assert come_back(client, state).status_code == 400
    assert client.get("/me/payslips").location.startswith("http")


def test_a_browser_without_cookies_gets_a_sentence_and_does_not_go_round(app, account, wechat):
    wechat(**ALLOWED)
    browser = app.test_client(use_cookies=False)

    answer = come_back(browser, set_out(browser))

    assert answer.status_code == 400
    assert "允许浏览器保存网页数据" in answer.text


def test_a_session_of_a_disabled_account_is_worth_nothing(client, me):
    assert client.get("/me/payslips").status_code == 200

    set_account_enabled(Actor.system(), "demo-oa", is_enabled=False)

    assert client.get("/me/payslips").status_code == 503  # and there is no other account


def test_signing_out_everywhere_ends_the_sessions_of_all_phones(app, client, somebody, session):
    me = somebody()
    other_phone = app.test_client()
    for phone in (client, other_phone):
        phone.sign_in("/me", **me.session)
        assert phone.get("/me/payslips").status_code == 200
    neighbour = app.test_client()
    neighbour.sign_in("/me", **somebody().session)

    answer = client.post("/me/account/sign-out-everywhere")

    assert (answer.status_code, answer.location) == (303, "/me/signed-out")
    assert client.get("/me/payslips").status_code == 302
    assert other_phone.get("/me/payslips").status_code == 302
    assert neighbour.get("/me/payslips").status_code == 200
    [event] = session.scalars(
        select(AuditEvent).where(AuditEvent.action == "directory.signin.ended_everywhere")
    )
    assert (event.actor_id, event.subject) == (me.identity.id, "identities")


def test_after_signing_out_everywhere_one_may_sign_in_again(client, somebody, wechat):
    me = somebody()
    wechat(**ALLOWED | {"openid": me.identity.openid})
    client.sign_in("/me", **me.session)
    client.post("/me/account/sign-out-everywhere")

    come_back(client, set_out(client))

    assert client.get("/me/payslips").status_code == 200


def test_a_wecom_app_signs_no_employee_in(client, account):
    make_channel_account(kind=ChannelKind.WECOM_APP, name="demo-wecom", agentid="1")

    assert client.get("/me/payslips?account=demo-wecom").status_code == 422
    assert client.get("/me/signin/demo-wecom?code=1&state=2").status_code == 422


def test_a_state_sent_to_another_browser_is_worth_nothing(app, client, account, wechat):
    wechat(**ALLOWED)
    state = set_out(client)

    answer = come_back(app.test_client(), state)

    assert answer.status_code == 400


@pytest.mark.parametrize("errcode", [40029, 40163])
def test_a_used_code_sets_out_once_more(client, account, wechat, errcode):
    wechat(errcode=errcode, errmsg="code been used")

    answer = come_back(client, set_out(client, "/me/payslips?year=2025"))

    assert "/connect/oauth2/authorize?" in answer.location
    assert client.get("/me/account").location.startswith("http")  # not signed in


def test_a_browser_that_goes_round_is_stopped(client, account, wechat):
    wechat(errcode=40163, errmsg="code been used")
    again = come_back(client, set_out(client))

    answer = come_back(client, query_of(again.location)["state"])

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


def test_a_page_with_an_address_in_its_query_is_no_try(client, account, session):
    page = "/me/payslips?from=https://bank.example/"

    assert client.get(page).location.startswith("http")
    assert client.get("/me/open", query_string={"to": page}).location.startswith("http")
    assert list(session.scalars(select(AuditEvent))) == []


@pytest.mark.parametrize("path", ["/me/payslips?year=2025", "/me/open?to=/me/payslips"])
def test_a_page_under_another_name_of_ours_moves_to_the_public_one(client, account, path):
    moved = client.get(path, base_url="http://127.0.0.1:8000")

    assert moved.location.startswith(f"{get_settings().public_url}{path.partition('=')[0]}")
    assert "/connect/oauth2/authorize?" in client.get(moved.location).location
    # A proxy that writes its own name into Host would move it for ever.
    again = client.get(moved.location, base_url="http://127.0.0.1:8000")
    assert "/connect/oauth2/authorize?" in again.location


def test_the_door_itself_leads_to_the_payslips(client):
    assert client.get("/me/").location == "/me/payslips"


def test_signing_out_ends_the_session_and_does_not_sign_in_again(client, me):
    answer = client.post("/me/account/sign-out")

    assert (answer.status_code, answer.location) == (303, "/me/signed-out")
    assert "已退出" in client.get("/me/signed-out").text
    assert client.get("/me/account").location.startswith("http")


# --- the trail ------------------------------------------------------------------------------


def refused(session):
    """The codes of the sign-ins that stand refused in the account's trail."""
    query = select(AuditEvent).where(AuditEvent.action == "directory.signin.refused")
    return [event.details["code"] for event in session.scalars(query.order_by(AuditEvent.id))]


def test_a_refused_sign_in_stands_in_the_accounts_trail(client, account, session):
    answer = come_back(client, "0" * 32)

    [event] = session.scalars(select(AuditEvent)).all()
    assert (event.org_path, event.subject_id) == (account.org_path, account.id)
    assert (event.actor_kind, event.details) == (
        ActorKind.VISITOR,
        {"code": "signin_state_refused"},
    )
    assert event.request_id == answer.headers["X-Request-Id"]


def test_an_invented_state_a_preview_and_a_link_out_are_written_down(
    client, account, wechat, session
):
    wechat(**ALLOWED, is_snapshotuser=1)
    come_back(client, set_out(client))
    come_back(client, "0" * 32)
    client.get("/me/open?to=//evil.example")

    assert refused(session) == [
        "signin_snapshot_user",
        "signin_state_refused",
        "signin_state_refused",
    ]


def test_a_used_code_is_written_down_once_it_lets_nobody_in(client, account, wechat, session):
    wechat(errcode=40163, errmsg="code been used")
    again = come_back(client, set_out(client))
    assert refused(session) == []

    come_back(client, query_of(again.location)["state"])

    assert refused(session) == ["signin_loop"]


def test_a_good_sign_in_is_no_refusal(client, account, wechat, session):
    wechat(**ALLOWED)
    come_back(client, set_out(client))

    assert refused(session) == []
