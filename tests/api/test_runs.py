"""A run is given by its name, its path, or as it was read."""

import shutil
from pathlib import Path

import pytest

from tests.tuning.simulated import simulate, space, store_at
from tune_robust import UserError, load_run


def test_a_name_a_path_and_a_run_are_the_same(finished):
    run = load_run("r1")
    assert run.name == load_run(finished).name == load_run(run).name == "r1"
    assert len(run.trials) == len(load_run(str(finished)).trials) == 12
    assert load_run("r1", storage=finished.parent).place == str(finished)


def test_no_such_run_names_the_nearest(finished):
    with pytest.raises(UserError, match=r"no run 'r2' under runs\. Did you mean 'r1'\?"):
        load_run("r2")


def test_an_interrupted_run_loads_and_reading_it_again_shows_what_is_new(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=3)
    run = load_run(tmp_path / "r")
    assert len(run.trials) < 12
    simulate(space(), tmp_path / "r")
    assert len(load_run(run).trials) == 12


def test_a_run_whose_first_trial_has_not_started_has_empty_tables(tmp_path):
    store_at(tmp_path / "r", space()).close()
    run = load_run(tmp_path / "r")
    assert run.trials.empty
    assert run.epochs.empty
    assert {"status", "sam.rho", "val_accuracy"} <= set(run.trials)
    assert "val_accuracy" in run.epochs


def test_a_run_that_was_moved_is_found_where_it_is(finished, tmp_path):
    moved = Path(shutil.move(finished, tmp_path / "elsewhere"))
    assert load_run(moved).place == str(moved)
