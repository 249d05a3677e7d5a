import pytest

from analysis import calibration, groups, groups_data, law_weights, law_weights_data, sals_epsilon

GROUPS = {"group_a": 0.5, "group_b": 0.35, "group_c": 0.15}
WEIGHTS = {"law_weight_clean": 0.9, "law_weight_noisy": 0.4}


def test_the_best_trial_that_recorded_it_is_shown(build):
    run = build.load(
        [
            build.trial(1, {}, good=0.9),
            build.trial(2, {}, good=0.3, extra=GROUPS),
            build.trial(3, {}, good=0.6, extra=GROUPS),
        ]
    )
    points = groups_data(run)
    assert set(points["trial"]) == {"t0003"}
    assert set(points["metric"]) == set(GROUPS)
    assert len(groups(run).data) == 3


def test_weights_of_correct_and_wrong_labels(build):
    run = build.load([build.trial(1, {}, extra=WEIGHTS)])
    assert law_weights_data(run).groupby("metric")["value"].last().to_dict() == WEIGHTS
    assert [trace.name for trace in law_weights(run).data] == ["correct labels", "wrong labels"]


@pytest.mark.parametrize("figure", [groups, law_weights, sals_epsilon, calibration])
def test_what_nobody_recorded_is_said(search_run, figure):
    assert "No trial" in figure(search_run).layout.annotations[0].text


def test_calibration_of_every_method(build):
    run = build.load(
        [
            build.trial(1, {}, method="sam", extra={"test_ece": 0.1}),
            build.trial(2, {}, method="sgd", extra={"test_ece": 0.3}),
        ]
    )
    assert {trace.name for trace in calibration(run).data} == {"sam", "sgd"}
