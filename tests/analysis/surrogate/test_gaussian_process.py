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


def test_new_values_lie_within_their_intervals_as_often_as_said():
    """With few values, to which the kernel's parameters are fitted too."""
    inside = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        x = draw.uniform(size=(60, 2))
        values = np.sin(4 * x[:, 0]) + 0.3 * draw.normal(size=60)
        surrogate = Surrogate(x[:20], values[:20], budget=False)
        mean, deviation, _ = surrogate.predict(x[20:])
        half = 1.645 * surrogate.of_a_trial(deviation)
        inside.append((np.abs(values[20:] - mean) <= half).mean())
    assert 0.82 < np.mean(inside) < 0.98
