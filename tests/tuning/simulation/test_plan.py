"""What a search will take, by its own scheduler."""

import pytest

from tests.tuning.simulated import space
from tune_robust.tuning.simulation.kinds import drawn_trials, kind_of, kinds_of
from tune_robust.tuning.simulation.plan import checkpoints_bytes, expected_course

METHODS = {
    "method": {"choice": ["sgd", "saner"]},
    "sam.rho": {"log_uniform": [0.01, 1.0], "when": {"method": "saner"}},
}
TRAIN = {"data": {"dataset": "digits"}, "model": {"name": "small_cnn"}, "epochs": 6}


def course(searched, seconds=1.0, at_a_time=1, stopping=True, **given):
    times = dict.fromkeys(kinds_of(searched), seconds)
    return expected_course(searched, times, at_a_time=at_a_time, stopping=stopping, **given)


def test_kinds_are_what_takes_differently_long():
    searched = space(train=TRAIN, search=METHODS, budget={"trials": 20})
    kinds = kinds_of(searched)
    assert {(kind.method, kind.passes) for kind in kinds} == {("sgd", 1), ("saner", 2)}
    assert all(kind_of(config) == kind for kind, config in kinds.items())
    assert {kind.name for kind in kinds} == {
        "sgd, small_cnn, digits",
        "saner, small_cnn, digits",
    }


def test_the_trials_are_baselines_known_points_and_draws():
    known = [{"sam.rho": 0.1, "saner.alpha": 0.5}]
    searched = space(baselines=[{"method": "sgd"}], known=known, budget={"trials": 9})
    trials = list(drawn_trials(searched, 0))
    assert [baseline for baseline, _ in trials] == [True] + [False] * 8
    assert trials[1][1].sam.rho == 0.1
    assert len({config.sam.rho for _, config in trials[1:]}) == 8


def test_a_grid_is_drawn_point_by_point():
    searched = space(
        search={"sam.rho": {"grid": [0.1, 0.2]}, "saner.alpha": {"grid": [0.0, 1.0]}},
        budget={"trials": 99, "scheduler": "none"},
        searcher={"name": "grid"},
    )
    points = [(c.sam.rho, c.saner.alpha) for _, c in drawn_trials(searched, 0)]
    assert points == [(0.1, 0.0), (0.1, 1.0), (0.2, 0.0), (0.2, 1.0)]


@pytest.mark.parametrize(("at_a_time", "seconds"), [(1, 12 * 6), (4, 3 * 6), (5, 3 * 6)])
def test_without_stopping_it_is_all_the_epochs_in_whole_waves(at_a_time, seconds):
    found = course(space(), at_a_time=at_a_time, stopping=False)
    assert found.seconds == seconds
    assert found.gradient_evaluations == 12 * 6 * 2
    assert (found.finished, found.rungs) == (12, ())


def test_methods_take_their_own_time():
    searched = space(train=TRAIN, search=METHODS, budget={"trials": 40, "scheduler": "none"})
    times = {kind: 1.0 if kind.method == "sgd" else 3.0 for kind in kinds_of(searched)}
    found = expected_course(searched, times, at_a_time=1, stopping=False)
    # About half of the trials are 12 epochs of 1 s, the others 6 epochs of 3 s.
    assert found.seconds == pytest.approx(20 * 12 + 20 * 18, rel=0.1)


def test_asha_halves_at_each_rung():
    budget = {"trials": 200, "scheduler": "asha", "grace": 3, "reduction": 2}
    found = course(space(budget=budget))
    assert [rung.resource for rung in found.rungs] == [3, 6]
    first, second = found.rungs
    assert first.reach == 200
    assert first.go_on == second.reach == pytest.approx(100, rel=0.1)
    assert second.go_on == found.finished == pytest.approx(50, rel=0.15)
    # An epoch costs 2: the first rung is met at 4, the second at 6, the end at 12.
    spent = 200 * 4 + first.go_on * 2 + second.go_on * 6
    assert found.gradient_evaluations == pytest.approx(spent)


def test_promotion_continues_half_at_rungs_of_another_ratio():
    budget = {"trials": 200, "scheduler": "promotion", "grace": 2, "reduction": 3}
    found = course(space(budget=budget, searcher={"name": "random"}))
    assert [rung.resource for rung in found.rungs] == [2, 6]
    first, second = found.rungs
    assert first.go_on == second.reach == pytest.approx(100, rel=0.1)
    assert second.go_on == found.finished == pytest.approx(50, rel=0.15)


def test_baselines_run_to_their_end():
    budget = {"trials": 12, "scheduler": "asha", "grace": 2, "reduction": 4}
    found = course(space(baselines=[{"method": "sgd"}] * 6, budget=budget))
    assert found.rungs[0].reach == 6
    assert found.finished == 6 + found.rungs[-1].go_on


def test_the_median_rule_stops_some():
    budget = {"trials": 40, "scheduler": "median", "grace": 4}
    found = course(space(budget=budget))
    assert 10 < found.finished < 30
    assert found.rungs == ()


def test_checkpoints_are_those_of_live_trials_and_of_the_best_finished():
    assert checkpoints_bytes(100, space(), at_a_time=2) == 100 * 3 * (2 + 5)


def test_paused_trials_keep_their_checkpoints():
    budget = {"trials": 9, "scheduler": "promotion"}
    searched = space(budget=budget, searcher={"name": "random"})
    assert checkpoints_bytes(100, searched, at_a_time=2) == 100 * 3 * (2 + 9)


def test_hours_end_a_search_before_its_trials():
    searched = space(budget={"trials": 30, "scheduler": "none", "hours": 0.5})
    alone, late, four = (
        course(searched, 60.0, **given) for given in ({}, {"start": 300.0}, {"at_a_time": 4})
    )
    assert (alone.started, alone.finished, alone.seconds) == (4, 4, 1440)
    assert late.started == 4
    assert course(searched, 60.0, start=361.0).started == 3
    assert four.started == 16


@pytest.mark.parametrize(("gpus", "at_a_time", "trials"), [(1.0, 1, 4), (0.25, 4, 19)])
def test_gpu_hours_count_the_fractions_of_all_trials(gpus, at_a_time, trials):
    budget = {"trials": 30, "scheduler": "none", "gpu_hours": 0.5}
    searched = space(budget=budget, resources={"gpus": gpus})
    found = course(searched, 60.0, at_a_time=at_a_time, gpus=gpus)
    assert (found.started, found.gpu_seconds) == (trials, trials * 360 * gpus)
