"""The scale benchmark runs, and what it prints holds together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def measured(*options):
    done = subprocess.run(
        [sys.executable, "benchmarks/scale.py", "--quick", "--json", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_whole(found, trials):
    assert [run["trials"] for run in found["runs"]] == trials
    assert set(found["ratios"]) == {f"{w}_{n}" for w in ("proposal", "decision") for n in trials}
    for run in found["runs"]:
        assert run["trials"] <= run["epochs"] <= 40 * run["trials"]
        assert min(run["reopen_s"], run["status_s"], run["report_s"], run["disk_kb_per_trial"]) > 0


def test_it_measures_every_size_and_compares_late_with_early():
    assert_whole(measured(), [64, 128])


def test_it_measures_the_same_through_ray():
    assert_whole(measured("--ray"), [16])
