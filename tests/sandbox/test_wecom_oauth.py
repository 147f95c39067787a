"""Sign-in with WeCom: the authorize page, the QR page, and what a code tells."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

HERE = "http://127.0.0.1:8000/signin?next=1"
AUTHORIZE, QR_LOGIN = "/connect/oauth2/authorize", "/wwlogin/sso/login"


@pytest.fixture
def app(corp):
    members = [{"userid": "Wang", "name": "王芳", "mobile": "13800000001"}]
    corp.members(members=members)
    return corp


def opened(app, path=AUTHORIZE, method="GET", **query):
    """The page as the member Wang sees it."""
    asked = {
        "appid": app.corpid,
        "redirect_uri": HERE,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s1",
        "sandbox_member": "wang",
    }
    return requests.request(
        method, app.url(path), params=asked | query, timeout=5, allow_redirects=False
    )


def code_in(response):
    assert response.status_code == 302, response.text
    return parse_qs(urlsplit(response.headers["Location"]).query)["code"][0]


def who(app, code):
    return app.get("/cgi-bin/auth/getuserinfo", code=code)


def test_snsapi_base_is_silent_and_keeps_query_and_state(app):
    response = opened(app)

    target = urlsplit(response.headers["Location"])
    assert target.netloc == "127.0.0.1:8000"
    query = parse_qs(target.query)
    assert (query["next"], query["state"]) == (["1"], ["s1"])
    assert who(app, query["code"][0]) == {"errcode": 0, "errmsg": "ok", "userid": "Wang"}


def test_a_code_is_good_once_and_for_five_minutes(app):
    used, late = code_in(opened(app)), code_in(opened(app))

    assert who(app, used)["errcode"] == 0
    assert who(app, used)["errcode"] == 40029
    app.advance(300)
    assert who(app, late)["errcode"] == 40029
    assert app.get("/cgi-bin/auth/getuserinfo")["errcode"] == 41008


def test_a_code_for_one_app_is_none_for_another(app):
    other = app.app(1000003)
    assert who(other, code_in(opened(app, agentid=app.agentid)))["errcode"] == 40029
    assert who(other, code_in(opened(app)))["errcode"] == 0


def test_private_information_is_given_after_consent_with_a_ticket(app):
    asked = {"scope": "snsapi_privateinfo", "agentid": app.agentid}
    page = opened(app, **asked)
    assert page.status_code == 200
    assert "王芳" in page.text

    answer = who(app, code_in(opened(app, method="POST", **asked)))
    body = {"user_ticket": answer["user_ticket"]}
    detail = app.post("/cgi-bin/auth/getuserdetail", body)
    assert (detail["userid"], detail["mobile"]) == ("Wang", "13800000001")
    assert app.app(1000003).post("/cgi-bin/auth/getuserdetail", body)["errcode"] == 84015
    app.advance(1800)
    assert app.post("/cgi-bin/auth/getuserdetail", body)["errcode"] == 84014


def test_there_is_no_ticket_for_a_member_who_does_not_see_the_app(app):
    asked = {"scope": "snsapi_privateinfo", "agentid": app.agentid}
    code = code_in(opened(app, method="POST", **asked))
    app.switch(visible_userids=["somebody"])
    assert "user_ticket" not in who(app, code)


def test_people_of_no_corp_have_an_openid_and_maybe_are_a_contact(app):
    (contact,) = app.contacts("Wang")
    stranger = who(app, code_in(opened(app, sandbox_member="", sandbox_contact="-")))
    known = who(app, code_in(opened(app, sandbox_member="", sandbox_contact=contact)))

    assert set(stranger) == {"errcode", "errmsg", "openid"}
    assert known["external_userid"] == contact
    assert known["openid"].startswith("o")


def test_the_old_path_spells_with_capitals(app):
    (contact,) = app.contacts("Wang")
    path = "/cgi-bin/user/getuserinfo"
    assert app.get(path, code=code_in(opened(app)))["UserId"] == "Wang"
    code = code_in(opened(app, sandbox_member="", sandbox_contact=contact))
    answer = app.get(path, code=code)
    assert answer["OpenId"]
    assert answer["external_userid"] == contact


def test_somebody_unknown_is_asked_who_they_are_and_remembered(app):
    page = opened(app, sandbox_member="")
    assert page.status_code == 200
    assert "sandbox_member=Wang" in page.text
    assert opened(app, sandbox_member="", method="POST").status_code == 400

    cookies = opened(app).cookies
    again = requests.get(
        app.url(AUTHORIZE),
        params={
            "appid": app.corpid,
            "redirect_uri": HERE,
            "response_type": "code",
            "scope": "snsapi_base",
        },
        cookies=cookies,
        timeout=5,
        allow_redirects=False,
    )
    assert who(app, code_in(again))["userid"] == "Wang"


@pytest.mark.parametrize(
    "wrong",
    [
        {"appid": "wwunknown"},
        {"agentid": "9"},
        {"response_type": "token"},
        {"scope": "snsapi_userinfo"},
        {"scope": "snsapi_privateinfo"},
        {"state": "a b"},
        {"state": "x" * 129},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://elsewhere.example/"},
    ],
)
def test_the_authorize_page_refuses(app, wrong):
    app.keep(oauth_domain="127.0.0.1:8000")
    assert opened(app, **wrong).status_code == 400
    assert opened(app, method="POST", **wrong).status_code == 400


def test_the_domain_of_any_app_is_good_without_an_agentid(app):
    app.keep(oauth_domain="elsewhere.example")
    app.app(1000003, oauth_domain="127.0.0.1:8000")
    assert code_in(opened(app))
    assert opened(app, agentid=app.agentid).status_code == 400


def test_a_disabled_app_signs_nobody_in(app):
    app.switch(app_disabled=True)
    assert "50003" in opened(app).text


def test_the_qr_page_lets_a_member_be_chosen_and_asks(app):
    asked = {"login_type": "CorpApp", "agentid": app.agentid}
    chooser = opened(app, QR_LOGIN, sandbox_member="", **asked)
    assert "扫码" in chooser.text
    assert "sandbox_member=Wang" in chooser.text
    assert "同意" in opened(app, QR_LOGIN, **asked).text

    code = code_in(opened(app, QR_LOGIN, method="POST", **asked))
    assert who(app, code)["userid"] == "Wang"


@pytest.mark.parametrize("wrong", [{"login_type": "Else"}, {"agentid": ""}, {"state": "?"}])
def test_the_qr_page_refuses(app, wrong):
    asked = {"login_type": "CorpApp", "agentid": app.agentid} | wrong
    assert opened(app, QR_LOGIN, **asked).status_code == 400
    assert opened(app, QR_LOGIN, method="POST", **asked).status_code == 400


def test_scripts_get_a_code_without_a_page(app):
    (contact,) = app.contacts("Wang")
    assert who(app, app.code("wang"))["userid"] == "Wang"
    assert who(app, app.code("", external_userid=contact))["external_userid"] == contact
    assert "user_ticket" in who(app, app.code("wang", scope="snsapi_privateinfo"))
    target = {"account": app.name, "redirect_uri": HERE}
    assert "no member" in app.refused("GET", "/authorize", **target, userid="x")
    assert "no external" in app.refused("GET", "/authorize", **target, external_userid="x")


def test_old_codes_and_tickets_are_forgotten_without_harm(app):
    app.get("/cgi-bin/auth/getuserinfo", code=app.code("wang", scope="snsapi_privateinfo"))
    app.advance(3 * 86_400)
    app._token = ""
    assert who(app, app.code("wang"))["userid"] == "Wang"
