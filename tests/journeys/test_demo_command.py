"""`xinqiao demo` as a newcomer's first command: it starts, survives, stops and continues."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.journeys.conftest import REPOSITORY, Demo, free_port, start_demo, stop_demo, wait_until

# These start their own: on embedded defaults, whatever the rest of the suite runs on.
EMBEDDED = {"XINQIAO_DATABASE_URL": "", "XINQIAO_REDIS_URL": ""}


def children_of(pid: int) -> list[int]:
    """All descendants, from /proc."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children_of(child)]
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first-command")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Demo]:
    demo = start_demo(folder, EMBEDDED, "--empty")
    yield demo
    if demo.process.poll() is None:
        stop_demo(demo)


def test_a_second_demo_on_the_same_folder_is_refused_in_words(running: Demo) -> None:
    second = subprocess.run(
        [
            *(sys.executable, "-m", "app", "demo", "--data-dir", str(running.data_dir)),
            *("--port", str(free_port()), "--sandbox-port", str(free_port())),
        ],
        cwd=REPOSITORY,
        env={**os.environ, **EMBEDDED},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 1
    assert "正被另一个 demo 使用" in second.stderr


def test_a_part_that_is_killed_comes_back(running: Demo) -> None:
    pids = children_of(running.process.pid)
    web = next(pid for pid in pids if "granian" in command_of(pid))
    os.kill(web, signal.SIGKILL)

    def answers_again() -> bool:
        try:
            return not is_alive(web) and requests.get(f"{running.web}/readyz", timeout=2).ok
        except requests.RequestException:
            return False

    wait_until(answers_again, 60)


def test_term_stops_every_child_and_the_next_start_continues(running: Demo) -> None:
    key = (running.data_dir / "master.key").read_text()
    pids = children_of(running.process.pid)
    assert len(pids) >= 7  # redis, sandbox, web and its worker, three queues, timetable

    assert stop_demo(running) == 0

    end = time.monotonic() + 10
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < end, [command_of(pid) for pid in left]
        time.sleep(0.1)
    again = start_demo(running.data_dir, EMBEDDED, "--empty")
    try:
        assert (again.data_dir / "master.key").read_text() == key
        assert requests.get(f"{again.web}/readyz", timeout=5).json() == {
            "database": True,
            "redis": True,
        }
    finally:
        stop_demo(again)
