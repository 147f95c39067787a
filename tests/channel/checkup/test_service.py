"""All accounts at once: one hides no other, and the findings are kept."""

import socket
import time
from contextlib import ExitStack

import pytest
from redis.exceptions import ConnectionError as RedisAway

from channel.checkup import platforms as examined
from channel.checkup import service
from channel.checkup.findings import Verdict
from channel.checkup.service import CheckupRunning, examine, last_checkups, only_one
from core.db import transaction
from core.errors import Forbidden
from core.settings import get_settings
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import list_channel_accounts
from domain.directory.models import ChannelAccount
from tests.factories import make_channel_account, make_hr, make_operator


def by_account(findings):
    found = {}
    for one in findings:
        found.setdefault(one.account, {})[one.id] = one
    return found


def test_every_kind_is_examined_and_kept(platforms, official_account, wecom_app):
    make_channel_account(kind=ChannelKind.MINIPROGRAM, name="bank-mp")
    make_channel_account(name="closed-oa", is_enabled=False)
    platforms.wechat_is_well()
    platforms.wecom_is_well()
    operator = make_operator()

    found = by_account(examine(operator))

    assert set(found) == {"bank-oa", "rm-app", "bank-mp"}
    rows = {row.name: row for row in list_channel_accounts(operator)}
    kept = last_checkups(list(rows.values()))
    assert kept[rows["bank-oa"].id].findings == tuple(found["bank-oa"].values())
    assert rows["closed-oa"].id not in kept
    # Nobody serves the callback address here.
    assert kept[rows["rm-app"].id].verdict is Verdict.BROKEN


def test_a_branch_examines_and_sees_its_own_accounts_only(platforms, official_account):
    make_channel_account("/hq/sh/", name="sh-oa")

    assert set(by_account(examine(make_operator("/hq/sh/")))) == {"sh-oa"}


def test_who_may_not_see_accounts_may_not_examine_them(session):
    hr = make_hr()
    with pytest.raises(Forbidden):
        examine(hr)
    with pytest.raises(Forbidden), only_one(hr):
        pass


def test_an_account_that_cannot_be_opened_hides_no_other(session, platforms, official_account):
    sealed = make_channel_account(name="sealed-oa")
    with transaction() as writing:
        writing.get_one(ChannelAccount, sealed.id).secret_sealed = "not sealed by us"
    platforms.wechat_is_well()

    found = by_account(examine(Actor.system()))

    assert found["sealed-oa"]["token"].verdict is Verdict.BROKEN
    assert "XINQIAO_MASTER_KEY" in found["sealed-oa"]["token"].advice
    assert found["bank-oa"]["token"].verdict is Verdict.WELL


def test_a_fault_of_ours_at_one_account_hides_no_other(
    platforms, official_account, wecom_app, monkeypatch
):
    def breaks(*_):
        raise RuntimeError

    monkeypatch.setattr(examined, "examine_wecom_app", breaks)
    platforms.wechat_is_well()

    found = by_account(examine(Actor.system()))

    assert "RuntimeError" in found["rm-app"]["token"].says
    assert found["bank-oa"]["token"].verdict is Verdict.WELL


def test_what_was_found_is_told_though_it_cannot_be_kept(platforms, official_account, monkeypatch):
    class Away:
        def pipeline(self):
            raise RedisAway

    platforms.wechat_is_well()
    monkeypatch.setattr(service, "redis", Away)

    assert examine(Actor.system())


def test_without_accounts_there_is_nothing_to_find(session):
    assert examine(Actor.system()) == []
    assert last_checkups([]) == {}


def test_what_another_release_kept_is_as_if_never_examined(official_account, redis):
    row = next(iter(list_channel_accounts(make_operator())))
    for kept in ("[]", "{}", "no json", '{"at": "2026-03-05T04:00:00+00:00", "findings": [{}]}'):
        redis.set(f"xq:checkup:{row.id}", kept)

        assert last_checkups([row]) == {}


def test_a_checkup_of_nothing_is_not_known():
    assert service.Checkup(None, ()).verdict is Verdict.UNKNOWN


def test_one_checkup_at_a_time(session):
    operator = make_operator()
    with only_one(operator), pytest.raises(CheckupRunning), only_one(operator):
        pass
    with only_one(operator):
        pass


def test_a_checkup_that_took_too_long_does_not_open_the_way_to_a_third(session, redis):
    operator = make_operator()
    with ExitStack() as second:
        with only_one(operator):
            [key] = redis.scan_iter("xq:checkup-running:*")
            redis.delete(key)  # its minute is over
            second.enter_context(only_one(operator))
        with pytest.raises(CheckupRunning), only_one(operator):
            pass


def test_nothing_personal_and_no_secret_is_kept(platforms, official_account, redis):
    platforms.wechat("POST", "stable_token", json={"errcode": 40125, "errmsg": "bad secret"})
    examine(Actor.system())

    kept = [redis.get(key) for key in redis.scan_iter("xq:checkup:*")]

    assert len(kept) == 1
    assert official_account.secret.get_secret_value() not in kept[0]
    assert official_account.token.get_secret_value() not in kept[0]


def test_when_time_is_up_the_rest_is_left_for_another_time(
    platforms, official_account, monkeypatch
):
    monkeypatch.setattr(service, "PATIENCE_SECONDS", -1.0)

    found = by_account(examine(Actor.system()))["bank-oa"]

    assert {found[name].says for name in ("token", "callback")} == {"没有来得及检查"}


@pytest.fixture
def deaf_address(monkeypatch):
    """Takes connections and never says anything; the settings name it for all."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(128)
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        for name in ("PUBLIC_URL", "WECHAT_API_URL", "WECOM_API_URL"):
            monkeypatch.setenv(f"XINQIAO_{name}", address)
        get_settings.cache_clear()
        yield
    monkeypatch.undo()
    get_settings.cache_clear()


def test_when_nobody_answers_it_ends_within_seconds(session, deaf_address, monkeypatch):
    monkeypatch.setattr("channel.checkup.probes.READ_SECONDS", 0.3)
    for number in range(20):
        make_channel_account(name=f"oa-{number}")
        make_channel_account(kind=ChannelKind.WECOM_APP, name=f"app-{number}", agentid="1")
    started = time.monotonic()

    found = examine(Actor.system())

    assert time.monotonic() - started < 10
    tokens = [one for one in found if one.id == "token"]
    assert {one.verdict for one in tokens} == {Verdict.BROKEN}
    assert len(tokens) == 40
