"""When gp_mf tries known points: at once while they are good, and otherwise once in a while."""

from contextlib import closing

import pytest

from tests.tuning.simulated import simulate, space, store_at
from tune_robust.tuning.engine.conductor import Conductor

POINTS = [{"sam.rho": rho, "saner.alpha": 0.5} for rho in (0.1, 0.2, 0.3, 0.4)]


def given(trials, **changes):
    budget = {"trials": trials, "scheduler": "asha", "grace": 2, "reduction": 3}
    return space(**{"known": POINTS, "budget": budget, "searcher": {"name": "gp_mf"}, **changes})


def scored(*scores):
    """Return a curve: these for the known points in their order, and 0.5 for all others."""
    of = dict(zip([point["sam.rho"] for point in POINTS], scores, strict=True))
    return lambda trial, epoch: of[trial.values["sam.rho"]] if trial.origin == "known" else 0.5


def origins(conductor):
    return "".join(trial.origin[0] for trial in conductor.trials.values())


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ((0.9, 0.9, 0.9, 0.9), "kskkk" + "s" * 20),
        ((0.1, 0.1, 0.1, 0.1), "k" + "s" * 10 + "k" + "s" * 10 + "ksk"),
        ((0.1, 0.9, 0.9, 0.9), "k" + "s" * 10 + "kkk" + "s" * 11),
        ((0.9, 0.1, 0.9, 0.9), "ksk" + "s" * 9 + "kk" + "s" * 11),
    ],
)
def test_they_go_on_while_they_are_good_and_wait_while_they_are_bad(tmp_path, scores, order):
    assert origins(simulate(given(25), tmp_path / "r", scored(*scores))) == order


def test_all_of_them_are_tried_in_few_trials_however_bad_they_are(tmp_path):
    bad = scored(0.1, 0.1, 0.1, 0.1)
    assert origins(simulate(given(3), tmp_path / "three", bad)) == "kkk"
    assert origins(simulate(given(5), tmp_path / "five", bad)) == "kskkk"
    assert origins(simulate(given(8), tmp_path / "eight", bad)) == "kssss" + "kkk"


def test_they_alternate_with_proposals_as_long_as_nothing_is_known_of_their_scores(tmp_path):
    with closing(store_at(tmp_path / "r", given(25))) as store:
        conductor = Conductor(given(25), store, threads=1)
        for _ in range(10):
            conductor.next_trial()
        assert origins(conductor) == "ksksksksss"


def test_baselines_still_come_first_and_sentinels_are_proposals(tmp_path):
    budget = {"trials": 16, "scheduler": "asha", "grace": 2, "sentinels": 6}
    changed = given(16, budget=budget, baselines=[{"method": "sgd"}])
    conductor = simulate(changed, tmp_path / "r", scored(0.1, 0.1, 0.1, 0.1))
    assert origins(conductor) == "bk" + "s" * 10 + "k" + "s" + "kk"
    proposals = [trial for trial in conductor.trials.values() if trial.origin == "sampled"]
    assert [trial.sentinel for trial in proposals] == [True, False] * 5 + [True]
    assert sum(trial.sentinel for trial in conductor.trials.values()) == 6


@pytest.mark.parametrize("name", ["tpe", "random", "qmc"])
def test_they_come_first_with_other_searchers(tmp_path, name):
    bad = scored(0.1, 0.1, 0.1, 0.1)
    conductor = simulate(given(8, searcher={"name": name}), tmp_path / "r", bad)
    assert origins(conductor) == "kkkk" + "ssss"


def test_a_killed_search_goes_on_with_the_same_ones(tmp_path):
    curve = scored(0.1, 0.9, 0.1, 0.1)
    whole = simulate(given(25), tmp_path / "whole", curve)
    for epochs in (3, 31, 17):
        simulate(given(25), tmp_path / "killed", curve, stop_after=epochs)
    killed = simulate(given(25), tmp_path / "killed", curve)
    assert [(t.origin, t.values) for t in killed.trials.values()] == [
        (t.origin, t.values) for t in whole.trials.values()
    ]
