import pytest

from analysis import (
    alignment,
    alignment_data,
    calibration,
    groups,
    groups_data,
    law_weights,
    law_weights_data,
    noise_ratios,
    noise_ratios_data,
    sals_epsilon,
    sals_sharpness,
    sals_sharpness_data,
)

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


def test_each_cell_of_a_grid_has_its_panel(build):
    search = {"law.shape": {"choice": ["linear", "power"]}}
    trials = [
        build.trial(n, {"law.shape": shape}, method="law", extra=WEIGHTS)
        for n, shape in enumerate(("linear", "power"), 1)
    ]
    run = build.load(trials, space=build.space(search=search, searcher={"name": "grid"}))
    assert set(law_weights_data(run)["trial"]) == {"t0001", "t0002"}
    titles = [note.text for note in law_weights(run).layout.annotations]
    lines = [line for title in titles for line in title.split("<br>")]
    assert any("law.shape linear" in title.replace("</b><br><b>", " ") for title in titles)
    assert max(map(len, lines)) <= len("<b></b>") + 34  # no wider than a narrow picture


PROBED = {"p_r_a": 0.8, "p_r_b": 1.4, "p_r_c": 1.1}
ALIGNED = {"gradient_sign_agreement": 0.6, "gradient_cosine": -0.2}
SHARP = {"sals_sharpness": 2.0, "sals_mean_sharpness": 1.5}


@pytest.mark.parametrize(
    ("data", "recorded"),
    [(noise_ratios_data, PROBED), (alignment_data, ALIGNED), (sals_sharpness_data, SHARP)],
)
def test_what_the_papers_figures_show_is_drawn(build, data, recorded):
    run = build.load([build.trial(1, {}, extra=recorded)])
    assert data(run).groupby("metric")["value"].last().to_dict() == recorded


FIGURES = [groups, law_weights, sals_epsilon, calibration, noise_ratios, alignment, sals_sharpness]


@pytest.mark.parametrize("figure", FIGURES)
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


def test_a_cosine_is_no_percentage_and_there_are_no_half_epochs(build):
    run = build.load([build.trial(1, {}, extra=ALIGNED, epochs=2)])
    layout = alignment(run).layout
    assert not layout.yaxis.tickformat
    assert layout.xaxis.dtick == 1
    assert (
        groups(build.load([build.trial(1, {}, extra=GROUPS)], name="r2")).layout.xaxis.dtick is None
    )
