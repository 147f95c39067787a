"""Members of a corp in WeCom: the way in, what ends it, who may frame it."""

import pytest
import responses as responses_library
from sqlalchemy import func, select

from core.settings import get_settings
from domain.audit.models import AuditEvent
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import set_account_enabled
from domain.directory.models import Identity
from tests.channel.pages.conftest import query_of
from tests.factories import make_channel_account, make_identity, make_org

DOORS = ["/sidebar", "/team"]
COOKIES = {"/sidebar": "xq_sidebar", "/team": "xq_team"}


@pytest.fixture
def wecom_app(session):
    make_org("/hq/", name="信桥农商银行")
    return make_app("demo-wecom")


def make_app(name, agentid="1000002"):
    return make_channel_account(kind=ChannelKind.WECOM_APP, name=name, appid="ww1", agentid=agentid)


@pytest.fixture
def wecom():
    """WeCom's API: who comes back with a code, and what they are called."""
    api = get_settings().wecom_api_url
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        ok = {"errcode": 0, "errmsg": "ok"}
        mock.get(f"{api}/cgi-bin/gettoken", json=ok | {"access_token": "t", "expires_in": 7200})

        def says(name="王芳", **answer):
            mock.get(f"{api}/cgi-bin/auth/getuserinfo", json=ok | answer)
            known = ok | {"userid": "wangfang", "name": name} if name else {"errcode": 60011}
            mock.get(f"{api}/cgi-bin/user/get", json=known)

        yield says


def set_out(client, path="/sidebar/"):
    return query_of(client.get(path).location)["state"]


def come_back(client, state, door="/sidebar", app="demo-wecom", code="c0de"):
    return client.get(f"{door}/signin/{app}", query_string={"code": code, "state": state})


@pytest.mark.parametrize("door", DOORS)
def test_whoever_opens_the_app_is_sent_to_wecom_and_comes_back_greeted(
    client, wecom_app, wecom, door
):
    wecom(userid="wangfang")
    sent = client.get(f"{door}/?account=demo-wecom")
    asked = query_of(sent.location)
    assert sent.location.startswith(f"{get_settings().wecom_open_url}/connect/oauth2/authorize?")
    assert (asked["appid"], asked["agentid"], asked["scope"]) == ("ww1", "1000002", "snsapi_base")
    assert asked["redirect_uri"].endswith(f"{door}/signin/demo-wecom")

    answer = come_back(client, asked["state"], door)

    assert answer.location == f"{door}/?account=demo-wecom"
    page = client.get(answer.location)
    assert page.status_code == 200
    assert "王*，您好" in page.text
    assert "信桥农商银行" in page.text
    assert "测试公众号" in page.text  # the app's title
    assert "王芳" not in page.text


@pytest.mark.parametrize("door", DOORS)
def test_a_planted_cookie_and_state_do_not_lead_to_the_session_of_who_came_in(
    app, client, wecom_app, wecom, door
):
    wecom(userid="wangfang")
    state = set_out(client, f"{door}/")
    planted = client.get_cookie(COOKIES[door], path=door).value
    assert come_back(client, state, door).location == f"{door}/"
    attacker = app.test_client()
    attacker.set_cookie(COOKIES[door], planted, path=door)

    assert come_back(attacker, state, door, code="nonsense").location.startswith("http")
    assert attacker.get(f"{door}/").location.startswith("http")


def test_a_name_that_wecom_withholds_keeps_nobody_out(client, wecom_app, wecom):
    wecom(name="", userid="wangfang")

    come_back(client, set_out(client))

    assert "w**，您好" in client.get("/sidebar/").text


def test_each_door_has_a_session_of_its_own(client, wecom_app, wecom):
    wecom(userid="wangfang")
    come_back(client, set_out(client))

    assert client.get("/sidebar/").status_code == 200
    assert client.get("/team/").status_code == 302


def test_who_is_no_member_is_refused_with_a_page(client, wecom_app, wecom, session):
    wecom(openid="o1", external_userid="wm1")

    answer = come_back(client, set_out(client))

    assert answer.status_code == 403
    assert "不是本企业的成员" in answer.text
    assert session.scalar(select(func.count(Identity.id))) == 0
    [event] = session.scalars(select(AuditEvent))
    assert event.details == {"code": "signin_not_a_member"}
    assert client.get("/sidebar/").status_code == 302


def test_another_app_of_the_corp_asks_anew(client, wecom_app, wecom):
    make_app("demo-second", agentid="1000003")
    wecom(userid="wangfang")
    come_back(client, set_out(client, "/sidebar/?account=demo-wecom"))
    assert client.get("/sidebar/?account=demo-wecom").status_code == 200

    asked = query_of(client.get("/sidebar/?account=demo-second").location)

    assert asked["agentid"] == "1000003"
    assert client.get("/sidebar/").status_code == 200  # the first is still signed in


def test_of_several_apps_the_link_has_to_name_one(client, wecom_app):
    make_app("demo-second", agentid="1000003")

    assert client.get("/sidebar/").status_code == 422


@pytest.mark.parametrize("name", ["demo-oa", "nobody"])
def test_a_link_that_names_no_wecom_app_is_broken(client, account, wecom_app, name):
    assert client.get(f"/sidebar/?account={name}").status_code == 422
    assert come_back(client, "s", app=name).status_code == 422


@pytest.fixture
def member(client, wecom_app):
    """A member whose sidebar is signed in."""
    identity = make_identity(wecom_app, openid="wangfang")
    client.sign_in("/sidebar", identity_id=identity.id, account=wecom_app.id)
    return identity


def test_a_member_of_a_disabled_app_is_out(client, member):
    assert client.get("/sidebar/").status_code == 200

    set_account_enabled(Actor.system(), "demo-wecom", is_enabled=False)

    assert client.get("/sidebar/").status_code == 503


def test_a_member_who_signs_out_everywhere_is_asked_anew_on_every_device(
    app, client, member, wecom_app
):
    phone = app.test_client()
    phone.sign_in("/team", identity_id=member.id, account=wecom_app.id)
    assert phone.get("/team/").status_code == 200

    answer = client.post("/sidebar/sign-out-everywhere")

    assert "已退出所有设备" in answer.text
    assert client.get("/sidebar/").status_code == 302
    assert phone.get("/team/").status_code == 302


def test_a_form_of_an_expired_session_says_so(client, wecom_app):
    answer = client.post("/sidebar/sign-out-everywhere")

    assert answer.status_code == 401
    assert "从企业微信重新打开" in answer.text


def test_an_employees_session_opens_no_sidebar(client, me, wecom_app):
    assert client.get("/me/payslips").status_code == 200
    assert client.get("/sidebar/").status_code == 302


def test_only_the_sidebar_may_stand_in_a_frame_and_only_in_wecoms(client, member):
    framed = client.get("/sidebar/").headers

    assert "X-Frame-Options" not in framed
    assert (
        "frame-ancestors https://work.weixin.qq.com https://*.work.weixin.qq.com"
        " http://127.0.0.1:8100;" in framed["Content-Security-Policy"] + ";"
    )
    for path in ("/team/", "/me/payslips", "/hr/signin/", "/sidebars"):
        others = client.get(path).headers
        assert others["X-Frame-Options"] == "DENY", path
        assert "frame-ancestors 'none'" in others["Content-Security-Policy"], path


def test_refusals_of_the_sidebar_may_be_seen_in_the_frame_too(client, member):
    assert "X-Frame-Options" not in client.get("/sidebar/nowhere").headers
