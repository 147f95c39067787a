"""A campaign goes out while its workers and Redis are killed: each person gets it exactly once."""

import base64
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, insert, text

from core.clock import utc_now
from core.db import make_engine
from core.queues import QueueName
from domain.directory.models import Employee, EmployeeBinding, Identity
from domain.payroll.models import BatchStatus, PayrollBatch, Payslip
from domain.payroll.service import PAYSLIPS
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Urgency
from domain.pushes.policy import EXPIRES_AFTER
from tests.conftest import new_database
from tests.journeys.conftest import REPOSITORY, free_port, wait_until
from workers.embedded_redis import server_command
from workers.processes import Child, Supervisor

# The whole of it: XINQIAO_TEST_PUSH_FAULTS="20000 10 2".
PEOPLE, WORKER_KILLS, REDIS_KILLS = map(
    int, os.environ.get("XINQIAO_TEST_PUSH_FAULTS", "3000 4 1").split()
)
LATENCY_MS = 250
APPID, SECRET = "wx2c2769f8efd9abc2", "secret"
# A dead worker's claim lasts a minute; its people then wait for their next try.
FINISH_SECONDS = 240
ORG = "/hq/school/"


@dataclass(slots=True)
class House:
    sandbox: str
    engine: Engine
    supervisor: Supervisor
    workers: list[Child]
    redis: Child

    def kill(self, child: Child) -> bool:
        """Whether there was something to kill."""
        if child.process is None or child.process.poll() is not None:
            return False
        os.kill(child.process.pid, signal.SIGKILL)
        return True

    def count(self, query: str) -> Counter[str]:
        with self.engine.connect() as connection:
            return Counter(dict(connection.execute(text(query)).tuples().all()))


@pytest.fixture
def house(tmp_path: Path, worker_number: int) -> Iterator[House]:
    supervisor, sandbox_port = Supervisor(), free_port()
    sandbox = f"http://127.0.0.1:{sandbox_port}"
    redis_socket = Path("/tmp") / f"xq-pushes-{secrets.token_hex(4)}.sock"
    logs = tmp_path / "logs"
    logs.mkdir()
    with new_database(f"xinqiao_push_faults_{worker_number}", tmp_path) as url:
        env = {
            "XINQIAO_DATA_DIR": str(tmp_path / "data"),
            "XINQIAO_DATABASE_URL": url,
            "XINQIAO_REDIS_URL": f"unix://{redis_socket}",
            "XINQIAO_PUBLIC_URL": "http://127.0.0.1",
            "XINQIAO_WECHAT_API_URL": f"{sandbox}/wechat",
            "XINQIAO_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
            "XINQIAO_LOG_LEVEL": "ERROR",
        }

        def start(name: str, *command: str) -> Child:
            child = Child(name, command, env=env, log=logs / f"{name}.log")
            supervisor.start(child)
            return child

        python = [sys.executable, "-P", "-m", "app"]
        try:
            start(
                "sandbox",
                *(sys.executable, "-P", "-m", "sandbox", "--port", str(sandbox_port)),
            )
            redis = start("redis", *server_command(redis_socket, tmp_path / "redis"))
            wait_until(lambda: _answers(sandbox) and redis_socket.exists())
            _open_account(sandbox)
            for command in (
                ["db", "upgrade"],
                ["orgs", "add", "/", "hq", "--kind", "union", "--name", "总行"],
                [
                    *("accounts", "add", "--kind", "official_account", "--name", "oa"),
                    *("--appid", APPID, "--secret", SECRET, "--token", "spamtest"),
                    *("--aes-key", "a" * 42 + "A"),
                ],
                ["accounts", "setup", "oa"],
            ):
                done = subprocess.run(
                    [*python, *command],
                    env=os.environ | env,
                    cwd=REPOSITORY,
                    check=False,
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, done.stdout + done.stderr
            engine = make_engine(url)
            workers = [
                start(f"{queue.value} {number}", *python, "worker", queue.value)
                for number, queue in enumerate((QueueName.PUSH, QueueName.PUSH))
            ]
            start("urgent", *python, "worker", QueueName.URGENT.value)
            start("timetable", *python, "timetable")
            yield House(sandbox, engine, supervisor, workers, redis)
            engine.dispose()
        finally:
            supervisor.stop_all()
            redis_socket.unlink(missing_ok=True)


def _answers(sandbox: str) -> bool:
    try:
        return requests.get(f"{sandbox}/_sandbox/stats", timeout=2).ok
    except requests.RequestException:
        return False


def _control(sandbox: str, call: str, body: dict[str, Any]) -> Any:
    answer = requests.post(f"{sandbox}/_sandbox/{call}", json=body, timeout=30)
    assert answer.ok, answer.text
    return answer.json()


def _open_account(sandbox: str) -> None:
    account = {"kind": "official_account", "name": "oa", "appid": APPID, "secret": SECRET}
    _control(sandbox, "accounts", account)
    openids = [f"o{number:026d}" for number in range(1, PEOPLE + 1)]
    _control(sandbox, "wechat/fans", {"account": "oa", "openids": openids})
    slow = {"path": "/wechat/cgi-bin/message/template/send", "latency_ms": LATENCY_MS}
    _control(sandbox, "faults", slow)


def _publish(engine: Engine) -> None:
    """A published payroll and its campaign, as after the commit, with every job lost."""
    now = utc_now()
    who = {"org_path": ORG, "created_at": now, "updated_at": now}
    people = range(1, PEOPLE + 1)
    with engine.begin() as connection:
        account_id = connection.scalar(text("SELECT id FROM channel_accounts"))
        rows: list[tuple[Any, list[dict[str, Any]]]] = [
            (
                Employee,
                [
                    {"id": one, "emp_id": str(one), "emp_no": "", "name": "测", "department": ""}
                    | {"personal_sealed": "-"}
                    | who
                    for one in people
                ],
            ),
            (
                Identity,
                [
                    {"id": one, "channel_account_id": account_id, "openid": f"o{one:026d}"}
                    | {"is_follower": True, "session_epoch": 0}
                    | who
                    for one in people
                ],
            ),
            (
                EmployeeBinding,
                [
                    {"org_path": ORG, "channel_account_id": account_id, "identity_id": one}
                    | {"employee_id": one, "bound_at": now}
                    for one in people
                ],
            ),
            (
                PayrollBatch,
                [
                    {"id": 1, "org_path": ORG, "period": "2026-03", "file_name": "", "file_key": ""}
                    | {"status": BatchStatus.PUBLISHED, "created_at": now, "created_by": 1}
                ],
            ),
            (
                Payslip,
                [
                    {"org_path": ORG, "batch_id": 1, "employee_id": one, "content_sealed": "-"}
                    for one in people
                ],
            ),
            (
                Campaign,
                [
                    {"org_path": ORG, "channel_account_id": account_id, "key": "payroll:1"}
                    | {"kind": MessageKind.PAYSLIP_READY, "audience": PAYSLIPS, "audience_id": 1}
                    | {"params": {"enterprise": "某某学校", "period": "2026-03"}}
                    | {"path": "/me/payslips/{}", "ladder": ["template"], "nonce": "0a1b2c3d4e5f"}
                    | {"status": CampaignStatus.RUNNING, "urgency": Urgency.BULK}
                    | {"created_at": now, "starts_at": now, "expires_at": now + EXPIRES_AFTER}
                ],
            ),
        ]
        for model, values in rows:
            connection.execute(insert(model), values)


def _kill_while_it_goes_out(house: House) -> tuple[int, int]:
    """Workers and Redis in turn, while there is somebody left to send to."""
    chance = random.Random()
    victims = [house.redis] * REDIS_KILLS + [None] * WORKER_KILLS
    chance.shuffle(victims)
    killed_workers = killed_redis = 0
    sent = "SELECT status, COUNT(*) FROM pushes GROUP BY status"
    wait_until(lambda: _restarting(house) and house.count(sent)["sent"] > 0, 60)
    for victim in victims:
        wait_until(lambda victim=victim: _restarting(house) and _kill(house, victim, chance), 60)
        killed_redis += victim is house.redis
        killed_workers += victim is None
        end = time.monotonic() + chance.uniform(1.0, 2.5)
        while time.monotonic() < end:
            _restarting(house)
            time.sleep(0.1)
    return killed_workers, killed_redis


def _kill(house: House, victim: Child | None, chance: random.Random) -> bool:
    return house.kill(victim or chance.choice(house.workers))


def _restarting(house: House) -> bool:
    house.supervisor.restart_dead()
    return True


def test_whatever_dies_each_person_gets_the_message_once(house, record_property):
    _publish(house.engine)

    killed = _kill_while_it_goes_out(house)

    statuses = "SELECT status, COUNT(*) FROM pushes GROUP BY status"
    wait_until(
        lambda: _restarting(house) and house.count(statuses)["sent"] == PEOPLE, FINISH_SECONDS
    )
    stats = requests.get(f"{house.sandbox}/_sandbox/stats", timeout=10).json()
    record_property("killed", killed)
    print(f"killed {killed}; the sandbox counts {stats['messages']}")
    assert killed == (WORKER_KILLS, REDIS_KILLS)
    got = Counter(_inbox_size(house.sandbox, number) for number in range(1, PEOPLE + 1))
    assert got == {1: PEOPLE}


def _inbox_size(sandbox: str, number: int) -> int:
    inbox = f"{sandbox}/_sandbox/wechat/fans/o{number:026d}/inbox"
    return len(requests.get(inbox, timeout=10).json())
