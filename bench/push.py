"""``xinqiao bench push``: a campaign through the engine, against one RQ job per message and
against a client that does nothing but send.

The API is a stub in a process of its own that answers after 30 ms.
"""

import asyncio
import json
import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast

import aiohttp
import requests
from redis import Redis
from rq import Worker
from sqlalchemy import Integer, Table, func, insert, literal, select

from bench import push_reference
from bench.callbacks import _mariadb as mariadb
from bench.ground import free_port, ground, wait_until
from channel.bulk import CONNECTIONS
from core.clock import utc_now
from core.db import reading, transaction
from core.queues import Job, QueueName, get_queue
from core.redis import queue_redis, redis
from core.security import seal
from core.settings import get_settings
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.channel_accounts import AES_KEY, SECRET, TOKEN, set_templates
from domain.directory.models import (
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
    Org,
    OrgKind,
)
from domain.payroll.models import BatchStatus, PayrollBatch, Payslip
from domain.payroll.service import PAYSLIPS
from domain.pushes import campaigns
from domain.pushes.campaigns import NewCampaign, request_campaign
from domain.pushes.models import Campaign, MessageKind, Push, PushStatus
from workers.processes import Child

LATENCY_MS = 30
AIM_REFERENCE, AIM_LIMIT, AIM_LIMIT_SQLITE, AIM_TWO, AIM_PREPARING = 100.0, 0.6, 0.4, 1.7, 20.0
AIM_MEMORY_MB = 150
TIMES = 10  # so many times as many recipients take the same memory
ORG, NOW = "/bench/", utc_now()


def run(*, quick: bool) -> Iterator[dict[str, Any]]:
    with mariadb() as url:
        if url:
            yield from _measure("MariaDB", url, AIM_LIMIT, quick=quick)
        else:
            yield _figure("MariaDB: none answers at 127.0.0.1:3306", None, "messages/s")
    yield from _measure("SQLite", "", AIM_LIMIT_SQLITE, quick=quick)


def _measure(name: str, url: str, aim_limit: float, *, quick: bool) -> Iterator[dict[str, Any]]:
    people, one_by_one, many = (4_000, 30, 5_000) if quick else (20_000, 200, 100_000)
    api = free_port()
    os.environ["XINQIAO_WECHAT_API_URL"] = f"http://127.0.0.1:{api}"
    with ground(free_port(), url) as (_app, supervisor):
        stub = [sys.executable, "-m", "bench.stub_api", str(api), str(LATENCY_MS)]
        supervisor.start(Child("stub", stub))
        wait_until(lambda: _taken(api) >= 0)
        _fill(max(people, many))
        times = range(1 if quick else 3)
        limit = median(_bare_limit(api, people) for _ in times)
        reference, reference_cpu = _one_job_each(api, one_by_one)
        one, cpu = map(median, zip(*(_campaign(people, workers=1) for _ in times), strict=True))
        yield _figure(f"{name}: one worker", one, "messages/s", reference, AIM_REFERENCE)
        yield _figure(f"{name}: one worker, of the bare limit", one, "messages/s", limit, aim_limit)
        yield _figure(f"{name}: CPU per 1,000 messages", cpu, "s", reference_cpu)
        two = median(_campaign(people, workers=2)[0] for _ in times)
        yield _figure(f"{name}: two workers", two, "messages/s", one, AIM_TWO)
        yield from _preparing(name, many, quick=quick)


# --- the ground -----------------------------------------------------------------------------


def _fill(people: int) -> None:
    """One enterprise with so many employees, all bound, and a payroll of theirs."""
    with transaction() as session:
        session.add(Org(org_path=ORG, kind=OrgKind.UNION, name="测试", created_at=NOW))
        account = ChannelAccount(
            org_path=ORG,
            kind=ChannelKind.OFFICIAL_ACCOUNT,
            name="bench",
            title="测试",
            appid="wxbench",
            mode=CallbackMode.SAFE,
            secret_sealed=seal(SECRET, "secret"),
            token_sealed=seal(TOKEN, "token"),
            aes_key_sealed=seal(AES_KEY, "a" * 42 + "A"),
            created_at=NOW,
        )
        session.add(account)
        session.flush()
        account_id = account.id
    set_templates(account_id, {MessageKind.PAYSLIP_READY.value: "template"})
    who = {"org_path": ORG, "created_at": NOW, "updated_at": NOW}
    for start in range(1, people + 1, 10_000):
        ids = range(start, min(start + 10_000, people + 1))
        with transaction() as session:
            session.execute(
                insert(Employee),
                [
                    who
                    | {"id": one, "emp_id": str(one), "emp_no": str(one), "name": "测"}
                    | {"department": "", "personal_sealed": "-"}
                    for one in ids
                ],
            )
            session.execute(
                insert(Identity),
                [
                    who
                    | {"id": one, "channel_account_id": account_id, "openid": f"o{one:026d}"}
                    | {"is_follower": True, "session_epoch": 0}
                    for one in ids
                ],
            )
            session.execute(
                insert(EmployeeBinding),
                [
                    {"org_path": ORG, "channel_account_id": account_id, "identity_id": one}
                    | {"employee_id": one, "bound_at": NOW}
                    for one in ids
                ],
            )


def _add_payroll(people: int) -> int:
    with transaction() as session:
        batch = PayrollBatch(
            org_path=ORG,
            status=BatchStatus.PUBLISHED,
            file_name="bench.xlsx",
            file_key="",
            period="2026-03",
            created_at=NOW,
            created_by=1,
        )
        session.add(batch)
        session.flush()
        for start in range(1, people + 1, 10_000):
            session.execute(
                insert(Payslip),
                [
                    {"org_path": ORG, "batch_id": batch.id, "employee_id": one}
                    | {"content_sealed": "-", "published_at": NOW}
                    for one in range(start, min(start + 10_000, people + 1))
                ],
            )
        return batch.id


def _request(batch_id: int, *, starts_in: timedelta = timedelta()) -> int:
    account_id = reading().scalar(select(ChannelAccount.id)) or 0
    with transaction() as session:
        campaign = request_campaign(
            session,
            NewCampaign(
                org_path=ORG,
                channel_account_id=account_id,
                kind=MessageKind.PAYSLIP_READY,
                key=f"bench:{secrets.token_hex(6)}",
                params={"enterprise": "江西某某学校", "period": "2026-03"},
                path="/me/payslips/{}",
                starts_at=utc_now() + starts_in,
            ),
            audience=PAYSLIPS,
            audience_id=batch_id,
        )
        return campaign.id


# --- sending --------------------------------------------------------------------------------


def _campaign(people: int, *, workers: int) -> tuple[float, float]:
    """Messages a second from the first call to the last outcome in the ledger, and the workers'
    CPU seconds for 1,000 messages. The rows are written before."""
    redis().flushdb()  # yesterday's budget is not today's
    campaign_id = _request(_add_payroll(people))
    campaigns.prepare(campaign_id)
    with _workers(workers) as started:
        wait_until(lambda: len(Worker.all(connection=queue_redis())) >= workers)
        before = sum(_cpu_seconds(one.pid) for one in started)
        begun = time.perf_counter()
        account_id = reading().scalar(select(ChannelAccount.id)) or 0
        campaigns.feed(account_id)
        wait_until(lambda: _sent(campaign_id) == people, 300)
        seconds = time.perf_counter() - begun
        cpu = sum(_cpu_seconds(one.pid) for one in started) - before
    return people / seconds, cpu / people * 1000


@contextmanager
def _workers(count: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    log = (get_settings().data_dir / "workers.log").open("ab")
    command = [sys.executable, "-m", "app", "worker", QueueName.PUSH.value]
    started = [subprocess.Popen(command, stderr=log, stdout=log) for _ in range(count)]
    try:
        yield started
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait(30)
        log.close()


def _sent(campaign_id: int) -> int:
    session = reading()
    session.rollback()
    query = select(func.count()).where(
        Push.campaign_id == campaign_id, Push.status == PushStatus.SENT
    )
    return session.scalar(query) or 0


def _cpu_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    ticks = sum(int(fields[place]) for place in (11, 12, 13, 14))  # its own and its children's
    return ticks / os.sysconf("SC_CLK_TCK")


def _bare_limit(api: int, people: int) -> float:
    """A client with as many connections that builds the same bodies and keeps nothing."""
    code = "import asyncio, sys; from bench import push; push.send_bare(*map(int, sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(api), str(people)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return people / float(done.stdout)


def send_bare(api: int, people: int) -> None:
    """In a process of its own: prints how many seconds it took."""

    async def send_all() -> float:
        url = f"http://127.0.0.1:{api}/cgi-bin/message/template/send"
        numbers = iter(range(people))
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as http:

            async def lane() -> None:
                for number in numbers:
                    message = {
                        "touser": f"o{number:026d}",
                        "template_id": "template",
                        "data": push_reference.VALUES,
                        "url": f"http://127.0.0.1/me/payslips/{number}",
                        "client_msg_id": f"{number:032x}",
                    }
                    body = json.dumps(message, ensure_ascii=False).encode()
                    params = {"access_token": "stub-token"}
                    async with http.post(url, params=params, data=body) as answer:
                        json.loads(await answer.read())

            begun = time.perf_counter()
            await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
            return time.perf_counter() - begun

    sys.stdout.write(str(asyncio.run(send_all())))


def _one_job_each(api: int, messages: int) -> tuple[float, float]:
    """Messages a second and CPU seconds for 1,000 messages of the usual way."""
    url = get_settings().redis
    env = {**os.environ, "BENCH_REDIS": url, "BENCH_API": f"http://127.0.0.1:{api}"}
    queue = push_reference.queue(Redis.from_url(url))
    rates, costs = [], []
    for count in (1, messages):  # the first one fetches the token
        queue.enqueue_many(
            [
                queue.prepare_data("bench.push_reference.send_one", (f"o{number}",))
                for number in range(count)
            ]
        )
        before, taken = resource.getrusage(resource.RUSAGE_CHILDREN), _taken(api)
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "bench.push_reference", "worker", url], env=env, check=True
        )
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if _taken(api) - taken != count:
            raise RuntimeError("the reference did not send what it was given")
        rates.append(seconds)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # What starting and importing cost was seen with the one message, and is not held against it.
    seconds, cpu = rates[1] - rates[0], costs[1] - costs[0]
    return (messages - 1) / seconds, cpu / (messages - 1) * 1000


def _taken(api: int) -> int:
    try:
        return int(requests.get(f"http://127.0.0.1:{api}/count", timeout=2).text)
    except requests.RequestException:
        return -1


# --- preparing ------------------------------------------------------------------------------


def _preparing(name: str, people: int, *, quick: bool) -> Iterator[dict[str, Any]]:
    batch_id = _add_payroll(people)
    seconds, memory = _prepare_in_a_child(_request(batch_id, starts_in=timedelta(days=1)))
    what = f"{name}: {people:,} recipients"
    each = _enqueue_each(people)
    yield _figure(f"{what} prepared", people / seconds, "people/s", people / each, AIM_PREPARING)
    yield _memory(what, memory)
    if quick:
        return
    _multiply(people, TIMES)
    batch_id, what = _add_payroll(people * TIMES), f"{name}: {people * TIMES:,} recipients"
    seconds, memory = _prepare_in_a_child(_request(batch_id, starts_in=timedelta(days=1)))
    yield _figure(f"{what} prepared", people * TIMES / seconds, "people/s")
    yield _memory(what, memory)


def _memory(what: str, peak: float) -> dict[str, Any]:
    figure = _figure(f"{what}, peak memory", peak, "MB")
    return figure | {"aim": AIM_MEMORY_MB, "holds": peak < AIM_MEMORY_MB}


def _multiply(people: int, times: int) -> None:
    """So many times as many people: the database copies those who are there."""
    for table, theirs in (
        (Employee, ("id", "emp_id", "emp_no")),
        (Identity, ("id", "openid")),
        (EmployeeBinding, ("id", "identity_id", "employee_id")),
    ):
        columns = cast(Table, table.__table__).columns
        for shift in range(people, people * times, people):
            copies = [
                column + shift
                if column.name in theirs and isinstance(column.type, Integer)
                else literal(f"{shift}:") + column
                if column.name in theirs
                else column
                for column in columns
            ]
            first = select(*copies).where(columns.id <= people)
            with transaction() as session:
                session.execute(insert(table).from_select(list(columns), first))


def _prepare_in_a_child(campaign_id: int) -> tuple[float, float]:
    """Seconds until every row is written and every chunk handed out, and the peak in MB."""
    code = "import sys; from bench import push; push.prepare_and_feed(int(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(campaign_id)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, memory = map(float, done.stdout.split())
    redis().flushdb()
    return seconds, memory


def prepare_and_feed(campaign_id: int) -> None:
    """In a process of its own: all rows, then every chunk, although a worker's window would take
    them as they are sent."""
    from app import create_app  # noqa: PLC0415 -- the application is made in the child only

    with create_app().app_context():
        begun = time.perf_counter()
        campaigns.prepare(campaign_id)
        with transaction() as session:
            campaign = session.get_one(Campaign, campaign_id)
            campaign.starts_at = utc_now()
            account_id = campaign.channel_account_id
        campaigns.WINDOW = 1_000_000
        chunks = campaigns.feed(account_id)
        seconds = time.perf_counter() - begun
        with transaction() as session:
            session.get_one(Campaign, campaign_id).starts_at = utc_now() + timedelta(days=1)
    if chunks < 1:
        raise RuntimeError("nothing was handed out")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{seconds} {memory}")


def _enqueue_each(people: int) -> float:
    """Seconds to enqueue one job each, as ``queue.enqueue`` in a loop does it."""
    queue = get_queue(QueueName.PUSH)
    begun = time.perf_counter()
    for number in range(people):
        queue.enqueue_call(Job.SEND_PUSHES.value, (1, number, number), result_ttl=60)
    seconds = time.perf_counter() - begun
    redis().flushdb()
    return seconds


def _figure(
    what: str,
    value: float | None,
    unit: str,
    reference: float | None = None,
    aim: float | None = None,
) -> dict[str, Any]:
    ratio = round(value / reference, 3) if value and reference else None
    return {
        "what": what,
        "value": None if value is None else round(value, 2),
        "unit": unit,
        "reference": None if reference is None else round(reference, 2),
        "ratio": ratio,
        "aim": aim,
        "holds": None if ratio is None or aim is None else ratio >= aim,
    }
