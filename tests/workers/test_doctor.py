"""``xinqiao doctor`` as an operator and as a program reads it, and a start without platforms."""

import importlib
import json
import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import time_machine
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy.exc import OperationalError

from channel.checkup.service import examine, last_checkups
from core.clock import utc_now
from core.security import SealBroken
from domain.directory.access import Actor
from domain.directory.channel_accounts import list_channel_accounts
from tests.factories import make_channel_account

# The package shows the command under the module's name.
doctor = importlib.import_module("workers.commands.doctor")
REPOSITORY = Path(__file__).parents[2]
FIELDS = {"id", "account", "check", "state", "is_well", "says", "advice"}


@pytest.fixture
def run(app, session):
    def run(*options):
        result = app.test_cli_runner().invoke(args=["doctor", *options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def newest(monkeypatch):
    """The tests' tables were not made by migrations: let them stand at the newest."""
    head = doctor.ScriptDirectory("migrations").get_current_head()
    monkeypatch.setattr(
        doctor.MigrationContext, "get_current_revision", lambda _: head, raising=True
    )


def lines(result):
    return {line["id"]: line for line in map(json.loads, result.output.splitlines())}


def test_without_accounts_all_is_well_and_the_status_says_so(run, newest):
    result = run("--json")

    found = lines(result)
    assert result.exit_code == 0
    assert list(found) == ["database", "redis", "keys", "public-url"]
    assert all(set(line) == FIELDS for line in found.values())
    assert found["public-url"]["state"] == "unknown"
    assert found["public-url"]["is_well"]
    assert "[不明] 对外地址" in run().output


def test_one_broken_thing_is_status_1(run, newest):
    make_channel_account(name="bank-oa")  # nobody answers for WeChat here

    result = run("--json")

    assert result.exit_code == 1
    assert lines(result)["token"]["state"] == "broken"
    assert lines(result)["token"]["account"] == "bank-oa"
    assert "[有误] 公众号 bank-oa：" in run().output


def test_what_the_command_finds_in_its_environment_is_not_shown_on_the_pages(run, newest, redis):
    make_channel_account(name="bank-oa")
    rows = list_channel_accounts(Actor.system())
    examine(Actor.system())
    before = last_checkups(rows)

    with time_machine.travel(utc_now() + timedelta(hours=1)):
        assert run().exit_code == 1

    assert before
    assert last_checkups(rows) == before


def test_old_tables_are_told_with_the_cure(run):
    database = lines(run("--json"))["database"]

    assert (database["is_well"], database["advice"]) == (False, "运行 xinqiao db upgrade")


def broken(error):
    def raises(*_args, **_more):
        raise error

    return raises


def test_redis_away_is_told(run, newest, monkeypatch):
    monkeypatch.setattr(doctor, "redis", broken(RedisAway()))

    assert "XINQIAO_REDIS_URL" in lines(run("--json"))["redis"]["advice"]


def test_a_database_away_is_told(run, monkeypatch):
    monkeypatch.setattr(doctor, "reading", broken(OperationalError("", {}, Exception())))
    monkeypatch.setattr(doctor, "examine", broken(OperationalError("", {}, Exception())))

    found = lines(run("--json"))

    assert "XINQIAO_DATABASE_URL" in found["database"]["advice"]
    assert found["accounts"]["state"] == "broken"


def test_with_a_wrong_master_key_accounts_are_not_opened(run, newest, monkeypatch):
    monkeypatch.setattr(doctor, "key_ring", broken(SealBroken()))
    make_channel_account(name="bank-oa")

    found = lines(run("--json"))

    assert "XINQIAO_MASTER_KEY" in found["keys"]["advice"]
    assert "token" not in found


# --- the start ------------------------------------------------------------------------------


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_service_starts_when_no_platform_can_be_reached(app, tmp_path):
    nowhere = f"http://127.0.0.1:{closed_port()}"
    port = str(closed_port())
    platforms = ("XINQIAO_WECHAT_API_URL", "XINQIAO_WECOM_API_URL", "XINQIAO_OPEN_URL")
    with (tmp_path / "log").open("w") as log:
        web = subprocess.Popen(
            [sys.executable, "-m", "app", "run"],
            cwd=REPOSITORY,
            env={**os.environ, **dict.fromkeys(platforms, nowhere), "XINQIAO_PORT": port},
            stdout=log,
            stderr=log,
        )
    try:
        assert answers(f"http://127.0.0.1:{port}/readyz", web), (tmp_path / "log").read_text()
    finally:
        web.terminate()
        web.wait(30)


def answers(url, web):
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at and web.poll() is None:
        try:
            return requests.get(url, timeout=5).json() == {"database": True, "redis": True}
        except requests.RequestException:
            time.sleep(0.1)
    return False
