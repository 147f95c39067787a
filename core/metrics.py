"""``/metrics`` for Prometheus, counted over all processes of this machine, web and workers.

Each process counts into files of its own in one folder. Those of a dead process are added to the
archive there: were they deleted, every sum would fall, and Prometheus would take what is left for
new.
"""

import fcntl
import hmac
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Forbidden
from core.queues import QueueName, count_failed_jobs, oldest_wait, queue_length
from core.settings import get_settings

bp = Blueprint("metrics", __name__)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
ARCHIVE = 0  # no process has this number

REQUESTS = Counter("xinqiao_requests_total", "Requests answered", ["endpoint", "status"])
SECONDS = Histogram("xinqiao_request_seconds", "Time to answer", ["endpoint"])


@dataclass(frozen=True, slots=True)
class Gauge:
    """Asked when Prometheus asks us. ``ask`` gives a value for each value of ``label``, or for each
    tuple of values when there are several; without a label its only key is empty."""

    name: str
    help: str
    ask: Callable[[], Mapping[str, float] | Mapping[tuple[str, ...], float]]
    label: str | tuple[str, ...] = ()


class Asked(Collector):
    """What cannot be asked, because Redis or the database is away, is left out."""

    def __init__(self, gauges: list[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge in self._gauges:
            labels = _as_tuple(gauge.label)
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=labels)
            try:
                for value, figure in gauge.ask().items():
                    family.add_metric(_as_tuple(value) if labels else (), figure)
            except (RedisError, SQLAlchemyError):
                continue
            yield family


def _as_tuple(label: str | tuple[str, ...]) -> tuple[str, ...]:
    return (label,) if isinstance(label, str) else label


def _of_each_queue(ask: Callable[[QueueName], float]) -> Callable[[], dict[str, float]]:
    return lambda: {queue.value: ask(queue) for queue in QueueName}


_gauges = [
    Gauge("xinqiao_queue_jobs", "Jobs waiting", _of_each_queue(queue_length), "queue"),
    Gauge(
        "xinqiao_queue_oldest_seconds",
        "How long the oldest waiting job has waited",
        _of_each_queue(lambda queue: oldest_wait(queue).total_seconds()),
        "queue",
    ),
    Gauge(
        "xinqiao_queue_failed_jobs",
        "Jobs that RQ gave up, kept for a week",
        _of_each_queue(count_failed_jobs),
        "queue",
    ),
]


def show_gauges(*gauges: Gauge) -> None:
    """Other rooms' figures on the same page; one that is there already is replaced."""
    names = {gauge.name for gauge in gauges}
    _gauges[:] = [gauge for gauge in _gauges if gauge.name not in names] + list(gauges)


@bp.get("/metrics")
def metrics() -> Response:
    _refuse_strangers()
    asked = CollectorRegistry()
    asked.register(Asked(_gauges))
    return Response(_counted() + generate_latest(asked), content_type=CONTENT_TYPE_LATEST)


def _counted() -> bytes:
    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    folder = Path(os.environ[FOLDER])
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    with _one_at_a_time(folder):
        _archive_the_dead(folder)
        return generate_latest(registry)


# --- the folder of a machine ----------------------------------------------------------------


def metrics_folder(data_dir: Path) -> Path:
    """Where the processes of this machine count together, tidied: the one of the environment, or
    our own."""
    folder = Path(os.environ.get(FOLDER) or data_dir.resolve() / "metrics")
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder):
        _archive_the_dead(folder)
    return folder


def count_together(data_dir: Path) -> None:
    """From here on this process counts beside the web's. Only before anything was counted: what
    has a value already goes on counting for itself."""
    os.environ[FOLDER] = str(metrics_folder(data_dir))
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Nobody adds up while a dead process's files are in two places, or in none."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive_the_dead(folder: Path) -> None:
    for path in folder.glob("*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if int(pid) != ARCHIVE and not _is_alive(int(pid)):
            _archive(path, folder / f"{kind}_{ARCHIVE}.db")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's: alive all the same
        pass
    return True


def _archive(path: Path, archive: Path) -> None:
    files: Any = MmapedDict  # it has no types
    if path.stat().st_size:  # else killed between opening and the first byte
        kept = files(str(archive))
        for key, value, *_ in files.read_all_values_from_file(str(path)):
            kept.write_value(key, kept.read_value(key)[0] + value, 0.0)
        kept.close()
    path.unlink()


def observe_many(histogram: Histogram, seconds: Sequence[float]) -> None:
    """What ``observe`` does for each, but into the shared file once for all: there each write
    costs microseconds, of which a message has two."""
    counts: dict[int, int] = {}
    bounds = histogram._upper_bounds
    for one in seconds:
        bucket = bisect_left(bounds, one)
        counts[bucket] = counts.get(bucket, 0) + 1
    for bucket, count in counts.items():
        histogram._buckets[bucket].inc(count)
    histogram._sum.inc(sum(seconds))


# --- the web's own --------------------------------------------------------------------------


def _refuse_strangers() -> None:
    token = get_settings().metrics_token.get_secret_value()
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        raise Forbidden


def measure_requests(app: Flask) -> None:
    app.before_request(_start)
    app.after_request(_count)


def _start() -> None:
    g.started_at = time.perf_counter()


def _count(response: Response) -> Response:
    endpoint = request.endpoint or "unknown"
    REQUESTS.labels(endpoint, response.status_code).inc()
    SECONDS.labels(endpoint).observe(time.perf_counter() - g.started_at)
    return response
