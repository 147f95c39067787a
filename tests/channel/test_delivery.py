"""A claimed chunk out: what was said about each push, and what is not tried any more."""

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisGone
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import OperationalError

from channel import budget, bulk, clients, delivery, ways
from channel.alarms import list_alarms
from channel.budget import BudgetExhausted
from channel.bulk import CONNECTIONS
from channel.delivery import AFTER_ALARM, AFTER_SILENCE, PERMANENT, SILENCES, deliver
from channel.platform import PlatformClient
from channel.tokens import LOCK_SECONDS, WAIT_SECONDS, FetchedToken, TokenKind, TokenStore
from channel.ways import TEMPLATE_WAIT, TemplateWay
from channel.wechat.miniprogram import SUBSCRIPTION_SEND
from channel.wechat.outgoing import TEMPLATE_SEND
from channel.wechat.transport import CONNECT_SECONDS, READ_SECONDS
from channel.wecom.outgoing import MESSAGE_SEND
from core.clock import utc_now
from core.db import db
from core.queues import Job
from domain.directory.accounts import ChannelKind
from domain.pushes.claims import ClaimedChunk, PushToSend
from domain.pushes.models import MessageKind, PushStatus, Route
from domain.pushes.policy import BEGIN_WITHIN, CLAIM_LIFE
from tests.channel.fake_platform import SILENCE, running_platform
from tests.factories import make_channel_account

PARAMS = {"enterprise": "滨江实验学校", "period": "2026-03"}


@pytest.fixture
def point_to(monkeypatch):
    """Let all clients speak to this address."""

    def point_to(url):
        given = {"wechat_api_url": url, "wecom_api_url": url}
        settings = clients.get_settings().model_copy(update=given)
        for module in (clients, ways):
            monkeypatch.setattr(module, "get_settings", lambda: settings)
        clients.forget_http()

    yield point_to
    bulk.close()
    clients.forget_http()


@pytest.fixture
def platform(redis, point_to):
    with running_platform() as platform:
        point_to(platform.url)
        yield platform
        bulk.close()


@pytest.fixture
def clock():
    with time_machine.travel(datetime(2026, 4, 5, 4, 0, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa")


def chunk(account, count=1, *, route=Route.TEMPLATE, **fields) -> ClaimedChunk:
    now = utc_now()
    some = [
        PushToSend(
            id=number,
            route=route,
            address=f"oPerson-{number}",
            client_msg_id=f"nonce-{number}-0",
            subject_id=number,
            attempts=1,
            in_doubt_since=now,
        )
        for number in range(1, count + 1)
    ]
    values = {
        "campaign_id": 1,
        "channel_account_id": account.id,
        "org_path": account.org_path,
        "kind": MessageKind.PAYSLIP_READY,
        "params": PARAMS,
        "requested_at": now,
        "path": "/me/payslips/{}?from=message&x=1",
        "ladder": (route,),
        "claim": 7,
        "at": now,
        "accounts": {route: account.id},
        "pushes": tuple(some),
    }
    return ClaimedChunk(**values | fields)


def late_chunk(account, count) -> ClaimedChunk:
    return chunk(account, count, at=utc_now() - BEGIN_WITHIN - timedelta(seconds=1))


def only(outcomes):
    [outcome] = outcomes.values()
    return outcome


def statuses(outcomes) -> dict[PushStatus, int]:
    found = [outcome.status for outcome in outcomes.values()]
    return {status: found.count(status) for status in set(found)}


# --- what goes out ----------------------------------------------------------------------------


def test_a_push_goes_out_as_a_template_message(account, platform):
    platform.answer = lambda _: {"errcode": 0, "errmsg": "ok", "msgid": 2_000_000_000_000_000_001}

    outcome = only(deliver(chunk(account)))

    assert (outcome.status, outcome.msgid) == (PushStatus.SENT, "2000000000000000001")
    [call] = platform.calls
    assert (call.path, call.token) == (TEMPLATE_SEND, "t0ken-1")
    assert call.body["touser"] == "oPerson-1"
    assert call.body["template_id"] == "template-payslip_ready"
    assert call.body["client_msg_id"] == "nonce-1-0"
    assert call.body["data"]["thing1"] == {"value": "滨江实验学校"}


def test_a_tap_on_it_leads_through_the_entrance_to_the_page(account, platform):
    deliver(chunk(account))

    url = urlsplit(platform.calls[0].body["url"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://localhost:8000/me/open"
    assert parse_qs(url.query) == {
        "account": ["demo-oa"],
        "to": ["/me/payslips/1?from=message&x=1"],
    }


def test_many_go_out_beside_each_other_each_once_over_few_connections(account, platform):
    outcomes = deliver(chunk(account, 400))

    assert statuses(outcomes) == {PushStatus.SENT: 400}
    assert len({outcome.msgid for outcome in outcomes.values()}) == 400
    receivers = [call.body["touser"] for call in platform.calls]
    assert sorted(receivers) == sorted(f"oPerson-{number}" for number in range(1, 401))
    assert platform.tokens == ["t0ken-1"]
    assert platform.connections <= CONNECTIONS + 1


def test_a_member_of_wecom_gets_a_text(session, platform):
    app = make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1000002")
    platform.answer = lambda _: {"errcode": 0, "msgid": "m-1", "invaliduser": ""}

    outcome = only(deliver(chunk(app, route=Route.WECOM)))

    assert (outcome.status, outcome.msgid) == (PushStatus.SENT, "m-1")
    [call] = platform.calls
    assert (call.path, call.body["touser"], call.body["msgtype"]) == (
        MESSAGE_SEND,
        "oPerson-1",
        "text",
    )
    assert call.body["enable_duplicate_check"] == 1


@pytest.mark.parametrize("kind", MessageKind)
def test_a_repeat_by_wecom_says_the_same_and_another_message_something_else(
    session, platform, clock, kind
):
    app = make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1000002")
    first = chunk(app, route=Route.WECOM, kind=kind)
    other = chunk(app, route=Route.WECOM, kind=kind, campaign_id=2)

    deliver(first)
    clock.shift(timedelta(minutes=1))
    deliver(replace(first, at=utc_now()))
    deliver(replace(other, at=utc_now()))

    said, repeated, another = (call.body["text"]["content"] for call in platform.calls)
    assert repeated == said
    assert another != said


@pytest.mark.parametrize("key", ["invaliduser", "unlicenseduser"])
def test_whom_wecom_does_not_know_is_not_reached(session, platform, key):
    app = make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1000002")
    platform.answer = lambda _: {"errcode": 0, "msgid": "m-1", key: "oPerson-1"}

    outcome = only(deliver(chunk(app, route=Route.WECOM)))

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "not-a-member")


def test_a_subscription_message_has_no_message_id(session, platform):
    app = make_channel_account(kind=ChannelKind.MINIPROGRAM)
    platform.answer = lambda _: {"errcode": 0}

    outcome = only(deliver(chunk(app, route=Route.MINIPROGRAM)))

    assert (outcome.status, outcome.msgid) == (PushStatus.SENT, None)
    assert platform.calls[0].path == SUBSCRIPTION_SEND


def test_no_transaction_is_open_while_a_platform_is_asked(committed, platform):
    account, pool, held = make_channel_account(), db.engine.pool, []

    def look(_call):
        held.append(pool.checkedout())
        return {"errcode": 0, "msgid": 1}

    platform.answer = look

    deliver(chunk(account))

    assert held == [0]


def test_of_nobody_claimed_nobody_is_asked(account, platform):
    assert deliver(chunk(account, 0)) == {}
    assert platform.tokens == []


# --- what they say ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errcode", "reason"),
    [(43004, "not-following"), (43101, "muted"), (47003, "template"), (40003, "openid")],
)
def test_what_trying_again_cannot_change_ends_it(account, platform, errcode, reason):
    platform.answer = lambda _: {"errcode": errcode, "errmsg": "no rid: 1"}

    outcomes = deliver(chunk(account, 3))

    assert errcode in PERMANENT
    assert {(one.status, one.errcode, one.reason) for one in outcomes.values()} == {
        (PushStatus.PERMANENT_FAILURE, errcode, reason)
    }
    assert len(platform.calls) == 3


@pytest.mark.parametrize("errcode", [43116, 45009, 45011, 45033, 48001, 99999])
def test_any_other_refusal_is_worth_another_try(account, platform, errcode):
    platform.answer = lambda _: {"errcode": errcode, "errmsg": "no"}

    outcome = only(deliver(chunk(account)))

    assert (outcome.status, outcome.errcode) == (PushStatus.TEMPORARY_FAILURE, errcode)


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        (Route.TEMPLATE, ChannelKind.OFFICIAL_ACCOUNT),
        (Route.MINIPROGRAM, ChannelKind.MINIPROGRAM),
        (Route.WECOM, ChannelKind.WECOM_APP),
    ],
)
def test_what_a_busy_platform_may_have_carried_out_nobody_knows(session, platform, route, kind):
    account = make_channel_account(kind=kind, agentid="1000002")
    platform.answer = lambda _: {"errcode": -1, "errmsg": "system error"}

    outcome = only(deliver(chunk(account, route=route)))

    assert (outcome.status, outcome.errcode) == (PushStatus.UNKNOWN, -1)
    assert outcome.reason == "wechat_refused"


@pytest.mark.parametrize("errcode", [45009, 48001])
def test_a_refusal_that_is_about_everybody_stops_the_chunk(account, platform, errcode):
    platform.answer = lambda _: {"errcode": errcode, "errmsg": "no"}

    with time_machine.travel(datetime(2026, 4, 5, 4, 0, tzinfo=UTC), tick=False):
        outcomes = deliver(chunk(account, 4 * CONNECTIONS))
        until = utc_now() + AFTER_ALARM

    assert len(platform.calls) <= CONNECTIONS
    unasked = [one for one in outcomes.values() if one.status is PushStatus.CREATED]
    assert len(unasked) >= 3 * CONNECTIONS
    assert len(unasked) + len(platform.calls) == 4 * CONNECTIONS
    later = [one for one in unasked if one.due_at == until]
    # Whoever asks for the budget of a blocked API hears of its window instead.
    assert later or errcode == 45009
    assert {one.held_until for one in unasked} == {one.due_at for one in unasked}


def test_one_person_who_is_refused_does_not_stop_the_others(account, platform):
    platform.answer = lambda call: (
        {"errcode": 43101} if call.body["touser"] == "oPerson-2" else {"errcode": 0, "msgid": 1}
    )

    outcomes = deliver(chunk(account, 3))

    assert [outcomes[number].status for number in (1, 2, 3)] == [
        PushStatus.SENT,
        PushStatus.PERMANENT_FAILURE,
        PushStatus.SENT,
    ]


def test_a_second_refusal_of_tokens_is_for_a_person_and_stops_the_chunk(account, platform):
    platform.answer = lambda _: {"errcode": 40001, "errmsg": "invalid credential"}

    outcomes = deliver(chunk(account, 4 * CONNECTIONS))

    found = statuses(outcomes)
    assert found[PushStatus.CREATED] >= 3 * CONNECTIONS
    assert found[PushStatus.TEMPORARY_FAILURE] <= CONNECTIONS
    assert len(platform.tokens) <= 3
    assert [(one.api, one.errcode) for one in list_alarms()] == [(TEMPLATE_SEND, 40001)]


@pytest.mark.parametrize("route", [Route.TEMPLATE, Route.MINIPROGRAM])
def test_a_template_that_is_gone_makes_all_wait_for_a_person(session, platform, queue, log, route):
    kinds = {
        Route.TEMPLATE: ChannelKind.OFFICIAL_ACCOUNT,
        Route.MINIPROGRAM: ChannelKind.MINIPROGRAM,
    }
    account = make_channel_account(kind=kinds[route])
    platform.answer = lambda _: {"errcode": 40037, "errmsg": "invalid template_id"}

    with time_machine.travel(datetime(2026, 4, 5, 4, 0, tzinfo=UTC), tick=False):
        outcomes = deliver(chunk(account, 4 * CONNECTIONS, route=route))
        deliver(chunk(account, 2, route=route))
        until = utc_now() + TEMPLATE_WAIT
        found = [(one.account_id, one.api, one.errcode, one.count) for one in list_alarms()]

    assert len(platform.calls) <= CONNECTIONS + 2
    assert statuses(outcomes) == {PushStatus.CREATED: 4 * CONNECTIONS}
    assert {(one.due_at, one.reason) for one in outcomes.values()} == {(until, "template")}
    assert {one.held_until for one in outcomes.values()} == {
        until if route is Route.TEMPLATE else None
    }
    path = TEMPLATE_SEND if route is Route.TEMPLATE else SUBSCRIPTION_SEND
    assert found == [(account.id, f"{path}#payslip_ready", 40037, 2)]
    assert log.getvalue().count("platform needs a person") == 1
    assert queue.args(Job.SYNC_TEMPLATES) == [(account.id,)]


def test_a_value_that_wechat_refuses_goes_on_by_the_next_step_and_operations_see_it(
    account, platform, queue
):
    platform.answer = lambda _: {"errcode": 47003, "errmsg": "argument invalid!"}

    outcomes = deliver(chunk(account, 3))

    assert statuses(outcomes) == {PushStatus.PERMANENT_FAILURE: 3}
    [alarm] = list_alarms()
    assert (alarm.api, alarm.errcode) == (f"{TEMPLATE_SEND}#payslip_ready", 47003)
    assert alarm.count == 1
    assert queue.count == 0


# --- silence --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [SILENCE, (502, "<html>"), (302, ""), (200, "<html>"), (200, "[]"), {"errcode": "what"}],
)
def test_after_a_lost_answer_nobody_knows(account, platform, answer):
    platform.answer = lambda _: answer

    assert only(deliver(chunk(account))).status is PushStatus.UNKNOWN


def test_a_platform_that_does_not_answer_in_time_leaves_us_in_doubt(account, platform, monkeypatch):
    monkeypatch.setattr(bulk, "READ_SECONDS", 0.2)
    platform.answer = lambda _: time.sleep(0.6) or {"errcode": 0}

    outcome = only(deliver(chunk(account)))

    assert (outcome.status, outcome.reason) == (PushStatus.UNKNOWN, "wechat_unreachable")


def test_a_platform_that_is_not_there_has_nothing_of_it(account, redis, point_to):
    with socket.create_server(("127.0.0.1", 0)) as server:
        point_to(f"http://127.0.0.1:{server.getsockname()[1]}")
    TokenStore(redis).get(account.id, TokenKind.ACCESS, lambda: FetchedToken("t0ken-1", 7200))

    assert only(deliver(chunk(account))).status is PushStatus.TEMPORARY_FAILURE


@pytest.mark.parametrize(
    "answer",
    [
        SILENCE,
        (502, ""),
        {"errcode": 40125, "errmsg": "secret"},
        {"errcode": -1, "errmsg": "system error"},
    ],
)
def test_without_a_token_no_message_has_left(account, platform, answer):
    platform.token_answer = answer

    outcomes = deliver(chunk(account, 3))

    assert {one.status for one in outcomes.values()} <= {
        PushStatus.TEMPORARY_FAILURE,
        PushStatus.CREATED,
    }
    assert platform.calls == []
    assert len(platform.tokens) == 1


def test_a_platform_that_keeps_silent_is_left_alone(account, platform):
    platform.answer = lambda _: SILENCE

    outcomes = deliver(chunk(account, 4 * CONNECTIONS))

    found = statuses(outcomes)
    assert SILENCES <= found[PushStatus.UNKNOWN] <= SILENCES + CONNECTIONS
    unasked = [one for one in outcomes.values() if one.status is PushStatus.CREATED]
    assert {one.reason for one in unasked} == {"wechat_unreachable"}
    assert all(one.due_at <= utc_now() + AFTER_SILENCE for one in unasked)


def test_an_answer_in_between_ends_a_silence(account, platform, monkeypatch):
    monkeypatch.setattr(delivery, "SILENCES", 2)
    monkeypatch.setattr(delivery, "CONNECTIONS", 1)
    answers = iter([SILENCE, {"errcode": 0}, SILENCE, {"errcode": 43101}, SILENCE])
    platform.answer = lambda _: next(answers)

    outcomes = deliver(chunk(account, 5))

    assert PushStatus.CREATED not in statuses(outcomes)


# --- not now ------------------------------------------------------------------------------------


def test_after_its_time_a_chunk_leaves_the_rest_for_another(account, platform):
    outcomes = deliver(late_chunk(account, 3))

    assert {(one.status, one.due_at, one.held_until) for one in outcomes.values()} == {
        (PushStatus.CREATED, None, None)
    }
    assert platform.calls == []


def test_who_waited_for_the_budget_is_not_sent_after_the_chunks_time(
    account, platform, clock, monkeypatch
):
    asked = []

    def wait(_client, path, _wanted):
        asked.append(path)
        clock.shift(BEGIN_WITHIN + timedelta(seconds=1))
        raise BudgetExhausted(path, 0)

    monkeypatch.setattr(PlatformClient, "take_some", wait)

    assert statuses(deliver(chunk(account, 3))) == {PushStatus.CREATED: 3}
    assert platform.calls == []
    assert len(asked) == 1


def test_who_waited_for_a_token_is_not_sent_after_the_chunks_time(
    account, platform, clock, monkeypatch
):
    def wait(*_):
        clock.shift(BEGIN_WITHIN + timedelta(seconds=1))
        return "t0ken-1"

    monkeypatch.setattr(TokenStore, "get", wait)

    assert statuses(deliver(chunk(account, 3))) == {PushStatus.CREATED: 3}
    assert platform.calls == []


def test_whose_token_was_refused_after_the_chunks_time_waits_for_another_turn(
    account, platform, clock
):
    def refuse(_call):
        clock.shift(BEGIN_WITHIN + timedelta(seconds=1))
        return {"errcode": 42001, "errmsg": "access_token expired"}

    platform.answer = refuse

    assert only(deliver(chunk(account))).status is PushStatus.CREATED
    assert (len(platform.calls), len(platform.tokens)) == (1, 1)


def test_all_that_is_under_way_ends_before_the_claim_is_anothers():
    tokens = timedelta(seconds=max(LOCK_SECONDS, WAIT_SECONDS + CONNECT_SECONDS + READ_SECONDS))
    call, writing = timedelta(seconds=READ_SECONDS), timedelta(seconds=10)

    assert BEGIN_WITHIN + max(call, tokens) + writing <= CLAIM_LIFE


def test_a_used_up_budget_takes_nobodys_try_and_holds_the_account(account, platform):
    budget.block(account.appid, TEMPLATE_SEND)

    outcomes = deliver(chunk(account, 3))

    assert {(one.status, one.reason) for one in outcomes.values()} == {
        (PushStatus.CREATED, "wechat_budget_exhausted")
    }
    for one in outcomes.values():
        assert one.held_until == one.due_at
        assert timedelta(0) < one.due_at - utc_now() <= timedelta(minutes=1)
    assert platform.calls == []


def test_another_routes_budget_holds_nobody_else(session, platform):
    app = make_channel_account(kind=ChannelKind.WECOM_APP, agentid="1000002")
    budget.block(app.appid, MESSAGE_SEND)

    outcome = only(deliver(chunk(app, route=Route.WECOM)))

    assert (outcome.status, outcome.held_until) == (PushStatus.CREATED, None)


# --- what cannot be written ---------------------------------------------------------------------


def test_a_message_without_a_template_in_the_account_is_for_a_person_to_look_at(session, platform):
    account = make_channel_account(name="bare-oa", templates={})

    outcome = only(deliver(chunk(account)))

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "template")
    assert platform.calls == []


def test_a_message_that_cannot_be_written_is_not_sent(account, platform):
    outcome = only(deliver(chunk(account, params={})))

    assert (outcome.status, outcome.reason) == (PushStatus.PERMANENT_FAILURE, "template")
    assert platform.calls == []


def test_a_push_of_an_account_that_is_switched_off_waits(session, platform):
    account = make_channel_account(name="off-oa", is_enabled=False)

    outcome = only(deliver(chunk(account)))

    assert (outcome.status, outcome.reason) == (PushStatus.TEMPORARY_FAILURE, "account_unknown")
    assert platform.calls == []


# --- when something breaks ----------------------------------------------------------------------


def test_a_fault_of_ours_costs_one_push_and_nobody_elses_outcome(
    account, platform, monkeypatch, log
):
    body = TemplateWay._body

    def fail_for_one(way, push):
        if push.id == 2:
            raise LookupError(push.address)
        return body(way, push)

    monkeypatch.setattr(TemplateWay, "_body", fail_for_one)

    outcomes = deliver(chunk(account, 3))

    found = [outcomes[number].status for number in (1, 2, 3)]
    assert found == [PushStatus.SENT, PushStatus.TEMPORARY_FAILURE, PushStatus.SENT]
    assert "LookupError in fail_for_one" in log.getvalue()
    assert "oPerson" not in log.getvalue()


def test_after_a_fault_behind_the_call_nobody_knows_and_it_is_said_once(
    account, platform, monkeypatch, log
):
    def fail(*_):
        raise LookupError("a fault of ours")

    monkeypatch.setattr(TemplateWay, "_outcome", fail)

    assert statuses(deliver(chunk(account, 3))) == {PushStatus.UNKNOWN: 3}
    assert log.getvalue().count("LookupError in fail") == 1


def test_a_jobs_limit_breaks_a_chunk_off_and_nothing_goes_on_later(account, platform):
    def end(*_):
        raise JobTimeoutException

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TemplateWay, "_body", end)
        with pytest.raises(ExceptionGroup):
            deliver(chunk(account, 2 * CONNECTIONS))
    asked = len(platform.calls)
    deliver(chunk(account))

    assert (asked, len(platform.calls)) == (0, 1)


def test_what_was_sent_before_redis_went_away_is_known(account, platform, monkeypatch):
    def away(*_):
        raise RedisGone("away")

    monkeypatch.setattr(PlatformClient, "drop_token", away)
    platform.answer = lambda call: (
        {"errcode": 40001 if call.body["touser"] == "oPerson-2" else 0, "msgid": 1}
    )

    outcomes = deliver(chunk(account, 3))

    found = [outcomes[number].status for number in (1, 2, 3)]
    assert found == [PushStatus.SENT, PushStatus.TEMPORARY_FAILURE, PushStatus.SENT]


def test_without_redis_no_token_and_no_message_has_left(account, platform, monkeypatch):
    def away(*_):
        raise RedisGone("away")

    monkeypatch.setattr(TokenStore, "get", away)

    assert statuses(deliver(chunk(account, 3))) == {PushStatus.TEMPORARY_FAILURE: 3}
    assert platform.calls == []


@pytest.mark.parametrize(
    "error", [RedisGone("away"), OperationalError("SELECT", {}, Exception("gone"))]
)
def test_what_cannot_be_prepared_now_is_tried_later(account, platform, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(ways, "channel_account", fail)

    assert statuses(deliver(chunk(account, 3))) == {PushStatus.TEMPORARY_FAILURE: 3}
    assert platform.calls == []


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        SILENCE,
        (502, "t0ken-1"),
        {"errcode": 40001, "errmsg": "invalid t0ken-1 of oPerson-1"},
        {"errcode": 48001, "errmsg": "t0ken-1 may not"},
    ],
)
def test_no_token_and_no_person_is_in_the_log_or_in_an_outcome(account, platform, log, answer):
    platform.answer = lambda _: answer

    outcomes = deliver(chunk(account, 3))

    said = log.getvalue() + repr(outcomes) + repr(chunk(account))
    assert platform.calls[0].token == "t0ken-1"
    assert "t0ken" not in said
    assert "oPerson" not in said


# --- what is counted --------------------------------------------------------------------------


def test_tries_are_counted_by_route_and_outcome(account, platform):
    platform.answer = lambda call: {"errcode": 43101 if call.body["touser"][-1] == "1" else 0}

    def tries(outcome):
        labels = {"route": "template", "outcome": outcome}
        return REGISTRY.get_sample_value("xinqiao_push_tries_total", labels) or 0

    def called(errcode):
        labels = {"api": TEMPLATE_SEND, "errcode": errcode}
        return REGISTRY.get_sample_value("xinqiao_platform_calls_total", labels) or 0

    before = tries("sent"), tries("permanent-failure"), called("0"), called("43101")

    deliver(chunk(account, 3))

    after = tries("sent"), tries("permanent-failure"), called("0"), called("43101")
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 2, 1]


def test_what_was_not_asked_is_counted_as_postponed(account, platform):
    labels = {"route": "template", "outcome": "postponed"}
    before = REGISTRY.get_sample_value("xinqiao_push_tries_total", labels) or 0

    deliver(late_chunk(account, 2))

    assert REGISTRY.get_sample_value("xinqiao_push_tries_total", labels) == before + 2
