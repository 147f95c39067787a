"""``xinqiao run``, ``worker``, ``timetable``: the processes of production, one by one."""

import os
import signal
import sys
import threading
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from core.metrics import FOLDER, count_together, metrics_folder
from core.queues import QueueName
from core.settings import Settings, get_settings
from workers import timetable as timetable_loop
from workers.processes import Child, Supervisor
from workers.worker import work

HOME = Path(__file__).parents[2]
QUEUES = [queue.value for queue in QueueName]
# A chunk begins no call after 40 seconds, the last may take 15, and then it is written down.
WORKER_STOP_SECONDS = 75.0


@click.command()
@click.option("--server", type=click.Choice(["granian", "gunicorn"]), default="granian")
def run(server: str) -> None:
    """Serve the web application."""
    settings = get_settings()
    command = (_granian if server == "granian" else _gunicorn)(settings)
    # The server replaces this process: signals reach it directly, and the metrics library sees
    # the folder in which all processes count together before it is imported.
    environment = {**os.environ, FOLDER: str(metrics_folder(settings.data_dir))}
    os.execve(command[0], command, environment)  # noqa: S606 -- our own command, no shell


def _granian(settings: Settings) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "granian", "app:create_app", "--factory"),
        # First on the module path, whatever lies in the folder where it was started.
        *("--working-dir", str(HOME)),
        *("--interface", "wsgi"),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--workers", str(settings.web_processes)),
        *("--blocking-threads", str(settings.web_threads)),
        *("--backpressure", str(settings.web_threads * 8)),
        *("--workers-kill-timeout", "10"),
        *("--respawn-failed-workers", "--no-access-log"),
    ]


def _gunicorn(settings: Settings) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "gunicorn", "app:create_app()"),
        *("--pythonpath", str(HOME)),
        *("--worker-class", "gthread"),
        *("--bind", f"{settings.host}:{settings.port}"),
        *("--workers", str(settings.web_processes)),
        *("--threads", str(settings.web_threads)),
        *("--graceful-timeout", "10"),
    ]


@click.command()
@click.argument("queues", nargs=-1, type=click.Choice(QUEUES))
@click.option("--burst", is_flag=True, help="End when the (one) queue is empty.")
@with_appcontext
def worker(queues: tuple[str, ...], burst: bool) -> None:
    """Work on one queue; without a name, keep one process for each queue."""
    if len(queues) == 1:
        count_together(get_settings().data_dir)
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy's own method
        work(app, QueueName(queues[0]), burst=burst)
        return
    if burst:
        raise click.UsageError("--burst needs the name of one queue")
    supervisor = Supervisor()
    supervisor.catch_signals()
    try:
        for queue in queues or QUEUES:
            command = [*this_program(), "worker", queue]
            supervisor.start(Child(f"worker {queue}", command, stop_seconds=WORKER_STOP_SECONDS))
        supervisor.watch()
    finally:
        supervisor.stop_all()


@click.command()
@with_appcontext
def timetable() -> None:
    """Enqueue what runs by the clock."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    timetable_loop.run(stop)


def this_program() -> list[str]:
    """The command line that starts ``xinqiao`` again, whatever lies on the PATH or in the folder
    where it was started: ``-P`` keeps that folder off the module path."""
    return [sys.executable, "-P", "-m", "app"]
