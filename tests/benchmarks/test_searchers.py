"""Ours and other libraries' searchers are run on the same table, by the same accounting."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def modules():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "search_peers"))
        import searchers
        import table
        import worker

        yield searchers, table, worker


@pytest.fixture(scope="module")
def recorded(modules):
    return modules[0].recording("cifar10n")


@pytest.fixture
def table(modules, recorded, tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(modules[0].table_of(recorded)))
    return modules[1].Table(path)


class Scripted:
    """Proposes the settings of ``order``; pauses each after its first step and resumes it."""

    def __init__(self, table, order, pauses):
        self.table, self.order, self.pauses = table, order, pauses
        self.paused, self.seen = [], []

    def next(self, trial):
        if self.paused:
            return self.paused.pop()
        return self.table.trials[self.order[trial]]["settings"] if trial < len(self.order) else None

    def placed(self, trial, settings):
        assert settings == self.table.trials[self.order[trial]]["settings"]

    def report(self, trial, step, value):
        self.seen.append((trial, step, value))
        if self.pauses and step == 1:
            self.paused.append(trial)
            return "pause"
        return "go on"


def test_the_table_has_every_recorded_trial_and_its_end(modules, recorded, table):
    pool = recorded.pool
    assert len(table.trials) == len(pool.trials) == 68
    assert [trial["curve"][-1] for trial in table.trials] == [
        trial.last["val_accuracy"] for trial in pool.trials
    ]
    assert table.unit * table.steps * len(table.trials) == table.cost


@pytest.mark.parametrize("pauses", [False, True])
def test_compute_counts_until_a_good_trial_has_finished_and_once(modules, table, pauses):
    ends = [trial["curve"][-1] for trial in table.trials]
    best, worst = ends.index(max(ends)), ends.index(min(ends))
    peer = Scripted(table, [worst, best], pauses)
    spent = modules[1].compute_to_target(table, peer)
    assert spent == pytest.approx(2 * table.unit * table.steps / table.cost)
    assert len(peer.seen) == 2 * table.steps


def test_a_searcher_that_ends_too_early_never_gets_there(modules, table):
    ends = [trial["curve"][-1] for trial in table.trials]
    peer = Scripted(table, [ends.index(min(ends))], False)
    assert modules[1].compute_to_target(table, peer) == float("inf")


def test_a_used_trial_is_replaced_by_the_nearest_unused_one(table):
    settings = table.trials[5]["settings"]
    first, second = table.take_nearest(settings), table.take_nearest(settings)
    assert first is table.trials[5]
    assert second is not first
    assert second["settings"]["method"] == settings["method"]


@pytest.mark.parametrize("kind", ["optuna_random", "optuna_hyperband"])
def test_optuna_runs_on_the_table_and_repeats_itself(modules, table, kind, tmp_path):
    _, tables, worker = modules
    path = tmp_path / "table.json"
    found = [
        tables.compute_to_target(t, worker.peer_of(kind, t, 3))
        for t in (tables.Table(path), tables.Table(path))
    ]
    assert found[0] == found[1] > 0


def test_ours_is_a_replay_until_the_target(modules, recorded):
    found = modules[0].ours("random_promotion", recorded, 0)
    assert 0 < found <= 1


def test_a_median_that_was_never_reached_is_null(modules):
    found = modules[0].summary([0.1, float("inf"), float("inf")])
    assert (found["median"], found["low"], found["reached"], found["n"]) == (None, 0.1, 1, 3)
