"""The benchmark of time to quality runs and says what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "time_to_quality.py"
RECORDINGS = {"digits", "cifar10n"}


@pytest.mark.e2e
def test_prints_one_object():
    command = [sys.executable, str(SCRIPT), "--seeds", "1", "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(printed)
    assert set(found) == {
        "ratios",
        "share_of_the_grid",
        "trials_started",
        "reached",
        "machine",
        "n",
    }
    assert set(found["share_of_the_grid"]) == set(found["reached"]) == RECORDINGS
    for name in RECORDINGS:
        # Without early stopping a search that goes on to the end has seen the best.
        assert found["reached"][name]["random"] == found["reached"][name]["tpe"] == 1
        assert 0 < found["share_of_the_grid"][name]["random"]["median"] <= 1
        assert f"default_over_random_{name}" in found["ratios"]
