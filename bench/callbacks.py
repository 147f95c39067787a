"""``xinqiao bench callbacks``: encrypted callbacks, stored, against an empty view under gunicorn.

The queue is stopped: nothing is handled meanwhile, as in the worst hour. What is answered
``success`` is counted in the database afterwards.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pymysql
from sqlalchemy import func, select

from bench.ground import free_port, ground, start_server
from bench.load import Load, hammer, post_all, post_paced
from channel.wechat.crypto import MessageCrypto
from core.clock import utc_now
from core.db import reading, transaction
from core.security import seal
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.channel_accounts import AES_KEY, SECRET, TOKEN
from domain.directory.models import ChannelAccount, Org, OrgKind
from domain.inbox.models import InboxEvent
from workers.processes import Supervisor

CONNECTIONS = 64
THREADS, PROCESSES = 8, 2
PACE = 500  # a second
REFERENCE_TRIES = 3
AIM_RATIO, AIM_P99_MS, AIM_LATEST_MS = 0.4, 100, 5000
MARIADB = {"host": "127.0.0.1", "port": 3306, "user": "root", "password": ""}
APPID, CALLBACK_TOKEN, CALLBACK_KEY = "wxbench", "benchtoken", "a" * 42 + "A"


def run(*, quick: bool) -> list[dict[str, Any]]:
    figures = _measure("SQLite", "", quick=quick)
    with _mariadb() as url:
        if url:
            figures += _measure("MariaDB", url, quick=quick)
        else:
            figures.append(_figure("MariaDB: none answers at 127.0.0.1:3306", None, "requests/s"))
    return figures


def _measure(database: str, url: str, *, quick: bool) -> list[dict[str, Any]]:
    burst, paced = (4_000, 2_000) if quick else (20_000, 10_000)
    ours, empty = free_port(), free_port()
    with ground(ours, url) as (_app, supervisor):
        _fill()
        reference = _reference(supervisor, empty, quick=quick)
        start_server(supervisor, "ours", ours, "app", "run")
        post_all(ours, _requests(ours, 500), connections=CONNECTIONS)  # warm
        load = post_all(ours, _requests(ours, burst), connections=CONNECTIONS)
        steady = post_paced(ours, _requests(ours, paced), per_second=PACE, connections=64)
        if load.refused or steady.refused:
            raise RuntimeError(f"{load.refused + steady.refused} callbacks were refused")
        _compare_with_the_table(500 + len(load.times) + len(steady.times))
        supervisor.stop_all()
    rate, base = load.per_second, reference.per_second
    return [
        _figure(f"{database}: callbacks stored", rate, "requests/s", base, AIM_RATIO),
        _latency(f"{database}: p50 at {PACE}/s", steady, 0.5, AIM_LATEST_MS),
        _latency(f"{database}: p99 at {PACE}/s", steady, 0.99, AIM_P99_MS),
        _latency(f"{database}: p99 at full load", load, 0.99, AIM_LATEST_MS),
    ]


def _reference(supervisor: Supervisor, port: int, *, quick: bool) -> Load:
    """The best of several: connections do not always spread evenly over gunicorn's workers."""
    start_server(
        supervisor,
        "gunicorn",
        port,
        *("gunicorn", "bench.empty_view:create_app()", "--worker-class", "gthread"),
        *("--bind", f"127.0.0.1:{port}"),
        *("--workers", str(PROCESSES), "--threads", str(THREADS)),
    )
    seconds = 1.5 if quick else 4.0
    loads = [
        hammer(port, "/", connections=CONNECTIONS, seconds=seconds) for _ in range(REFERENCE_TRIES)
    ]
    return max(loads, key=lambda load: load.per_second)


def _requests(port: int, count: int) -> list[bytes]:
    """Different events of different people, signed now, each as the bytes that go out."""
    crypto = MessageCrypto(CALLBACK_TOKEN, [CALLBACK_KEY], APPID)
    timestamp = str(int(time.time()))
    return [_request(crypto, port, timestamp) for _ in range(count)]


def _request(crypto: MessageCrypto, port: int, timestamp: str) -> bytes:
    nonce = secrets.token_hex(8)
    encrypted = crypto.encrypt(
        "<xml><ToUserName><![CDATA[gh_bench]]></ToUserName>"
        f"<FromUserName><![CDATA[o{secrets.token_urlsafe(20)}]]></FromUserName>"
        f"<CreateTime>{timestamp}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        "<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"
        f"<MsgID>{secrets.randbelow(10**9)}</MsgID><Status><![CDATA[success]]></Status></xml>"
    )
    query = urlencode(
        {
            "timestamp": timestamp,
            "nonce": nonce,
            "encrypt_type": "aes",
            "msg_signature": crypto.sign(timestamp, nonce, encrypted),
        }
    )
    body = f"<xml><ToUserName>gh_bench</ToUserName><Encrypt>{encrypted}</Encrypt></xml>"
    return (
        f"POST /callback/wechat/bench?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _fill() -> None:
    now = utc_now()
    with transaction() as session:
        session.add(Org(org_path="/bench/", kind=OrgKind.UNION, name="测试", created_at=now))
        session.add(
            ChannelAccount(
                org_path="/bench/",
                kind=ChannelKind.OFFICIAL_ACCOUNT,
                name="bench",
                title="测试",
                appid=APPID,
                mode=CallbackMode.SAFE,
                secret_sealed=seal(SECRET, "secret"),
                token_sealed=seal(TOKEN, CALLBACK_TOKEN),
                aes_key_sealed=seal(AES_KEY, CALLBACK_KEY),
                created_at=now,
            )
        )


def _compare_with_the_table(answered: int) -> None:
    stored = reading().scalar(select(func.count()).select_from(InboxEvent))
    if stored != answered:
        raise RuntimeError(f"{answered} callbacks were answered, {stored} are stored")


@contextmanager
def _mariadb() -> Iterator[str]:
    """An empty database on the server of this machine; "" where none answers."""
    name = f"xinqiao_bench_{secrets.token_hex(4)}"
    try:
        server = pymysql.connect(**MARIADB, connect_timeout=3)
    except pymysql.OperationalError:
        yield ""
        return
    with server, server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        try:
            yield f"mysql+pymysql://root@{MARIADB['host']}:{MARIADB['port']}/{name}"
        finally:
            cursor.execute(f"DROP DATABASE {name}")


def _latency(what: str, load: Load, share: float, aim_ms: float) -> dict[str, Any]:
    value = round(load.percentile_ms(share), 1)
    figure = _figure(what, value, "ms")
    return figure | {"aim": aim_ms, "holds": value <= aim_ms}


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
        "value": None if value is None else round(value, 1),
        "unit": unit,
        "reference": None if reference is None else round(reference),
        "ratio": ratio,
        "aim": aim,
        "holds": None if ratio is None or aim is None else ratio >= aim,
    }
