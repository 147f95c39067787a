"""``/metrics`` for Prometheus, counted over all web processes of this machine."""

import hmac
import os
import time
from collections.abc import Iterator

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

from core.errors import Forbidden
from core.queues import QueueName, get_queue
from core.settings import get_settings

bp = Blueprint("metrics", __name__)

REQUESTS = Counter("xinqiao_requests_total", "Requests answered", ["endpoint", "status"])
SECONDS = Histogram("xinqiao_request_seconds", "Time to answer", ["endpoint"])


class QueueLengths(Collector):
    """Jobs waiting in each queue, asked of Redis when Prometheus asks us."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily("xinqiao_queue_jobs", "Jobs waiting", labels=["queue"])
        try:
            for queue in QueueName:
                gauge.add_metric([queue.value], get_queue(queue).count)
        except RedisError:
            return
        yield gauge


@bp.get("/metrics")
def metrics() -> Response:
    _refuse_strangers()
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    queues = CollectorRegistry()
    queues.register(QueueLengths())
    text = generate_latest(registry) + generate_latest(queues)
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
