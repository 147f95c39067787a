"""Access tokens: both kinds, their errors and the check before every call."""

import requests


def works(client, token):
    return "errcode" not in client.get("/cgi-bin/user/get", token=token)


def test_a_second_plain_token_lets_the_first_live_five_minutes_more(client):
    first = client.plain_token()["access_token"]
    second = client.plain_token()["access_token"]
    assert first != second
    assert works(client, first)

    client.advance(301)

    assert client.get("/cgi-bin/user/get", token=first)["errcode"] == 40001
    assert works(client, second)


def test_the_overlap_is_a_switch(client):
    client.switch(old_token_overlap_seconds=0)
    first = client.plain_token()["access_token"]
    client.plain_token()

    assert not works(client, first)


def test_the_stable_token_stays_the_same_until_five_minutes_before_its_end(client):
    first = client.stable_token()
    assert first["expires_in"] == 7200
    client.advance(6000)
    assert client.stable_token()["access_token"] == first["access_token"]

    client.advance(950)
    second = client.stable_token()["access_token"]

    assert second != first["access_token"]
    assert works(client, first["access_token"])
    assert works(client, second)


def test_the_two_kinds_of_token_do_not_know_each_other(client):
    stable = client.stable_token()["access_token"]
    plain = client.plain_token()["access_token"]
    client.plain_token()
    client.stable_token(force_refresh=True)

    assert works(client, plain)
    assert not works(client, stable)


def test_force_refresh_needs_thirty_seconds_and_works_twenty_times_a_day(client):
    tokens = {client.stable_token(force_refresh=True)["access_token"]}
    assert client.stable_token(force_refresh=True)["access_token"] in tokens

    for _ in range(25):
        client.advance(31)
        tokens.add(client.stable_token(force_refresh=True)["access_token"])

    assert len(tokens) == 20


def test_the_appid_is_checked_before_everything_else(client):
    answer = client.get("/cgi-bin/token", token=None, appid="wxnobody")
    assert answer["errcode"] == 40013
    assert answer["errmsg"].startswith("invalid appid rid: ")


def test_grant_type_secret_and_frozen_secret_are_refused(client):
    assert client.plain_token(grant_type="password")["errcode"] == 40002
    assert client.plain_token(secret="")["errcode"] == 41004
    assert client.plain_token(secret="wrong")["errcode"] == 40125
    assert client.stable_token(secret="wrong")["errcode"] == 40125
    client.switch(secret_frozen=True)
    assert client.plain_token()["errcode"] == 40243


def test_an_address_outside_the_allowlist_is_named(client):
    client.switch(ip_allowlist=["10.0.0.1"])
    answer = client.stable_token()
    assert answer["errcode"] == 40164
    assert "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist" in answer["errmsg"]


def test_the_token_is_checked_before_the_parameters(client):
    missing = client.post("/cgi-bin/message/template/send", {"nonsense": 1}, token=None)
    wrong = client.post("/cgi-bin/message/template/send", {"nonsense": 1}, token="wrong")

    assert missing["errcode"] == 41001
    assert missing["errmsg"].startswith("access_token missing rid: ")
    assert wrong["errcode"] == 40001
    assert "getStableAccessToken" in wrong["errmsg"]


def test_an_expired_token_says_so(client):
    token = client.stable_token()["access_token"]
    client.advance(7201)
    assert client.get("/cgi-bin/user/get", token=token)["errcode"] == 42001


def test_the_wrong_method_and_a_broken_body_are_refused(client):
    post = "/cgi-bin/user/info/batchget"
    assert client.get(post)["errcode"] == 43002
    assert client.post("/cgi-bin/user/get", {})["errcode"] == 43001
    query = {"access_token": client.token}
    empty = requests.post(client.url(post), params=query, timeout=5)
    broken = requests.post(client.url(post), params=query, data=b"{", timeout=5)
    a_list = requests.post(client.url(post), params=query, data=b"[]", timeout=5)
    assert [one.json()["errcode"] for one in (empty, broken, a_list)] == [44002, 47001, 47001]


def test_plain_tokens_have_a_daily_quota(client):
    client.switch(quotas={"/cgi-bin/token": 2})
    client.plain_token()
    client.plain_token()
    assert client.plain_token()["errcode"] == 45009
    client.advance(86_400)
    assert "access_token" in client.plain_token()


def test_a_miniprogram_has_a_token_but_not_the_apis_of_an_official_account(client):
    name = f"mp-{client.name}"
    client.keep_account(name=name, kind="miniprogram", appid=f"wx{name}", secret="5ecre7")

    token = client.stable_token()["access_token"]

    assert client.get("/cgi-bin/getcallbackip", token=token)["ip_list"]
    assert client.get("/cgi-bin/user/get", token=token)["errcode"] == 48001
    code = {"code": "c", "grant_type": "authorization_code", **client.credentials}
    assert client.get("/sns/oauth2/access_token", token=None, **code)["errcode"] == 40013
