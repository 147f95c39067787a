"""What every door shares, on a small house of its own: doors, sessions, refusals, headers."""

import logging
import re
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import pytest
import time_machine
from flask import Blueprint, Flask, abort, current_app, g, jsonify, request, session
from flask.wrappers import Response
from flask_wtf.csrf import generate_csrf

import core.redis
from core.errors import Forbidden, NotFound
from core.redis import connect
from core.web import (
    SESSION_SCOPES,
    asset,
    door,
    init_web,
    json_refusal,
    page_refusal,
    public_guard,
    written_china_time,
)

ROOT = Path(__file__).parents[2]


class Closed(Forbidden):
    code, message = "closed", "这扇门关着"


def keep(value):
    session["value"] = value
    return "kept"


def keep_late(value):
    current_app.extensions["meanwhile"]()
    return keep(value)


def look_late():
    current_app.extensions["meanwhile"]()
    return "seen"


def rotate():
    session.rotate()
    return "rotated"


def rotate_leaving(value):
    session.rotate(left={"left": value})
    return "rotated"


def join(sid):
    session.join(sid)
    return "joined"


def leave():
    session.clear()
    return "left"


def missing():
    raise NotFound


def broken():
    raise RuntimeError("secret detail of the inside")


def room() -> Blueprint:
    bp = Blueprint("room", __name__)
    bp.get("/", endpoint="show")(lambda: jsonify(actor=g.get("actor"), values=dict(session)))
    bp.post("/set/<value>")(keep)
    bp.post("/set-late/<value>")(keep_late)
    bp.get("/look-late")(look_late)
    bp.post("/rotate")(rotate)
    bp.post("/rotate-leaving/<value>")(rotate_leaving)
    bp.post("/join/<sid>")(join)
    bp.post("/leave")(leave)
    bp.post("/upload", endpoint="upload")(lambda: str(len(request.get_data())))
    bp.get("/missing")(missing)
    bp.get("/broken")(broken)
    bp.get("/teapot", endpoint="teapot")(lambda: abort(418))
    bp.get("/own", endpoint="own")(lambda: abort(Response("its own", status=409)))
    bp.get("/form", endpoint="form")(generate_csrf)
    bp.get("/cached", endpoint="cached")(lambda: ("x", {"Cache-Control": "max-age=60"}))
    bp.get("/address", endpoint="address")(lambda: str(request.remote_addr))
    return bp


@pytest.fixture
def small_house(settings, redis):
    """Two signed-in doors, one JSON door and one that is closed."""
    app = Flask("small", root_path=str(ROOT))
    init_web(app, settings.model_copy(update={"upload_limit_bytes": 1000}))

    def actor_guard():
        g.actor = "somebody"

    def closed_guard():
        raise Closed

    door(app, "employee", "/me", actor_guard, page_refusal, room())
    door(app, "hr", "/hr", actor_guard, page_refusal, room())
    door(app, "ops", "/ops", actor_guard, page_refusal, room())
    door(app, "api", "/api", public_guard, json_refusal, room())
    door(app, "closed_page", "/closed", closed_guard, page_refusal, room())
    door(app, "closed_api", "/closed-api", closed_guard, json_refusal, room())
    return app


@pytest.fixture
def browser(small_house):
    small_house.config["WTF_CSRF_ENABLED"] = False
    return small_house.test_client()


@pytest.fixture
def strict_browser(small_house):
    return small_house.test_client()


def cookie(browser, name="xq_me", path="/me"):
    found = browser.get_cookie(name, path=path)
    return found.value if found else None


# --- doors ----------------------------------------------------------------------------------


def test_the_guard_comes_before_the_view(browser):
    assert browser.get("/me/").json["actor"] == "somebody"


def test_a_closed_door_answers_before_the_view_runs(browser):
    answer = browser.get("/closed/broken")

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "这扇门关着" in answer.text


def test_each_door_refuses_in_its_own_language(browser):
    page, api = browser.get("/me/missing"), browser.get("/api/missing")

    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert NotFound.message in page.text
    assert (api.status_code, api.mimetype) == (404, "application/json")
    assert api.json["error"] == {
        "code": "not_found",
        "message": NotFound.message,
        "request_id": api.headers["X-Request-Id"],
    }
    assert browser.get("/closed-api/").json["error"]["code"] == "closed"


def test_endpoints_are_named_after_their_door(small_house):
    assert "employee.room.show" in small_house.view_functions
    assert "hr.room.show" in small_house.view_functions


# --- refusals nobody planned ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/me/nowhere", 404, "没有找到"),
        ("GET", "/nowhere", 404, "没有找到"),
        ("DELETE", "/me/", 405, "不能这样打开"),
        ("GET", "/me/broken", 500, "系统出了点问题"),
        ("GET", "/me/teapot", 418, "没有完成"),
    ],
)
def test_every_fault_is_a_chinese_page_without_its_insides(browser, method, path, status, words):
    answer = browser.open(path, method=method)

    assert answer.status_code == status
    assert words in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    for inside in ("Traceback", "RuntimeError", "secret detail", "werkzeug", "Not Found"):
        assert inside not in answer.text


def test_a_fault_is_logged_with_its_trace(browser, caplog):
    with caplog.at_level(logging.ERROR, "xinqiao"):
        browser.get("/me/broken")

    (record,) = caplog.records
    assert record.endpoint == "employee.room.broken"
    assert "secret detail" in record.exc_text


def test_an_upload_too_large_is_refused_before_it_is_read(browser):
    answer = browser.post("/me/upload", data=b"x" * (1000 + 64 * 1024 + 1))

    assert answer.status_code == 413
    assert "文件太大" in answer.text


def test_an_upload_within_the_limit_is_read(browser):
    assert browser.post("/me/upload", data=b"x" * 1000).text == "1000"


def test_a_views_own_answer_is_not_replaced(browser):
    answer = browser.get("/me/own")

    assert (answer.status_code, answer.text) == (409, "its own")


def test_a_refusal_leads_back_to_where_its_door_begins(browser):
    assert 'href="/me/"' in browser.get("/me/missing").text
    assert 'href="/hr/"' in browser.get("/hr/missing").text


def test_without_redis_a_person_reads_a_sentence(browser, monkeypatch):
    browser.post("/me/set/a")
    away = connect("unix:///nowhere/redis.sock", decode=True)
    monkeypatch.setattr("core.web.redis", lambda: away)

    answer = browser.get("/me/")

    assert answer.status_code == 503
    assert "请一分钟后再试" in answer.text
    assert "Traceback" not in answer.text


# --- sessions -------------------------------------------------------------------------------


def test_a_session_lasts_from_request_to_request(browser):
    browser.post("/me/set/a")

    assert browser.get("/me/").json["values"] == {"value": "a"}


def test_each_door_has_its_own_session_in_the_same_browser(browser):
    browser.post("/me/set/a")
    browser.post("/hr/set/b")

    assert browser.get("/me/").json["values"] == {"value": "a"}
    assert browser.get("/hr/").json["values"] == {"value": "b"}
    assert cookie(browser) != cookie(browser, "xq_hr", "/")


def test_the_desk_is_one_session_at_both_of_its_paths(browser):
    browser.post("/hr/set/b")

    assert browser.get("/ops/").json["values"] == {"value": "b"}


def test_a_cookie_is_kept_from_scripts_other_paths_and_other_sites(browser):
    header = browser.post("/me/set/a").headers["Set-Cookie"]

    assert {"HttpOnly", "Path=/me", "SameSite=Lax"} <= set(header.split("; "))
    assert "Secure" not in header  # the tests' address is http


def test_over_https_a_cookie_is_secure(settings, redis):
    app = Flask("secure", root_path=str(ROOT))
    init_web(app, settings.model_copy(update={"public_url": "https://bank.example"}))
    app.config["WTF_CSRF_ENABLED"] = False
    door(app, "employee", "/me", public_guard, page_refusal, room())

    answer = app.test_client().post("/me/set/a")

    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_redis_holds_no_id_that_a_browser_could_use(browser, redis):
    browser.post("/me/set/a")

    kept = redis.keys("*") + [redis.get(key) for key in redis.keys("*")]
    assert len(kept) == 2
    assert cookie(browser) not in str(kept)


def test_looking_alone_begins_no_session(browser, redis):
    answer = browser.get("/me/")

    assert "Set-Cookie" not in answer.headers
    assert redis.keys("*") == []


def test_a_path_outside_every_door_has_no_session(browser, redis):
    answer = browser.post("/api/set/a")

    assert answer.status_code == 500  # a view there must not try
    assert redis.keys("*") == []
    assert browser.get("/meow").status_code == 404


def test_a_planted_id_is_worth_nothing(browser):
    browser.set_cookie("xq_me", "planted", path="/me")

    browser.post("/me/set/a")

    assert cookie(browser) != "planted"


def test_a_rotated_session_keeps_its_values_under_a_new_id(browser, redis):
    browser.post("/me/set/a")
    before = cookie(browser)

    browser.post("/me/rotate")

    assert cookie(browser) != before
    assert browser.get("/me/").json["values"] == {"value": "a"}
    assert len(redis.keys("*")) == 1
    browser.set_cookie("xq_me", before, path="/me")
    assert browser.get("/me/").json["values"] == {}


def test_what_is_left_under_the_old_id_is_there_for_a_minute(browser, redis):
    browser.post("/me/set/a")
    before = cookie(browser)

    browser.post("/me/rotate-leaving/b")

    assert sorted(redis.ttl(key) for key in redis.keys("*")) == [60, 30 * 60]
    browser.set_cookie("xq_me", before, path="/me")
    assert browser.get("/me/").json["values"] == {"left": "b"}


@pytest.fixture
def meanwhile(small_house, browser):
    """What the same browser posts while another request of its is under way."""

    def post(path):
        twin = small_house.test_client()
        twin.set_cookie("xq_me", cookie(browser), path="/me")
        small_house.extensions["meanwhile"] = lambda: twin.post(path)

    return post


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/me/leave", {}),
        ("/me/rotate", {}),
        ("/me/rotate-leaving/b", {"left": "b"}),
    ],
)
def test_a_request_under_way_does_not_bring_back_a_session_that_was_left(
    browser, meanwhile, redis, path, found
):
    browser.post("/me/set/a")
    meanwhile(path)

    answer = browser.post("/me/set-late/c")

    assert "Set-Cookie" not in answer.headers
    assert browser.get("/me/").json["values"] == found


def test_what_is_left_is_gone_after_its_minute_however_it_is_looked_at(browser, meanwhile, redis):
    browser.post("/me/set/a")
    meanwhile("/me/rotate-leaving/b")

    browser.get("/me/look-late")
    browser.get("/me/")
    answer = browser.post("/me/set/c")

    assert "Set-Cookie" not in answer.headers
    assert browser.get("/me/").json["values"] == {"left": "b"}
    assert sorted(redis.ttl(key) for key in redis.keys("*")) == [60, 30 * 60]


def test_requests_side_by_side_may_change_one_session(browser, meanwhile):
    browser.post("/me/set/a")
    meanwhile("/me/set/b")

    answer = browser.post("/me/set-late/c")

    assert "Set-Cookie" in answer.headers
    assert browser.get("/me/").json["values"] == {"value": "c"}


def test_a_request_may_join_the_session_of_another(browser, redis):
    browser.post("/me/set/a")
    first = cookie(browser)
    browser.delete_cookie("xq_me", path="/me")

    browser.post(f"/me/join/{first}")

    assert cookie(browser) == first
    assert browser.get("/me/").json["values"] == {"value": "a"}
    assert len(redis.keys("*")) == 1


def test_a_session_that_is_over_is_not_joined(browser, redis):
    browser.post("/me/set/a")
    first = cookie(browser)
    browser.post("/me/rotate")
    newer = cookie(browser)

    for over in (first, "invented"):
        answer = browser.post(f"/me/join/{over}")
        assert "Set-Cookie" not in answer.headers

    assert newer != first
    assert browser.get("/me/").json["values"] == {"value": "a"}


def test_a_framed_sessions_cookie_is_sent_in_frames_over_https_only(settings, redis):
    def header(public_url):
        app = Flask("framed", root_path=str(ROOT))
        init_web(app, settings.model_copy(update={"public_url": public_url}))
        app.config["WTF_CSRF_ENABLED"] = False
        for name in ("sidebar", "team"):
            door(app, name, f"/{name}", public_guard, page_refusal, room())
        client = app.test_client()
        return [
            set(client.post(f"/{name}/set/a").headers["Set-Cookie"].split("; "))
            for name in ("sidebar", "team")
        ]

    sidebar, team = header("https://bank.example")
    assert {"SameSite=None", "Secure", "Path=/sidebar"} <= sidebar
    assert {"SameSite=Lax", "Secure", "Path=/team"} <= team
    assert "SameSite=Lax" in header("http://127.0.0.1:8000")[0]


def test_an_emptied_session_is_gone_on_both_sides(browser, redis):
    browser.post("/me/set/a")
    before = cookie(browser)

    browser.post("/me/leave")

    assert cookie(browser) is None
    assert redis.keys("*") == []
    browser.set_cookie("xq_me", before, path="/me")
    assert browser.get("/me/").json["values"] == {}


def test_a_session_ends_when_it_idles_and_lives_while_it_is_used(browser, redis):
    browser.post("/me/set/a")
    (key,) = redis.keys("*")
    idle = next(scope.idle_seconds for scope in SESSION_SCOPES if scope.path == "/me")
    assert redis.ttl(key) == idle
    redis.expire(key, 5)

    browser.get("/me/")

    assert redis.ttl(key) == idle


def test_pages_with_a_session_differ_by_cookie(browser):
    assert "Cookie" in browser.post("/me/set/a").headers["Vary"]


# --- CSRF -----------------------------------------------------------------------------------


def test_a_form_without_a_token_is_refused_with_a_sentence(strict_browser):
    answer = strict_browser.post("/me/set/a")

    assert answer.status_code == 400
    assert "请刷新后重新提交" in answer.text


def test_a_token_from_ones_own_page_is_taken(strict_browser):
    token = strict_browser.get("/me/form").text

    assert strict_browser.post("/me/set/a", data={"csrf_token": token}).text == "kept"
    assert strict_browser.post("/me/set/b", headers={"X-CSRFToken": token}).text == "kept"


def test_anothers_token_is_refused(small_house, strict_browser):
    strict_browser.get("/me/form")
    stranger = small_house.test_client().get("/me/form").text

    assert strict_browser.post("/me/set/a", data={"csrf_token": stranger}).status_code == 400


# --- headers and assets ---------------------------------------------------------------------


def test_no_page_may_be_framed_sniffed_or_run_foreign_scripts(browser):
    headers = browser.get("/me/").headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe-inline" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_are_never_kept_unless_a_view_says_so(browser):
    assert browser.get("/me/").headers["Cache-Control"] == "no-store"
    assert browser.get("/me/cached").headers["Cache-Control"] == "max-age=60"


def test_an_asset_with_its_hash_is_kept_for_a_year(small_house, browser):
    with small_house.test_request_context():
        address = asset("css/tokens.css")

    assert re.search(r"\?v=[0-9a-f]{12}$", address)
    with browser.get(address) as named, browser.get(address.split("?")[0]) as plain:
        assert "immutable" in named.headers["Cache-Control"]
        assert "immutable" not in plain.headers["Cache-Control"]


def test_an_asset_that_is_missing_is_noticed(small_house):
    with small_house.test_request_context(), pytest.raises(FileNotFoundError):
        asset("css/nowhere.css")


def test_each_request_has_its_own_id(browser):
    ids = {browser.get("/me/").headers["X-Request-Id"] for _ in range(3)}

    assert len(ids) == 3


def test_a_proxy_is_believed_only_when_the_settings_say_so(settings, redis):
    def address_seen(hops):
        app = Flask("proxied", root_path=str(ROOT))
        init_web(app, settings.model_copy(update={"proxy_hops": hops}))
        door(app, "public", "/public", public_guard, page_refusal, room())
        headers = {"X-Forwarded-For": "203.0.113.9"}
        return app.test_client().get("/public/address", headers=headers).text

    assert address_seen(0) == "127.0.0.1"
    assert address_seen(1) == "203.0.113.9"


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (None, ""),
        ("2026-03-05T06:02:00+00:00", "3月5日 14:02"),
        ("2025-12-31T15:59:00+00:00", "2025年12月31日 23:59"),
    ],
)
def test_time_is_written_as_china_reads_it(instant, written):
    with time_machine.travel("2026-04-05T04:00:00+00:00", tick=False):
        parsed = datetime.fromisoformat(instant) if instant else None
        assert written_china_time(parsed) == written


def test_connections_are_made_from_the_settings(settings):
    core.redis.forget_connections()

    assert core.redis.redis().ping()
    assert core.redis.redis() is core.redis.redis()
