import pytest

from analysis import sweep, sweep_data
from tune_robust.errors import UserError

GRID = {"saner.alpha": {"grid": [0.0, 0.5, 1.0]}, "sam.rho": {"log_uniform": [0.05, 2.0]}}


def grid(build):
    trials = [
        build.trial(i, {"saner.alpha": 0.5 * (i % 3), "sam.rho": 0.1 * i}) for i in range(1, 10)
    ]
    return build.load(trials, space=build.space(search=GRID))


def test_each_value_is_its_best_trials_line(build):
    run = grid(build)
    points = sweep_data(run)
    assert list(dict.fromkeys(points["name"])) == [
        "saner.alpha 0",
        "saner.alpha 0.5",
        "saner.alpha 1",
    ]
    for alpha, trial in points.groupby("name")["trial"].first().items():
        rows = run.trials[run.trials["saner.alpha"] == float(alpha.split()[1])]
        assert trial == rows.loc[rows["objective"].idxmax(), "trial"]


def test_any_searched_setting_may_be_swept(build):
    assert sweep_data(grid(build), "sam.rho")["name"].nunique() == 6


def test_without_a_grid_nothing_is_swept(search_run):
    assert "No setting" in sweep(search_run).layout.annotations[0].text


def test_what_was_not_searched_is_refused(search_run):
    with pytest.raises(UserError, match=r"sam\.rho"):
        sweep(search_run, "sam.roh")


def test_settings_repeated_with_several_seeds_are_averaged_with_their_spread(build):
    search = {"seed": {"grid": [42, 43, 44]}, "saner.alpha": {"grid": [0.0, 1.0]}}
    trials = [build.trial(i, {"saner.alpha": float(i % 2), "seed": 42 + i // 2}) for i in range(6)]
    run = build.load(trials, space=build.space(search=search))
    points = sweep_data(run)
    assert set(points["name"]) == {"saner.alpha 0", "saner.alpha 1"}
    line = points[(points["name"] == "saner.alpha 0") & (points["metric"] == "test_accuracy")]
    same = run.trials.loc[run.trials["saner.alpha"] == 0.0, "trial"]
    assert len(same) == 3
    of_each = run.epochs[run.epochs["trial"].isin(same)].groupby("epoch")["test_accuracy"]
    assert line["value"].tolist() == pytest.approx(of_each.mean().tolist())
    assert line["sd"].tolist() == pytest.approx(of_each.std().tolist())
    drawn = sweep(run)
    assert sum(trace.fill == "toself" for trace in drawn.data) == len(drawn.data) / 2


def test_without_seeds_there_is_no_spread(build):
    assert sweep_data(grid(build))["sd"].isna().all()
