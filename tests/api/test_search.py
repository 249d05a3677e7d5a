"""What ``search`` does before there is a run."""

from types import SimpleNamespace

import pytest

import tune_robust as tr
from tests.tuning.simulated import space
from tune_robust.runs import disk


def test_a_disk_too_small_for_one_trial_is_told_before_the_run_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    document = space(
        train={"data": {"dataset": "digits", "subset": 300}, "method": "saner"}
    ).document()
    with pytest.raises(tr.UserError, match="the disk is too small"):
        tr.search(document, storage=tmp_path / "runs", name="r1")
    assert not (tmp_path / "runs" / "r1").exists()
