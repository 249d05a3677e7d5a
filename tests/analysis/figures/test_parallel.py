import numpy as np
import pytest

from analysis import parallel, parallel_data


def test_every_ended_trial_is_a_line_of_positions(search_run):
    lines = parallel_data(search_run)
    ended = search_run.trials["status"].isin(["done", "stopped"])
    searched = search_run.trials["sam.rho"].notna()
    assert len(lines) == (ended & searched).sum()
    assert lines[["sam.rho", "saner.alpha", "val_accuracy"]].stack().between(0, 1).all()


def test_the_winner_is_marked_and_lies_at_the_end_of_the_score(search_run):
    lines = parallel_data(search_run).set_index("kind")
    assert lines.loc["winner", "score"] >= lines.loc["good", "score"].max()


def test_options_and_gaps(build):
    search = {
        "method": {"choice": ["sgd", "sam"]},
        "sam.rho": {"log_uniform": [0.1, 1.0], "when": {"method": "sam"}},
    }
    trials = [
        build.trial(1, {"method": "sgd"}, good=0.1),
        build.trial(2, {"method": "sam", "sam.rho": 0.1}),
        build.trial(3, {"method": "sam", "sam.rho": 1.0}),
    ]
    run = build.load(trials, space=build.space(search=search))
    lines = parallel_data(run).set_index("trial")
    assert lines["method"].nunique() == 2
    assert list(lines["sam.rho"].iloc[1:]) == pytest.approx([0, 1])
    assert np.isnan(lines["sam.rho"].iloc[0])


def test_very_many_trials_are_thinned(build):
    run = build.load(
        [build.trial(i, {"sam.rho": 0.001 * i + 0.05}, epochs=1) for i in range(1, 400)]
    )
    rest = next(trace for trace in parallel(run).data if trace.name == "other trials")
    assert len(rest.x) == 200 * 3  # one setting, the score and the gap behind


def test_nothing_to_compare_is_said(build):
    figure = parallel(build.load([build.trial(1, {"sam.rho": 0.1})]))
    assert "Two trials" in figure.layout.annotations[0].text


def test_many_options_are_labelled_in_two_lines(build):
    names = ["asam", "bootstrap", "mixup", "saner", "saner_slaw", "vasso_saner", "sam", "slaw"]
    trials = [build.trial(n, {"method": m}, good=n / 10) for n, m in enumerate(names, 1)]
    space = build.space(search={"method": {"choice": names}})
    figure = parallel(build.load(trials, space=space))
    shifts = [a.yshift for a in figure.layout.annotations if a.text in names]
    assert sorted(set(shifts)) == [-26, -13]
