"""``xinqiao demo``: the whole platform on one machine, with nothing to install."""

import base64
import fcntl
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import click
import requests
from redis.exceptions import RedisError
from rq import Worker

from core.queues import QueueName
from core.redis import forget_connections, queue_redis, redis
from core.settings import SMS_FILE, get_settings, master_key_file
from workers.commands.run import WORKER_STOP_SECONDS, this_program
from workers.embedded_redis import server_command
from workers.processes import Child, Supervisor

START_SECONDS = 60


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default="data")
@click.option("--port", default=8000, show_default=True)
@click.option("--sandbox-port", default=8100, show_default=True)
@click.option("--empty", is_flag=True, help="Without the demo bank.")
@click.option("--no-sms", is_flag=True, help="Without text messages, which a file would take.")
@click.option(
    "--services",
    is_flag=True,
    help="On XINQIAO_DATABASE_URL and XINQIAO_REDIS_URL instead of the embedded ones.",
)
def demo(
    data_dir: Path, port: int, sandbox_port: int, empty: bool, no_sms: bool, services: bool
) -> None:
    """Start everything and print one line `ready …` when all answer."""
    data_dir = data_dir.resolve()
    for wanted, option in ((port, "--port"), (sandbox_port, "--sandbox-port")):
        _refuse_taken(wanted, option)
    # Everything below holds what only this person should read.
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data_dir / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
    held = _hold_folder(data_dir)
    _make_master_key(data_dir)
    # A demo rings nobody's telephone.
    os.environ["XINQIAO_SMS_GATEWAY"] = "" if no_sms else SMS_FILE
    _set_environment(data_dir, port, sandbox_port, embedded=not services)
    supervisor = Supervisor()
    supervisor.catch_signals()
    try:
        _start(supervisor, data_dir, port, sandbox_port, empty=empty)
        supervisor.watch()
    finally:
        supervisor.stop_all()
        held.close()


def _hold_folder(data_dir: Path) -> IO[str]:
    """Two demos on one folder would share a database but not a Redis."""
    lock = (data_dir / "demo.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise click.ClickException(
            f"数据目录 {data_dir} 正被另一个 demo 使用：请先停掉它，或用 --data-dir 换一个目录"
        ) from error
    return lock


def _refuse_taken(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise click.ClickException(
                f"端口 {port} 已被占用：请先停掉占用它的程序，或用 {option} 换一个端口"
            ) from error


def _set_environment(data_dir: Path, port: int, sandbox_port: int, *, embedded: bool) -> None:
    """The children, and this process, read these settings and no others."""
    if embedded:
        os.environ.update({"XINQIAO_DATABASE_URL": "", "XINQIAO_REDIS_URL": ""})
    sandbox = f"http://127.0.0.1:{sandbox_port}"
    os.environ.update(
        {
            "XINQIAO_DATA_DIR": str(data_dir),
            "XINQIAO_HOST": "127.0.0.1",
            "XINQIAO_PORT": str(port),
            "XINQIAO_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "XINQIAO_MASTER_KEY": "",  # the one beside the data
            "XINQIAO_WECHAT_API_URL": f"{sandbox}/wechat",
            "XINQIAO_WECOM_API_URL": f"{sandbox}/wecom",
            "XINQIAO_OPEN_URL": f"{sandbox}/wechat",
            "XINQIAO_WECOM_OPEN_URL": f"{sandbox}/wecom",
            "XINQIAO_WECOM_LOGIN_URL": f"{sandbox}/wecom",
        }
    )
    get_settings.cache_clear()
    forget_connections()


def _make_master_key(data_dir: Path) -> None:
    """One key for the life of the data folder; production keeps its own outside."""
    path = master_key_file(data_dir)
    if not path.exists():
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key)


def _start(
    supervisor: Supervisor, data_dir: Path, port: int, sandbox_port: int, *, empty: bool
) -> None:
    logs = data_dir / "logs"
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    socket_path = get_settings().redis_socket
    if not get_settings().redis_url:
        redis_command = server_command(socket_path, data_dir / "redis")
        supervisor.start(Child("redis", redis_command, log=logs / "redis.log"))
    sandbox_command = [sys.executable, "-P", "-m", "sandbox", "--port", str(sandbox_port)]
    sandbox_command += ["--data-dir", str(data_dir / "sandbox")]
    supervisor.start(Child("sandbox", sandbox_command, log=logs / "sandbox.log"))
    _await(supervisor, "redis", _redis_answers)
    _await(supervisor, "sandbox", lambda: _answers(f"{sandbox_url}/_sandbox/stats"))
    if supervisor.stop_requested.is_set():
        return
    prepare = [*this_program(), "prepare-demo", "--sandbox-url", sandbox_url]
    _prepare([*prepare, *(["--empty"] if empty else [])], logs / "prepare.log")
    # One supervisor is enough: the workers are started here, without `xinqiao worker`'s own.
    for name in ("run", *(f"worker {queue.value}" for queue in QueueName), "timetable"):
        log = logs / f"{name.replace(' ', '-')}.log"
        patience = WORKER_STOP_SECONDS if name.startswith("worker ") else 0.0
        command = [*this_program(), *name.split()]
        supervisor.start(Child(name, command, log=log, stop_seconds=patience))
    _await(supervisor, "web", lambda: _answers(f"http://127.0.0.1:{port}/readyz"))
    _await(supervisor, "worker", _workers_are_there)
    if not supervisor.stop_requested.is_set():
        click.echo(f"ready web=http://127.0.0.1:{port} sandbox={sandbox_url}")
        sys.stdout.flush()


def _await(supervisor: Supervisor, name: str, ready: Callable[[], bool]) -> None:
    if not supervisor.wait_until(ready, START_SECONDS) and not supervisor.stop_requested.is_set():
        raise click.ClickException(f"{name} 在 {START_SECONDS} 秒内没有启动，请看数据目录下的 logs")


def _prepare(command: list[str], log: Path) -> None:
    """Tables, keys and the demo bank, in a process of its own that leaves nothing open."""
    with log.open("ab") as output:
        done = subprocess.run(command, stdout=output, stderr=output, check=False)  # noqa: S603 -- ours
    if done.returncode != 0:
        raise click.ClickException(f"准备数据没有成功，请看 {log}")


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _redis_answers() -> bool:
    try:
        return bool(redis().ping())
    except RedisError:
        return False


def _workers_are_there() -> bool:
    working = {
        name for worker in Worker.all(connection=queue_redis()) for name in worker.queue_names()
    }
    return working >= {queue.value for queue in QueueName}
