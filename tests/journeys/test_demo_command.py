"""`xinqiao demo` as a newcomer's first command: it starts, survives, stops and continues."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

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


def web_of(running: Demo) -> tuple[int, list[int]]:
    """The web server's main process and its workers. Raises StopIteration while there is none."""
    pids = children_of(running.process.pid)
    web = next(pid for pid in pids if is_alive(pid) and "granian" in command_of(pid))
    return web, children_of(web)


def refuses_a_second_demo(running: Demo) -> None:
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


def heals_a_killed_part(running: Demo) -> None:
    web, workers = web_of(running)
    os.kill(web, signal.SIGKILL)

    def answers_again() -> bool:
        try:
            # What was killed leaves a worker that would answer: it has to go, and another to come.
            is_new = not any(is_alive(pid) for pid in (web, *workers)) and web_of(running)[0] != web
            return is_new and requests.get(f"{running.web}/readyz", timeout=2).ok
        except StopIteration:
            return False
        except requests.RequestException:
            return False

    wait_until(answers_again, 60)


def is_examined_with_nothing_but_its_folder(running: Demo) -> None:
    bare = {name: text for name, text in os.environ.items() if not name.startswith("XINQIAO_")}
    examined = subprocess.run(
        [sys.executable, "-m", "app", "doctor", "--json"],
        cwd=REPOSITORY,
        env={
            **bare,
            "XINQIAO_DATA_DIR": str(running.data_dir),
            "XINQIAO_WECHAT_API_URL": f"{running.sandbox}/wechat",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = {line["id"]: line for line in map(json.loads, examined.stdout.splitlines())}
    assert all(found[part]["is_well"] for part in ("database", "redis", "keys"))
    assert "alembic" not in examined.stderr


def stops_every_child(running: Demo) -> None:
    pids = children_of(running.process.pid)
    assert len(pids) >= 7  # redis, sandbox, web and its worker, three queues, timetable
    assert stop_demo(running) == 0
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 10)


def test_the_demo_is_alone_on_its_folder_heals_stops_and_continues(tmp_path: Path) -> None:
    running = start_demo(tmp_path, EMBEDDED, "--empty")
    try:
        refuses_a_second_demo(running)
        is_examined_with_nothing_but_its_folder(running)
        heals_a_killed_part(running)
        key = (tmp_path / "master.key").read_text()
        stops_every_child(running)
    finally:
        if running.process.poll() is None:
            stop_demo(running)

    again = start_demo(tmp_path, EMBEDDED, "--empty")
    try:
        assert (tmp_path / "master.key").read_text() == key
        answer = requests.get(f"{again.web}/readyz", timeout=5)
        assert answer.json() == {"database": True, "redis": True}
    finally:
        stop_demo(again)
