"""The benchmark of a search's overhead runs and says what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "search_overhead.py"


@pytest.mark.e2e
def test_prints_one_object():
    command = [sys.executable, str(SCRIPT), "--quick", "--json", "--trials", "2"]
    command += ["--at-a-time", "1"]  # each process that trains takes seconds to start
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(printed)
    assert found["n"] == 1
    assert set(found["ratios"]) == {
        "search_over_training",
        "ray_tune_over_training",
        "optuna_over_training",
    }
    assert set(found["seconds"]) == {"start_up", "between_trials", "training_of_a_trial"}
    assert all(value > 0 for value in [*found["ratios"].values(), *found["seconds"].values()])
