"""Which checkpoints stay."""

from dataclasses import replace
from pathlib import Path

from tests.tuning.simulated import simulate, space, trading
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.pareto import pareto_front
from tune_robust.runs.retention import KEPT, Retention
from tune_robust.runs.trial import ENDED


def run_of_nine(path):
    """Trials of every status, each with a checkpoint folder, and the names that should stay."""
    conductor = simulate(space(budget={"trials": 9, "scheduler": "none"}), path)
    trials = list(conductor.trials.values())
    trials[0].status, trials[1].status, trials[2].status = "running", "failed", "stopped"
    for trial in trials:
        Path(RunFolder(path).checkpoints(trial.name)).mkdir(parents=True)
    finished = sorted(trials[3:], key=lambda t: -t.last["val_accuracy"])
    return conductor.space, trials, {trials[0].name, *(t.name for t in finished[:KEPT])}


def left(path):
    return {folder.name for folder in (path / "checkpoints").iterdir()}


def test_only_live_trials_and_the_best_finished_keep_theirs(tmp_path):
    searched, trials, expected = run_of_nine(tmp_path / "r")
    Retention(RunFolder(tmp_path / "r"), searched, [t for t in trials if t.status in ENDED])
    assert left(tmp_path / "r") == expected


def test_ending_one_by_one_leaves_the_same(tmp_path):
    searched, trials, expected = run_of_nine(tmp_path / "r")
    retention = Retention(RunFolder(tmp_path / "r"), searched, [])
    for trial in trials:
        if trial.status in ENDED:
            retention.ended(trial)
    assert left(tmp_path / "r") == expected


def test_the_best_that_were_left_paused_keep_theirs(tmp_path):
    budget = {"trials": 12, "scheduler": "promotion", "grace": 6, "reduction": 2}
    searched = space(budget=budget, searcher={"name": "random"})
    path = tmp_path / "r"
    trials = list(simulate(searched, path, lambda t, e: -t.number).trials.values())
    for trial in trials:
        Path(RunFolder(path).checkpoints(trial.name)).mkdir(parents=True)
    Retention(RunFolder(path), searched, trials)
    kept = [trial for trial in trials if trial.name in left(path)]
    stopped = [trial for trial in trials if trial.status == "stopped"]
    furthest = sorted(stopped, key=lambda t: (t.paused_at, -t.number))[-KEPT:]
    assert {t.name for t in kept if t.status == "stopped"} == {t.name for t in furthest}
    assert len(kept) == 2 * KEPT


def test_repeats_do_not_displace_the_setting_that_they_repeat(tmp_path):
    searched, trials, _ = run_of_nine(tmp_path / "r")
    finished = sorted(trials[3:], key=lambda t: t.last["val_accuracy"])
    best, worst = finished[-1], finished[0]
    repeats = [replace(best, name=f"t{n:04}", repeats=worst.name) for n in range(20, 26)]
    for trial in repeats:
        Path(RunFolder(tmp_path / "r").checkpoints(trial.name)).mkdir(parents=True)
    retention = Retention(RunFolder(tmp_path / "r"), searched, [worst])
    for trial in [*repeats, *finished[1:]]:
        retention.ended(trial)
    assert {worst.name, best.name} <= left(tmp_path / "r")
    assert not {trial.name for trial in repeats} & left(tmp_path / "r")


def test_of_several_objectives_the_front_keeps_its_own(tmp_path):
    searched = trading(budget={"trials": 20, "scheduler": "none"})
    conductor = simulate(searched, tmp_path / "r", lambda t, e: t.number + e)
    trials = list(conductor.trials.values())
    retention = Retention(RunFolder(tmp_path / "r"), searched, [])
    for trial in trials:
        Path(RunFolder(tmp_path / "r").checkpoints(trial.name)).mkdir(parents=True)
        retention.ended(trial)
    assert left(tmp_path / "r") == {t.name for t in pareto_front(trials, searched)}


def test_predictions_stay_unless_the_trial_failed(tmp_path):
    searched, trials, _ = run_of_nine(tmp_path / "r")
    folder = RunFolder(tmp_path / "r")
    retention = Retention(folder, searched, [])
    for trial in trials:
        (Path(folder.predictions) / trial.name).mkdir(parents=True)
        if trial.status in ENDED:
            retention.ended(trial)
    failed = {trial.name for trial in trials if trial.status == "failed"}
    left = {path.name for path in Path(folder.predictions).iterdir()}
    assert failed
    assert left == {trial.name for trial in trials} - failed
