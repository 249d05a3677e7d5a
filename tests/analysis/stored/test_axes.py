import numpy as np
import pytest

from analysis.stored.axes import Axis, axes_of


def test_distributions_become_axes():
    dimensions = axes_of(
        {
            "sam.rho": {"log_uniform": [0.01, 1.0]},
            "saner.k": {"int": [0, 100], "when": {"saner.alpha": {"below": 1.0}}},
            "optimizer.lr": {"grid": [0.001, 0.01, 0.1]},
            "law.gamma": {"choice": [0.5, 0.7, 0.9]},
            "sam.rho_schedule": {"choice": ["constant", "step_decay"]},
            "optimizer.nesterov": {"choice": [True, False]},
            "sam.eta": {"grid": [0.01]},
        }
    )
    assert dimensions == (
        Axis("sam.rho", 0.01, 1.0, log=True),
        Axis("saner.k", 0, 100, whole=True),
        Axis("optimizer.lr", 0.001, 0.1, log=True, options=(0.001, 0.01, 0.1)),
        Axis("law.gamma", 0.5, 0.9, options=(0.5, 0.7, 0.9)),
        Axis("sam.rho_schedule"),
        Axis("optimizer.nesterov"),
        Axis("sam.eta"),
    )


ALTERNATIVES = {
    "sam.rho": [
        {"log_uniform": [0.05, 0.5], "when": {"method": ["sam", "saner"]}},
        {"log_uniform": [0.5, 5.0], "when": {"method": "asam"}},
    ]
}


def test_alternatives_span_one_axis():
    assert axes_of(ALTERNATIVES) == (Axis("sam.rho", 0.05, 5.0, log=True),)


@pytest.mark.parametrize(("method", "low"), [("saner", 0.05), ("asam", 0.5)])
def test_a_kind_keeps_its_own_alternative(method, low):
    (dimension,) = axes_of(ALTERNATIVES, {"method": method})
    assert dimension.low == low


def test_a_kind_drops_what_is_not_drawn_for_it():
    assert axes_of(ALTERNATIVES, {"method": "sgd"}) == ()


@pytest.mark.parametrize(
    ("condition", "method", "drawn"),
    [
        ({"not": "sgd"}, "sgd", False),
        ({"not": "sgd"}, "sam", True),
        ({"not": ["sgd", "asam"]}, "asam", False),
        (["sam", "saner"], "saner", True),
    ],
)
def test_a_condition_means_here_what_it_means_in_the_space(condition, method, drawn):
    search = {"sam.rho": {"uniform": [0.0, 1.0], "when": {"method": condition}}}
    assert bool(axes_of(search, {"method": method})) == drawn


def test_a_numeric_bound_decides_too_and_other_conditions_are_left_open():
    search = {"saner.k": {"int": [0, 9], "when": {"saner.alpha": {"below": 1}, "method": "saner"}}}
    assert axes_of(search, {"saner.alpha": 1.0}) == ()
    assert len(axes_of(search, {"saner.alpha": 0.5})) == 1


def test_what_an_earlier_version_searched_has_no_axis_here():
    search = {"sam.rho": {"uniform": [0.0, 1.0]}, "old.setting": {"zipf": [1, 2]}}
    assert axes_of(search) == (Axis("sam.rho", 0.0, 1.0), Axis("old.setting"))


@pytest.mark.parametrize("log", [False, True])
def test_positions_and_values_are_inverse(log):
    dimension = Axis("x", 0.01, 10.0, log)
    values = np.array([0.01, 0.3, 10.0])
    np.testing.assert_allclose(dimension.from_unit(dimension.to_unit(values)), values)
    np.testing.assert_allclose(dimension.to_unit([0.01, 10.0]), [0, 1], atol=1e-12)


def test_an_axis_covers_what_lies_beyond_it():
    assert Axis("x", 1.0, 2.0).covering(np.array([0.5, 1.5])) == Axis("x", 0.5, 2.0)


def test_the_nearest_setting_is_one_that_may_be_chosen():
    assert Axis("sam.rho", 0.01, 1.0, log=True).nearest(0.123456) == 0.123
    assert Axis("saner.k", 0, 100, whole=True).nearest(7.6) == 8
    grid = Axis("optimizer.lr", 0.001, 0.1, log=True, options=(0.001, 0.01, 0.1))
    assert grid.nearest(0.02) == 0.01
