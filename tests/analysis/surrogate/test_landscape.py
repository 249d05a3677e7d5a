"""The model of a metric over all searched dimensions: conditions, choices, bounds, old runs."""

import numpy as np
import pandas as pd
import pytest

from analysis.surrogate.features import UNUSED, Choice, varied
from analysis.surrogate.landscape import fit_landscape

METHODS = {
    "method": {"choice": ["sam", "asam", "sgd"]},
    "optimizer.lr": {"log_uniform": [0.01, 1.0]},
    "sam.rho": [
        {"log_uniform": [0.05, 2.0], "when": {"method": "sam"}},
        {"log_uniform": [0.5, 20.0], "when": {"method": "asam"}},
    ],
}


def of_methods(build, count=48):
    """Trials of three methods, of which SAM is the best and only it depends on rho."""
    draw = np.random.default_rng(0)
    trials = []
    for number in range(1, count + 1):
        method, place = ["sam", "asam", "sgd"][number % 3], draw.uniform()
        values = {"method": method, "optimizer.lr": float(10 ** draw.uniform(-2, 0))}
        if method != "sgd":
            low, high = (0.05, 2.0) if method == "sam" else (0.5, 20.0)
            values["sam.rho"] = float(low * (high / low) ** place)
        good = {"sam": 0.9 - 0.6 * place, "asam": 0.4, "sgd": 0.1}[method]
        trials.append(build.trial(number, values, good=good))
    return build.load(trials, space=build.space(search=METHODS))


def test_each_alternative_of_a_path_has_a_feature_of_its_own(build):
    land = fit_landscape(of_methods(build))
    names = [(each.path, each.width) for each in land.dimensions]
    assert names == [("method", 3), ("optimizer.lr", 1), ("sam.rho", 1), ("sam.rho", 1)]
    features = land.features(land.trials)
    method = land.trials["method"].to_numpy()
    assert (features[method != "sam", 4] == UNUSED).all()
    assert (features[method != "asam", 5] == UNUSED).all()
    assert features[method == "asam", 5].min() >= 0


def test_one_model_knows_all_methods(build):
    run = of_methods(build)
    land = fit_landscape(run)
    settings = {"optimizer.lr": [0.1] * 4, "method": ["sam", "sam", "asam", "sgd"]}
    asked = pd.DataFrame({**settings, "sam.rho": [0.06, 1.8, 1.8, np.nan]})
    good, bad, asam, sgd = land.of(asked).mean
    assert good > asam > sgd
    assert good > bad + 0.03


@pytest.mark.parametrize(
    "metric", ["val_accuracy", "test_accuracy", "val_loss", "generalization_gap"]
)
def test_predictions_are_possible_values(build, metric):
    run = build.load(build.search(30))
    run.epochs["generalization_gap"] = run.epochs["clean_fit"] - run.epochs["test_accuracy"]
    land = fit_landscape(run, metric)
    draw = np.random.default_rng(0)
    points = draw.uniform(-0.5, 1.5, (50, 2))
    found = land.at(points)
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    lowest, highest = {
        "val_accuracy": (0, 0.5),  # half of the labels are wrong
        "val_loss": (0, np.inf),
        "generalization_gap": (-1, 1),
    }.get(metric, (0, 1))
    assert lowest <= found.low.min()
    assert found.high.max() <= highest


def test_intervals_are_nested_and_those_of_few_images_wider(build):
    search = {"sam.rho": {"log_uniform": [0.05, 2.0]}}
    trials = [
        build.trial(n, {"sam.rho": float(rho)}, good=0.9 - 0.02 * n)
        for n, rho in enumerate(np.geomspace(0.06, 1.9, 20), 1)
    ]
    widths = {}
    for images in (100, 100_000):
        run = build.load(trials, space=build.space(search=search), name=str(images))
        run.meta["images"]["validation"] = images
        land = fit_landscape(run)
        points = land.features(land.trials)
        half, most = land.interval(points, 0.5), land.interval(points, 0.9)
        assert (most[0] < half[0]).all()
        assert (half[1] <= most[1]).all()
        widths[images] = (half[1] - half[0]).mean()
    assert widths[100_000] < 0.7 * widths[100]


def test_a_stopped_trial_counts_as_far_as_it_was_trained(build):
    """The stopped trials are behind only because they were stopped."""
    rhos = np.geomspace(0.06, 1.9, 16)
    ends = [{}, {"status": "stopped", "epochs": 10}]
    trials = [
        build.trial(n, {"sam.rho": rho}, good=0.9, **ends[n % 2]) for n, rho in enumerate(rhos, 1)
    ]
    space = build.space(search={"sam.rho": {"log_uniform": [0.05, 2.0]}})
    run = build.load(trials, space=space)
    found = fit_landscape(run).of(run.trials)
    assert np.ptp(found.mean) < 0.03
    assert found.mean.min() > run.trials.loc[run.trials["status"] == "stopped", "objective"].max()


def test_a_mean_over_seeds_is_more_certain_than_one_trial(build):
    search = {"sam.rho": {"log_uniform": [0.05, 2.0]}}
    trials = [
        build.trial(n, {"sam.rho": rho}) for n, rho in enumerate(np.geomspace(0.06, 1.9, 12), 1)
    ]
    once = build.load(trials, space=build.space(search=search), name="once")
    often = build.load(trials, space=build.space(search=search), name="often")
    often.trials["seeds"] = 100
    at = once.trials.iloc[:3]
    assert (fit_landscape(often).of(at).deviation <= fit_landscape(once).of(at).deviation).all()


def test_a_distribution_of_another_version_is_a_choice_of_what_was_tried():
    trials = pd.DataFrame({"sam.rho": [0.1, 0.3, 0.1]})
    [dimension] = varied({"sam.rho": {"beta": [1, 2]}}, trials)
    assert dimension == Choice("sam.rho", (0.1, 0.3))


def test_three_settings_are_too_few_and_equal_scores_show_nothing(build):
    trials = [build.trial(n, {"sam.rho": 0.1 * n, "saner.alpha": 0.5}) for n in range(1, 4)]
    assert fit_landscape(build.load(trials, name="few")) is None
    run = build.load(build.search(12), name="equal")
    run.epochs["val_accuracy"] = 0.1
    assert fit_landscape(run) is None


def test_the_interval_reaches_the_best_possible_score(build):
    """Many trials without a single mistake: a further one is no surprise."""
    run = build.load(build.search(24))
    best = run.trials["trial"].isin(run.trials["trial"].tail(18))
    run.epochs["test_accuracy"] = np.where(
        run.epochs["trial"].isin(run.trials["trial"][best]), 1.0, 0.97
    )
    land = fit_landscape(run, "test_accuracy")
    high = land.interval(land.features(run.trials[best]), 0.5)[1]
    assert (high == 1.0).mean() > 0.9
