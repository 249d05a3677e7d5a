"""Known points lie in the space; what an override takes out of it is left out."""

import pytest

from tests.tuning.drawing import make_space, problems

POINT = {"sam.rho": 0.1, "saner.alpha": 0.5}
METHODS = {
    "method": {"choice": ["sgd", "sam", "asam"]},
    "sam.rho": [
        {"log_uniform": [0.01, 1], "when": {"method": "sam"}},
        {"log_uniform": [1.5, 10], "when": {"method": "asam"}},
    ],
}


def test_points_may_leave_settings_open():
    assert make_space(known=[POINT, {"sam.rho": 0.2}]).known == (POINT, {"sam.rho": 0.2})


@pytest.mark.parametrize(
    ("point", "path", "message"),
    [
        ({"sam.roh": 0.1}, "sam.roh", "it is not searched. Did you mean 'sam.rho'?"),
        ({"rho": 0.1}, "rho", "it is not searched. Did you mean 'sam.rho'?"),
        ({"sam.rho": 7}, "sam.rho", "found 7; expected a value of log_uniform [0.01, 1]"),
        ({"sam.rho": "0.1"}, "sam.rho", "found '0.1'"),
    ],
)
def test_a_point_outside_is_refused(point, path, message):
    assert message in problems(known=[POINT, point])[f"known.1.{path}"]


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"method": "sgd", "sam.rho": 0.1}, "it is searched only when method=sam or method=asam"),
        ({"sam.rho": 0.1}, "it is searched only when method=sam or method=asam"),
        (
            {"method": "asam", "sam.rho": 0.1},
            "found 0.1; expected a value of log_uniform [1.5, 10]",
        ),
    ],
)
def test_a_point_must_meet_the_conditions(point, message):
    assert message in problems(search=METHODS, known=[point])["known.0.sam.rho"]


def test_the_nearest_choice_is_suggested():
    found = problems(search=METHODS, known=[{"method": "asma", "sam.rho": 2.0}])
    assert found["known.0.method"].endswith("of choice [sgd, sam, asam]. Did you mean 'asam'?")


def test_points_are_not_blamed_for_a_wrong_search():
    search = METHODS | {"method": {"choice": ["sgd", "sam", "asma"]}}
    found = problems(search=search, known=[{"method": "asam", "sam.rho": 2.0}])
    assert set(found) == {"search.method", "known.0.method"}


@pytest.mark.parametrize(
    ("overrides", "left"),
    [
        ([], [POINT, {"sam.rho": 0.3}]),
        (["search.sam.rho={uniform: [0.2, 1]}"], [{"sam.rho": 0.3}]),
        (["search.sam.rho=null", "train.sam.rho=0.1"], [{"saner.alpha": 0.5}]),
        (["search.sam.rho=null", "train.sam.rho=0.7"], []),
    ],
)
def test_what_an_override_takes_out_is_left_out(overrides, left):
    assert list(make_space(*overrides, known=[POINT, {"sam.rho": 0.3}]).known) == left


def test_fixing_the_method_keeps_the_points_of_that_method():
    known = [{"method": "sam", "sam.rho": 0.1}, {"method": "asam", "sam.rho": 2.0}]
    overrides = ("search.method=null", "train.method=asam")
    assert make_space(*overrides, search=METHODS, known=known).known == ({"sam.rho": 2.0},)


def test_narrowing_the_methods_keeps_the_points_of_those_left():
    known = [{"method": "sam", "sam.rho": 0.1}, {"method": "asam", "sam.rho": 2.0}]
    space = make_space("search.method={choice: [sgd, sam]}", search=METHODS, known=known)
    assert space.known == ({"method": "sam", "sam.rho": 0.1},)
