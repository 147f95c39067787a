from urllib.parse import parse_qs, urlsplit

import pytest

from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.oauth import (
    CodeUsed,
    Scope,
    SignInLoop,
    SnapshotUser,
    StateRefused,
    WebSignIn,
    is_own_path,
)
from tests.channel.wechat.conftest import API

BACK = "https://bank.example/me/signed-in?a=1&b=2"
BROWSER = "browser-1"


@pytest.fixture
def sign_in(redis, account):
    return WebSignIn(redis, account, "https://open.weixin.qq.com", BACK)


@pytest.fixture
def wechat_says(responses):
    def say(**answer):
        base = {"access_token": "web", "expires_in": 7200, "openid": "oPerson"}
        json = answer if "errcode" in answer else base | answer
        responses.get(f"{API}/sns/oauth2/access_token", json=json)

    return say


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


def test_the_authorize_address_keeps_wechats_order_of_parameters(sign_in):
    url = sign_in.begin(BROWSER, "/me/payslips/3")

    assert url == (
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx2c2769f8efd9abc2"
        "&redirect_uri=https%3A%2F%2Fbank.example%2Fme%2Fsigned-in%3Fa%3D1%26b%3D2"
        f"&response_type=code&scope=snsapi_base&state={state_of(url)}#wechat_redirect"
    )
    assert state_of(url).isalnum()
    assert len(state_of(url)) <= 128


def test_whoever_taps_can_be_asked_for_the_profile(sign_in):
    assert "scope=snsapi_userinfo" in sign_in.begin(BROWSER, "/me", Scope.PROFILE)


def test_a_person_comes_back_to_the_page_that_was_wanted(sign_in, wechat, wechat_says):
    wechat_says(unionid="u1")
    state = state_of(sign_in.begin(BROWSER, "/me/payslips/3?year=2026"))

    person = sign_in.finish(wechat, "c0de", state, BROWSER)

    assert (person.channel_account_id, person.openid, person.unionid) == (7, "oPerson", "u1")
    assert person.return_to == "/me/payslips/3?year=2026"


def test_a_state_is_good_once(sign_in, wechat, wechat_says):
    wechat_says()
    state = state_of(sign_in.begin(BROWSER, "/me"))
    sign_in.finish(wechat, "c0de", state, BROWSER)

    with pytest.raises(StateRefused):
        sign_in.finish(wechat, "another-c0de", state, BROWSER)


def test_a_state_lives_ten_minutes(sign_in, redis):
    sign_in.begin(BROWSER, "/me")

    [key] = redis.scan_iter("xq:oauth-state:*")
    assert 590 < redis.ttl(key) <= 600


@pytest.mark.parametrize("state", ["", "invented", "\ud800", "*"])
def test_an_invented_state_is_refused_and_wechat_not_asked(sign_in, wechat, responses, state):
    with pytest.raises(StateRefused):
        sign_in.finish(wechat, "c0de", state, BROWSER)

    assert len(responses.calls) == 0


def test_a_state_in_another_browser_is_refused_and_used_up(sign_in, wechat, responses):
    state = state_of(sign_in.begin(BROWSER, "/me"))

    for browser in ("browser-2", BROWSER):
        with pytest.raises(StateRefused):
            sign_in.finish(wechat, "c0de", state, browser)

    assert len(responses.calls) == 0


def test_a_state_of_another_account_is_refused(sign_in, redis, wechat, account):
    other = WebSignIn(redis, _renumbered(account, 8), "https://open.weixin.qq.com", BACK)

    with pytest.raises(StateRefused):
        other.finish(wechat, "c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def _renumbered(account, account_id):
    fields = {name: getattr(account, name) for name in account.__slots__}
    return type(account)(**fields | {"id": account_id})


def test_the_virtual_person_of_a_snapshot_page_is_refused(sign_in, wechat, wechat_says):
    wechat_says(is_snapshotuser=1)

    with pytest.raises(SnapshotUser) as refusal:
        sign_in.finish(wechat, "c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)

    assert "使用完整服务" in refusal.value.sentence


@pytest.mark.parametrize("errcode", [40029, 40163, 41008])
def test_a_used_code_says_so_and_remembers_the_page(sign_in, wechat, wechat_says, errcode):
    wechat_says(errcode=errcode, errmsg="code been used, rid: 1")

    with pytest.raises(CodeUsed) as refusal:
        sign_in.finish(wechat, "c0de", state_of(sign_in.begin(BROWSER, "/me/tax")), BROWSER)

    assert refusal.value.return_to == "/me/tax"
    assert "公众号" in refusal.value.sentence


def test_whoever_refuses_to_sign_in_comes_back_without_a_code(sign_in, wechat, responses):
    with pytest.raises(CodeUsed):
        sign_in.finish(wechat, "", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)

    assert len(responses.calls) == 0


def test_other_refusals_of_wechat_are_passed_on(sign_in, wechat, wechat_says):
    wechat_says(errcode=40013, errmsg="invalid appid")

    with pytest.raises(WeChatError):
        sign_in.finish(wechat, "c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def test_an_answer_without_an_openid_signs_nobody_in(sign_in, wechat, responses):
    responses.get(f"{API}/sns/oauth2/access_token", json={"access_token": "web"})

    with pytest.raises(WeChatUnreachable):
        sign_in.finish(wechat, "c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def go_round(sign_in, wechat):
    sign_in.finish(wechat, "c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def test_a_browser_that_goes_round_in_circles_is_stopped_and_others_are_not(
    sign_in, wechat, wechat_says, redis
):
    wechat_says(errcode=40163, errmsg="code been used")
    for _ in range(2):
        with pytest.raises(CodeUsed):
            go_round(sign_in, wechat)

    with pytest.raises(SignInLoop):
        sign_in.begin(BROWSER, "/me")

    assert sign_in.begin("browser-2", "/me")
    [key] = redis.scan_iter("xq:oauth-rounds:*")
    assert 0 < redis.ttl(key) <= 60


def test_signing_in_again_and_again_is_no_circle(sign_in, wechat, wechat_says):
    wechat_says()

    for _ in range(4):
        go_round(sign_in, wechat)


def test_a_page_may_begin_several_times_at_once(sign_in, wechat, wechat_says):
    wechat_says()
    states = [state_of(sign_in.begin(BROWSER, "/me")) for _ in range(5)]

    assert sign_in.finish(wechat, "c0de", states[0], BROWSER).openid == "oPerson"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "",
        "me",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example/me",
        "javascript:alert(1)",
        " /me",
        "/\t/evil.example",
        "/me\nSet-Cookie: a=b",
    ],
)
def test_nobody_is_sent_away_from_us_after_signing_in(sign_in, elsewhere):
    assert not is_own_path(elsewhere)
    with pytest.raises(StateRefused):
        sign_in.begin(BROWSER, elsewhere)


def test_the_browsers_own_id_is_not_stored(sign_in, redis):
    sign_in.begin(BROWSER, "/me")

    stored = [f"{key} {redis.get(key)}" for key in redis.scan_iter()]
    assert stored
    assert not any(BROWSER in entry for entry in stored)
