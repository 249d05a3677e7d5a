"""The benchmark of several trials on one device runs and says what it promises."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sharing.py"


@pytest.mark.e2e
def test_prints_one_object():
    command = [sys.executable, str(SCRIPT), "--network", "small_cnn", "--together", "2"]
    command += ["--rounds", "1", "--seconds", "1", "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(printed)
    assert set(found["ratios"]) == {"throughput_together"}
    assert found["ratios"]["throughput_together"] > 0
    assert {way: len(rates) for way, rates in found["images_per_second"].items()} == {
        "alone": 1,
        "together": 1,
    }


@pytest.mark.e2e
def test_mps_without_its_daemon_is_refused(tmp_path):
    command = [sys.executable, str(SCRIPT), "--device", "cuda", "--mps"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "needs --device cuda, and nvidia-cuda-mps-control on the PATH" in done.stderr
