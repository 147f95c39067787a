"""``/metrics`` for Prometheus, counted over all web processes of this machine."""

import hmac
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Forbidden
from core.queues import QueueName, queue_length
from core.settings import get_settings

bp = Blueprint("metrics", __name__)

REQUESTS = Counter("xinqiao_requests_total", "Requests answered", ["endpoint", "status"])
SECONDS = Histogram("xinqiao_request_seconds", "Time to answer", ["endpoint"])


@dataclass(frozen=True, slots=True)
class Gauge:
    """Asked when Prometheus asks us. ``ask`` gives a value for each value of ``label``; without a
    label its only key is empty."""

    name: str
    help: str
    ask: Callable[[], Mapping[str, float]]
    label: str = ""


class Asked(Collector):
    """What cannot be asked, because Redis or the database is away, is left out."""

    def __init__(self, gauges: list[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge in self._gauges:
            labels = [gauge.label] if gauge.label else []
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=labels)
            try:
                for value, figure in gauge.ask().items():
                    family.add_metric([value] if gauge.label else [], figure)
            except (RedisError, SQLAlchemyError):
                continue
            yield family


def _queue_lengths() -> dict[str, float]:
    return {queue.value: queue_length(queue) for queue in QueueName}


_gauges = [Gauge("xinqiao_queue_jobs", "Jobs waiting", _queue_lengths, label="queue")]


def show_gauges(*gauges: Gauge) -> None:
    """Other rooms' figures on the same page; one that is there already is replaced."""
    names = {gauge.name for gauge in gauges}
    _gauges[:] = [gauge for gauge in _gauges if gauge.name not in names] + list(gauges)


@bp.get("/metrics")
def metrics() -> Response:
    _refuse_strangers()
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    asked = CollectorRegistry()
    asked.register(Asked(_gauges))
    text = generate_latest(registry) + generate_latest(asked)
    return Response(text, content_type=CONTENT_TYPE_LATEST)


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
