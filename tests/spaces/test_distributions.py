"""Distributions and conditions: what they accept, what they refuse, what they contain."""

import pytest

from tune_robust.spaces.distributions import (
    Choice,
    Int,
    LogUniform,
    parse_condition,
    parse_distribution,
)


@pytest.mark.parametrize(
    ("given", "inside", "outside"),
    [
        ({"uniform": [0, 1]}, [0, 0.5, 1.0], [-0.1, 1.1, "0.5", True, None]),
        ({"log_uniform": [0.01, 1.0]}, [0.01, 1], [0.0, 2]),
        ({"int": [0, 20]}, [0, 20], [21, 0.5, True]),
        ({"log_int": [1, 64]}, [1, 64], [0]),
        ({"choice": ["sam", None, 1]}, ["sam", None, 1], [True, "sgd"]),
        ({"grid": [0.1, 0.5]}, [0.1], [0.3, "0.1"]),
    ],
)
def test_a_distribution_knows_what_it_contains(given, inside, outside):
    distribution = parse_distribution(given)
    assert distribution.document() == given
    assert all(distribution.contains(value) for value in inside)
    assert not any(distribution.contains(value) for value in outside)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "expected exactly one of uniform"),
        ({"uniform": [0, 1], "int": [0, 1]}, "expected exactly one of uniform"),
        ({"loguniform": [0.1, 1]}, "there is no distribution 'loguniform'. Did you mean 'log_uni"),
        ({"uniform": 3}, r"found uniform: 3; expected two numbers"),
        ({"uniform": [1, 2, 3]}, r"expected two numbers"),
        ({"uniform": [0, "1"]}, r"expected two numbers"),
        ({"uniform": [0, float("inf")]}, r"expected two numbers"),
        ({"uniform": [1, 1]}, "expected low < high"),
        ({"log_uniform": [0, 1]}, "expected low > 0"),
        ({"log_int": [0, 8]}, "expected low > 0"),
        ({"int": [0, 1.5]}, "expected two whole numbers"),
        ({"choice": []}, "expected a list of values"),
        ({"choice": "sam"}, "expected a list of values"),
        ({"choice": [[1, 2]]}, "expected text, numbers"),
        ({"choice": ["sam", "sam"]}, "found 'sam' twice"),
        ({"grid": ["a"]}, "expected numbers"),
    ],
)
def test_a_wrong_distribution_says_what_is_allowed(given, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        parse_distribution(given)


def test_probes_stand_on_both_sides_of_every_cut():
    probes = LogUniform(low=0.1, high=1.0).probes([0.5, 7.0])
    assert {0.1, 0.5, 1.0} <= set(probes)
    assert any(0.1 < probe < 0.5 for probe in probes)
    assert any(0.5 < probe < 1.0 for probe in probes)
    assert Int(low=0, high=20).probes([5]) == (0, 4, 5, 6, 20)
    assert Choice(values=("a", "b")).probes([5]) == ("a", "b")


@pytest.mark.parametrize(
    ("given", "holds", "fails"),
    [
        ("sam", ["sam"], ["sgd", None]),
        (1, [1], [True, 2]),
        (["sam", "saner"], ["sam", "saner"], ["sgd"]),
        ({"below": 1.0}, [0, 0.99], [1.0, "a", None]),
        ({"above": 0}, [0.1], [0, -1, True]),
        ({"above": 0.2, "below": 0.4}, [0.3], [0.2, 0.4]),
        ({"not": "sgd"}, ["sam", None], ["sgd"]),
        ({"not": ["sgd", "sam"]}, ["saner"], ["sgd", "sam"]),
    ],
)
def test_a_condition_holds_where_it_says(given, holds, fails):
    condition = parse_condition(given)
    assert all(condition.holds(value) for value in holds)
    assert not any(condition.holds(value) for value in fails)
    assert parse_condition(condition.document()) == condition


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"belw": 1}, "there is no condition 'belw'. Did you mean 'below'"),
        ({"below": "x"}, "found below: 'x'; expected a number"),
        ({}, "empty condition"),
        ([], "expected a value"),
        ([[1]], "expected a value"),
    ],
)
def test_a_wrong_condition_says_what_is_allowed(given, message):
    with pytest.raises(ValueError, match=message):
        parse_condition(given)


@pytest.mark.parametrize(
    "given", [{"int": [0, 2**53 + 2]}, {"log_int": [1, 2**60]}, {"uniform": [0, 10**400]}]
)
def test_numbers_that_no_float_tells_apart_are_refused(given):
    with pytest.raises(ValueError, match=r"at most 2\^53|expected two numbers"):
        parse_distribution(given)
