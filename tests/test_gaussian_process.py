"""The model: its gradient, what it learns from whom, and what stays as it was."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from tune_robust.gaussian_process import GaussianProcess, Looks, _Likelihood

ONE = np.zeros(1, int)


def looks_of(points, budgets, values, trials=None):
    numbers = np.arange(len(points)) if trials is None else np.array(trials)
    columns = np.array(points, float).reshape(len(points), -1)
    return Looks(
        columns, np.array(budgets, float), numbers, np.array(values, float), np.zeros(len(points))
    )


def drawn(n, features=3, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.random((n, features))
    budgets = rng.choice([1 / 3, 1.0], n)
    values = points[:, 0] + rng.normal(0, 0.1, n)
    return Looks(points, budgets, rng.integers(n, size=n), values, np.zeros(n))


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
