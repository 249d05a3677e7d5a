"""How messages name a run."""

import pytest

from tune_robust.runs.naming import run_argument


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("runs/r1", "r1"),
        ("elsewhere/r1", "elsewhere/r1"),
        ("s3://bucket/runs/r 1", "'s3://bucket/runs/r 1'"),
    ],
)
def test_a_run_is_named_as_the_command_takes_it(tmp_path, monkeypatch, place, named):
    monkeypatch.chdir(tmp_path)
    assert run_argument(place) == named


def test_a_run_has_a_name_though_the_working_directory_was_deleted(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run_argument("runs/r1") == "runs/r1"
