"""Run a command with a real MariaDB and a real Redis; start those that do not answer yet.

The addresses come from XINQIAO_TEST_DATABASE_URL and XINQIAO_TEST_REDIS_URL, else from the
settings, else they are MariaDB at 127.0.0.1:3306 (root without password) and Redis at
127.0.0.1:6379. The tests make databases of their own and use Redis numbers from 8 on.
"""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pymysql
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.engine import URL, make_url

DEFAULT_DATABASE = "mysql+pymysql://root@127.0.0.1:3306/"
DEFAULT_REDIS = "redis://127.0.0.1:6379"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
START_SECONDS = 60


def address(name: str, default: str) -> str:
    for variable in (f"XINQIAO_TEST_{name}", f"XINQIAO_{name}"):
        value = os.environ.get(variable, "")
        if value and not value.startswith(("sqlite", "unix")):
            return value
    return default


def database_answers(url: URL) -> bool:
    try:
        pymysql.connect(
            host=url.host,
            port=url.port or 3306,
            user=url.username or "root",
            password=url.password or "",
            connect_timeout=5,
        ).close()
    except pymysql.OperationalError:
        return False
    return True


def redis_answers(url: str) -> bool:
    try:
        with Redis.from_url(url) as client:
            return bool(client.ping())
    except RedisError:
        return False


def install(command: str, package: str) -> str:
    """Where ``command`` is; Debian keeps servers in /usr/sbin, which need not be on the PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    if not shutil.which(command, path=path) and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdin=subprocess.DEVNULL)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
            check=False,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
    found = shutil.which(command, path=path)
    if not found:
        sys.exit(f"{command} is missing: install the package {package}, then run this again.")
    return found


def start_database(stack: ExitStack, url: URL, folder: Path) -> None:
    data, user = folder / "mariadb", getpass.getuser()
    server = install("mariadbd", "mariadb-server")
    subprocess.run(
        [
            install("mariadb-install-db", "mariadb-server"),
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            "--auth-root-authentication-method=normal",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    run_server(
        stack,
        [
            server,
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            f"--port={url.port or 3306}",
            "--bind-address=127.0.0.1",
            f"--socket={folder / 'mariadb.sock'}",
            "--innodb-flush-log-at-trx-commit=2",
        ],
        lambda: database_answers(url),
    )


def start_redis(stack: ExitStack, url: str, folder: Path) -> None:
    run_server(
        stack,
        [
            install("redis-server", "redis-server"),
            "--port",
            str(make_url(url).port or 6379),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ],
        lambda: redis_answers(url),
    )


def run_server(stack: ExitStack, command: list[str], answers: Callable[[], bool]) -> None:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(server.wait)
    stack.callback(server.terminate)
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{command[0]} did not start; is its port taken by a server that refuses us?")
        time.sleep(0.1)


def main(command: list[str]) -> int:
    database = address("DATABASE_URL", DEFAULT_DATABASE)
    redis = address("REDIS_URL", DEFAULT_REDIS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xq-")))
        if not database_answers(make_url(database)):
            if make_url(database).host not in LOOPBACK:
                sys.exit("The database of the settings does not answer.")
            start_database(stack, make_url(database), folder)
        if not redis_answers(redis):
            if make_url(redis).host not in LOOPBACK:
                sys.exit("The Redis of the settings does not answer.")
            start_redis(stack, redis, folder)
        environment = os.environ | {
            "XINQIAO_TEST_DATABASE_URL": database,
            "XINQIAO_TEST_REDIS_URL": redis,
        }
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
