"""The phone's half of the workbench sign-in."""

import re

import pytest

from channel import desk_signin
from channel.desk_signin import DeskState
from core.db import transaction
from domain.directory.models import User
from tests.factories import make_hr, make_identity, make_org

BROWSER = "the browser at the desk"


@pytest.fixture
def hr(account):
    make_org("/hq/bj/ent-1/", name="滨江实验学校")
    return make_hr("/hq/bj/ent-1/", name="李敏")


@pytest.fixture
def scanned(visitor, hr):
    """A sign-in that waits for the answer of this phone."""
    waiting = desk_signin.begin(BROWSER)
    assert desk_signin.note_scan(waiting.code, hr.id, visitor.id)
    return waiting


def numbers(page):
    return re.findall(r'name="number" value="(\d\d)"', page)


def test_three_numbers_are_offered_and_the_right_one_is_among_them(client, scanned):
    page = client.get(f"/me/desk/{scanned.code}").text

    assert len(numbers(page)) == 3
    assert scanned.number in numbers(page)
    assert "不是我" in page


def test_the_page_says_who_would_be_signed_in_and_where(client, scanned):
    page = client.get(f"/me/desk/{scanned.code}").text

    assert "李敏" in page
    assert "滨江实验学校" in page


def test_looking_again_does_not_tell_the_number(client, scanned):
    first, again = (numbers(client.get(f"/me/desk/{scanned.code}").text) for _ in range(2))

    assert first == again


def test_somebody_who_was_dismissed_meanwhile_is_offered_nothing(client, scanned, hr):
    with transaction() as session:
        session.get_one(User, hr.id).is_enabled = False

    assert client.get(f"/me/desk/{scanned.code}").status_code == 409


def test_the_right_number_signs_the_desk_in(client, scanned, hr):
    answer = client.post(f"/me/desk/{scanned.code}", data={"number": scanned.number})

    assert (answer.status_code, answer.location) == (303, "/me/desk/confirmed")
    assert "已登录，请看电脑" in client.get(answer.location).text
    assert desk_signin.finish(scanned.code, BROWSER) == hr.id


def test_a_wrong_number_ends_it(client, scanned):
    wrong = "10" if scanned.number != "10" else "11"

    answer = client.post(f"/me/desk/{scanned.code}", data={"number": wrong})

    assert answer.status_code == 422
    assert "这次登录已取消" in answer.text
    assert desk_signin.find(scanned.code) is None


def test_it_was_not_me_ends_it(client, scanned):
    answer = client.post(f"/me/desk/{scanned.code}/refuse")

    assert (answer.status_code, answer.location) == (303, "/me/desk/refused")
    assert "电脑没有登录" in client.get(answer.location).text
    assert desk_signin.find(scanned.code) is None


def test_a_second_tap_finds_it_done(client, scanned, hr):
    for _ in range(2):
        answer = client.post(f"/me/desk/{scanned.code}", data={"number": scanned.number})

    assert answer.status_code == 409
    assert desk_signin.finish(scanned.code, BROWSER) == hr.id


def test_a_code_that_another_phone_scanned_cannot_be_answered(client, scanned, somebody):
    client.sign_in("/me", **somebody().session)

    for answer in (
        client.get(f"/me/desk/{scanned.code}"),
        client.post(f"/me/desk/{scanned.code}", data={"number": scanned.number}),
        client.post(f"/me/desk/{scanned.code}/refuse"),
    ):
        assert answer.status_code == 409
        assert "重新扫码" in answer.text
    assert desk_signin.find(scanned.code).state is DeskState.SCANNED


def test_a_code_that_nobody_gave_is_gone(client, visitor):
    assert client.get("/me/desk/nothing").status_code == 409


def test_a_form_without_its_token_answers_nothing(client_with_csrf, somebody):
    me, waiting = somebody(), desk_signin.begin(BROWSER)
    desk_signin.note_scan(waiting.code, 7, me.identity.id)
    client_with_csrf.sign_in("/me", **me.session)

    for path in (f"/me/desk/{waiting.code}", f"/me/desk/{waiting.code}/refuse"):
        assert client_with_csrf.post(path, data={"number": waiting.number}).status_code == 400
    assert desk_signin.find(waiting.code).state is DeskState.SCANNED


def test_a_code_is_scanned_once(scanned, hr, account):
    assert not desk_signin.note_scan(scanned.code, hr.id, make_identity(account).id)


def test_the_desk_opens_only_in_the_browser_that_showed_the_code_and_once(client, scanned, hr):
    assert desk_signin.finish(scanned.code, BROWSER) is None  # not confirmed yet
    client.post(f"/me/desk/{scanned.code}", data={"number": scanned.number})

    assert desk_signin.finish(scanned.code, "another browser") is None
    assert desk_signin.finish(scanned.code, BROWSER) == hr.id
    assert desk_signin.finish(scanned.code, BROWSER) is None
