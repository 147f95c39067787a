"""The ground under a benchmark: a data folder, Redis and database of its own."""

import base64
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from core.log import setup_logging
from core.redis import forget_connections, redis
from core.settings import get_settings
from workers.embedded_redis import server_command
from workers.processes import Child, Supervisor


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ground(port: int, database_url: str = "") -> Iterator[tuple[Flask, Supervisor]]:
    """The application on new data, and a supervisor that stops what the benchmark starts."""
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory(prefix="xinqiao-bench-") as folder:
        os.environ.update(
            {
                "XINQIAO_DATA_DIR": folder,
                "XINQIAO_DATABASE_URL": database_url,
                "XINQIAO_REDIS_URL": "",
                "XINQIAO_PORT": str(port),
                "XINQIAO_WEB_PROCESSES": "2",
                "XINQIAO_PUBLIC_URL": f"http://127.0.0.1:{port}",
                "XINQIAO_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
                "XINQIAO_LOG_LEVEL": "ERROR",
            }
        )
        get_settings.cache_clear()
        forget_connections()
        try:
            redis_folder = Path(folder) / "redis"
            socket_path = get_settings().redis_socket
            log = Path(folder) / "redis.log"
            supervisor.start(Child("redis", server_command(socket_path, redis_folder), log=log))
            wait_until(socket_path.exists)
            redis().ping()
            app = create_app()
            with app.app_context():
                upgrade()
                setup_logging("ERROR")
                yield app, supervisor
        finally:
            supervisor.stop_all()
            forget_connections()


def start_server(supervisor: Supervisor, name: str, port: int, *arguments: str) -> None:
    """Start ``python -m …`` and wait until it answers."""
    log = get_settings().data_dir / f"{name}.log"
    supervisor.start(Child(name, [sys.executable, "-m", *arguments], log=log))
    wait_until(lambda: _answers(port))


def wait_until(ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("a part of the benchmark did not start")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code < 500
    except requests.RequestException:
        return False
