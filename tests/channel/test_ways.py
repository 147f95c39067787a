"""Who is reached by text message, when and how often; how much a WeCom member gets."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import time_machine
from pydantic import SecretStr
from sqlalchemy import select

from channel import bulk, caps, clients, ways
from channel.caps import MEMBER_LIMITS, MemberFull, take_for_members
from channel.delivery import SILENCES, deliver
from channel.retries import Reaction
from channel.ways import SmsWay
from core import redis as core_redis
from core.clock import CHINA
from core.db import db, transaction
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import channel_account
from domain.directory.models import EmployeeBinding
from domain.pushes import sweeper
from domain.pushes.campaigns import Chunk, NewCampaign, Recipient, request_notice
from domain.pushes.claims import claim
from domain.pushes.models import MessageKind, Push, PushStatus, Route
from domain.pushes.outcomes import PushOutcome, record_outcomes
from sandbox.server import running
from tests.channel.sms_gateway import TOKEN, running_gateway, said
from tests.factories import (
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_employees,
    make_identity,
    make_push,
)

NOON = datetime(2026, 3, 28, 12, 0, tzinfo=CHINA)
EVENING = datetime(2026, 3, 28, 21, 30, tzinfo=CHINA)
MORNING = datetime(2026, 3, 29, 8, 0, tzinfo=CHINA)
WITH_SMS = [Route.TEMPLATE.value, Route.SMS.value]


@pytest.fixture(autouse=True)
def _loop():
    yield
    bulk.close()


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def set_to(monkeypatch):
    """Other settings for what reads them when it sends or requests."""

    def set_to(**values):
        settings = ways.get_settings().model_copy(update=values)
        for module in (ways, clients, "domain.pushes.campaigns"):
            name = module if isinstance(module, str) else module.__name__
            monkeypatch.setattr(f"{name}.get_settings", lambda: settings)

    return set_to


@pytest.fixture
def file(set_to, tmp_path):
    """The file gateway's; read as the messages in it."""
    set_to(sms_gateway="file", data_dir=tmp_path)
    return tmp_path / "sms.jsonl"


@pytest.fixture
def bank(set_to):
    with running_gateway() as bank:
        set_to(sms_gateway=bank.url, sms_token=SecretStr(TOKEN))
        yield bank


@contextmanager
def at(moment):
    with time_machine.travel(moment, tick=False) as clock:
        yield clock


def messages_in(file: Path):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def campaign_to(account, *employees, **fields):
    """A campaign with the step for text messages, and its pushes."""
    campaign = make_campaign(account, **{"ladder": WITH_SMS} | fields)
    return campaign, [make_push(one, account, campaign=campaign).id for one in employees]


def claimed_of(ids):
    campaign_id = db.session.get_one(Push, ids[0]).campaign_id
    return claim(Chunk(campaign_id, ids[0], ids[-1]))


def work_on(ids):
    """What a worker's job does."""
    claimed = claimed_of(ids)
    outcomes = deliver(claimed) if claimed else {}
    if claimed:
        record_outcomes(claimed, outcomes)
    return [outcomes.get(push_id) for push_id in ids]


def row(push_id):
    db.session.expire_all()
    return db.session.get_one(Push, push_id)


# --- the ladder -----------------------------------------------------------------------------


def request(account):
    employee = make_employee()
    params = {"enterprise": "滨江实验学校", "period": "2026-03"}
    new = NewCampaign(
        employee.org_path,
        account.id,
        MessageKind.PAYSLIP_READY,
        "payroll:1",
        params,
        "/me/payslips",
    )
    with transaction() as session:
        return request_notice(session, new, [Recipient(employee.id, 1)])


def test_a_campaign_ends_with_text_messages_when_there_is_a_gateway(account, file):
    assert request(account).ladder[-1] == "sms"


def test_without_a_gateway_no_campaign_has_that_step(account):
    assert request(account).ladder == ["template", "miniprogram", "wecom"]


def test_a_gateway_that_was_switched_off_since_ends_the_step(account):
    _, ids = campaign_to(account, make_employee())

    work_on(ids)

    assert (row(ids[0]).status, row(ids[0]).reason) == (PushStatus.PERMANENT_FAILURE, "sms-off")


# --- by day ---------------------------------------------------------------------------------


def test_who_is_not_bound_gets_a_text_message(account, file):
    person = make_employee(phone="13800000001")
    with at(NOON):
        _, ids = campaign_to(account, person)
        work_on(ids)

    (sent,) = messages_in(file)
    assert sent["phone"] == "13800000001"
    assert sent["text"] == "【测试公众号】机构ent-12026年3月工资条已发布，请到微信公众号里查看。"
    assert (row(ids[0]).status, row(ids[0]).route) == (PushStatus.SENT, Route.SMS)
    assert row(ids[0]).msgid == sent["id"]


def test_who_has_no_telephone_is_left_as_not_bound(account, file):
    with at(NOON):
        _, ids = campaign_to(account, make_employee(phone=""))
        work_on(ids)

    assert (row(ids[0]).status, row(ids[0]).reason) == (PushStatus.PERMANENT_FAILURE, "not-bound")
    assert messages_in(file) == []


def test_the_gateways_id_of_the_message_is_kept(account, bank):
    with at(NOON):
        _, ids = campaign_to(account, *make_employees(3))
        work_on(ids)

    assert {row(one).msgid for one in ids} == {f"m-{sms['id']}" for sms in bank.asked}
    assert len({sms["id"] for sms in bank.asked}) == 3
    assert datetime.fromisoformat(bank.asked[0]["expires_at"]) == NOON + timedelta(hours=1)


# --- by night -------------------------------------------------------------------------------


def test_nobodys_telephone_rings_at_night_and_in_the_morning_it_does(account, file, queue):
    with at(EVENING):
        _, ids = campaign_to(account, *make_employees(2))
        work_on(ids)

        assert messages_in(file) == []
        assert [(row(one).reason, row(one).attempts) for one in ids] == [("quiet-hours", 0)] * 2
        assert [row(one).due_at for one in ids] == [MORNING] * 2

    with at(MORNING - timedelta(seconds=5)):
        sweeper.sweep()
        work_on(ids)
        assert messages_in(file) == []

    with at(MORNING):
        assert sweeper.sweep() == 2
        work_on(ids)

    assert [row(one).status for one in ids] == [PushStatus.SENT] * 2
    assert [row(one).attempts for one in ids] == [1, 1]
    assert len(messages_in(file)) == 2


def test_three_nights_use_up_no_tries_and_not_the_campaigns_life(account, file):
    with at(EVENING) as clock:
        _, ids = campaign_to(account, make_employee())
        for night in range(3):
            clock.move_to(EVENING + timedelta(days=night, minutes=1))
            sweeper.sweep()
            with transaction() as session:
                session.get_one(Push, ids[0]).due_at = datetime.now(UTC)
            work_on(ids)
            assert row(ids[0]).due_at == MORNING + timedelta(days=night)
        clock.move_to(MORNING + timedelta(days=2))
        sweeper.sweep()
        work_on(ids)

    assert (row(ids[0]).status, row(ids[0]).attempts) == (PushStatus.SENT, 1)
    assert len(messages_in(file)) == 1


def test_who_is_passed_on_in_the_last_night_still_gets_it_in_the_morning(account, file):
    last_night, morning = (one + timedelta(days=3) for one in (EVENING, MORNING))
    with at(EVENING) as clock:
        campaign = request(account)
        ids = list(db.session.scalars(select(Push.id).where(Push.campaign_id == campaign.id)))
        clock.move_to(last_night - timedelta(minutes=1))
        work_on(ids)
        assert (row(ids[0]).reason, row(ids[0]).due_at) == ("quiet-hours", morning)
        clock.move_to(morning - timedelta(minutes=1))
        sweeper.sweep()
        clock.move_to(morning)
        sweeper.sweep()
        work_on(ids)

    assert row(ids[0]).status is PushStatus.SENT


def test_what_may_have_arrived_in_the_evening_is_not_sent_again_in_the_morning(account, bank):
    bank.says = lambda _: None
    with at(EVENING - timedelta(minutes=31)) as clock:  # a minute before the night
        _, ids = campaign_to(account, make_employee())
        work_on(ids)
        assert row(ids[0]).status is PushStatus.TEMPORARY_FAILURE
        for minutes in (1, 3, 9, 11):
            clock.move_to(EVENING - timedelta(minutes=30 - minutes))
            sweeper.sweep()
            work_on(ids)
        assert row(ids[0]).status is PushStatus.UNKNOWN
        clock.move_to(MORNING)
        sweeper.sweep()
        work_on(ids)

    assert row(ids[0]).status is PushStatus.UNKNOWN
    assert len(bank.asked) == 1


# --- not too many ---------------------------------------------------------------------------


def test_a_number_gets_so_many_a_day_over_all_campaigns(account, file):
    person, other = make_employee(phone="13800000001"), make_employee(phone="13800000002")
    with at(NOON) as clock:
        ids = [campaign_to(account, person)[1][0] for _ in range(7)]
        _, others = campaign_to(account, other)
        for one in [*ids[:6], *others]:
            work_on([one])
        clock.move_to(NOON + timedelta(days=1))
        work_on(ids[6:])

    assert [row(one).status for one in ids[:5]] == [PushStatus.SENT] * 5
    capped = row(ids[5])
    assert (capped.status, capped.reason) == (PushStatus.PERMANENT_FAILURE, "sms-capped")
    assert [sms["phone"][-1] for sms in messages_in(file)] == [*"111112", "1"]


def test_the_cap_is_a_setting(account, set_to, tmp_path):
    set_to(sms_gateway="file", data_dir=tmp_path, sms_daily_cap=1)
    person = make_employee()
    with at(NOON):
        ids = [campaign_to(account, person)[1][0] for _ in range(2)]
        for one in ids:
            work_on([one])

    assert [row(one).reason for one in ids] == [None, "sms-capped"]


def test_the_tries_of_one_message_count_once(account, bank, set_to):
    set_to(sms_gateway=bank.url, sms_token=SecretStr(TOKEN), sms_daily_cap=1)
    bank.says = lambda _: None
    with at(NOON) as clock:
        _, ids = campaign_to(account, make_employee())
        work_on(ids)
        bank.says = None
        clock.shift(timedelta(seconds=20))
        work_on(ids)

    assert row(ids[0]).status is PushStatus.SENT
    assert (len(bank.asked), len(bank.rung)) == (2, 1)


def test_nobody_reads_a_number_or_a_member_in_redis(account, file, redis):
    person = make_employee(phone="13800000001")
    phone_index = person.phone_index
    with at(NOON):
        work_on(campaign_to(account, person)[1])
    kept = [*redis.keys("xq:sms:*")]

    assert len(kept) == 1
    said_by_redis = " ".join([*kept, *redis.smembers(kept[0])])
    assert "13800000001" not in said_by_redis
    assert phone_index not in said_by_redis
    assert 0 < redis.ttl(kept[0]) <= 2 * 86400


@pytest.fixture
def no_redis(monkeypatch, tmp_path):
    """Calls it to take Redis away from what counts people."""
    away = core_redis.connect(f"unix://{tmp_path}/nobody.sock", decode=True)
    return lambda: monkeypatch.setattr(caps, "redis", lambda: away)


def test_while_nobody_counts_no_telephone_rings(account, file, no_redis):
    no_redis()
    with at(NOON):
        _, ids = campaign_to(account, *make_employees(40))
        work_on(ids)

    assert messages_in(file) == []
    assert [(row(one).reason, row(one).attempts) for one in ids] == [("sms-uncounted", 0)] * 40
    assert [row(one).due_at for one in ids] == [NOON + timedelta(minutes=1)] * 40


# --- what the gateway says ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("blocked_number", "sms-refused"),
        ("bad_number", "sms-refused"),
        ("daily_limit", "sms-capped"),
        ("whatever", "sms-refused"),
    ],
)
def test_a_refusal_is_final_and_the_log_says_why_without_the_person(
    account, bank, code, reason, log
):
    bank.says = lambda _: said(422, code=code, message="13800000001 不行")
    with at(NOON):
        _, ids = campaign_to(account, make_employee(phone="13800000001"))
        work_on(ids)

    assert (row(ids[0]).status, row(ids[0]).reason) == (PushStatus.PERMANENT_FAILURE, reason)
    assert code in log.getvalue()
    assert "13800000001" not in log.getvalue()
    assert "不行" not in log.getvalue()


def test_a_gateway_that_is_busy_is_left_alone_and_costs_no_tries(account, bank):
    bank.says = lambda _: (429, b"", {"Retry-After": "30"})
    with at(NOON) as clock:
        _, ids = campaign_to(account, *make_employees(3))
        work_on(ids)
        assert {row(one).due_at for one in ids} == {NOON + timedelta(seconds=30)}
        assert [(row(one).reason, row(one).attempts) for one in ids] == [("sms-busy", 0)] * 3
        bank.says = None
        clock.shift(timedelta(seconds=31))
        work_on(ids)

    assert [row(one).status for one in ids] == [PushStatus.SENT] * 3
    assert len(bank.rung) == 3


def test_a_wrong_token_loses_no_message(account, bank, set_to):
    set_to(sms_gateway=bank.url, sms_token=SecretStr("another"))
    with at(NOON):
        _, ids = campaign_to(account, make_employee())
        work_on(ids)

    assert row(ids[0]).status is PushStatus.TEMPORARY_FAILURE
    assert row(ids[0]).due_at == NOON + timedelta(minutes=5)


@pytest.mark.parametrize("answer", [None, said(500), (200, b"<html>", {})])
def test_a_lost_answer_is_asked_for_again_under_the_same_id(account, bank, answer):
    bank.says = lambda _: answer
    with at(NOON) as clock:
        _, ids = campaign_to(account, make_employee())
        assert work_on(ids) == [PushOutcome(PushStatus.UNKNOWN, reason="sms-unreachable")]
        bank.says = None
        clock.shift(timedelta(seconds=15))
        work_on(ids)

    assert row(ids[0]).status is PushStatus.SENT
    assert len({sms["id"] for sms in bank.asked}) == 1


def test_what_may_have_arrived_is_not_repeated_when_the_gateway_has_forgotten_it(account, bank):
    bank.says = lambda _: None
    with at(NOON) as clock:
        _, ids = campaign_to(account, make_employee())
        work_on(ids)
        clock.shift(timedelta(minutes=9))
        work_on(ids)  # no sweep came before it

    assert row(ids[0]).status is PushStatus.UNKNOWN
    assert len(bank.asked) == 1


def test_a_silent_gateway_is_left_alone(account, bank):
    bank.says = lambda _: None
    with at(NOON):
        _, ids = campaign_to(account, *make_employees(SILENCES + 128 + 20))
        outcomes = work_on(ids)

    assert len(bank.asked) < len(ids)
    assert outcomes[-1].status is PushStatus.CREATED
    assert outcomes[-1].reason == "sms-unreachable"


def test_a_gateway_has_no_errcodes(account, file):
    _, ids = campaign_to(account, make_employee())

    assert SmsWay(claimed_of(ids)).note_refusal(1) is Reaction.REFUSE


# --- WeCom ----------------------------------------------------------------------------------

CORP, APP, SECRET = "ww00000000000000aa", "app-for-ways", "s" * 43


@pytest.fixture
def wecom(session, set_to):
    """The sandbox with a corp and its member lisi; gives what lisi has received."""
    with running() as address:

        def control(method, path, **body):
            url = f"{address}/_sandbox{path}"
            given = {"params": body} if method == "GET" else {"json": body}
            answer = requests.request(method, url, timeout=10, **given)
            assert answer.status_code == 200, answer.text
            return answer.json()

        control(
            "POST",
            "/accounts",
            kind="wecom_app",
            name=APP,
            appid=CORP,
            agentid=1000002,
            secret=SECRET,
            token="callback-token",
            aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        )
        control("POST", "/wecom/members", account=APP, userids=["lisi"])
        set_to(wecom_api_url=f"{address}/wecom", wechat_api_url=f"{address}/wechat")
        clients.forget_http()
        yield lambda: control("GET", "/wecom/members/lisi/inbox", account=APP)
        clients.forget_http()


@pytest.fixture
def lisi(account, wecom):
    """An employee whom WeCom alone reaches."""
    app = make_channel_account(
        kind=ChannelKind.WECOM_APP, appid=CORP, agentid="1000002", name=APP, secret=SECRET
    )
    person = make_employee()
    make_binding(person, app, make_identity(app, openid="lisi"))
    return person


def campaign_to_lisi(account, lisi, number):
    params = {"enterprise": f"学校{number}", "period": "2026-03"}
    return campaign_to(account, lisi, ladder=["template", "wecom"], params=params)[1][0]


def test_what_wecom_would_drop_waits_until_the_member_may_get_it(account, lisi, wecom, redis):
    ids = [campaign_to_lisi(account, lisi, number) for number in range(32)]

    for one in ids:
        work_on([one])

    assert len(wecom()) == 30
    assert [row(one).status for one in ids[:30]] == [PushStatus.SENT] * 30
    for late in (row(one) for one in ids[30:]):
        assert (late.status, late.reason) == (PushStatus.TEMPORARY_FAILURE, "member-limit")
        assert late.attempts == 0
        wait = late.due_at - datetime.now(UTC)
        assert timedelta(0) < wait <= timedelta(minutes=2)
    assert not [key for key in redis.keys("*member*") if "lisi" in key]


def test_who_is_no_member_takes_the_next_step(account, lisi, wecom, file):
    nobody = make_employee()
    binding = db.session.scalar(select(EmployeeBinding))
    app = channel_account(binding.channel_account_id)
    make_binding(nobody, app, make_identity(app, openid="nobody"))
    with at(NOON):
        _, ids = campaign_to(account, nobody, ladder=["template", "wecom", "sms"])
        work_on(ids)
        assert (row(ids[0]).route, row(ids[0]).tried[0]["reason"]) == (Route.SMS, "not-a-member")
        work_on(ids)

    assert row(ids[0]).status is PushStatus.SENT
    assert len(messages_in(file)) == 1


def test_without_redis_members_are_written_to_uncounted(account, lisi, wecom, no_redis):
    no_redis()

    work_on([campaign_to_lisi(account, lisi, 1)])

    assert len(wecom()) == 1


def counter(redis, seconds):
    return next(key for key in redis.keys("xq:member:*") if key.endswith(f":{seconds}"))


def wait_for(*members, account_id=1) -> int:
    """Count one message to each; how long to wait when that is too many."""
    try:
        take_for_members(account_id, members)
    except MemberFull as full:
        return full.retry_after_seconds
    return 0


@pytest.mark.parametrize(("most", "seconds"), MEMBER_LIMITS)
def test_two_neighbouring_windows_together_stay_below_the_limit(session, redis, most, seconds):
    """A message of the window before is made by turning the counter back."""
    assert wait_for("m") == 0
    key = counter(redis, seconds)

    def turn_to(used, before, *, windows_ago):
        window = redis.time()[0] // seconds
        redis.hset(key, mapping={"window": window - windows_ago, "used": used, "before": before})

    turn_to(most - 1, 0, windows_ago=0)
    assert wait_for("m") == 0
    assert seconds <= wait_for("m") <= 2 * seconds
    turn_to(1, most - 1, windows_ago=0)
    assert 0 < wait_for("m") <= seconds
    turn_to(most, 0, windows_ago=1)
    assert 0 < wait_for("m") <= seconds
    turn_to(most - 1, most, windows_ago=1)
    assert wait_for("m") == 0
    turn_to(most, most, windows_ago=2)
    assert wait_for("m") == 0
    assert wait_for("another") == wait_for("m", account_id=2) == 0
    assert 0 < redis.ttl(key) <= 2 * seconds


def test_of_several_members_nobody_is_counted_while_one_is_full(session, redis):
    most = MEMBER_LIMITS[0][0]
    for _ in range(most - 1):
        take_for_members(1, ["a", "a"])  # named twice, told once
    assert wait_for("a", "b") == 0
    assert wait_for("b", "a") > 0

    assert [wait_for("b") for _ in range(most - 1)] == [0] * (most - 1)
    assert wait_for("b") > 0
