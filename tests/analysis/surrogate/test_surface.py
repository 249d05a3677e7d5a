import numpy as np
import pytest

from analysis.surrogate.surface import fit_surface
from tune_robust.errors import UserError


def at(surface, rho, alpha, part="mean"):
    column = np.abs(np.log(surface.xs / rho)).argmin()
    return getattr(surface, part)[np.abs(surface.ys - alpha).argmin(), column]


def test_rho_and_alpha_span_the_surface(search_run):
    surface = fit_surface(search_run)
    assert (surface.x.path, surface.y.path) == ("sam.rho", "saner.alpha")
    assert surface.mean.shape == surface.doubt.shape == (len(surface.ys), len(surface.xs))
    assert surface.budget == 80
    assert surface.problem is None


def test_the_surface_peaks_where_the_landscape_does(build):
    surface = fit_surface(build.load(build.search(60)))
    assert at(surface, 0.55, 0.2) > 0.47
    assert at(surface, 0.1, 0.5) < at(surface, 0.55, 0.2) - 0.05
    assert at(surface, 1.8, 0.5) < 0.3


def test_a_diagnostic_shows_why(build):
    surface = fit_surface(build.load(build.search(60)), "noisy_fit")
    assert at(surface, 0.55, 0.2) < 0.2
    assert at(surface, 0.1, 0.5) > 0.6


def test_an_early_stop_is_not_taken_for_a_weak_setting(build):
    """Good settings read early score low; at full budget they are expected to be as good."""
    trials = [
        build.trial(i, {"sam.rho": rho, "saner.alpha": 0.1 * i}, good=0.95, **fields)
        for i, (rho, fields) in enumerate(
            [(rho, {}) for rho in np.geomspace(0.06, 0.3, 5)]
            + [(rho, {"status": "stopped", "epochs": 5}) for rho in np.geomspace(0.5, 1.9, 5)],
            1,
        )
    ]
    run = build.load(trials)
    stopped = run.trials.loc[run.trials["status"] == "stopped", "objective"].max()
    assert at(fit_surface(run), 1.0, 0.8) > stopped + 0.1


def test_unexplored_regions_are_doubted(build):
    draw = np.random.default_rng(0)
    trials = [
        build.trial(i, {"sam.rho": rho, "saner.alpha": alpha})
        for i, (rho, alpha) in enumerate(
            zip(draw.uniform(0.4, 0.7, 15), draw.uniform(0, 0.4, 15), strict=True), 1
        )
    ]
    surface = fit_surface(build.load(trials))
    assert at(surface, 0.05, 1.0, "doubt") > 0.5 > 0.3 > at(surface, 0.55, 0.2, "doubt")


def test_failed_trials_lie_on_the_surface_but_do_not_shape_it(build):
    trials = build.search(30)
    clean = fit_surface(build.load(trials, name="a"))
    failed = build.trial(31, {"sam.rho": 0.55, "saner.alpha": 0.5}, status="failed", epochs=2)
    surface = fit_surface(build.load([*trials, failed], name="b"))
    assert "t0031" in set(surface.observed["trial"])
    np.testing.assert_array_equal(surface.mean, clean.mean)


def test_too_few_settings_say_so(build):
    surface = fit_surface(build.load(build.search(4)))
    assert not surface.mean.size
    assert "3 settings with a score so far; a surface needs 6. To add trials, " in surface.problem
    assert surface.problem.endswith(" --trials +3`.")


def test_a_run_without_numbers_says_so(build):
    space = build.space(search={"method": {"choice": ["sam", "saner"]}})
    surface = fit_surface(build.load([build.trial(1, {"method": "sam"})], space=space))
    assert surface.x is None
    assert "No number was searched" in surface.problem


def test_equal_scores_say_so(build):
    run = build.load(build.search(12))
    run.epochs["val_accuracy"] = 0.1
    assert "Every trial has the same validation accuracy" in fit_surface(run).problem


def test_one_number_gives_a_curve(build):
    space = build.space(search={"sam.rho": {"log_uniform": [0.05, 2.0]}})
    rhos = np.geomspace(0.05, 2.0, 10)
    trials = [build.trial(i, {"sam.rho": rho}) for i, rho in enumerate(rhos, 1)]
    surface = fit_surface(build.load(trials, space=space))
    assert surface.y is None
    assert surface.mean.shape == surface.xs.shape


def test_without_favourites_the_most_varied_numbers_are_chosen(build):
    search = {
        "law.gamma": {"grid": [0.5, 0.9]},
        "optimizer.lr": {"log_uniform": [0.01, 1.0]},
        "sals.alpha": {"uniform": [0.0, 1.0]},
    }
    draw = np.random.default_rng(0)
    trials = [
        build.trial(
            i,
            {
                "law.gamma": [0.5, 0.9][i % 2],
                "optimizer.lr": draw.uniform(0.01, 1),
                "sals.alpha": draw.uniform(),
            },
            good=draw.uniform(),
        )
        for i in range(1, 11)
    ]
    run = build.load(trials, space=build.space(search=search))
    assert {fit_surface(run).x.path, fit_surface(run).y.path} == {"optimizer.lr", "sals.alpha"}
    asked = fit_surface(run, None, "law.gamma")
    assert asked.x.path == "law.gamma"


def test_one_surface_shows_one_method(build):
    search = {
        "method": {"choice": ["sam", "asam"]},
        "sam.rho": [
            {"log_uniform": [0.05, 2.0], "when": {"method": "sam"}},
            {"log_uniform": [0.5, 20.0], "when": {"method": "asam"}},
        ],
    }
    trials = [
        build.trial(i, {"method": ["sam", "asam"][i % 2], "sam.rho": 0.1 * i}, good=good)
        for i, good in enumerate([0.1, 0.2, 0.3, 0.95, 0.4, 0.5, 0.6, 0.7, 0.3], 1)
    ]
    surface = fit_surface(build.load(trials, space=build.space(search=search)))
    assert surface.kind == {"method": "sam"}
    assert surface.x.high == 2.0
    assert set(surface.observed["method"]) == {"sam"}


def test_a_setting_that_the_best_method_lacks_is_shown_for_the_best_method_that_has_it(build):
    search = {
        "method": {"choice": ["sam", "saner"]},
        "sam.rho": {"log_uniform": [0.05, 2.0]},
        "saner.alpha": {"uniform": [0, 1], "when": {"method": "saner"}},
    }
    trials = []
    for i in range(1, 25):
        values = {"method": ["sam", "saner"][i % 2], "sam.rho": 0.07 * i}
        if i % 2:
            values["saner.alpha"] = (i * 7 % 24) / 24
        trials.append(build.trial(i, values, good=0.8 - 0.3 * (i % 2)))
    run = build.load(trials, space=build.space(search=search))
    assert fit_surface(run).kind == {"method": "sam"}
    surface = fit_surface(run, None, "sam.rho", "saner.alpha")
    assert surface.kind == {"method": "saner"}
    assert set(surface.observed["method"]) == {"saner"}
    assert (surface.x.path, surface.y.path) == ("sam.rho", "saner.alpha")
    assert surface.problem is None


def test_one_surface_shows_adaptive_perturbations_or_plain_ones(build):
    search = {
        "sam.adaptive": {"choice": [True, False]},
        "sam.rho": [
            {"log_uniform": [0.05, 2.0], "when": {"sam.adaptive": False}},
            {"log_uniform": [0.5, 20.0], "when": {"sam.adaptive": True}},
        ],
    }
    trials = [
        build.trial(i, {"sam.adaptive": i % 2 == 1, "sam.rho": 0.1 * i}, good=i / 12)
        for i in range(1, 12)
    ]
    surface = fit_surface(build.load(trials, space=build.space(search=search)))
    assert surface.kind == {"sam.adaptive": True}
    assert surface.x.low == 0.1  # the axis of the adaptive ones, stretched to its lowest trial
    assert set(surface.observed["sam.adaptive"]) == {True}


def test_a_setting_beyond_the_searched_range_stretches_the_axis(build):
    trials = [*build.search(12), build.trial(13, {"sam.rho": 0.01, "saner.alpha": 0.5})]
    assert fit_surface(build.load(trials)).x.low == pytest.approx(0.01)


def test_a_zero_has_no_place_on_a_log_axis(build):
    trials = [*build.search(12), build.trial(13, {"sam.rho": 0.0, "saner.alpha": 0.5}, good=0.0)]
    assert "t0013" not in set(fit_surface(build.load(trials)).observed["trial"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "sam.roh"), "no numeric searched dimension 'sam.roh'. Did you mean 'sam.rho'"),
        (("test_acuracy",), "no metric 'test_acuracy'. Did you mean 'test_accuracy'"),
    ],
)
def test_unknown_names_are_refused(search_run, arguments, message):
    with pytest.raises(UserError, match=message):
        fit_surface(search_run, *arguments)
