"""What Ray's dashboard shows of a search under way, and to whom."""

import json
import os
import re
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser import BROWSER
from tests.cli.command import Started, run
from tests.cli.paced import write_space

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("dashboard"), pytest.mark.timeout(300)]

LONG_TRIALS = """
from tune_robust.cli import main
from tune_robust.tuning.engine import ray_backend

ray_backend.LONG = 0.0
main()
"""
SCREENSHOT = Path(__file__).parents[2] / "docs" / "screenshot.py"


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """Where Ray keeps its token: nothing is there before a search."""
    path = tmp_path_factory.mktemp("token") / "ray" / "token"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_TOKEN_PATH", str(path))
        yield path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the search is."""
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def search(place, token):
    """A search, as if each of its trials lasted long, past its first epoch."""
    path = write_space(place, epochs=60, budget={"trials": 100, "scheduler": "none"})
    program = place / "long_trials.py"
    program.write_text(LONG_TRIALS)
    started = Started("search", "--space", path, "--name", "r1", cwd=place, program=program)
    try:
        events = place / "runs" / "r1" / "events.jsonl"
        started.wait_until(lambda: events.exists() and '"epoch":' in events.read_text())
        yield started
    finally:
        started.kill_tree()


def get(url, token=None):
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", f"Bearer {token.read_text()}")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()


def listening(processes):
    """The addresses, in hexadecimal, on which any of them waits for connections."""
    sockets = set()
    for process in processes:
        with suppress(OSError):
            sockets |= {os.readlink(file) for file in Path(f"/proc/{process}/fd").iterdir()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        row[1].partition(":")[0]
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in sockets
    }


def test_trials_are_seen_by_their_names_and_by_nobody_without_the_token(place, search, token):
    status = json.loads(run("status", "r1", "--json", cwd=place).stdout)
    url = status["dashboard"]
    assert f"Dashboard: {url}" in run("status", "r1", cwd=place).stdout
    assert re.match(r"http://127\.0\.0\.1:\d+$", url)

    labels = {}

    def a_trial_is_shown():
        actors = json.loads(get(f"{url}/logical/actors", token))["data"]["actors"].values()
        alive = (actor for actor in actors if actor["state"] == "ALIVE" and actor["reprName"])
        labels.update({actor["pid"]: actor["reprName"] for actor in alive})
        titles = {pid for pid in search.processes("ray::t0") if pid in labels}
        return any(not labels[pid].startswith(("t0001", "t0002")) for pid in titles)

    search.wait_until(a_trial_is_shown)
    assert all(re.match(r"t\d{4} loop\.rate=\S+$", x) for x in labels.values())

    node = json.loads(get(f"{url}/nodes?view=summary", token))["data"]["summary"][0]
    metrics = f"http://127.0.0.1:{node['raylet']['metricsExportPort']}/metrics"
    names = set()

    def gauges_are_published():
        names.update(re.findall(r"^(ray_tune_robust_\w+)\{.*run=\"r1\"", get(metrics), re.M))
        return "ray_tune_robust_best" in names

    search.wait_until(gauges_are_published)
    assert not search.processes("monitor.py"), "nobody needs an autoscaler or Ray's logs here"
    # Other machines reach nothing, the metrics that need no token included.
    addresses = listening(search.processes(""))
    assert addresses
    assert all(address.endswith("0100007F") for address in addresses), addresses
    assert {"ray_tune_robust_val_accuracy", "ray_tune_robust_trials"} <= names

    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    for page in ("/logical/actors", "/api/jobs/", "/nodes?view=summary"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(url + page)
        refused.value.close()
        assert refused.value.code == 401
    program = "import ray, sys; ray.init(sys.argv[1]); print('joined', ray.nodes())"
    raylet = Path(f"/proc/{search.processes('--gcs-address=')[0]}/cmdline").read_text()
    address = re.search(r"--gcs-address=([\d.:]+)", raylet)[1]
    for environment in (
        {"RAY_AUTH_MODE": "disabled"},
        {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, address],
            env={**os.environ, **environment, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode != 0
        assert "joined" not in done.stdout
        assert "nauthenticated" in done.stderr, done.stderr


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium browser")
@pytest.mark.usefixtures("search")
def test_the_actors_page_shows_the_trials_in_a_browser(tmp_path, place):
    url = json.loads(run("status", "r1", "--json", cwd=place).stdout)["dashboard"]
    command = [sys.executable, SCREENSHOT, f"{url}/#/actors", "actors.txt", "actors.png"]
    subprocess.run([*command, "--shows", "t00"], cwd=tmp_path, check=True, timeout=120)
    assert re.search(r"t\d{4} loop\.rate=\S+", (tmp_path / "actors.txt").read_text())
    assert (tmp_path / "actors.png").read_bytes().startswith(b"\x89PNG")


def test_without_authentication_ray_is_not_started(tmp_path, monkeypatch):
    token = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    path = write_space(tmp_path, epochs=6)
    refused = run("search", "--space", path, "--name", "r1", cwd=tmp_path, code=2)
    assert "RAY_AUTH_MODE is 'disabled'" in refused.stderr
    assert not token.exists()
