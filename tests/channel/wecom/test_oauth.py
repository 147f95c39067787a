from urllib.parse import parse_qs, urlsplit

import pytest

from channel.web_signin import CodeUsed, NotAMember, StateRefused
from channel.wecom.oauth import Scope, WecomQrSignIn, WecomSignIn
from tests.channel.wecom.conftest import API, CORPID, app_account

BACK = "https://bank.example/sidebar/signin/app-8"
OPEN, LOGIN = "https://open.weixin.qq.com", "https://login.work.weixin.qq.com"
WHO = f"{API}/cgi-bin/auth/getuserinfo"
BROWSER = "browser-1"


@pytest.fixture(autouse=True)
def keys(session):
    """The database, which holds the keys under which a session's id is sealed."""


@pytest.fixture
def sign_in(redis, account, wecom):
    return WecomSignIn(redis, account, wecom, OPEN, BACK)


def state_of(url):
    return parse_qs(urlsplit(url).query)["state"][0]


def finish(sign_in, state, code="c0de"):
    """Who is let in; empty when it is a second call."""
    people = []
    sign_in.finish(code, state, BROWSER, lambda person: people.append(person) or "session-1")
    return people


def test_the_authorize_address_names_corp_and_app(sign_in):
    url = sign_in.begin(BROWSER, "/sidebar/")

    assert url == (
        f"{OPEN}/connect/oauth2/authorize?appid={CORPID}"
        "&redirect_uri=https%3A%2F%2Fbank.example%2Fsidebar%2Fsignin%2Fapp-8"
        f"&response_type=code&scope=snsapi_base&state={state_of(url)}&agentid=1000002"
        "#wechat_redirect"
    )
    assert state_of(url).isalnum()
    assert len(state_of(url)) <= 128


def test_at_a_desk_wecom_shows_the_code(redis, account, wecom):
    url = WecomQrSignIn(redis, account, wecom, LOGIN, BACK).begin(BROWSER, "/hr/")

    assert url.startswith(f"{LOGIN}/wwlogin/sso/login?")
    asked = parse_qs(urlsplit(url).query)
    assert asked == {
        "login_type": ["CorpApp"],
        "appid": [CORPID],
        "agentid": ["1000002"],
        "redirect_uri": [BACK],
        "state": [state_of(url)],
    }


def test_a_member_is_let_in_by_their_userid(sign_in, tokens):
    tokens.get(WHO, json={"errcode": 0, "errmsg": "ok", "userid": "zhangsan"})

    [member] = finish(sign_in, state_of(sign_in.begin(BROWSER, "/sidebar/")))

    assert (member.userid, member.detail) == ("zhangsan", None)


def test_who_was_asked_for_details_brings_them_along(redis, account, wecom, tokens):
    asking = WecomSignIn(redis, account, wecom, OPEN, BACK, Scope.PRIVATE)
    tokens.get(WHO, json={"errcode": 0, "userid": "zhangsan", "user_ticket": "t1cket"})
    detail = {"errcode": 0, "userid": "zhangsan", "mobile": "13800005678"}
    tokens.post(f"{API}/cgi-bin/auth/getuserdetail", json=detail)
    url = asking.begin(BROWSER, "/sidebar/")

    [member] = finish(asking, state_of(url))

    assert "scope=snsapi_privateinfo" in url
    assert member.detail.mobile == "13800005678"
    assert "13800005678" not in repr(member)


@pytest.mark.parametrize(
    "answer", [{"openid": "o1"}, {"openid": "o1", "external_userid": "wm1"}, {"userid": ""}]
)
def test_who_is_no_member_is_not_let_in(sign_in, tokens, answer):
    tokens.get(WHO, json={"errcode": 0, "errmsg": "ok"} | answer)

    with pytest.raises(NotAMember) as refusal:
        finish(sign_in, state_of(sign_in.begin(BROWSER, "/sidebar/")))

    assert "不是本企业的成员" in refusal.value.sentence


def test_a_used_code_sets_out_once_more(sign_in, tokens):
    tokens.get(WHO, json={"errcode": 40029, "errmsg": "invalid code"})

    with pytest.raises(CodeUsed) as again:
        finish(sign_in, state_of(sign_in.begin(BROWSER, "/sidebar/?x=1")))

    assert again.value.return_to == "/sidebar/?x=1"


def test_a_state_of_another_app_is_refused(sign_in, redis, client_of):
    account = app_account(9, agentid="1000003")
    other = WecomSignIn(redis, account, client_of(account), OPEN, BACK)

    with pytest.raises(StateRefused):
        finish(other, state_of(sign_in.begin(BROWSER, "/sidebar/")))
