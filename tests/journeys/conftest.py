"""The whole platform as its users meet it: `xinqiao demo` in processes of its own, and browsers."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import FIRST_REDIS_NUMBER, PATIENCE_MS, new_database

REPOSITORY = Path(__file__).parents[2]
# Looked at by people after a run; not part of the repository.
SCREENSHOTS = REPOSITORY / "build" / "screenshots"
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Demo:
    web: str
    sandbox: str
    data_dir: Path
    process: "subprocess.Popen[str]"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_demo(data_dir: Path, env: dict[str, str], *options: str) -> Demo:
    web, sandbox = free_port(), free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "app", "demo", "--data-dir", str(data_dir)),
            *("--port", str(web), "--sandbox-port", str(sandbox)),
            "--no-sms",  # they wait until the morning: what a test sees would hang on the hour
            *options,
        ],
        cwd=REPOSITORY,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("ready "), f"the demo did not start: {line}{process.stdout.read()}"
    return Demo(f"http://127.0.0.1:{web}", f"http://127.0.0.1:{sandbox}", data_dir, process)


def stop_demo(demo: Demo) -> int:
    demo.process.send_signal(signal.SIGTERM)
    status = demo.process.wait(60)
    assert demo.process.stdout is not None
    demo.process.stdout.close()
    return status


@pytest.fixture(scope="session")
def demo(worker_number: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo on embedded defaults, or on the servers that `make test-services` names."""
    folder = tmp_path_factory.mktemp("demo")
    if "XINQIAO_TEST_DATABASE_URL" not in os.environ:
        demo = start_demo(folder, {})
        yield demo
        stop_demo(demo)
        return
    redis = os.environ.get("XINQIAO_TEST_REDIS_URL", "redis://127.0.0.1:6379")
    # Redis has sixteen numbers; the unit tests count up from FIRST_REDIS_NUMBER.
    number = FIRST_REDIS_NUMBER - 1 - worker_number
    with new_database(f"xinqiao_journey_{worker_number}", folder) as database:
        env = {
            "XINQIAO_DATABASE_URL": database,
            "XINQIAO_REDIS_URL": f"{redis.rstrip('/').rsplit('/', 1)[0]}/{number}"
            if redis.count("/") > 2
            else f"{redis}/{number}",
        }
        empty_redis(env["XINQIAO_REDIS_URL"])
        demo = start_demo(folder, env, "--services")
        yield demo
        stop_demo(demo)
        empty_redis(env["XINQIAO_REDIS_URL"])


def empty_redis(url: str) -> None:
    from redis import Redis

    with Redis.from_url(url) as client:
        client.flushdb()


def new_page(browser: Browser, width: int, height: int) -> Page:
    """A device of its own: cookies are not shared with any other. Errors on a page fail."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def keep_picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def wait_until(ready: object, seconds: float = 30) -> None:
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
