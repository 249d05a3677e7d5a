import math

import pytest

from analysis.report.summary import find_answer
from analysis.stored.run import load_run


def test_the_answer_sums_the_run_up(search_run):
    answer = find_answer(search_run)
    trials = search_run.trials.set_index("trial")
    assert not answer.winner.is_baseline
    assert answer.winner.score == trials.query("status == 'done'")["objective"].max()
    assert set(answer.winner.settings) == {"sam.rho", "saner.alpha"}
    assert answer.baseline.label == "sgd"
    assert answer.gain == pytest.approx(answer.winner.score - trials.loc["t0001", "objective"])
    assert answer.test_gain > 0.2
    assert sum(answer.counts.values()) == 24
    assert answer.waiting == 0
    assert answer.spent == trials["gradient_evaluations"].sum()
    assert answer.ceiling == pytest.approx(0.5)
    assert answer.error == pytest.approx(math.sqrt(0.5 * 0.5 / 360), rel=0.01)


def test_stopping_saves_what_the_trial_would_have_used(build):
    run = build.load(
        [
            build.trial(1, {"sam.rho": 0.5}),
            build.trial(2, {"sam.rho": 0.1}, status="stopped", epochs=10),
            build.trial(3, {}, status="stopped", epochs=10, passes=1),
        ]
    )
    assert find_answer(run).saved == 60 + 30


def test_a_stopped_trial_ahead_of_the_winner_is_told(build):
    run = build.load(
        [
            build.trial(1, {}, good=0.1),
            build.trial(2, {}, good=0.9, status="stopped", epochs=30),
            build.trial(3, {}, good=0.9, status="stopped", epochs=3),
        ]
    )
    assert find_answer(run).stopped_ahead == ["t0002"]


def test_diagnostics_are_read_where_the_objective_counts(build):
    space = build.space(objective={"metric": "val_accuracy", "mode": "max", "at": "best"})
    run = build.load([build.trial(1, {}, good=0.0)], space=space)
    epochs = run.epochs
    best = epochs.loc[epochs["val_accuracy"].idxmax()]
    assert best["epoch"] < 40
    assert find_answer(run).winner.test_accuracy == best["test_accuracy"]


def test_an_unfinished_run_counts_what_is_still_to_come(build):
    trials = [build.trial(1, {}), build.trial(2, {}, status="running", epochs=3)]
    assert find_answer(build.load(trials)).waiting == 23
    grid = build.space(searcher={"name": "grid"})
    assert find_answer(build.load(trials, name="grid", space=grid)).waiting == 1


def test_the_commands_name_a_run_in_the_default_storage(build, monkeypatch):
    path = build.write(build.search(6), name="first")
    monkeypatch.chdir(path.parent.parent)
    answer = find_answer(load_run("runs/first"))
    assert answer.commands == [
        "tune-robust confirm first",
        "tune-robust export first --top 1",
        f"tune-robust train --config runs/first/exported/1_{answer.winner.trial}.yaml",
    ]


def test_the_commands_quote_a_path_elsewhere(build):
    path = build.write([build.trial(1, {}, status="running")], name="my run")
    assert find_answer(load_run(path)).commands == [
        f"tune-robust status '{path}'",
        f"tune-robust resume '{path}'",
    ]
