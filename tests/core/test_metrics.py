"""Several processes count together, and what a dead one counted stays counted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram, values

from core import metrics
from core.metrics import FOLDER, metrics_folder, observe_many

COUNT = """
import os, sys
from pathlib import Path
from core.metrics import REQUESTS, SECONDS, count_together
count_together(Path(sys.argv[1]))
REQUESTS.labels("nowhere", 200).inc(3)
SECONDS.labels("nowhere").observe(0.3)
if "fork" in sys.argv and os.fork() == 0:
    REQUESTS.labels("nowhere", 200).inc(4)
    os._exit(0)
if "fork" in sys.argv:
    os.wait()
print(os.environ["PROMETHEUS_MULTIPROC_DIR"])
"""


def count_in_a_process(data_dir: Path, *more: str) -> Path:
    environment = {name: value for name, value in os.environ.items() if name != FOLDER}
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(data_dir), *more],
        cwd=Path(metrics.__file__).parents[1],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(done.stdout.strip())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.db"))


@pytest.fixture
def told(client, monkeypatch):
    def told(folder: Path) -> str:
        monkeypatch.setenv(FOLDER, str(folder))
        return client.get("/metrics").text

    return told


def test_what_processes_counted_survives_them_in_one_archive(told, tmp_path):
    folders = {count_in_a_process(tmp_path) for _ in range(2)}

    assert folders == {tmp_path / "metrics"}
    for _ in range(2):  # asking again changes nothing
        text = told(tmp_path / "metrics")
        assert 'xinqiao_requests_total{endpoint="nowhere",status="200"} 6.0' in text
        assert 'xinqiao_request_seconds_bucket{endpoint="nowhere",le="0.5"} 2.0' in text
        assert 'xinqiao_request_seconds_count{endpoint="nowhere"} 2.0' in text
        assert files(tmp_path / "metrics") == ["counter_0.db", "histogram_0.db"]


def test_forked_children_count_and_leave_no_files(told, tmp_path):
    folder = count_in_a_process(tmp_path, "fork")
    assert len(files(folder)) == 4

    assert 'endpoint="nowhere",status="200"} 7.0' in told(folder)
    assert files(folder) == ["counter_0.db", "histogram_0.db"]


def test_a_start_tidies_up_without_anybody_asking(tmp_path):
    folder = count_in_a_process(tmp_path)
    (folder / f"counter_{2**22 + 1}.db").touch()  # killed before its first byte

    assert metrics_folder(tmp_path) == folder
    assert files(folder) == ["counter_0.db", "histogram_0.db"]


def test_the_files_of_the_living_are_left_alone(tmp_path):
    folder, pid = count_in_a_process(tmp_path), os.getpid()
    dead = next(path for path in folder.glob("counter_*.db"))
    dead.rename(folder / f"counter_{pid}.db")

    metrics_folder(tmp_path)

    assert files(folder) == [f"counter_{pid}.db", "histogram_0.db"]


def test_a_process_of_another_user_is_alive(tmp_path, monkeypatch):
    def refuse(_pid, _signal):
        raise PermissionError

    folder = count_in_a_process(tmp_path)
    before = files(folder)
    monkeypatch.setattr(metrics.os, "kill", refuse)

    metrics_folder(tmp_path)

    assert files(folder) == before


def test_the_folder_of_the_environment_goes_first(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "shared"))

    assert metrics_folder(tmp_path / "data") == tmp_path / "shared"
    assert (tmp_path / "shared").is_dir()


def test_from_then_on_this_process_counts_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, "")  # put back afterwards
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)

    metrics.count_together(tmp_path)
    together = Histogram("together", "", ["api"], registry=CollectorRegistry())
    together.labels("x").observe(1)

    assert files(tmp_path / "metrics") == [f"histogram_{os.getpid()}.db"]


def test_many_at_once_are_observed_as_one_by_one():
    registries = CollectorRegistry(), CollectorRegistry()
    singly, together = (
        Histogram("h", "", ["api"], buckets=(0.1, 1.0), registry=one) for one in registries
    )
    given = [0.05, 0.1, 0.1001, 0.5, 1.0, 7.0]

    for seconds in given:
        singly.labels("x").observe(seconds)
    observe_many(together.labels("x"), given)

    def samples(registry):
        return {
            (one.name, str(one.labels)): pytest.approx(one.value)
            for family in registry.collect()
            for one in family.samples
            if not one.name.endswith("_created")
        }

    assert samples(registries[0]) == samples(registries[1])
