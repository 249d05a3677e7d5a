"""What Ray's processes do when memory runs out, and what they see of the machine."""

from pathlib import Path

import pytest

from tests.cli.command import run
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PROGRAM = Path(__file__).with_name("greedy_trials.py")


def run_greedy(folder, gpus):
    """The trials, their slots, and by trial what its attempts saw (Ray may set one up twice)."""
    run(folder, gpus, program=PROGRAM, cwd=folder)
    seen = {
        path.name: list(dict.fromkeys(path.read_text().splitlines()))
        for path in (folder / "seen").iterdir()
    }
    found = RunFolder(folder / "r")
    return read_trials(found), found.read_meta()["slots"], seen


def test_out_of_memory_is_retried_with_larger_shares_and_ends_no_run(tmp_path):
    trials, slots, seen = run_greedy(tmp_path, 0.25)
    assert [t.status for t in trials.values()] == ["done", "done", "failed", "done", "done"]
    assert seen["t0002"] == [f"{share} gpus='0' threads=1" for share in ("0.25", "0.5")]
    assert seen["t0003"] == [f"{share} gpus='0' threads=1" for share in ("0.25", "0.5", "1")]
    assert "Tried to allocate 2.00 GiB" in trials["t0003"].error
    assert "train.batch_size" in trials["t0003"].error
    assert len(trials["t0003"].retried) == 2
    needed = {"cpus": 1, "gpus": 0.5, "concurrency": 2, "processes": 1}
    assert slots == needed  # by t0002


def test_trials_that_ask_for_no_gpu_see_none(tmp_path):
    trials, slots, seen = run_greedy(tmp_path, 0)
    assert {line for lines in seen.values() for line in lines} == {"0 gpus='' threads=1"}
    assert len(trials["t0003"].retried) == 2  # 4 at a time, 2, alone
    assert trials["t0003"].status == "failed"
    assert slots["concurrency"] == 4
