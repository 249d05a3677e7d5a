"""The scale benchmark runs, and what it prints holds together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(300)


def test_it_measures_every_size_and_compares_late_with_early():
    done = subprocess.run(
        [sys.executable, "benchmarks/scale.py", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [run["trials"] for run in found["runs"]] == [64, 128]
    assert set(found["ratios"]) == {f"{w}_{n}" for w in ("proposal", "decision") for n in (64, 128)}
    for run in found["runs"]:
        assert run["trials"] <= run["epochs"] <= 40 * run["trials"]
        assert min(run["reopen_s"], run["status_s"], run["report_s"], run["disk_kb_per_trial"]) > 0
