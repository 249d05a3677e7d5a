"""Promotion alone, and in whole simulated searches with crashes."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.simulated import peak, simulate, space
from tune_robust.errors import ConfigError
from tune_robust.schedulers.building import build_scheduler
from tune_robust.schedulers.promotion import Promotion

BUDGET = {"trials": 18, "scheduler": "promotion", "grace": 2, "reduction": 3}


def scheduler(mode="max"):
    return Promotion(grace=3, reduction=3, max_resource=27, mode=mode)


def searched(**changes):
    given = {"budget": BUDGET, "searcher": {"name": "gp_mf"}, **changes}
    return space(**given)


def rows(path):
    return pd.read_parquet(path / "trials.parquet").drop(columns=["checkpoint"])


def test_the_first_trial_pauses_and_the_better_of_two_is_promoted():
    promotion = scheduler()
    assert not promotion.keep("a", 3, 0.9)
    assert promotion.promoted("a") is None
    assert not promotion.keep("b", 3, 0.1)
    assert promotion.promoted("ab") == "a"
    assert not promotion.keep("c", 3, 0.5)
    assert promotion.promoted("bc") is None  # one of three has been
    assert not promotion.keep("d", 3, 0.4)
    assert promotion.promoted("bcd") == "c"


def test_a_trial_among_the_best_goes_on_at_once():
    promotion = scheduler()
    assert not promotion.keep("a", 3, 0.1)
    assert promotion.keep("b", 3, 0.2)
    assert promotion.promoted("a") is None


def test_between_rungs_everything_goes_on():
    promotion = scheduler()
    assert promotion.keep("a", 2, 0.1)
    assert not promotion.keep("a", 3, 0.1)
    assert promotion.keep("a", 3, 0.1)  # reported again, when it continues
    assert promotion.keep("a", 8, 0.1)


def test_the_furthest_are_promoted_first():
    promotion = scheduler()
    for name, value in zip("abcdefghi", range(9), strict=True):
        promotion.keep(name, 3, value)
    for name in "fghi":
        promotion.keep(name, 9, 0.5 if name == "g" else 0.1)
    assert promotion.promoted("abcdefghi") == "g"
    assert promotion.promoted("abcdefhi") == "f"
    promotion.keep("f", 27, 0.5)
    assert promotion.promoted("abcdehi") is None


def test_of_equal_trials_the_earlier_one_is_promoted():
    promotion = scheduler()
    for name in "abc":
        promotion.keep(name, 3, 0.5)
    assert promotion.promoted("cba") == "a"


@given(values=st.lists(st.floats(0, 1), min_size=3, max_size=30))
def test_smaller_is_better_in_mode_min(values):
    most, least = scheduler("max"), scheduler("min")
    for number, value in enumerate(values):
        assert most.keep(f"t{number}", 3, value) == least.keep(f"t{number}", 3, -value)
    names = [f"t{number}" for number in range(len(values))]
    assert most.promoted(names) == least.promoted(names)


def test_a_search_ends_with_all_trials_stopped_or_done(tmp_path):
    conductor = simulate(searched(), tmp_path / "r")
    statuses = [trial.status for trial in conductor.trials.values()]
    assert conductor.complete
    assert set(statuses) == {"done", "stopped"}
    assert conductor.progress.counts["stopped"] == statuses.count("stopped")
    assert isinstance(build_scheduler(conductor.space), Promotion)


def test_the_best_trial_is_done_however_early_it_came(tmp_path):
    """The first trial is the best: it has to pause, since nothing is known yet, and is promoted."""
    known = [{"sam.rho": 0.3, "saner.alpha": 0.5}]
    conductor = simulate(searched(known=known), tmp_path / "r")
    assert conductor.trials["t0001"].paused_at == 3  # at the second rung too
    assert conductor.trials["t0001"].status == "done"


def test_a_promoted_trial_trains_no_epoch_twice(tmp_path):
    seen = []

    def curve(trial, epoch):
        seen.append((trial.name, epoch))
        return peak(trial, epoch)

    simulate(searched(), tmp_path / "r", curve)
    assert len(seen) == len(set(seen))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "r"
    simulate(searched(searcher={"name": "random", "seed": 3}), path)
    return rows(path)


@pytest.mark.parametrize("stop_after", [1, 2, 5, 13, 24, 25, 26, 27, 40])
def test_a_crash_changes_nothing(tmp_path, whole, stop_after):
    given = searched(searcher={"name": "random", "seed": 3})
    conductor = simulate(given, tmp_path / "r", stop_after=stop_after)
    assert not conductor.complete
    simulate(given, tmp_path / "r")
    pd.testing.assert_frame_equal(rows(tmp_path / "r"), whole)


def test_an_extended_search_promotes_trials_that_were_left_paused(tmp_path):
    seen = []

    def curve(trial, epoch):
        seen.append((trial.name, epoch))
        return -trial.number

    conductor = simulate(
        searched(budget={**BUDGET, "trials": 3, "grace": 4}), tmp_path / "r", curve
    )
    assert [t.status for t in conductor.trials.values()] == ["done", "stopped", "stopped"]
    again = simulate(conductor.space, tmp_path / "r", curve)  # nothing is left to do
    assert [t.status for t in again.trials.values()] == ["done", "stopped", "stopped"]
    more = searched(budget={**BUDGET, "trials": 8, "grace": 4})
    conductor = simulate(more, tmp_path / "r", curve)
    assert conductor.complete
    assert [t.status for t in conductor.trials.values()] == ["done"] * 4 + ["stopped"] * 4
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_at_least_one_trial_finishes(tmp_path, trials):
    few = searched(budget={**BUDGET, "trials": trials, "grace": 1, "reduction": 2})
    conductor = simulate(few, tmp_path / "r")
    assert conductor.progress.counts["done"] == 1
    assert conductor.complete


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes"])
def test_samplers_that_learn_from_ended_trials_are_refused(name):
    with pytest.raises(ConfigError, match=r"found promotion; expected auto, .* gp_mf"):
        searched(searcher={"name": name})
