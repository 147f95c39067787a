"""A push worker that is told to stop finishes the chunk in hand, writes it down, and goes."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import func, select

from core.metrics import FOLDER
from core.queues import Job, QueueName, enqueue
from domain.pushes.models import Push, PushStatus
from tests.channel.fake_platform import Platform, accept, running_platform
from tests.factories import (
    make_binding,
    make_campaign,
    make_channel_account,
    make_employees,
    make_identity,
    make_push,
)
from tests.journeys.conftest import REPOSITORY

# Of the first chunk more than go out beside each other: some wait for their turn at the stop.
CHUNKS = (150, 20)
STOP_SECONDS = 60


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as platform:
        yield platform


@pytest.fixture
def start(platform, settings, tmp_path):
    """A worker of the push queue in a process of its own."""
    started = []

    def start(*options: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app", "worker", "push", *options],
            cwd=REPOSITORY,
            env={**os.environ, "XINQIAO_WECHAT_API_URL": platform.url, FOLDER: str(tmp_path)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def chunks(committed) -> list[tuple[int, int, int]]:
    """Two chunks of a campaign, handed out."""
    account = make_channel_account()
    campaign = make_campaign(account, ladder=["template"])
    handed_out = []
    for size in CHUNKS:
        ids = []
        for employee in make_employees(size):
            make_binding(employee, account, make_identity(account))
            ids.append(make_push(employee, account, campaign=campaign).id)
        chunk = (campaign.id, min(ids), max(ids))
        enqueue(QueueName.PUSH, Job.SEND_PUSHES, *chunk)
        handed_out.append(chunk)
    return handed_out


def statuses(session, chunk) -> dict[PushStatus, int]:
    session.rollback()
    query = select(Push.status, func.count()).where(Push.id.between(*chunk[1:]))
    return dict(session.execute(query.group_by(Push.status)).tuples().all())


def test_the_chunk_in_hand_is_finished_and_written_down(
    committed, queue, platform, start, chunks, tmp_path
):
    at_work, go_on = threading.Event(), threading.Event()

    def slowly(call):
        at_work.set()
        assert go_on.wait(STOP_SECONDS)
        return accept(call)

    platform.answer = slowly
    worker = start()
    assert at_work.wait(STOP_SECONDS)
    worker.send_signal(signal.SIGTERM)
    go_on.set()

    assert worker.wait(STOP_SECONDS) == 0
    first, second = chunks
    assert statuses(committed, first) == {PushStatus.SENT: CHUNKS[0]}
    assert statuses(committed, second) == {PushStatus.CREATED: CHUNKS[1]}
    assert (Job.SEND_PUSHES, second) in queue.jobs

    assert start("--burst").wait(STOP_SECONDS) == 0
    assert statuses(committed, second) == {PushStatus.SENT: CHUNKS[1]}
    times = Counter(call.body["client_msg_id"] for call in platform.calls)
    assert len(times) == sum(CHUNKS)
    assert set(times.values()) == {1}
    assert _counted(tmp_path) == sum(CHUNKS)


def _counted(folder: Path) -> float | None:
    """What both workers have counted in the folder that they share with the web."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    labels = {"route": "template", "outcome": "sent"}
    return registry.get_sample_value("xinqiao_push_tries_total", labels)
