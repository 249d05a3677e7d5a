import math

import pytest

from analysis.report.summary import summarise


def test_the_answer_sums_the_run_up(search_run):
    summary = summarise(search_run)
    trials = search_run.trials.set_index("trial")
    assert not summary.winner.is_baseline
    assert summary.winner.score == trials.query("status == 'done'")["objective"].max()
    assert set(summary.winner.settings) == {"sam.rho", "saner.alpha"}
    assert summary.baseline.label == "sgd"
    assert summary.gain == pytest.approx(summary.winner.score - trials.loc["t0001", "objective"])
    assert summary.test_gain > 0.2
    assert sum(summary.counts.values()) == 24
    assert summary.waiting == 0
    assert summary.spent == trials["gradient_evaluations"].sum()
    assert summary.ceiling == pytest.approx(0.5)
    assert summary.error == pytest.approx(math.sqrt(0.5 * 0.5 / 360), rel=0.01)


@pytest.mark.parametrize(("version", "waiting"), [(None, 19), (2, 20)])
def test_baselines_run_beside_the_budgets_trials(build, version, waiting):
    trials = [build.trial(1, {}, origin="baseline"), *(build.trial(n, {}) for n in range(2, 6))]
    space = build.space(**({} if version is None else {"format": version}))
    assert summarise(build.load(trials, space=space)).waiting == waiting


def test_stopping_saves_what_the_trial_would_have_used(build):
    run = build.load(
        [
            build.trial(1, {"sam.rho": 0.5}),
            build.trial(2, {"sam.rho": 0.1}, status="stopped", epochs=10),
            build.trial(3, {}, status="stopped", epochs=10, passes=1),
        ]
    )
    assert summarise(run).saved == 60 + 30


def test_a_stopped_trial_ahead_of_the_winner_is_told(build):
    run = build.load(
        [
            build.trial(1, {}, good=0.1),
            build.trial(2, {}, good=0.9, status="stopped", epochs=30),
            build.trial(3, {}, good=0.9, status="stopped", epochs=3),
        ]
    )
    assert summarise(run).stopped_ahead == ["t0002"]


def test_diagnostics_are_read_where_the_objective_counts(build):
    space = build.space(objective={"metric": "val_accuracy", "mode": "max", "at": "best"})
    run = build.load([build.trial(1, {}, good=0.0)], space=space)
    epochs = run.epochs
    best = epochs.loc[epochs["val_accuracy"].idxmax()]
    assert best["epoch"] < 40
    assert summarise(run).winner.test_accuracy == best["test_accuracy"]


def test_an_unfinished_run_counts_what_is_still_to_come(build):
    trials = [build.trial(1, {}), build.trial(2, {}, status="running", epochs=3)]
    assert summarise(build.load(trials)).waiting == 23
    grid = build.space(searcher={"name": "grid"})
    assert summarise(build.load(trials, name="grid", space=grid)).waiting == 1
