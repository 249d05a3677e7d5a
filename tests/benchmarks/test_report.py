"""The benchmark of the report runs and says what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "report.py"


@pytest.mark.e2e
def test_prints_one_object():
    command = [sys.executable, str(SCRIPT), "--quick", "--json", "--trials", "40", "--epochs", "10"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(printed)
    assert set(found) == {"ratios", "measured", "machine", "n"}
    assert set(found["ratios"]) == {"seconds", "megabytes"}
    assert 0 < found["ratios"]["megabytes"] < 1
