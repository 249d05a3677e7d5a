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
    first, second = modules[1].search(table, peer)
    whole = table.unit * table.steps / table.cost
    assert (first.value, second.value) == (min(ends), max(ends))
    assert (first.compute, second.compute) == pytest.approx((whole, 2 * whole))
    assert len(peer.seen) == 2 * table.steps


def test_workers_train_side_by_side_and_share_the_compute(modules, table):
    peer = Scripted(table, [0, 1, 2, 3, 4], pauses=False)
    found = modules[1].search(table, peer, workers=3)
    assert [end.trial for end in found] == [trial["name"] for trial in table.trials[:5]]
    whole = table.unit * table.steps / table.cost
    # The first of three ends one step of each of the others before the third does.
    steps = [round(end.compute * table.cost / table.unit) for end in found]
    assert steps[2] == 3 * table.steps
    assert steps[0] == steps[2] - 2
    assert found[-1].compute == pytest.approx(5 * whole)
    assert [trial for trial, _, _ in peer.seen[:4]] == [0, 1, 2, 0]


def test_a_search_goes_on_for_a_fifth_of_the_compute_after_the_target(modules, table):
    ends = [trial["curve"][-1] for trial in table.trials]
    order = sorted(range(len(ends)), key=lambda n: -ends[n])
    found = modules[1].search(table, Scripted(table, order, pauses=False))
    assert found[0].value == max(ends)
    whole = table.unit * table.steps / table.cost
    assert modules[1].ENOUGH - whole <= found[-1].compute <= modules[1].ENOUGH


def test_a_searcher_is_not_asked_again_once_all_trials_are_used(modules, table):
    class Endless(Scripted):
        """Proposes one trial forever, and counts how often it is asked."""

        asked = 0

        def next(self, trial):
            self.asked += 1
            return self.table.trials[0]["settings"]

        def placed(self, trial, settings):
            pass

    table.target = 2.0  # never reached
    peer = Endless(table, [], pauses=False)
    assert len(modules[1].search(table, peer, workers=4)) == len(table.trials)
    assert peer.asked == len(table.trials) + 1


def test_a_trial_runs_once_at_a_time(modules, table):
    class Impatient(Scripted):
        """Resumes its first trial at once."""

        def next(self, trial):
            return super().next(trial) if trial == 0 else 0

    with pytest.raises(RuntimeError, match="trial 0 is to be resumed while it is running"):
        modules[1].search(table, Impatient(table, [0], pauses=False), workers=2)


def test_a_search_without_a_good_trial_ends_with_the_last(modules, recorded, table):
    ends = [trial["curve"][-1] for trial in table.trials]
    peer = Scripted(table, [ends.index(min(ends))], False)
    [end] = modules[1].search(table, peer)
    found = modules[0].summary(recorded, [[modules[0].Finish(*end)]])
    assert (found["compute"]["median"], found["reached"]) == (None, 0)
    assert found["regret"]["0.2"]["median"] == pytest.approx(max(ends) - min(ends))


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
        tables.search(t, worker.peer_of(kind, t, 3), workers=4)
        for t in (tables.Table(path), tables.Table(path))
    ]
    assert found[0] == found[1] != []


@pytest.mark.parametrize("workers", [1, 4])
def test_ours_is_a_replay_until_the_target(modules, recorded, workers):
    found = modules[0].ours("random_promotion", recorded, 0, workers=workers)
    assert modules[0].summary(recorded, [found])["reached"] == 1
    assert found[-1].compute >= modules[0].ENOUGH - 0.05


def test_without_a_finished_trial_a_seed_counts_as_the_worst(modules, recorded):
    best = max(recorded.pool.trials, key=lambda trial: trial.last["val_accuracy"])
    end = modules[0].Finish(best.name, best.last["val_accuracy"], 0.08)
    found = modules[0].summary(recorded, [[end], [end], []])
    assert (found["reached"], found["n"]) == (2, 3)
    assert (found["compute"]["median"], found["compute"]["high"]) == (0.08, None)
    assert found["regret"]["0.05"]["median"] is None
    assert found["test_accuracy"]["0.05"]["median"] is None
    assert found["regret"]["0.1"] == {**found["regret"]["0.1"], "median": 0.0, "high": None}
    assert found["test_accuracy"]["0.2"]["median"] == best.last["test_accuracy"]


def test_searches_of_earlier_calls_are_not_run_again(modules, recorded, tmp_path, monkeypatch):
    searchers = modules[0]
    task = searchers.Task("cifar10n", "random_promotion", 1)
    path = tmp_path / "results.jsonl"
    first = searchers.Results(path)
    searchers.run(task, first, 2, tmp_path)
    monkeypatch.setattr(searchers, "ours", None)
    again = searchers.Results(path)
    searchers.run(task, again, 2, tmp_path)
    assert again.of(task) == first.of(task)


def test_kept_searches_are_summarised_and_none_is_run(modules, recorded, tmp_path, capsys):
    searchers = modules[0]
    path, figure = tmp_path / "results.jsonl", tmp_path / "curves.svg"
    results = searchers.Results(path)
    for seed in (0, 2):
        end = searchers.Finish(recorded.pool.trials[seed].name, 0.3, 0.1)
        results.add(searchers.Task("cifar10n", "syne_tune_bo", 4), seed, [end])
    options = ["--kept", "--recordings", "cifar10n", "--workers", "1", "4", "--json"]
    tables = tmp_path / "tables.md"
    files = ["--results", str(path), "--figure", str(figure), "--tables", str(tables)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["searchers.py", *options, *files])
        searchers.main()
    document = json.loads(capsys.readouterr().out)
    [row] = document["searches"]
    assert (row["kind"], row["workers"], row["n"]) == ("syne_tune_bo", 4, 2)
    assert (document["missing"], document["n"]) == ([], 2)
    assert "| `cifar10n`, 4 at a time | never [0 of 2] |" in tables.read_text()
    assert "cifar10n, 4 at a time" in figure.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kept"], "name the file with --results"),
        (["--kept", "--results", "none.jsonl"], "none.jsonl has none of these searches"),
        (["--seeds", "0"], "numbers from 1 on"),
        (["--recordings", "digitz"], "invalid choice: 'digitz'"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(
    modules, monkeypatch, capsys, options, message
):
    monkeypatch.setattr("sys.argv", ["searchers.py", "--recordings", "cifar10n", *options])
    with pytest.raises(SystemExit) as stopped:
        modules[0].main()
    assert message in f"{stopped.value} {capsys.readouterr().err}"


def test_a_missing_environment_is_reported(measured, tmp_path):
    arguments = ["--only", "syne_tune_asha", "--recordings", "cifar10n"]
    found = measured("searchers.py", *arguments, "--environments", str(tmp_path))
    assert (found["searches"], found["missing"]) == ([], ["syne_tune_asha"])
