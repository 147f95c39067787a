"""Signing in at the desk through WeCom's QR page, and leaving it everywhere."""

import pytest
import requests
import responses as responses_library
from sqlalchemy import select

from core.settings import get_settings
from domain.audit.models import AuditEvent
from domain.directory import service
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import set_account_enabled
from tests.channel.pages.conftest import query_of
from tests.factories import make_channel_account, make_hr, make_identity, make_operator

SIGN_IN, BY_WECOM = "/hr/signin/", "/hr/signin/wecom?account=demo-wecom"
BUTTON = "用企业微信登录"


@pytest.fixture
def wecom_app(session):
    return make_channel_account(
        kind=ChannelKind.WECOM_APP, name="demo-wecom", appid="ww1", agentid="1000002"
    )


@pytest.fixture
def wecom():
    """WeCom's API: who comes back with a code."""
    api = get_settings().wecom_api_url
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        ok = {"errcode": 0, "errmsg": "ok"}
        mock.get(f"{api}/cgi-bin/gettoken", json=ok | {"access_token": "t", "expires_in": 7200})
        yield lambda **answer: mock.get(f"{api}/cgi-bin/auth/getuserinfo", json=ok | answer)


@pytest.fixture
def hr_member(wecom_app, wecom):
    """Somebody of HR, invited through WeCom, with their phone at hand."""
    hr = make_hr()
    member = make_identity(wecom_app, openid="zhoumin")
    service.accept_invitation(member.id, service.invite_again(make_operator(), hr.id))
    wecom(userid="zhoumin")
    return hr


def set_out(client, path=BY_WECOM):
    return query_of(client.get(path).location)["state"]


def come_back(client, state, code="c0de"):
    query = {"code": code, "state": state}
    return client.get("/hr/signin/wecom/demo-wecom", query_string=query)


def test_the_whole_way_in(client, hr_member, session):
    sent = client.get(BY_WECOM)
    assert sent.location.startswith(f"{get_settings().wecom_login_url}/wwlogin/sso/login?")
    asked = query_of(sent.location)
    assert asked["redirect_uri"] == f"{get_settings().public_url}/hr/signin/wecom/demo-wecom"
    before = client.get_cookie("xq_hr", path="/").value

    answer = come_back(client, asked["state"])

    assert answer.location == "/hr/"
    assert "周敏" in client.get("/hr/").text
    assert client.get_cookie("xq_hr", path="/").value != before
    [event] = session.scalars(
        select(AuditEvent).where(AuditEvent.action == "directory.user.signed_in")
    )
    assert event.actor_id == hr_member.id


def test_a_sign_in_that_begins_under_another_name_of_ours_moves_to_the_public_one(
    client, hr_member
):
    other = {"base_url": "http://127.0.0.1:8000"}
    path = f"{BY_WECOM}&invitation=abc"

    moved = client.get(path, **other)

    assert moved.location.startswith(f"{get_settings().public_url}{path}")
    state = query_of(client.get(moved.location).location)["state"]
    assert come_back(client, state).status_code == 403  # the invitation was carried along


def test_a_code_sent_to_somebody_elses_browser_signs_nobody_in(app, client, hr_member):
    state = set_out(client)
    victim = app.test_client()
    victim.get(BY_WECOM)

    assert come_back(victim, state).status_code == 400
    assert victim.get("/hr/").location == SIGN_IN


def test_a_planted_cookie_and_state_do_not_lead_to_the_session_of_who_came_in(
    app, client, hr_member
):
    state = set_out(client)
    planted = client.get_cookie("xq_hr", path="/").value
    assert come_back(client, state).location == "/hr/"
    attacker = app.test_client()
    attacker.set_cookie("xq_hr", planted, path="/")

    assert come_back(attacker, state, code="nonsense").location.startswith("http")
    assert attacker.get("/hr/").location == SIGN_IN


def test_a_member_who_is_no_user_is_told_whom_to_ask(client, wecom_app, wecom):
    wecom(userid="stranger")

    answer = come_back(client, set_out(client))

    assert answer.status_code == 403
    assert "还没有开通工作台" in answer.text
    assert client.get("/hr/").location == SIGN_IN


def test_who_is_no_member_is_refused(client, wecom_app, wecom):
    wecom(openid="o1")

    assert come_back(client, set_out(client)).status_code == 403


def test_an_invitation_binds_the_member_who_opens_it_once(app, client, wecom_app, wecom):
    wecom(userid="zhoumin")
    hr = make_hr()
    invitation = service.invite_again(make_operator(), hr.id)

    come_back(client, set_out(client, f"{BY_WECOM}&invitation={invitation}"))

    assert "周敏" in client.get("/hr/").text
    other = app.test_client()
    come_back(other, set_out(other))
    assert "周敏" in other.get("/hr/").text  # from now on without an invitation
    again = app.test_client()
    assert come_back(again, set_out(again, f"{BY_WECOM}&invitation=guess")).status_code == 403


def test_an_invitation_that_was_not_used_is_forgotten_at_the_next_try(client, wecom_app, wecom):
    wecom(userid="zhoumin")
    invitation = service.invite_again(make_operator(), make_hr().id)
    client.get(f"{BY_WECOM}&invitation={invitation}")

    assert come_back(client, set_out(client)).status_code == 403


@pytest.fixture
def wechat():
    api = get_settings().wechat_api_url
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(f"{api}/cgi-bin/stable_token", json={"access_token": "t", "expires_in": 7200})
        code = {"ticket": "t", "url": "http://weixin.qq.com/q/abc", "expire_seconds": 300}
        mock.post(f"{api}/cgi-bin/qrcode/create", json=code)
        yield mock


def test_the_second_way_is_shown_where_there_is_a_wecom_app(client, account, wechat):
    assert BUTTON not in client.get(SIGN_IN).text
    make_channel_account(kind=ChannelKind.WECOM_APP, name="demo-wecom", agentid="1000002")

    page = client.get(SIGN_IN).text

    assert BUTTON in page
    assert f'href="{BY_WECOM}"' in page
    assert "data:image/png;base64," in page


def test_a_bank_without_an_official_account_signs_in_through_wecom(client, wecom_app):
    page = client.get(SIGN_IN)

    assert page.status_code == 200
    assert BUTTON in page.text
    assert "<img" not in page.text


def test_without_any_account_the_page_says_so(client):
    answer = client.get(SIGN_IN)

    assert answer.status_code == 503
    assert "还没有接入" in answer.text


def test_when_wechat_is_away_wecom_is_still_offered(client, account, wecom_app):
    api = get_settings().wechat_api_url
    with responses_library.RequestsMock() as mock:
        mock.post(f"{api}/cgi-bin/stable_token", body=requests.ConnectionError())
        answer = client.get(SIGN_IN)

    assert answer.status_code == 503
    assert BUTTON in answer.text


# --- leaving --------------------------------------------------------------------------------


def test_signing_out_everywhere_ends_all_sessions_of_the_user(app, client, hr, session):
    laptop = app.test_client()
    laptop.sign_in("/hr", user_id=hr.id)
    colleague = app.test_client()
    colleague.sign_in("/hr", user_id=make_hr().id)

    answer = client.post("/hr/signin/out-everywhere")

    assert (answer.status_code, answer.location) == (303, SIGN_IN)
    assert client.get("/hr/").location == SIGN_IN
    assert laptop.get("/hr/").location == SIGN_IN
    assert colleague.get("/hr/").status_code == 200
    [event] = session.scalars(
        select(AuditEvent).where(AuditEvent.action == "directory.signin.ended_everywhere")
    )
    assert (event.actor_id, event.subject) == (hr.id, "users")


def test_who_is_not_signed_in_ends_nothing(client, account, session):
    assert client.post("/hr/signin/out-everywhere").location == SIGN_IN
    assert list(session.scalars(select(AuditEvent))) == []


def test_signing_out_everywhere_needs_a_form_of_ours(client_with_csrf, account):
    client_with_csrf.sign_in("/hr", user_id=make_hr().id)

    assert client_with_csrf.post("/hr/signin/out-everywhere").status_code == 400
    assert client_with_csrf.get("/hr/").status_code == 200


def test_a_desk_is_left_with_the_account_through_which_one_came(client, hr):
    assert client.get("/hr/").status_code == 200

    set_account_enabled(Actor.system(), "demo-oa", is_enabled=False)

    assert client.get("/hr/").location == SIGN_IN


def test_a_session_that_is_over_shows_the_code_again(client, hr, wechat):
    service.sign_out_everywhere(hr)

    assert client.get(SIGN_IN).status_code == 200
