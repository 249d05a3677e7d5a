"""A run as a recording: the same from events and tables; only whole curves that fit a space."""

from pathlib import Path

import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.space import Space
from tune_robust.tuning.simulation.recording import pool_of, read_recorded

NONE = {"trials": 12, "scheduler": "none"}
CONDITIONAL = {
    "method": {"choice": ["sgd", "sam", "saner"]},
    "sam.rho": {"log_uniform": [0.01, 1.0], "when": {"method": ["sam", "saner"]}},
    "saner.k": {"int": [0, 5], "when": {"method": "saner"}},
    "optimizer.nesterov": {"choice": [True, False]},
}
TRAIN = {"data": {"dataset": "digits"}, "epochs": 6, "optimizer": {"name": "sgd"}}


@pytest.fixture
def recorded(tmp_path):
    searched = space(train=TRAIN, search=CONDITIONAL, budget=NONE, baselines=[{"method": "sgd"}])
    simulate(searched, tmp_path / "r")
    return RunFolder(tmp_path / "r")


def test_the_tables_hold_what_the_events_hold(recorded):
    events = read_recorded(recorded)
    recorded.events.unlink()
    tables = read_recorded(recorded)
    assert list(tables) == list(events)
    for name, trial in events.items():
        found = tables[name]
        assert (found.status, found.config) == (trial.status, trial.config)
        assert {e: m["val_accuracy"] for e, m in found.epochs.items()} == {
            e: m["val_accuracy"] for e, m in trial.epochs.items()
        }
        if trial.origin != "baseline":
            assert found.values == trial.values
            assert {k: type(v) for k, v in found.values.items()} == {
                k: type(v) for k, v in trial.values.items()
            }


FOLDER = Path(__file__).parents[3] / "benchmarks" / "recorded"
RECORDINGS = sorted(path.parent for path in FOLDER.rglob("run.json"))


@pytest.mark.slow
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_every_recording_of_this_repository_can_be_replayed(path):
    folder = RunFolder(path)
    own = Space.from_document(folder.read_meta()["space"])
    pool = pool_of(own, folder)
    assert len(pool.trials) == len(read_recorded(folder)) > 10


def test_a_missing_table_is_named(recorded):
    recorded.events.unlink()
    recorded.epochs.unlink()
    with pytest.raises(UserError, match=r"no events.jsonl, and no epochs.parquet"):
        read_recorded(recorded)


def test_the_pool_leaves_out_baselines_and_says_so(recorded):
    searched = space(train=TRAIN, search=CONDITIONAL, budget=NONE)
    pool = pool_of(searched, recorded)
    assert (len(pool.trials), pool.stopped) == (11, 0)
    assert pool.left_out == {"a baseline, outside the space": 1}
    values = [trial.last["val_accuracy"] for trial in pool.trials]
    assert pool.best == max(values)
    assert pool.cost("gradient_evaluations") == 12 * 11


def test_a_stopped_trial_is_left_out_and_counted(tmp_path):
    simulate(space(), tmp_path / "r")
    pool = pool_of(space(), RunFolder(tmp_path / "r"))
    assert pool.stopped == pool.left_out["stopped early"] > 0
    assert len(pool.trials) == 12 - pool.stopped


def test_a_space_takes_the_trials_that_it_could_have_drawn(recorded):
    search = {path: CONDITIONAL[path] for path in ("sam.rho", "optimizer.nesterov")}
    search["sam.rho"] = {"log_uniform": [0.01, 1.0]}
    pool = pool_of(space(train={**TRAIN, "method": "sam"}, search=search, budget=NONE), recorded)
    sam = [t for t in read_recorded(recorded).values() if t.values.get("method") == "sam"]
    assert 2 <= len(sam) < 11
    assert [t.name for t in pool.trials] == [t.name for t in sam]
    assert pool.left_out.total() == 12 - len(sam)


def test_a_space_that_trains_otherwise_has_no_pool(recorded):
    longer = space(train={**TRAIN, "epochs": 8}, search=CONDITIONAL, budget=NONE)
    with pytest.raises(UserError, match=r"0 of 12 trials .* epochs was 6, here 8"):
        pool_of(longer, recorded)


def test_what_was_not_recorded_is_no_clock(recorded):
    pool = pool_of(space(train=TRAIN, search=CONDITIONAL, budget=NONE), recorded)
    for trial in pool.trials:
        trial.last.pop("seconds", None)
    with pytest.raises(UserError, match=r"--clock seconds: .* not recorded"):
        pool.cost("seconds")
