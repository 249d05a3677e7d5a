"""Where a search stands, from its trials alone."""

import pytest

from tests.search.simulated import peak, simulate, space, store_at
from tune_robust.search.runs.standing import Standing
from tune_robust.search.runs.store import RunFolder, read_trials


def standing(path, **changes):
    return Standing(space(**changes), read_trials(RunFolder(path)))


def test_a_finished_search_has_nothing_left(tmp_path):
    simulate(space(), tmp_path / "r")
    found = standing(tmp_path / "r")
    assert (found.ended, found.remaining, found.left) == (12, 0, 0)
    assert found.counts["done"] + found.counts["stopped"] == 12
    epochs = sum(max(trial.epochs) for trial in found.trials.values())
    assert found.spent == 2 * epochs  # a SAM epoch is two gradient evaluations
    assert found.best.status == "done"


def test_half_way_the_rest_is_taken_to_cost_what_ended_trials_did(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=13)
    found = standing(tmp_path / "r")
    ended = [t for t in found.trials.values() if t.status in {"done", "stopped"}]
    under_way = [t for t in found.trials.values() if t.status == "interrupted"]
    assert len(under_way) == 1
    mean = sum(2 * max(t.epochs) for t in ended) / len(ended)
    begun = 2 * max(under_way[0].epochs)
    assert found.left == pytest.approx(mean * (12 - len(found.trials)) + max(0, mean - begun))
    assert found.counts["pending"] == 12 - len(found.trials)


def test_before_any_trial_has_ended_nothing_is_foretold(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=3)
    found = standing(tmp_path / "r")
    assert (found.left, found.ended, found.spent) == (None, 0, 6)


def test_what_was_stopped_or_failed_leads_only_when_nothing_else_does(tmp_path):
    def curve(trial, epoch):
        return float("nan") if trial.number == 0 and epoch == 2 else peak(trial, epoch) / 10

    simulate(space(), tmp_path / "r", curve)
    assert standing(tmp_path / "r").best.status == "done"
    store = store_at(tmp_path / "fresh", space())
    assert Standing(space(), store.trials).best is None
    store.close()
