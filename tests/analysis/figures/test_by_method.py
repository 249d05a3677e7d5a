import pytest

from analysis import best_so_far_by, best_so_far_by_data
from tune_robust.errors import UserError

METHODS = {"method": {"choice": ["sam", "sgd"]}}


def test_each_method_is_set_against_its_own_compute(build):
    trials = [
        build.trial(1, {"method": "sam"}, good=0.2, passes=2),
        build.trial(2, {"method": "sgd"}, good=0.1, passes=1),
        build.trial(3, {"method": "sam"}, good=0.9, passes=2),
        build.trial(4, {"method": "sam"}, good=0.5, passes=2),
    ]
    run = build.load(trials, space=build.space(search=METHODS))
    steps = best_so_far_by_data(run)
    sam = steps[steps["option"] == "sam"]
    assert sam["spent"].tolist() == [80, 160, 240, 240]
    assert sam["best"].is_monotonic_increasing
    assert sam["best"].iloc[1] == sam["best"].iloc[-1]
    assert steps[steps["option"] == "sgd"]["spent"].max() == 40
    assert len(best_so_far_by(run).data) == 2


def test_no_two_of_many_methods_look_alike(build):
    methods = [f"m{n}" for n in range(12)]
    trials = [build.trial(n, {"method": m}, good=0.5) for n, m in enumerate(methods, 1)]
    space = build.space(search={"method": {"choice": methods}})
    lines = best_so_far_by(build.load(trials, space=space)).data
    assert len({(line.line.color, line.line.dash) for line in lines}) == 12


def test_no_choice_is_said(search_run):
    assert best_so_far_by_data(search_run).empty
    assert "No choice" in best_so_far_by(search_run).layout.annotations[0].text


def test_a_number_is_refused(search_run):
    with pytest.raises(UserError, match=r"sam\.rho"):
        best_so_far_by(search_run, "sam.rho")
