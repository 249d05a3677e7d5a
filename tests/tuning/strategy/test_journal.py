"""Optuna's storage on a file of the run's: what waits to be asked for, and what it tells."""

import optuna
import pytest
from optuna.trial import TrialState

from tune_robust.tuning.strategy.journal import DerivedStorage


@pytest.fixture
def study(tmp_path):
    storage = DerivedStorage(tmp_path / "study.journal")
    return optuna.create_study(study_name="s", storage=storage)


def waiting(study):
    return [t.number for t in study.get_trials(states=(TrialState.WAITING,))]


def test_what_is_enqueued_is_asked_for_first_and_in_its_order(study):
    study.ask()
    study.enqueue_trial({"x": 0.25})
    study.enqueue_trial({"x": 0.75})
    assert waiting(study) == [1, 2]
    assert [study.ask().suggest_float("x", 0, 1) for _ in range(2)] == [0.25, 0.75]
    assert waiting(study) == []
    assert study.ask().number == 3


def test_all_else_is_told_as_optuna_tells_it(study, tmp_path):
    for value in (0.5, 0.25):
        trial = study.ask()
        trial.report(value, 1)
        study.tell(trial, value)
    study.ask()
    file = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.journal"))
    same = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(file))
    assert study.get_trials() == same.get_trials()
    for states in ((TrialState.COMPLETE,), (TrialState.RUNNING, TrialState.COMPLETE)):
        assert study.get_trials(states=states) == same.get_trials(states=states)
    assert study.best_value == 0.25
