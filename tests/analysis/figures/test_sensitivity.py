from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from analysis.figures.sensitivity import (
    _finished_cells,
    _supported,
    sensitivity,
    sensitivity_data,
    sensitivity_info,
)
from analysis.figures.sensitivity_3d import sensitivity_3d
from analysis.stored.ranking import winner


@pytest.fixture(scope="module")
def info(search_run):
    return sensitivity_info(search_run)


def test_the_good_region_is_within_a_point_of_the_best(info):
    good = info.surface.mean[info.margin >= 0]
    best = max(info.surface.mean[cell] for cell in _finished_cells(info.surface))
    assert best - 0.01 <= good.min() < best - 0.005
    assert info.surface.mean[info.margin < 0].mean() < good.mean() - 0.02
    assert (info.surface.doubt[info.margin >= 0] <= 0.5).all()


def test_the_box_bounds_the_region_around_the_best(info):
    low, high = info.box["sam.rho"]
    assert 0.3 < low < 0.55 < high < 1.0


def test_every_good_island_holds_a_finished_trial(build):
    run = build.load(build.search(80))
    info = sensitivity_info(run)
    finished = info.surface.observed.query("status == 'done'")
    rho = info.surface.xs[(info.margin >= 0).any(axis=0)]
    assert finished["sam.rho"].min() < rho.max()
    assert rho.max() < 1.2


def test_a_region_rests_on_two_finished_trials():
    islands = np.array([[0, 1, 1], [0, 0, 2], [3, 0, 2]])
    finished = [(0, 1), (0, 2), (1, 2), (0, 0), (1, 0)]
    assert _supported(islands, finished) == [1]


@pytest.mark.parametrize("seed", range(4))
def test_pure_noise_draws_no_islands_of_one_trial_each(build, seed):
    draw = np.random.default_rng(seed)
    rhos, alphas = np.exp(draw.uniform(np.log(0.05), np.log(1.1), 12)), draw.uniform(0, 1, 12)
    trials = [
        build.trial(i, {"sam.rho": rho, "saner.alpha": alpha}, good=draw.uniform(0.8, 0.9))
        for i, (rho, alpha) in enumerate(zip(rhos, alphas, strict=True), 1)
    ]
    info = sensitivity_info(build.load(trials))
    islands, count = ndimage.label(info.margin >= 0)
    finished = Counter(islands[cell] for cell in _finished_cells(info.surface))
    assert all(finished[island] >= 2 for island in range(1, count + 1))
    assert bool(info.box) == bool(count)


def test_where_nothing_is_good_there_is_no_box(build, monkeypatch):
    # The best of the finished trials is doubted, so that it lies on no island at all.
    monkeypatch.setattr("analysis.figures.sensitivity.SURE", -1.0)
    info = sensitivity_info(build.load(build.search(24)))
    assert info.box == {}
    assert (info.margin < 0).all()


def test_nothing_impossible_is_expected_beside_good_trials(build):
    half = build.load(build.search(40))  # half of the labels are wrong: 50 % is perfect
    table = sensitivity_data(half)
    assert table["expected"].max() <= 0.5
    surface = sensitivity_info(half).surface
    assert surface.high.max() <= 0.5
    assert surface.low.min() >= 0
    p = surface.mean
    assert (surface.deviation >= np.sqrt(p * (1 - p) / 360) * 0.999).all()


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
    assert {"expected", "90% interval", "winner"} <= names


def test_a_trial_at_the_end_of_an_axis_is_drawn(build):
    search = {"sam.rho": {"grid": [0.1, 0.3]}}
    trials = [build.trial(n, {"sam.rho": rho}) for n, rho in enumerate((0.1, 0.3), 1)]
    figure = sensitivity(build.load(trials, space=build.space(search=search)))
    low, high = figure.layout.xaxis.range
    shown = [trace for trace in figure.data if trace.mode == "markers"]
    assert all(low < x < high for trace in shown for x in trace.x)
    assert not any(trace.cliponaxis for trace in shown)
    assert figure.layout.legend.yref == "container"  # clear of what is said above the picture
    assert "a curve needs 4" in figure.layout.annotations[0].text.replace("<br>", " ")


def three_settings(build):
    """Trials of which k is bad above 10, and the best has 5."""
    space = build.space(search={**build.space()["search"], "saner.k": {"int": [0, 20]}})
    draw, trials = np.random.default_rng(0), []
    for number in range(1, 31):
        rho, alpha, k = float(np.exp(draw.uniform(-3, 0.6))), draw.uniform(), number * 7 % 21
        good = float(np.exp(-(np.log(rho / 0.5) ** 2))) - 0.5 * (k > 10)
        values = {"sam.rho": rho, "saner.alpha": alpha, "saner.k": k}
        trials.append(build.trial(number, values, good=max(good, 0.0)))
    return build.load(trials, space=space)


def test_a_surface_says_what_it_shows_of_the_other_settings(build):
    run = three_settings(build)
    averaged, winners = sensitivity(run), sensitivity(run, others="winner")
    assert "averaged over the trials" in averaged.layout.xaxis.title.text
    assert "those of the best trial" in winners.layout.xaxis.title.text
    assert winners.data[0].z.max() > averaged.data[0].z.max() + 0.01
    assert winner(run)["saner.k"] <= 10


def test_without_other_settings_there_is_nothing_to_say(search_run):
    assert "other settings" not in sensitivity(search_run).layout.xaxis.title.text
    assert sensitivity_info(search_run).surface.others is None
    assert sensitivity_info(search_run, others="winner").surface.others is None


def test_single_lucky_trials_make_no_islands(build):
    """alpha and k do nothing, and the scores differ by chance: what is drawn is nearly flat."""
    space = build.space(search={**build.space()["search"], "saner.k": {"int": [0, 20]}})
    draw = np.random.default_rng(3)
    trials = [
        build.trial(
            number,
            {"sam.rho": 0.3, "saner.alpha": draw.uniform(), "saner.k": number * 7 % 21},
            good=float(np.clip(0.8 + 0.1 * draw.normal(), 0, 1)),
        )
        for number in range(1, 25)
    ]
    info = sensitivity_info(build.load(trials, space=space), x="saner.alpha", y="saner.k")
    assert np.ptp(info.surface.mean) < 0.02
    assert info.surface.mean.max() <= 0.5
    good = info.margin >= 0
    assert ndimage.label(good)[1] <= 1
