import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from channel.web_signin import (
    PENDING,
    CodeUsed,
    CookiesRefused,
    SignInLoop,
    SnapshotUser,
    StateRefused,
    is_own_path,
)
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.oauth import OfficialAccountSignIn, Scope
from tests.channel.wechat.conftest import API

BACK = "https://bank.example/me/signed-in?a=1&b=2"
OPEN = "https://open.weixin.qq.com"
BROWSER = "browser-1"
NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


class Door:
    """A sign-in, and who was let in by it."""

    def __init__(self, redis, account, wechat, **more):
        self.sign_in = OfficialAccountSignIn(redis, account, wechat, OPEN, BACK, **more)
        self.people = []

    def begin(self, browser_id, return_to):
        return self.sign_in.begin(browser_id, return_to)

    def finish(self, code, state, browser_id):
        return self.sign_in.finish(code, state, browser_id, self.let_in)

    def let_in(self, person):
        self.people.append(person)
        return f"session-{len(self.people)}"


@pytest.fixture(autouse=True)
def keys(session):
    """The database, which holds the keys under which a session's id is sealed."""


@pytest.fixture
def sign_in(redis, account, wechat):
    return Door(redis, account, wechat)


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
        f"&response_type=code&scope=snsapi_base&state={state_of(url)}&connect_redirect=1"
        "#wechat_redirect"
    )
    assert state_of(url).isalnum()
    assert len(state_of(url)) <= 128


def test_whoever_taps_can_be_asked_for_the_profile(redis, account, wechat):
    asking = Door(redis, account, wechat, scope=Scope.PROFILE)

    assert "scope=snsapi_userinfo" in asking.begin(BROWSER, "/me")


def test_a_person_comes_back_to_the_page_that_was_wanted(sign_in, wechat_says):
    wechat_says(unionid="u1")
    state = state_of(sign_in.begin(BROWSER, "/me/payslips/3?year=2026"))

    came = sign_in.finish("c0de", state, BROWSER)

    assert [(one.openid, one.unionid) for one in sign_in.people] == [("oPerson", "u1")]
    assert (came.return_to, came.joins) == ("/me/payslips/3?year=2026", None)


def test_a_state_lets_in_once_and_a_second_call_gets_the_same_session(
    sign_in, wechat_says, responses
):
    wechat_says()
    state = state_of(sign_in.begin(BROWSER, "/me"))
    first = sign_in.finish("c0de", state, BROWSER)

    second = sign_in.finish("c0de", state, BROWSER)

    assert (first.joins, first.return_to) == (None, "/me")
    assert (second.joins, second.return_to) == ("session-1", "/me")
    assert len(sign_in.people) == len(responses.calls) == 1


@pytest.mark.parametrize("guess", ["", "nonsense", "C0DE", "\ud800"])
def test_who_knows_state_and_browser_but_not_the_code_gets_no_session(
    sign_in, wechat_says, responses, guess
):
    wechat_says()
    state = state_of(sign_in.begin(BROWSER, "/me"))
    sign_in.finish("c0de", state, BROWSER)

    with pytest.raises(CodeUsed) as again:
        sign_in.finish(guess, state, BROWSER)

    assert again.value.return_to == "/me"
    assert len(sign_in.people) == len(responses.calls) == 1


def test_a_guessed_code_does_not_wait_for_the_one_that_lets_in(sign_in):
    state = state_of(sign_in.begin(BROWSER, "/me"))
    waited = []
    sign_in.sign_in._sleep = waited.append
    sign_in.sign_in._note(state, "c0de", PENDING, is_first=True)

    with pytest.raises(CodeUsed):
        sign_in.finish("nonsense", state, BROWSER)

    assert waited == []


def test_who_comes_seconds_later_goes_on_with_the_session_they_have(
    sign_in, wechat_says, responses
):
    wechat_says()
    with time_machine.travel(NOW, tick=False) as clock:
        state = state_of(sign_in.begin(BROWSER, "/me"))
        sign_in.finish("c0de", state, BROWSER)
        clock.shift(5)
        at_once = sign_in.finish("c0de", state, BROWSER)
        clock.shift(1)
        late = sign_in.finish("c0de", state, BROWSER)

    assert (at_once.joins, late.joins, late.return_to) == ("session-1", None, "/me")
    assert len(sign_in.people) == len(responses.calls) == 1


def test_calls_at_the_same_moment_wait_for_the_one_that_lets_in(sign_in, wechat_says, responses):
    wechat_says()
    state = state_of(sign_in.begin(BROWSER, "/me"))
    slow, begun = threading.Event(), threading.Event()
    let_in = sign_in.let_in

    def let_in_slowly(person):
        begun.set()
        slow.wait(5)
        return let_in(person)

    sign_in.let_in = let_in_slowly
    with ThreadPoolExecutor(3) as calls:
        first = calls.submit(sign_in.finish, "c0de", state, BROWSER)
        assert begun.wait(5)
        others = [calls.submit(sign_in.finish, "c0de", state, BROWSER) for _ in range(2)]
        slow.set()
        came = [call.result(10) for call in (first, *others)]

    assert [one.joins for one in came] == [None, "session-1", "session-1"]
    assert len(sign_in.people) == len(responses.calls) == 1


def test_a_second_call_of_a_refused_sign_in_sets_out_again(sign_in, wechat_says):
    wechat_says(is_snapshotuser=1)
    state = state_of(sign_in.begin(BROWSER, "/me/tax"))
    with pytest.raises(SnapshotUser):
        sign_in.finish("c0de", state, BROWSER)

    with pytest.raises(CodeUsed) as again:
        sign_in.finish("c0de", state, BROWSER)

    assert again.value.return_to == "/me/tax"


def test_a_second_call_does_not_wait_for_ever(sign_in):
    state = state_of(sign_in.begin(BROWSER, "/me"))
    waited = []
    sign_in.sign_in._sleep = waited.append
    # The first call's process has died.
    sign_in.sign_in._note(state, "c0de", PENDING, is_first=True)

    with pytest.raises(CodeUsed):
        sign_in.finish("c0de", state, BROWSER)

    assert 4 < sum(waited) <= 5


def test_the_sessions_id_is_not_readable_in_redis(sign_in, wechat_says, redis):
    wechat_says()
    sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)

    assert not any("session-1" in str(redis.get(key)) for key in redis.scan_iter())


def test_a_browser_that_sends_no_cookie_is_told_so(sign_in, responses):
    state = state_of(sign_in.begin(BROWSER, "/me"))

    with pytest.raises(CookiesRefused) as refusal:
        sign_in.finish("c0de", state, "")

    assert "Cookie" in refusal.value.sentence
    assert len(responses.calls) == 0


def test_a_state_lives_ten_minutes(sign_in, redis):
    sign_in.begin(BROWSER, "/me")

    [key] = redis.scan_iter("xq:oauth-state:*")
    assert 590 < redis.ttl(key) <= 600


@pytest.mark.parametrize("state", ["", "invented", "\ud800", "*"])
def test_an_invented_state_is_refused_and_wechat_not_asked(sign_in, responses, state):
    with pytest.raises(StateRefused):
        sign_in.finish("c0de", state, BROWSER)

    assert len(responses.calls) == 0


def test_a_state_in_another_browser_is_refused_and_used_up(sign_in, responses):
    state = state_of(sign_in.begin(BROWSER, "/me"))

    for browser in ("browser-2", BROWSER):
        with pytest.raises(StateRefused):
            sign_in.finish("c0de", state, browser)

    assert len(responses.calls) == 0


def test_a_state_of_another_account_is_refused(sign_in, redis, wechat, account):
    other = Door(redis, _renumbered(account, 8), wechat)

    with pytest.raises(StateRefused):
        other.finish("c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def _renumbered(account, account_id):
    fields = {name: getattr(account, name) for name in account.__slots__}
    return type(account)(**fields | {"id": account_id})


def test_the_virtual_person_of_a_snapshot_page_is_refused(sign_in, wechat_says):
    wechat_says(is_snapshotuser=1)

    with pytest.raises(SnapshotUser) as refusal:
        sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)

    assert "使用完整服务" in refusal.value.sentence


@pytest.mark.parametrize("errcode", [40029, 40163, 41008])
def test_a_used_code_says_so_and_remembers_the_page(sign_in, wechat_says, errcode):
    wechat_says(errcode=errcode, errmsg="code been used, rid: 1")

    with pytest.raises(CodeUsed) as refusal:
        sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, "/me/tax")), BROWSER)

    assert refusal.value.return_to == "/me/tax"
    assert "公众号" in refusal.value.sentence


def test_whoever_refuses_to_sign_in_comes_back_without_a_code(sign_in, responses):
    with pytest.raises(CodeUsed):
        sign_in.finish("", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)

    assert len(responses.calls) == 0


def test_other_refusals_of_wechat_are_passed_on(sign_in, wechat_says):
    wechat_says(errcode=40013, errmsg="invalid appid")

    with pytest.raises(WeChatError):
        sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def test_an_answer_without_an_openid_signs_nobody_in(sign_in, responses):
    responses.get(f"{API}/sns/oauth2/access_token", json={"access_token": "web"})

    with pytest.raises(WeChatUnreachable):
        sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def go_round(sign_in):
    sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, "/me")), BROWSER)


def test_a_browser_that_goes_round_in_circles_is_stopped_and_others_are_not(
    sign_in, wechat_says, redis
):
    wechat_says(errcode=40163, errmsg="code been used")
    for _ in range(2):
        with pytest.raises(CodeUsed):
            go_round(sign_in)

    with pytest.raises(SignInLoop):
        sign_in.begin(BROWSER, "/me")

    assert sign_in.begin("browser-2", "/me")
    [key] = redis.scan_iter("xq:oauth-rounds:*")
    assert 0 < redis.ttl(key) <= 60


def test_signing_in_again_and_again_is_no_circle(sign_in, wechat_says):
    wechat_says()

    for _ in range(4):
        go_round(sign_in)


def test_a_page_may_begin_several_times_at_once(sign_in, wechat_says):
    wechat_says()
    states = [state_of(sign_in.begin(BROWSER, "/me")) for _ in range(5)]

    sign_in.finish("c0de", states[0], BROWSER)

    assert sign_in.people[0].openid == "oPerson"


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
        "//evil.example?to=/me",
        "/me//evil.example",
        "/me/..//evil.example",
        "/me?to=\\evil.example",
        "/me?a\n",
    ],
)
def test_nobody_is_sent_away_from_us_after_signing_in(sign_in, elsewhere):
    assert not is_own_path(elsewhere)
    with pytest.raises(StateRefused):
        sign_in.begin(BROWSER, elsewhere)


@pytest.mark.parametrize(
    "page",
    ["/me/payslips?from=https://bank.example/news", "/me?q=//", "/me?up=/../", "/me?a=b?c=//d"],
)
def test_an_address_in_the_query_leads_nobody_away(sign_in, wechat_says, page):
    wechat_says()

    came = sign_in.finish("c0de", state_of(sign_in.begin(BROWSER, page)), BROWSER)

    assert came.return_to == page


def test_the_browsers_own_id_is_not_stored(sign_in, redis):
    sign_in.begin(BROWSER, "/me")

    stored = [f"{key} {redis.get(key)}" for key in redis.scan_iter()]
    assert stored
    assert not any(BROWSER in entry for entry in stored)
