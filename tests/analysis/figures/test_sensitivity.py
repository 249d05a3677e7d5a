import numpy as np
import pytest

from analysis.figures.sensitivity import sensitivity, sensitivity_info
from analysis.figures.sensitivity_3d import sensitivity_3d
from analysis.stored.ranking import winner


@pytest.fixture(scope="module")
def info(search_run):
    return sensitivity_info(search_run)


def test_the_good_region_is_within_a_point_of_the_best(search_run, info):
    good = info.surface.mean[info.margin >= 0]
    best = search_run.trials.query("status == 'done'")["objective"].max()
    assert abs(good.min() - (best - 0.01)) < 0.01
    outside = info.surface.mean[(info.margin < 0) & (info.surface.doubt < 0.3)]
    assert outside.mean() < good.mean() - 0.05
    assert (info.surface.doubt[info.margin >= 0] <= 0.5).all()


def test_the_box_bounds_the_region_around_the_best(info):
    low, high = info.box["sam.rho"]
    assert 0.3 < low < 0.55 < high < 0.9


def test_every_good_island_holds_a_finished_trial(build):
    run = build.load(build.search(80))
    info = sensitivity_info(run)
    finished = info.surface.observed.query("status == 'done'")
    rho = info.surface.xs[(info.margin >= 0).any(axis=0)]
    assert finished["sam.rho"].min() < rho.max()
    assert rho.max() < 1.2


def test_the_outline_of_a_diagnostic_is_the_objectives(search_run, info):
    why = sensitivity_info(search_run, "noisy_fit")
    assert why.surface.metric == "noisy_fit"
    np.testing.assert_array_equal(why.margin, info.margin)


def test_the_winner_is_marked(search_run, info):
    assert info.winner == winner(search_run)["trial"]


def test_a_loss_has_its_good_region_at_the_bottom(build):
    space = build.space(objective={"metric": "val_loss", "mode": "min", "at": "last"})
    info = sensitivity_info(build.load(build.search(40), space=space))
    outside = info.surface.mean[info.margin < 0].mean()
    assert info.surface.mean[info.margin >= 0].mean() < outside


@pytest.mark.parametrize("figure", [sensitivity, sensitivity_3d])
@pytest.mark.parametrize("trials", [1, 4, 24])
def test_figures_are_drawn_or_say_why_not(build, figure, trials):
    run = build.load(build.search(trials))
    drawn = figure(run)
    surfaces = [trace for trace in drawn.data if trace.type in ("contour", "surface")]
    said = [note.text for note in drawn.layout.annotations]
    assert bool(surfaces) == (trials == 24)
    assert any("a surface<br>needs" in t or "needs 6" in t for t in said) == (trials < 24)


def test_a_flat_surface_does_not_look_steep(build):
    trials = [
        build.trial(i, {"sam.rho": 0.1 * i, "saner.alpha": (i % 3) / 3}, good=0.9)
        for i in range(1, 10)
    ]
    run = build.load(trials)
    for metric in ("val_accuracy", "val_loss", "noisy_fit"):
        contour = sensitivity(run, metric).data[0]
        assert contour.zmax - contour.zmin > 0.099
        assert contour.z.max() - contour.z.min() < 0.05


def test_one_dimension_is_a_curve_with_a_band(build):
    space = build.space(search={"sam.rho": {"log_uniform": [0.05, 2.0]}})
    rhos = np.geomspace(0.05, 2.0, 10)
    run = build.load([build.trial(i, {"sam.rho": r}) for i, r in enumerate(rhos, 1)], space=space)
    names = {trace.name for trace in sensitivity(run).data}
    assert {"expected", "90% sure", "winner"} <= names
