import numpy as np

from analysis.surrogate.gaussian_process import Surrogate


def test_it_follows_the_data_and_knows_where_it_has_none():
    x = np.linspace(0, 0.5, 12)[:, None]
    surrogate = Surrogate(x, np.sin(6 * x[:, 0]), budget=False)
    mean, deviation, doubt = surrogate.predict(np.array([[0.25], [1.0]]))
    assert abs(mean[0] - np.sin(1.5)) < 0.05
    assert deviation[1] > 5 * deviation[0]
    assert doubt[0] < 0.2 < doubt[1] <= 1


def test_the_deviation_leaves_out_the_luck_of_a_single_trial():
    draw = np.random.default_rng(0)
    x = draw.uniform(size=(200, 1))
    surrogate = Surrogate(x, draw.normal(size=200), budget=False)
    _, deviation, _ = surrogate.predict(np.array([[0.5]]))
    assert deviation[0] < 0.5


def test_equal_data_give_an_equal_fit():
    x = np.random.default_rng(0).uniform(size=(300, 3))
    values = x[:, 0] + x[:, 1] ** 2
    first, second = (Surrogate(x, values, budget=True).predict(x[:5])[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_equal_values_are_expected_everywhere():
    mean, _, _ = Surrogate(np.eye(4), np.full(4, 0.3), budget=False).predict(np.eye(4))
    np.testing.assert_allclose(mean, 0.3)
