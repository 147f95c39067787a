"""Web sign-in: the authorize page, single-use codes, and what comes out of them."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

TARGET = "http://127.0.0.1:8000/me/back?next=%2Fme"


def person_of(client, fan):
    """The sandbox's own id of the person, as the phone uses it in its cookie."""
    people = requests.get(f"{client.address}/phone/people", params={"q": fan}, timeout=5).json()
    return people["people"][0]["id"]


def open_authorize(client, fan=None, method="get", **more):
    query = {
        "appid": client.account["appid"],
        "redirect_uri": TARGET,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "abc123",
        **more,
    }
    cookies = {"sandbox_person": person_of(client, fan)} if fan else {}
    return requests.request(
        method,
        client.url("/connect/oauth2/authorize"),
        params=query,
        cookies=cookies,
        allow_redirects=False,
        timeout=5,
    )


def code_in(response):
    assert response.status_code == 302, response.text
    return parse_qs(urlsplit(response.headers["Location"]).query)["code"][0]


def exchange(client, code, changed=None):
    query = {
        "grant_type": "authorization_code",
        "code": code,
        **client.credentials,
        **(changed or {}),
    }
    return client.get("/sns/oauth2/access_token", token=None, **query)


def test_the_phone_s_person_comes_back_with_code_and_state(client):
    fan = client.fan()
    response = open_authorize(client, fan)

    target = urlsplit(response.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "http://127.0.0.1:8000/me/back"
    query = parse_qs(target.query)
    assert query["next"] == ["/me"]
    assert query["state"] == ["abc123"]
    answer = exchange(client, query["code"][0])
    assert answer["openid"] == fan
    assert answer["scope"] == "snsapi_base"
    assert "is_snapshotuser" not in answer
    assert "unionid" not in answer


def test_a_code_is_good_once_and_for_five_minutes(client):
    fan = client.fan()
    code = code_in(open_authorize(client, fan))
    exchange(client, code)
    used = exchange(client, code)
    assert used["errcode"] == 40163
    assert used["errmsg"].startswith("code been used, rid: ")

    late = code_in(open_authorize(client, fan))
    client.advance(301)
    assert exchange(client, late)["errcode"] == 40029
    assert exchange(client, "never issued")["errcode"] == 40029


def test_a_code_is_of_no_use_to_another_account(client):
    code = code_in(open_authorize(client, client.fan()))
    client.keep_account(name="oauth-other", appid="wxoauthother", secret="s")
    assert exchange(client, code)["errcode"] == 40029


@pytest.mark.parametrize(
    ("changed", "errcode"),
    [
        ({"appid": "wxnobody"}, 40013),
        ({"secret": ""}, 41004),
        ({"secret": "wrong"}, 40125),
        ({"grant_type": "client_credential"}, 40002),
        ({"code": ""}, 41008),
    ],
)
def test_an_exchange_with_a_mistake_is_refused(client, changed, errcode):
    code = code_in(open_authorize(client, client.fan()))
    answer = exchange(client, code, changed)
    assert answer["errcode"] == errcode
    assert ", rid: " in answer["errmsg"]


def test_a_snapshot_visitor_gets_an_openid_that_is_nobody_s(client):
    client.switch(snapshot_user=True)
    fan = client.fan()
    answer = exchange(client, code_in(open_authorize(client, fan)))
    assert answer["is_snapshotuser"] == 1
    assert answer["openid"] != fan
    assert client.get("/cgi-bin/user/info", openid=answer["openid"])["errcode"] == 40003


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"appid": "wxnobody"}, "appid 参数错误"),
        ({"response_type": "token"}, "response_type"),
        ({"scope": "snsapi_login"}, "scope"),
        ({"state": "not-alphanumeric!"}, "state"),
        ({"state": "x" * 129}, "state"),
        ({"redirect_uri": "javascript:alert(1)"}, "10003"),
        ({"redirect_uri": ""}, "10003"),
    ],
)
def test_the_authorize_page_refuses_with_a_page(client, changed, sentence):
    response = open_authorize(client, client.fan(), **changed)
    assert response.status_code == 400
    assert sentence in response.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("bank.example", 302),
        ("bank.example:8443", 302),
        ("www.bank.example", 400),
        ("bank.example.evil.test", 400),
    ],
)
def test_the_redirect_host_must_be_the_configured_one_exactly(client, host, status):
    client.keep_account(name=client.name, oauth_domain="bank.example")
    response = open_authorize(client, client.fan(), redirect_uri=f"https://{host}/me")
    assert response.status_code == status
    assert status == 302 or "域名与后台配置不一致" in response.text


def test_who_is_nobody_chooses_a_person_and_goes_on(client):
    fan = client.fan(names=["王小明"])
    response = open_authorize(client)
    assert response.status_code == 200
    assert "王小明" in response.text
    person = person_of(client, fan)
    assert exchange(client, code_in(open_authorize(client, sandbox_person=person)))["openid"] == fan


def test_nobody_can_allow_for_nobody_or_for_an_unknown_account(client):
    assert "请在微信客户端打开链接" in open_authorize(client, method="post").text
    refused = open_authorize(client, client.fan(), method="post", appid="wxnobody")
    assert (refused.status_code, "appid" in refused.text) == (400, True)


def test_userinfo_is_given_after_the_person_allowed_it(client):
    fan = client.fan(names=["王小明"])
    asked = open_authorize(client, fan, scope="snsapi_userinfo")
    assert asked.status_code == 200
    assert "允许" in asked.text

    allowed = open_authorize(client, fan, scope="snsapi_userinfo", method="post")

    token = exchange(client, code_in(allowed))
    query = {"access_token": token["access_token"], "openid": fan}
    assert client.get("/sns/userinfo", token=None, **query)["nickname"] == "王小明"
    assert client.get("/sns/auth", token=None, **query) == {"errcode": 0, "errmsg": "ok"}
    wrong = client.get("/sns/userinfo", token=None, access_token="x", openid=fan)
    assert wrong["errcode"] == 40001
    assert "getStableAccessToken" not in wrong["errmsg"]
    query["openid"] = "somebody-else"
    assert client.get("/sns/auth", token=None, **query)["errcode"] == 40003


def test_a_silent_token_does_not_open_userinfo_and_expires(client):
    fan = client.fan()
    token = exchange(client, code_in(open_authorize(client, fan)))
    query = {"access_token": token["access_token"], "openid": fan}
    assert client.get("/sns/userinfo", token=None, **query)["errcode"] == 48001
    client.advance(7201)
    assert client.get("/sns/auth", token=None, **query)["errcode"] == 42001


def test_a_refresh_token_works_thirty_days(client):
    fan = client.fan()
    token = exchange(client, code_in(open_authorize(client, fan)))
    query = {
        "appid": client.account["appid"],
        "grant_type": "refresh_token",
        "refresh_token": token["refresh_token"],
    }
    path = "/sns/oauth2/refresh_token"
    assert client.get(path, token=None, **query)["openid"] == fan
    assert client.get(path, token=None, **{**query, "refresh_token": "x"})["errcode"] == 40030
    assert client.get(path, token=None, **{**query, "grant_type": "x"})["errcode"] == 40002
    assert client.get(path, token=None, **{**query, "appid": "x"})["errcode"] == 40013
    client.advance(31 * 86_400)
    assert client.get(path, token=None, **query)["errcode"] == 42002


def test_unionids_appear_in_the_exchange_by_switch(client):
    client.switch(unionid=True)
    fan = client.fan()
    unionid = exchange(client, code_in(open_authorize(client, fan)))["unionid"]
    assert unionid == client.get("/cgi-bin/user/info", openid=fan)["unionid"]


def test_one_person_has_another_openid_and_the_same_unionid_at_another_account(client):
    fan = client.fan()
    person = person_of(client, fan)
    client.keep_account(name="oauth-second", appid="wxoauthsecond", secret="s")
    client.switch(unionid=True)
    answer = exchange(client, code_in(open_authorize(client, sandbox_person=person)))
    assert answer["openid"] != fan
    client.happen(answer["openid"], "subscribe")
    client._token = ""
    info = client.get("/cgi-bin/user/info", openid=answer["openid"])
    assert info["unionid"] == answer["unionid"]


def test_the_control_api_hands_out_codes_for_scripts(client):
    fan = client.fan()
    query = {"account": client.name, "openid": fan, "redirect_uri": TARGET, "state": "s1"}
    url = f"{client.address}/_sandbox/authorize"
    response = requests.get(url, params=query, allow_redirects=False, timeout=5)
    assert exchange(client, code_in(response))["openid"] == fan
    assert "nobody" in client.refused("GET", "/authorize", **{**query, "openid": "nobody"})
    assert "10003" in client.refused("GET", "/authorize", **{**query, "redirect_uri": "x"})
