"""The benchmark of start-up times runs and says what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "start_up.py"


@pytest.mark.e2e
def test_prints_one_object():
    command = [sys.executable, str(SCRIPT), "--quick", "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(printed)
    assert set(found) == {"ratios", "seconds", "stages", "limits", "machine", "n"}
    assert set(found["limits"]) < set(found["seconds"])
    stages = sum(stage["median"] for stage in found["stages"].values())
    assert stages == pytest.approx(found["seconds"]["first_trial"]["median"])
    assert all(ratio > 0 for ratio in found["ratios"].values())
