import numpy as np

from analysis.stored.ranking import baseline, ranking, winner
from analysis.stored.run import load_run

GOOD, BAD = 0.95, 0.1


def test_the_objective_ranks_and_the_baseline_takes_part(build):
    run = build.load(
        [
            build.trial(1, {}, origin="baseline", good=0.5),
            build.trial(2, {"sam.rho": 0.5}, good=GOOD),
            build.trial(3, {"sam.rho": 0.1}, good=BAD),
        ]
    )
    found = ranking(run)
    assert list(found.table["trial"]) == ["t0002", "t0001", "t0003"]
    assert found.basis == "done"
    assert winner(run)["trial"] == "t0002"
    assert baseline(run)["trial"] == "t0001"


def test_only_finished_trials_win(build):
    run = build.load(
        [
            build.trial(1, {}, good=BAD),
            *(
                build.trial(i, {}, good=GOOD, status=status)
                for i, status in enumerate(["stopped", "failed", "running", "interrupted"], 2)
            ),
        ]
    )
    assert list(ranking(run).table["trial"]) == ["t0001"]


def test_stopped_trials_rank_when_none_finished(build):
    run = build.load(
        [
            build.trial(1, {}, good=BAD, status="stopped"),
            build.trial(2, {}, good=GOOD, status="stopped"),
            build.trial(3, {}, good=GOOD, status="failed"),
        ]
    )
    assert ranking(run).basis == "stopped"
    assert winner(run)["trial"] == "t0002"


def test_nobody_wins_before_a_trial_has_ended(build):
    run = build.load([build.trial(1, {}, status="running")])
    assert ranking(run).basis is None
    assert winner(run) is None
    assert baseline(run) is None


def test_a_missing_score_is_last_and_never_wins(build):
    run = build.load([build.trial(i, {}, good=GOOD) for i in (1, 2)])
    run.trials.loc[0, "objective"] = np.nan
    assert list(ranking(run).table["trial"]) == ["t0002", "t0001"]
    run.trials["objective"] = np.nan
    assert winner(run) is None


def test_a_loss_ranks_from_below(build):
    space = build.space(objective={"metric": "val_loss", "mode": "min", "at": "best"})
    run = build.load([build.trial(1, {}, good=BAD), build.trial(2, {}, good=GOOD)], space=space)
    assert winner(run)["val_loss_best"] == run.trials["objective"].min()


def test_test_accuracy_chooses_nothing(build):
    path = build.write([build.trial(i, {}, good=g) for i, g in ((1, BAD), (2, GOOD))])
    run = load_run(path)
    run.trials.loc[run.trials["trial"] == "t0001", ["test_accuracy", "clean_fit"]] = 1.0
    assert winner(run)["trial"] == "t0002"
