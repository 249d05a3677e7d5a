"""The benchmark of the epoch runs and says what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "epoch.py"


def run(*arguments):
    command = [sys.executable, str(SCRIPT), "--json", "--rounds", "2", *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(printed)


@pytest.mark.e2e
def test_prints_one_object():
    found = run("--quick")
    assert set(found) == {"ratios", "machine", "n"}
    assert found["n"] == {"small_cnn": 2}
    methods = {
        "epoch_over_passes": ("sgd", "sam", "saner", "slaw"),
        "evaluation_over_epoch": ("sgd", "sam", "saner", "slaw"),
        "dataloader_over_passes_0": ("sgd", "sam"),
        "dataloader_over_passes_2": ("sgd", "sam"),
    }
    assert set(found["ratios"]) == {
        f"{name}_small_cnn_{method}" for name, of in methods.items() for method in of
    }
    assert all(ratio > 0 for ratio in found["ratios"].values())


@pytest.mark.e2e
def test_colour_images_are_random_where_there_are_no_files(tmp_path):
    command = [sys.executable, str(SCRIPT), "--network", "resnet32", "--steps", "1"]
    command += ["--batch", "16", "--rounds", "2", "--data-dir", str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "resnet32, 1 steps of 16 random images, n = 2" in " ".join(printed.split())
