"""``budget.stop: auto`` ends a search once the trials that are left are not worth their compute."""

import numpy as np
import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.errors import ConfigError
from tune_robust.runs.expected_gain import ExpectedGain
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.listing import list_runs
from tune_robust.tuning.strategy.stopping import expected_gain, settled

BUDGET = {"trials": 60, "scheduler": "asha", "grace": 2, "reduction": 2, "stop": "auto"}


def searched(searcher="gp_mf", **budget):
    return space(budget=BUDGET | budget, searcher={"name": searcher})


def noisy(trial, epoch):
    """A broad peak and noise of 0.05, which is a function of the trial."""
    rho, alpha = trial.values["sam.rho"], trial.values["saner.alpha"]
    noise = np.random.default_rng(trial.number).normal(0, 0.05)
    return 0.8 - 0.3 * abs(np.log10(rho / 0.1)) - 0.2 * abs(alpha - 0.5) + 0.01 * epoch + noise


def steep(trial, epoch):
    """It improves towards a corner, which random proposals miss; there is no noise."""
    return trial.values["saner.alpha"] * trial.values["sam.rho"] + 0.001 * epoch


def gain_of(conductor):
    return conductor.progress.expected_gain


@pytest.mark.parametrize(("searcher", "scheduler"), [("gp_mf", "promotion"), ("tpe", "asha")])
def test_it_ends_early_with_its_best_trial_finished(tmp_path, searcher, scheduler):
    conductor = simulate(searched(searcher, scheduler=scheduler), tmp_path / "r", noisy)
    assert 20 <= len(conductor.trials) < 60
    assert conductor.complete
    assert {trial.status for trial in conductor.trials.values()} == {"done", "stopped"}
    assert conductor.progress.best.status == "done"
    gain = gain_of(conductor)
    assert gain.stops
    assert gain.gain < gain.noise
    assert gain.noise == pytest.approx(0.05, rel=0.6)
    [summary] = list_runs(str(tmp_path))
    assert summary.state == "finished"


def test_by_default_all_trials_run(tmp_path):
    conductor = simulate(searched(stop="never", trials=20), tmp_path / "r", noisy)
    assert len(conductor.trials) == 20
    assert gain_of(conductor) is None


def test_it_goes_on_while_there_is_something_to_gain(tmp_path):
    conductor = simulate(searched("random", trials=24), tmp_path / "r", steep)
    assert len(conductor.trials) == 24
    assert gain_of(conductor).gain > 0.01


@pytest.mark.parametrize("killed", [20, 45])
def test_a_resumed_search_ends_at_the_same_trial(tmp_path, killed):
    whole = simulate(searched(), tmp_path / "whole", noisy)
    simulate(searched(), tmp_path / "r", noisy, stop_after=killed)
    resumed = simulate(searched(), tmp_path / "r", noisy)
    assert [t.values for t in resumed.trials.values()] == [t.values for t in whole.trials.values()]
    assert gain_of(resumed) == gain_of(whole)


def test_it_stays_ended_unless_it_is_continued(tmp_path):
    ended = simulate(searched(), tmp_path / "r", noisy)
    again = simulate(searched(), tmp_path / "r", noisy)
    assert list(again.trials) == list(ended.trials)
    continued = simulate(
        searched(stop="never", trials=len(ended.trials) + 3), tmp_path / "r", noisy
    )
    assert len(continued.trials) == len(ended.trials) + 3
    assert list_runs(str(tmp_path))[0].state == "finished"


def test_the_gain_is_a_function_of_the_trials_and_of_how_many_are_left(tmp_path):
    conductor = simulate(searched(stop="never", trials=22), tmp_path / "r", steep)
    trials = settled(conductor.trials.values())
    given = searched(trials=60)
    many, again, few, none = (expected_gain(given, trials, left=left) for left in (38, 38, 1, 0))
    assert many == again
    assert 0 < few.gain <= many.gain
    assert none is None
    assert expected_gain(given, trials[:19], left=5) is None


def test_baselines_do_not_count(tmp_path):
    given = space(
        budget=BUDGET | {"stop": "never", "trials": 12},
        searcher={"name": "gp_mf"},
        baselines=[{"method": "sgd"}],
    )
    conductor = simulate(given, tmp_path / "r", lambda trial, epoch: 0.5 + 0.01 * trial.number)
    assert len(settled(conductor.trials.values())) == len(conductor.trials) - 1


def test_the_gain_is_in_the_run_and_in_words(tmp_path):
    conductor = simulate(searched(), tmp_path / "r", noisy)
    found = ExpectedGain.of(RunFolder(tmp_path / "r").read_meta())
    assert found == gain_of(conductor)
    shown = ExpectedGain(0.01234, 0.05, 1, 60, 59, stops=False).sentence()
    assert shown == "Expected gain of 1 more trial: 0.012 (noise: 0.05), after 59 trials."


@pytest.mark.parametrize(
    "changes",
    [
        {"searcher": {"name": "grid"}, "search": {"sam.rho": {"grid": [0.1, 0.2]}}},
        {
            "searcher": {"name": "nsga2"},
            "objective": {"metric": "val_accuracy", "against": ["gradient_evaluations"]},
            "budget": BUDGET | {"scheduler": "none", "grace": None},
        },
    ],
)
def test_searches_that_cannot_end_by_themselves_or_repeat_a_leader_are_refused(changes):
    with pytest.raises(ConfigError, match=r"budget\.stop: found auto; expected never"):
        space(**{"budget": BUDGET, **changes})
    with pytest.raises(ConfigError, match=r"budget\.repeats: found auto; expected off"):
        space(**changes | {"budget": {"trials": 6, "scheduler": "none", "repeats": "auto"}})
