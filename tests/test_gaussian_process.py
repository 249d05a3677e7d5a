"""The model: its gradient, what it learns from whom, and what stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import t

from tune_robust.gaussian_process import FREEDOM, GaussianProcess, Looks, Priors, _Likelihood

ONE = np.zeros(1, int)


def looks_of(points, budgets, values, trials=None):
    numbers = np.arange(len(points)) if trials is None else np.array(trials)
    columns = np.array(points, float).reshape(len(points), -1)
    budgets, values, none = np.array(budgets, float), np.array(values, float), np.zeros(len(points))
    return Looks(columns, budgets, numbers, values, none, none.astype(int))


def drawn(n, features=3, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.random((n, features))
    budgets = rng.choice([1 / 3, 1.0], n)
    values = points[:, 0] + rng.normal(0, 0.1, n)
    return Looks(points, budgets, rng.integers(n, size=n), values, np.zeros(n), np.zeros(n, int))


def test_the_gradient_of_the_likelihood_is_that_of_differences():
    looks, groups = drawn(30, 4), np.array([0, 1, 1, 2])
    likelihood = _Likelihood(looks, groups, looks.values, np.full(len(looks), 0.1))
    at = likelihood.prior[:, 0] + np.linspace(-0.5, 0.5, 6)
    error = check_grad(lambda p: likelihood(p)[0], lambda p: likelihood(p)[1], at)
    assert error < 1e-4 * np.linalg.norm(likelihood(at)[1])


def test_it_finds_the_dimension_that_matters():
    looks = drawn(60)
    model = GaussianProcess(looks, np.arange(3))
    grid = np.linspace(0, 1, 9)
    along, aside = np.full((9, 3), 0.5), np.full((9, 3), 0.5)
    along[:, 0], aside[:, 1] = grid, grid
    assert np.ptp(model.predict(along)[0]) > 0.6
    assert np.ptp(model.predict(aside)[0]) < 0.2


def test_it_learns_from_stopped_trials_where_the_end_is_better():
    grid = np.linspace(0, 1, 12)
    half = np.where(grid > 0.5, 1.0, 1 / 3)  # none below 0.5 was seen at the end
    progress = np.where(half == 1.0, 0.3, 0.0)
    model = GaussianProcess(looks_of(grid, half, -((grid - 0.3) ** 2) + progress), ONE)
    mean, _ = model.predict(grid[:, None])
    assert grid[mean.argmax()] == pytest.approx(0.3, abs=0.1)


def test_looks_at_one_trial_say_less_than_looks_at_several():
    values = [1.0, 1.1, 0.9, 1.0, 0.0, 0.1]
    place = [0.1, 0.1, 0.1, 0.1, 0.9, 0.9]
    several = GaussianProcess(looks_of(place, np.ones(6), values), ONE)
    one = GaussianProcess(looks_of(place, np.ones(6), values, [0, 0, 0, 0, 1, 1]), ONE)
    at = np.array([[0.1]])
    assert one.predict(at)[1] > several.predict(at)[1]


def test_imagined_trials_leave_the_mean_and_lower_the_deviation():
    model = GaussianProcess(drawn(20), np.arange(3))
    at = np.array([[0.9, 0.5, 0.5]])
    mean, deviation = model.predict(at)
    model.imagine(at)
    assert model.predict(at)[0] == pytest.approx(mean, abs=0.02)
    assert model.predict(at)[1] < deviation


@pytest.mark.parametrize("n", [1, 2, 600])
def test_any_number_of_looks_is_fitted_twice_the_same(n):
    looks = drawn(n)
    at = drawn(5, seed=1).points
    first, second = (GaussianProcess(looks, np.arange(3)).predict(at) for _ in range(2))
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("values", [[1.0] * 8, [1e9, 0, 0, 0, 0, 0, 0, -1e9], [1e-12, 0] * 4])
def test_equal_and_extreme_values_are_fitted(values):
    points = np.linspace(0, 1, 8)
    model = GaussianProcess(looks_of(points, np.ones(8), values), ONE)
    assert np.isfinite(model.predict(points[:, None])).all()


def test_of_many_looks_the_best_are_kept():
    looks = drawn(700)
    kept = looks.bounded(100)
    assert len(kept) == 100
    assert set(np.sort(looks.values)[-50:]) <= set(kept.values)
    assert len(looks.bounded(700)) == 700


def plain(points, values, errors=0.0):
    looks = looks_of(points, np.ones(len(points)), values)
    return replace(looks, errors=np.full(len(looks), errors))


def test_what_is_expected_follows_the_values_and_is_doubted_far_from_them():
    grid = np.linspace(0, 0.5, 12)
    model = GaussianProcess(plain(grid, np.sin(6 * grid)), ONE)
    found = model.expect(np.array([[0.25], [1.0]]))
    assert found.mean[0] == pytest.approx(np.sin(1.5), abs=0.1)
    assert found.deviation[1] > 3 * found.deviation[0]
    assert found.doubt[0] < 0.2 < found.doubt[1] <= 1


def test_the_average_of_groups_is_that_of_their_means_and_less_uncertain():
    model = GaussianProcess(drawn(40), np.arange(3))
    one = np.tile([0.5, 0.1, 0.5], (5, 1))
    one[:, 0] = np.linspace(0, 1, 5)
    other = one.copy()
    other[:, 1] = 0.9
    first, second, both = model.expect(one), model.expect(other), model.expect(one, other)
    assert both.mean == pytest.approx((first.mean + second.mean) / 2)
    assert (both.deviation <= np.maximum(first.deviation, second.deviation)).all()


def test_the_values_before_the_end_count_by_how_much_trials_improve_until_then():
    """Half of the trials were stopped at a third; the level at the end is that of the others."""
    grid = np.linspace(0, 1, 20)
    points, ends = np.concatenate([grid, grid[10:]]), np.repeat([1 / 3, 1.0], [20, 10])
    values = np.concatenate([grid, grid[10:] + 2.0])
    trials = np.concatenate([np.arange(20), np.arange(10, 20)])
    model = GaussianProcess(looks_of(points, ends, values, trials), ONE)
    found = model.expect(np.array([[0.1], [0.9]]))
    assert found.mean == pytest.approx([2.1, 2.9], abs=0.25)


def test_the_known_error_of_the_values_is_not_taken_for_the_effect_of_a_setting():
    draw = np.random.default_rng(0)
    grid, luck = np.linspace(0, 1, 24), draw.normal(0, 1, 24)
    known = GaussianProcess(plain(grid, luck, errors=1.0), ONE)
    unknown = GaussianProcess(plain(grid, luck), ONE)
    at = grid[:, None]
    assert np.ptp(known.expect(at).mean) < 0.7 * np.ptp(unknown.expect(at).mean)
    assert known.noise < unknown.noise


def test_the_spread_is_that_of_each_trial_predicted_from_the_others():
    """Few values, to which the parameters are fitted too, are spread more than the fit says."""
    grid = np.linspace(0, 1, 40)
    smooth = GaussianProcess(plain(grid, np.sin(4 * grid), errors=0.5), ONE)
    assert smooth.spread < 0.8  # nothing of the error that was given
    values = np.sin(4 * grid)
    values[::9] += 5.0
    wild = GaussianProcess(plain(grid, values), ONE, Priors(noise=(-6.0, 0.1), trial=(-6.0, 0.1)))
    assert wild.spread > 1.2


def test_new_values_lie_within_their_intervals_as_often_as_said():
    inside = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        x = draw.uniform(size=(60, 2))
        values = np.sin(4 * x[:, 0]) + 0.3 * draw.normal(size=60)
        looks = looks_of(x[:20], np.ones(20), values[:20])
        model = GaussianProcess(looks, np.arange(2))
        found = model.expect(x[20:])
        half = t.ppf(0.95, FREEDOM) * model.spread * np.hypot(found.deviation, model.noise)
        inside.append((np.abs(values[20:] - found.mean) <= half).mean())
    assert 0.84 < np.mean(inside) < 0.97


def test_draws_have_the_mean_and_the_deviation_of_the_prediction():
    rng = np.random.default_rng(0)
    points = rng.random((20, 2))
    looks = plain(points, np.sin(4 * points[:, 0]))
    model = GaussianProcess(looks, np.array([0, 1]))
    places = rng.random((6, 2))
    mean, deviation = model.predict(places)
    drawn = model.draw(places, rng, draws=20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, atol=0.02)
    close = np.stack([places[0], places[0] + 1e-3])
    assert np.corrcoef(model.draw(close, rng, draws=2000).T)[0, 1] > 0.9


def test_the_noise_is_that_of_trials_with_equal_settings():
    rng = np.random.default_rng(0)
    points = np.repeat(rng.random((20, 1)), 4, axis=0)
    values = 3 * points[:, 0] + rng.normal(0, 0.3, 80)
    model = GaussianProcess(plain(points, values), ONE)
    assert model.noise == pytest.approx(0.3, rel=0.25)
