"""Child processes that live and die with their parent."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.log import logger

STOP_SECONDS = 15
# A child that dies again and again is started at ever longer intervals: it may be waiting for
# something, and the others must not suffer for it.
FIRST_RESTART_SECONDS, LONGEST_RESTART_SECONDS = 1.0, 30.0


def _dying_with_parent(command: Sequence[str]) -> list[str]:
    """Linux: when the parent is killed outright, its children get TERM instead of living on.

    ``setpriv`` and not ``preexec_fn``, which may hang for ever in a process with threads.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else list(command)


@dataclass
class Child:
    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    # Longer than a stop usually takes: it is told first, and finishes beside the others.
    stop_seconds: float = 0.0
    process: "subprocess.Popen[bytes] | None" = None
    deaths: list[float] = field(default_factory=list)
    start_after: float = 0.0


class Supervisor:
    """Starts children in order, restarts those that die, stops all in reverse order."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self.stop_requested = threading.Event()

    def catch_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stop_requested.set())

    def start(self, child: Child) -> None:
        output = subprocess.DEVNULL if child.log is None else child.log.open("ab")
        try:
            child.process = subprocess.Popen(  # noqa: S603 -- our own commands, no shell
                _dying_with_parent(child.command),
                env=None if child.env is None else {**os.environ, **child.env},
                stdin=subprocess.DEVNULL,
                stdout=None if child.log is None else output,
                stderr=None if child.log is None else output,
                # Ctrl-C reaches the parent only, which then stops its children in order.
                start_new_session=True,
            )
        finally:
            if not isinstance(output, int):
                output.close()
        if child not in self._children:
            self._children.append(child)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Whether ``ready`` became true in time; stops waiting when asked to stop."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.stop_requested.is_set():
            self.restart_dead()
            if ready():
                return True
            self.stop_requested.wait(0.1)
        return False

    def watch(self) -> None:
        """Until asked to stop."""
        while not self.stop_requested.wait(0.5):
            self.restart_dead()

    def restart_dead(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                _end_leftovers(child.process.pid)
                child.process = None
                child.deaths = [death for death in child.deaths if now - death < 60] + [now]
                child.start_after = now + _pause(len(child.deaths))
                logger.warning("%s stopped and is started again", child.name)
            if child.process is None and now >= child.start_after:
                self.start(child)

    def stop_all(self) -> None:
        """TERM in reverse order of start, each given time to finish; KILL only for the deaf. Each
        is told once: a worker takes a second TERM for an order to drop its job."""
        running = [child.process for child in reversed(self._children) if child.process]
        patience = {one.process: one.stop_seconds for one in self._children if one.stop_seconds}
        for process in running:
            if process in patience:
                process.terminate()
        for process in running:
            if process not in patience:
                process.terminate()
            try:
                process.wait(patience.get(process, STOP_SECONDS))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _end_leftovers(process.pid)


def _end_leftovers(pid: int) -> None:
    """A child killed outright leaves its own children behind, still serving on its port."""
    try:
        # Each child leads a group of its own. TERM is not enough: servers leave it to their parent.
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _pause(deaths: int) -> float:
    """Seconds before the next start, after so many deaths within a minute."""
    return min(FIRST_RESTART_SECONDS * 2.0 ** (deaths - 1), LONGEST_RESTART_SECONDS)
