import sys
import time
from pathlib import Path

import pytest

from workers.processes import Child, Supervisor, _pause

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DIE = [sys.executable, "-c", "print('gone')"]
IGNORE_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
DEAF = [sys.executable, "-c", IGNORE_TERM]


@pytest.fixture
def supervisor():
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop_all()


def test_children_are_stopped_in_reverse_order(supervisor, tmp_path):
    children = [Child(name, SLEEP, log=tmp_path / name) for name in "ab"]
    for child in children:
        supervisor.start(child)

    supervisor.stop_all()

    assert [child.process.poll() for child in children] == [-15, -15]


def test_a_child_that_dies_is_started_again(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.processes.FIRST_RESTART_SECONDS", 0.01)
    child = Child("a", SLEEP, log=tmp_path / "log", env={"A": "1"})
    supervisor.start(child)
    first = child.process
    first.kill()
    first.wait()

    assert supervisor.wait_until(lambda: child.process not in (None, first), 10)

    assert child.process.poll() is None


def test_what_a_killed_child_leaves_behind_is_ended(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.processes.FIRST_RESTART_SECONDS", 0.01)
    grandchild = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60'])"
    show = "; print(p.pid, flush=True); time.sleep(60)"
    log = tmp_path / "log"
    child = Child("a", [sys.executable, "-c", grandchild + show], log=log)
    supervisor.start(child)
    assert supervisor.wait_until(lambda: log.read_text().strip() != "", 20)
    left = int(log.read_text().split()[0])
    child.process.kill()
    child.process.wait()

    def is_ended():
        stat = Path(f"/proc/{left}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"

    assert supervisor.wait_until(is_ended, 10)


def test_a_child_that_keeps_dying_is_started_less_and_less_often(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.processes.FIRST_RESTART_SECONDS", 0.01)
    steady = Child("steady", SLEEP, log=tmp_path / "steady")
    child = Child("a", DIE, log=tmp_path / "log")
    supervisor.start(steady)
    supervisor.start(child)

    assert supervisor.wait_until(lambda: len(child.deaths) >= 4, 30)

    assert (tmp_path / "log").read_text().count("gone") >= 4
    assert steady.process.poll() is None
    assert [_pause(deaths) for deaths in (1, 2, 3, 99)] == [0.01, 0.02, 0.04, 30.0]


def test_waiting_ends_when_ready_or_asked_to_stop(supervisor):
    assert supervisor.wait_until(lambda: True, 5)
    assert not supervisor.wait_until(lambda: False, 0.2)
    supervisor.stop_requested.set()
    assert not supervisor.wait_until(lambda: True, 5)


def test_the_deaf_are_killed(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.processes.STOP_SECONDS", 0.2)
    log = tmp_path / "log"
    child = Child("a", DEAF, log=log)
    supervisor.start(child)
    while "deaf" not in log.read_text():
        time.sleep(0.02)

    supervisor.stop_all()

    assert child.process.poll() == -9


SLOW = """
import signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
print("ready", flush=True)
while not told:
    time.sleep(0.05)
time.sleep(1)
print("told", len(told), flush=True)
"""


def test_who_needs_longer_is_told_once_and_waited_for(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.processes.STOP_SECONDS", 0.1)
    slow = [
        Child(name, [sys.executable, "-c", SLOW], log=tmp_path / name, stop_seconds=30)
        for name in "ab"
    ]
    for child in (*slow, Child("quick", SLEEP, log=tmp_path / "quick")):
        supervisor.start(child)
    assert supervisor.wait_until(
        lambda: all("ready" in child.log.read_text() for child in slow), 20
    )

    supervisor.stop_all()

    assert [child.process.returncode for child in slow] == [0, 0]
    assert [child.log.read_text() for child in slow] == ["ready\ntold 1\n"] * 2
