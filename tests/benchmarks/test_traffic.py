"""The benchmark of the traffic to remote storage runs, and counts what the server was sent."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_counts_the_bytes_that_the_server_received(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # restored afterwards: the benchmark sets it
    traffic = pytest.importorskip("traffic")
    found = traffic.measure(4)
    assert found["events_mb"] < found["sent_mb"] < found["events_mb"] + 1.2
