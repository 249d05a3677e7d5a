"""TPE on a bounded number of trials."""

import random
import warnings

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials
from optuna.trial import TrialState

from tune_robust.tuning.strategy import tpe
from tune_robust.tuning.strategy.tpe import BoundedTpe

LIMIT = 60


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    monkeypatch.setattr(tpe, "LIMIT", LIMIT)


def sampler(cls, seed=3):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return cls(seed=seed, n_startup_trials=5, multivariate=True, group=True)


def study_of(ended, *, complete=0.5, direction="maximize", running=3):
    """A study of conditional dimensions, whose pruned trials came to different steps."""
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    chance = random.Random(1)
    for _ in range(ended):
        trial = study.ask()
        value = -abs(drawn(trial)["rho"] - 0.4) + chance.gauss(0, 0.1)
        if chance.random() < complete:
            study.tell(trial, value)
        else:
            if chance.random() < 0.9:
                trial.report(value, chance.choice([1, 3, 9]))
            study.tell(trial, state=TrialState.PRUNED)
    for _ in range(running):
        drawn(study.ask())
    return study


def drawn(trial):
    values = {"rho": trial.suggest_float("rho", 0.0, 1.0)}
    if trial.suggest_categorical("method", ["sam", "saner"]) == "saner":
        values["alpha"] = trial.suggest_float("alpha", 0.0, 1.0)
    return values | trial.params


def proposed(study, cls):
    study.sampler = sampler(cls)
    return drawn(study.ask())


@pytest.mark.parametrize("ended", [0, 3, 20, LIMIT])
def test_up_to_the_limit_it_proposes_what_optunas_does(ended):
    ours, theirs = (proposed(study_of(ended), cls) for cls in (BoundedTpe, TPESampler))
    assert ours == theirs


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("complete", [0.9, 0.1, 0.0])
def test_beyond_it_the_good_trials_are_those_that_optuna_finds_among_all(direction, complete):
    study = study_of(300, complete=complete, direction=direction)
    trials = study.get_trials(deepcopy=False)
    below, _ = _split_trials(study, trials, 25)
    part = tpe._bounded(study)
    seen = part._get_trials()
    assert {t.number for t in below} <= {t.number for t in seen}
    assert _split_trials(part, seen, 25)[0] == below


def test_beyond_it_the_others_are_spread_over_the_search_and_those_that_run_are_seen():
    study = study_of(300)
    numbers = [t.number for t in tpe._bounded(study)._get_trials()]
    assert len(numbers) == LIMIT + 3
    assert numbers[-3:] == [300, 301, 302]
    assert max(b - a for a, b in zip([0, *numbers], numbers, strict=False)) < 30


def test_beyond_it_proposals_still_seek_the_best_values():
    study = study_of(400)
    found = []
    for seed in range(20):
        study.sampler = sampler(BoundedTpe, seed)
        found.append(abs(drawn(study.ask())["rho"] - 0.4))
    assert sum(found) / len(found) < 0.15  # 0.27 by chance


def test_a_study_of_several_objectives_is_seen_whole():
    study = optuna.create_study(directions=["maximize", "minimize"])
    for _ in range(LIMIT + 5):
        trial = study.ask()
        study.tell(trial, [drawn(trial)["rho"], 1.0])
    assert tpe._bounded(study) is study
