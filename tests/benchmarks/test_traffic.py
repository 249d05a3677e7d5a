"""The benchmark of the traffic to remote storage runs, and counts what the server was sent."""


def test_it_counts_the_bytes_that_the_server_received(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # restored afterwards: the benchmark sets it
    import traffic

    found = traffic.measure(4)
    assert found["events_mb"] < found["sent_mb"] < found["events_mb"] + 1.2
