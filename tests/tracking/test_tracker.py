"""Trackers by name: what is missing is said before a search starts."""

import sys
import types

import pytest

from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.tracking.tracker import check_tracker, group_of, numbers


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_library_that_is_not_installed_is_named_with_its_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f"--{name} needs a library") as told:
        check_tracker(name)
    assert f'pip install "tune-robust[{name}]"' in str(told.value)


def test_a_folder_of_the_library_s_name_is_not_the_library(monkeypatch):
    folder = types.ModuleType("wandb")
    folder.__file__ = None
    monkeypatch.setitem(sys.modules, "wandb", folder)
    with pytest.raises(UserError, match="No module named 'wandb'"):
        check_tracker("wandb")


def test_the_trials_of_a_confirmation_are_a_group_of_their_own(tmp_path):
    folder = RunFolder(tmp_path / "first" / "confirm")
    folder.path.mkdir(parents=True)
    meta = {"format": 1, "name": "x", "space": {}}
    folder.outside().write_meta(meta)
    folder.write_meta({**meta, "confirms": {"run": "first", "trials": [], "seeds": []}})
    assert group_of(folder.outside()) == "first"
    assert group_of(folder) == "first/confirm"


def test_only_finite_numbers_are_logged():
    assert numbers({"a": 1.0, "b": None, "c": float("nan"), "d": float("inf")}) == {"a": 1.0}
