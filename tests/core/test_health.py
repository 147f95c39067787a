"""Health says whether this process can serve; metrics count without naming anybody."""

import pytest
from pydantic import SecretStr

from core import health
from core.queues import Job, QueueName, enqueue
from core.redis import connect


def test_a_living_process_says_so(client):
    assert client.get("/healthz").json == {"status": "ok"}


def test_ready_means_that_database_and_redis_answer(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json) == (200, {"database": True, "redis": True})


def test_without_redis_it_is_alive_but_not_ready(client, monkeypatch):
    away = connect("unix:///nowhere/redis.sock", decode=True)
    monkeypatch.setattr(health, "redis", lambda: away)

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["redis"]) == (503, False)
    assert client.get("/healthz").status_code == 200


def test_without_the_database_it_is_alive_but_not_ready(client, monkeypatch):
    from sqlalchemy.exc import OperationalError

    def gone():
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(health, "reading", gone)

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["database"]) == (503, False)


def test_requests_are_counted_by_endpoint_and_never_by_address(client):
    client.get("/healthz?phone=13800000001")
    client.get("/nowhere/13800000001")

    metrics = client.get("/metrics").text

    assert 'xinqiao_requests_total{endpoint="health.health.healthz",status="200"}' in metrics
    assert 'endpoint="unknown",status="404"' in metrics
    assert "13800000001" not in metrics


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_whoever_watches_us_needs_no_session(client, path):
    assert "Set-Cookie" not in client.get(path).headers


def test_waiting_jobs_are_counted_by_queue(client, queue):
    enqueue(QueueName.PUSH, Job.FEED_PUSHES, 7)

    metrics = client.get("/metrics").text

    assert 'xinqiao_queue_jobs{queue="push"} 1.0' in metrics
    assert 'xinqiao_queue_jobs{queue="inbox"} 0.0' in metrics


def test_without_redis_the_other_figures_are_still_told(client, monkeypatch):
    away = connect("unix:///nowhere/redis.sock", decode=False)
    monkeypatch.setattr("core.queues.queue_redis", lambda: away)

    metrics = client.get("/metrics").text

    assert "xinqiao_queue_jobs{" not in metrics
    assert "xinqiao_requests_total" in metrics


def test_several_processes_are_counted_together(client, monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    assert client.get("/metrics").status_code == 200


def test_with_a_token_the_figures_are_told_to_those_who_have_it_only(client, settings, monkeypatch):
    guarded = settings.model_copy(update={"metrics_token": SecretStr("watch-me")})
    monkeypatch.setattr("core.metrics.get_settings", lambda: guarded)

    assert client.get("/metrics").status_code == 403
    wrong = client.get("/metrics", headers={"Authorization": "Bearer watch-you"})
    assert wrong.status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer watch-me"}).status_code == 200


def test_the_bare_address_leads_to_the_desk(client):
    assert client.get("/").location == "/hr/"


def test_a_forged_host_gets_no_address_built_from_it(client):
    answer = client.get("/me", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert "evil" not in answer.headers.get("Location", "")
