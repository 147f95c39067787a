"""What the ground of both clients does about each kind of refusal."""

import multiprocessing
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
import responses as responses_library

from channel.alarms import list_alarms
from channel.breaker import BreakerOpen, breaker_state
from channel.budget import BudgetExhausted, Priority
from channel.retries import MOST_REPEATS
from channel.tokens import MOST_DROPS, TokenStore
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.transport import http_session
from channel.wecom.client import WecomClient
from tests.channel.wecom.conftest import API, SECRET, app_account

TOKEN = f"{API}/cgi-bin/gettoken"
READ = f"{API}/cgi-bin/read"
CHANGE = f"{API}/cgi-bin/change"
OK = {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def responses():
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(TOKEN, json=OK | {"access_token": "token-1", "expires_in": 7200})
        yield mock


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(redis, slept):
    with http_session(API) as http:
        yield WecomClient(app_account(), http, TokenStore(redis), API, sleep=slept.append)


def refuse(responses, errcode, url, method="GET"):
    responses.add(method, url, json={"errcode": errcode, "errmsg": "no"})


def asked(responses, url):
    return sum(call.request.url.startswith(url) for call in responses.calls)


@pytest.mark.parametrize("errcode", [-1, 45033, 45035])
def test_a_busy_platform_is_asked_again_a_little_later(client, responses, slept, errcode):
    refuse(responses, errcode, READ)
    refuse(responses, errcode, READ)
    responses.get(READ, json=OK)

    assert client._get("/cgi-bin/read") == OK

    assert len(slept) == 2
    assert 0 < slept[0] < slept[1] < 2


def test_a_platform_that_stays_busy_is_left_after_three_repeats(client, responses, slept):
    refuse(responses, -1, READ)

    with pytest.raises(WeChatError):
        client._get("/cgi-bin/read")

    assert asked(responses, READ) == MOST_REPEATS + 1 == len(slept) + 1


def test_a_change_that_may_have_happened_is_not_repeated(client, responses, slept):
    refuse(responses, -1, CHANGE, "POST")

    with pytest.raises(WeChatError):
        client._change("/cgi-bin/change", {})

    assert (asked(responses, CHANGE), slept) == (1, [])


@pytest.mark.parametrize(("errcode", "is_safe"), [(45033, False), (45035, False), (-1, True)])
def test_a_change_that_did_not_happen_or_does_no_harm_twice_is_repeated(
    client, responses, errcode, is_safe
):
    refuse(responses, errcode, CHANGE, "POST")
    responses.post(CHANGE, json=OK)

    assert client._change("/cgi-bin/change", {}, is_safe=is_safe) == OK


@pytest.mark.parametrize("errcode", [45009, 45011])
def test_an_api_whose_window_is_used_up_is_left_until_it_ends(client, responses, errcode):
    refuse(responses, errcode, READ)
    responses.get(f"{API}/cgi-bin/other", json=OK)

    with pytest.raises(WeChatError):
        client._get("/cgi-bin/read")
    for _ in range(3):
        with pytest.raises(BudgetExhausted) as refused:
            client._get("/cgi-bin/read")

    assert asked(responses, READ) == 1
    assert 0 < refused.value.retry_after_seconds <= 60
    assert client._get("/cgi-bin/other") == OK


@pytest.mark.parametrize("errcode", [48002, 48009, 60011, 301002])
def test_what_a_person_must_mend_is_an_alarm_and_no_loop(client, responses, errcode, slept):
    refuse(responses, errcode, READ)

    with pytest.raises(WeChatError):
        client._get("/cgi-bin/read")

    [alarm] = list_alarms()
    assert (alarm.account_id, alarm.api, alarm.errcode) == (8, "/cgi-bin/read", errcode)
    assert (asked(responses, READ), slept) == (1, [])


def test_an_ordinary_refusal_is_no_alarm(client, responses):
    refuse(responses, 84061, READ)

    with pytest.raises(WeChatError):
        client._get("/cgi-bin/read")

    assert list_alarms() == []


def test_a_token_that_is_refused_fresh_from_the_platform_is_an_alarm(client, responses):
    refuse(responses, 40014, READ)

    with pytest.raises(WeChatError):
        client._get("/cgi-bin/read")

    assert [alarm.errcode for alarm in list_alarms()] == [40014]
    assert asked(responses, READ) == 2


def test_a_platform_that_refuses_every_token_is_not_asked_for_one_at_each_call(client, responses):
    refuse(responses, 40014, READ)

    for _ in range(30):
        with pytest.raises(WeChatError):
            client._get("/cgi-bin/read")

    assert asked(responses, TOKEN) <= MOST_DROPS + 1


@pytest.mark.parametrize("errcode", [40001, 40013, 50003, 60020, 45009])
def test_with_a_refused_secret_nothing_more_is_asked(redis, slept, errcode):
    with (
        responses_library.RequestsMock() as mock,
        http_session(API) as http,
    ):
        mock.get(TOKEN, json={"errcode": errcode, "errmsg": f"no {SECRET}, from ip: 10.0.0.1"})
        client = WecomClient(app_account(), http, TokenStore(redis), API, sleep=slept.append)

        with pytest.raises(WeChatError) as first:
            client._get("/cgi-bin/read")
        redis.delete("xq:token:8:access:pause")
        for _ in range(5):
            with pytest.raises(WeChatError) as later:
                client._get("/cgi-bin/read")

        assert len(mock.calls) == 1
    assert isinstance(later.value, BreakerOpen)
    assert {first.value.errcode, later.value.errcode} == {errcode}
    assert SECRET not in f"{first.value} {later.value} {later.value.sentence}"
    assert breaker_state(8).errcode == errcode
    assert [alarm.errcode for alarm in list_alarms()] == ([] if errcode == 45009 else [errcode])


def test_a_rotated_secret_closes_the_breaker(client, redis):
    with responses_library.RequestsMock() as mock:
        mock.get(TOKEN, json={"errcode": 40001, "errmsg": "no"})
        with pytest.raises(WeChatError):
            client._get("/cgi-bin/read")

        TokenStore(redis).forget(8)

        assert breaker_state(8) is None
        mock.replace("GET", TOKEN, json=OK | {"access_token": "new", "expires_in": 7200})
        mock.get(READ, json=OK)
        assert client._get("/cgi-bin/read") == OK


def test_a_busy_token_desk_does_not_open_the_breaker(client, responses):
    responses.replace("GET", TOKEN, json={"errcode": -1, "errmsg": "busy"})

    with pytest.raises(WeChatError):
        client._change("/cgi-bin/change", {})

    assert breaker_state(8) is None


def test_what_was_not_asked_has_not_arrived(client, responses, monkeypatch):
    def used_up(*_):
        raise BudgetExhausted("/cgi-bin/change", 5)

    monkeypatch.setattr("channel.budget.take", used_up)

    with pytest.raises(WeChatUnreachable) as refused:
        client._change("/cgi-bin/change", {})

    assert not refused.value.may_have_arrived
    assert len(responses.calls) == 0


def test_a_client_calls_with_its_own_priority(redis, responses, monkeypatch):
    given = []

    def take_some(_caller, _api, how, wanted):
        given.append(how)
        return wanted

    monkeypatch.setattr("channel.budget.take", take_some)
    responses.get(READ, json=OK)

    with http_session(API) as http:
        WecomClient(app_account(), http, TokenStore(redis), API, Priority.SYNC)._get(
            "/cgi-bin/read"
        )

    assert set(given) == {Priority.SYNC}


# --- a cold cache -----------------------------------------------------------------------------


class Desk(BaseHTTPRequestHandler):
    """Gives out tokens and tickets, slowly, and counts."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[Counter[str]] = Counter()

    def do_GET(self):
        path = urlsplit(self.path).path
        self.seen[path] += 1
        threading.Event().wait(0.2)
        number = self.seen[path]
        answer = (
            f'{{"errcode":0,"access_token":"t{number}","ticket":"k{number}","expires_in":7200}}'
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


def ask_for_everything(base, start, threads, answers):
    """One process: its threads ask for all three at once."""
    from core.redis import redis

    client_redis = redis()
    with http_session(base) as http, ThreadPoolExecutor(threads) as pool:
        ready = threading.Barrier(threads)

        def ask(_):
            client = WecomClient(app_account(), http, TokenStore(client_redis), base)
            if ready.wait() == 0:
                start.wait()
            return client._access_token(), client.get_corp_ticket(), client.get_agent_ticket()

        answers.put(set(pool.map(ask, range(threads))))


@pytest.mark.parametrize(("processes", "threads"), [(1, 64), (8, 64)])
def test_many_on_a_cold_cache_make_one_call_for_each_token_and_ticket(redis, processes, threads):
    Desk.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(processes), spawn.Queue()
    given = (base, start, threads, answers)
    children = [spawn.Process(target=ask_for_everything, args=given) for _ in range(processes)]
    try:
        for child in children:
            child.start()
        told = [answers.get(timeout=60) for _ in children]
    finally:
        for child in children:
            child.join(timeout=10)
        server.shutdown()
        server.server_close()

    assert told == [{("t1", "k1", "k1")}] * processes
    assert Desk.seen == {
        "/cgi-bin/gettoken": 1,
        "/cgi-bin/get_jsapi_ticket": 1,
        "/cgi-bin/ticket/get": 1,
    }
