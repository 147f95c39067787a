"""Signing in at the desk: scanned, confirmed by a number, and only in the browser that asked."""

import re

import pytest
import requests
import responses as responses_library
from sqlalchemy import select

from channel import desk_signin
from core.db import transaction
from core.settings import get_settings
from domain.audit.models import AuditEvent
from domain.directory.models import User
from tests.factories import make_channel_account, make_hr, make_identity, make_user

SIGN_IN = "/hr/signin/"


@pytest.fixture
def wechat():
    """WeChat, answering every wish for a QR code."""
    api = get_settings().wechat_api_url
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        token = {"access_token": "token-1", "expires_in": 7200}
        code = {"ticket": "t", "url": "http://weixin.qq.com/q/abc", "expire_seconds": 300}
        mock.post(f"{api}/cgi-bin/stable_token", json=token)
        mock.post(f"{api}/cgi-bin/qrcode/create", json=code)
        yield mock


@pytest.fixture
def scanner(account):
    """Somebody of HR with their WeChat at hand: scans and confirms."""
    return Scanner(make_hr(), make_identity(account))


class Scanner:
    def __init__(self, actor, identity):
        self.actor, self.identity = actor, identity

    def scan(self, poll):
        code = re.search(r"status/([^?]+)", poll)[1]
        assert desk_signin.note_scan(code, self.actor.id, self.identity.id)
        return code

    def confirm(self, code):
        number = desk_signin.find(code).number
        desk_signin.confirm(code, self.identity.id, number)


def poll_of(page):
    return re.search(r'hx-get="([^"]+)"', page)[1].replace("&amp;", "&")


def test_a_page_behind_the_door_leads_to_the_code(client, account):
    answer = client.get("/hr/payroll")

    assert answer.status_code == 302
    assert answer.location == SIGN_IN


def test_where_there_are_several_accounts_the_desk_asks_which(client, account, wechat):
    other = make_channel_account(name="other-oa")

    page = client.get(SIGN_IN).text

    for name in (account.name, other.name):
        assert f"{SIGN_IN}?account={name}" in page
    assert client.get(f"{SIGN_IN}?account={other.name}").status_code == 200


def test_htmx_is_sent_there_too(client, account):
    answer = client.get("/hr/payroll/1/figures", headers={"HX-Request": "true"})

    assert answer.headers["HX-Redirect"] == SIGN_IN


def test_the_whole_way_in(client, session, scanner, wechat):
    page = client.get(SIGN_IN).text
    assert "data:image/png;base64," in page
    poll = poll_of(page)
    assert client.get(poll).status_code == 204

    code = scanner.scan(poll)
    box = client.get(poll).text
    assert desk_signin.find(code).number in box
    assert client.get(poll_of(box)).status_code == 204

    scanner.confirm(code)
    answer = client.get(poll_of(box))

    assert answer.headers["HX-Redirect"] == "/hr/"
    assert "周敏" in client.get("/hr/").text
    signed_in = session.scalars(
        select(AuditEvent).where(AuditEvent.action == "directory.user.signed_in")
    ).one()
    assert signed_in.actor_id == scanner.actor.id


def test_the_session_gets_a_new_id_at_sign_in(client, scanner, wechat):
    poll = poll_of(client.get(SIGN_IN).text)
    before = client.get_cookie("xq_hr", path="/").value

    scanner.confirm(scanner.scan(poll))
    client.get(poll)

    assert client.get_cookie("xq_hr", path="/").value != before


def test_another_browser_cannot_finish_nor_see_the_number(app, client, scanner, wechat):
    poll = poll_of(client.get(SIGN_IN).text)
    code = scanner.scan(poll)
    stranger = app.test_client()

    assert "qr__number" not in stranger.get(poll).text
    scanner.confirm(code)
    answer = stranger.get(poll)

    assert "HX-Redirect" not in answer.headers
    assert stranger.get("/hr/payroll").location == SIGN_IN
    assert client.get(poll).headers["HX-Redirect"] == "/hr/"


def test_a_wrong_number_ends_the_code(client, scanner, wechat):
    poll = poll_of(client.get(SIGN_IN).text)
    code = scanner.scan(poll)
    wrong = "10" if desk_signin.find(code).number != "10" else "11"

    with pytest.raises(desk_signin.WrongNumber):
        desk_signin.confirm(code, scanner.identity.id, wrong)

    box = client.get(poll).text
    assert "换一个二维码" in box
    assert "hx-get" not in box
    assert client.get("/hr/payroll").location == SIGN_IN


def test_an_expired_code_can_be_renewed(client, account, redis, wechat):
    poll = poll_of(client.get(f"{SIGN_IN}?account=demo-oa").text)
    for key in redis.scan_iter("xq:desk-signin:*"):
        redis.delete(key)

    box = client.get(f"{poll}&account=demo-oa").text

    assert "已过期" in box
    assert "换一个二维码" in box


def test_without_wechat_the_page_says_so_and_offers_another_try(client, account):
    api = get_settings().wechat_api_url
    with responses_library.RequestsMock() as mock:
        mock.post(f"{api}/cgi-bin/stable_token", body=requests.ConnectionError())
        answer = client.get(SIGN_IN)

    assert answer.status_code == 503
    assert "暂时拿不到登录二维码" in answer.text
    assert f'href="{SIGN_IN}"' in answer.text


def test_codes_are_not_made_without_end_for_one_address(client, account, wechat):
    for _ in range(30):
        client.get(SIGN_IN)

    answer = client.get(SIGN_IN)

    assert answer.status_code == 429
    assert "太频繁" in answer.text


def test_who_is_signed_in_needs_no_code(client, hr):
    assert client.get(SIGN_IN).location == "/hr/"


def test_signing_out_ends_the_session(client, hr, redis):
    answer = client.post("/hr/signin/out")

    assert (answer.status_code, answer.location) == (303, SIGN_IN)
    assert client.get("/hr/payroll").location == SIGN_IN
    assert not list(redis.scan_iter("xq:session:xq_hr:*"))


def test_a_disabled_user_is_out_at_once(client, hr):
    assert client.get("/hr/").status_code == 200
    with transaction() as writing:
        writing.get_one(User, hr.id).is_enabled = False

    assert client.get("/hr/").location == SIGN_IN


def test_a_user_disabled_while_signing_in_does_not_come_in(client, scanner, wechat):
    poll = poll_of(client.get(SIGN_IN).text)
    scanner.confirm(scanner.scan(poll))
    with transaction() as writing:
        writing.get_one(User, scanner.actor.id).is_enabled = False

    answer = client.get(poll)

    assert answer.status_code == 403
    assert client.get("/hr/").location == SIGN_IN


def test_a_user_without_any_role_is_told_whom_to_ask(client, account):
    client.sign_in("/hr", user_id=make_user().id)

    page = client.get("/hr/").text

    assert "还没有开通任何功能" in page
