"""Where a search stands, from its trials alone."""

import random
from collections import Counter

import pytest

from tests.tuning.simulated import peak, simulate, space, store_at
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import ENDED


def progress(path, **changes):
    return SearchProgress(space(**changes), read_trials(RunFolder(path)))


def test_a_finished_search_has_nothing_left(tmp_path):
    simulate(space(), tmp_path / "r")
    found = progress(tmp_path / "r")
    assert (found.ended, found.remaining, found.left) == (12, 0, 0)
    assert found.counts["done"] + found.counts["stopped"] == 12
    epochs = sum(max(trial.epochs) for trial in found.trials.values())
    assert found.spent == 2 * epochs  # a SAM epoch is two gradient evaluations
    assert found.best.status == "done"


def test_half_way_the_rest_is_taken_to_cost_what_ended_trials_did(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=13)
    found = progress(tmp_path / "r")
    ended = [t for t in found.trials.values() if t.status in {"done", "stopped"}]
    under_way = [t for t in found.trials.values() if t.status == "interrupted"]
    assert len(under_way) == 1
    mean = sum(2 * max(t.epochs) for t in ended) / len(ended)
    begun = 2 * max(under_way[0].epochs)
    assert found.left == pytest.approx(mean * (12 - len(found.trials)) + max(0, mean - begun))
    assert found.counts["pending"] == 12 - len(found.trials)


def test_before_any_trial_has_ended_nothing_is_foretold(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=3)
    found = progress(tmp_path / "r")
    assert (found.left, found.ended, found.spent) == (None, 0, 6)


def test_it_says_at_every_moment_what_going_through_all_trials_would(tmp_path):
    store = store_at(tmp_path / "r", space())
    found = SearchProgress(space(), store.trials)
    draw = random.Random(0)
    for number in range(40):
        store.add_trial("sampled", {"sam.rho": 0.1}, {"epochs": 400, "seed": number})
    for _ in range(400):
        open_ = [t for t in store.trials.values() if t.status in {"pending", "running"}]
        if not open_:
            break
        trial = draw.choice(open_)
        match draw.choice(["start", "epoch", "epoch", "end"]):
            case "start":
                store.start(trial.name)
            case "epoch":
                epoch = len(trial.epochs) + 1
                metrics = {"val_accuracy": draw.randrange(8) / 8, "gradient_evaluations": epoch}
                store.add_epoch(trial.name, epoch, metrics)
            case "end":
                store.end(trial.name, draw.choice(["done", "stopped", "failed"]))
        assert_as_obvious(found)
    assert found.ended == 40
    store.close()


def assert_as_obvious(found):
    def value(trial):
        return found.objective.value(trial.epochs)

    def worse(trial):
        return found.objective.sort_key(value(trial))

    trials = list(found.trials.values())
    ended = [t for t in trials if t.status in ENDED]
    led = [t for t in trials if value(t) is not None]
    racing = [t for t in led if t.status not in {"stopped", "failed"}]
    assert found.best is min(racing or led, key=worse, default=None)
    assert list(found.best_first()) == sorted(trials, key=worse)
    assert found.under_way() == sorted((t for t in trials if t not in ended), key=worse)
    assert found.ended == len(ended)
    assert found.spent == sum(found.spent_by(trial) for trial in trials)
    counts = Counter(trial.status for trial in trials)
    assert all(found.counts[status] == counts[status] for status in {*counts} - {"pending"})


def test_what_was_stopped_or_failed_leads_only_when_nothing_else_does(tmp_path):
    def curve(trial, epoch):
        return float("nan") if trial.number == 0 and epoch == 2 else peak(trial, epoch) / 10

    simulate(space(), tmp_path / "r", curve)
    assert progress(tmp_path / "r").best.status == "done"
    store = store_at(tmp_path / "fresh", space())
    assert SearchProgress(space(), store.trials).best is None
    store.close()


def test_the_best_setting_counts_by_the_mean_of_its_seeds(tmp_path):
    budget = {"trials": 24, "scheduler": "none", "repeats": "auto"}
    searched = space(budget=budget, searcher={"name": "random"})

    def luck(trial, epoch):
        return 0.3 if trial.repeats else 0.5 + 0.2 * trial.values["saner.alpha"]

    conductor = simulate(searched, tmp_path / "r", luck)
    settings = {}
    for trial in conductor.trials.values():
        settings.setdefault(trial.repeats or trial.name, []).append(trial.last["val_accuracy"])
    assert any(len(scores) > 1 for scores in settings.values())
    best = max(settings, key=lambda name: sum(settings[name]) / len(settings[name]))
    assert conductor.progress.best.name == best
    single = max(conductor.trials.values(), key=lambda trial: trial.last["val_accuracy"])
    assert single.name != best
