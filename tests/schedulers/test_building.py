"""What every scheduler must do."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.simulated import simulate, space
from tune_robust.schedulers.asha import Asha
from tune_robust.schedulers.building import rungs_of
from tune_robust.schedulers.median import Median

GRACE = 4
SCHEDULERS = {
    "asha": lambda mode: Asha(grace=GRACE, reduction=3, max_resource=100, mode=mode),
    "median": lambda mode: Median(grace=GRACE, mode=mode),
}
BUDGET = {"trials": 16, "grace": 2, "reduction": 2}

unit = st.floats(0, 1)
reports = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 20), unit), max_size=60)


def decisions(scheduler, results):
    """Of (trial, resource, value) in that order, each trial's resources ascending."""
    at: dict[int, int] = {}
    made = []
    for trial, more, value in results:
        at[trial] = at.get(trial, 0) + more
        made.append(scheduler.keep(f"t{trial}", at[trial], value))
    return made


def rows(path):
    return pd.read_parquet(path / "trials.parquet").drop(columns=["checkpoint"])


@pytest.mark.parametrize("name", SCHEDULERS)
class TestEveryScheduler:
    def test_nothing_is_stopped_before_the_grace(self, name):
        scheduler = SCHEDULERS[name]("max")
        assert all(scheduler.keep(f"t{i}", GRACE - 1, -i) for i in range(20))

    def test_a_laggard_is_stopped_at_the_grace(self, name):
        scheduler = SCHEDULERS[name]("max")
        assert all(scheduler.keep(f"t{i}", GRACE, 0.5) for i in range(6))
        assert not scheduler.keep("laggard", GRACE, 0.1)

    def test_the_first_result_decides_nothing(self, name):
        scheduler = SCHEDULERS[name]("max")
        assert scheduler.keep("a", GRACE, 0.0)

    def test_ties_survive(self, name):
        scheduler = SCHEDULERS[name]("max")
        assert all(scheduler.keep(f"t{i}", e, 0.5) for i in range(12) for e in range(1, 30))

    @pytest.mark.parametrize("mode", ["max", "min"])
    @given(values=st.lists(unit, min_size=3, max_size=40))
    def test_the_best_result_so_far_always_goes_on(self, name, mode, values):
        scheduler = SCHEDULERS[name](mode)
        best = max if mode == "max" else min
        for i, value in enumerate(values):
            keep = scheduler.keep(f"t{i}", GRACE, value)
            if value == best(values[: i + 1]):
                assert keep

    @given(results=reports)
    def test_smaller_is_better_in_mode_min(self, name, results):
        turned = [(trial, more, -value) for trial, more, value in results]
        made = decisions(SCHEDULERS[name]("max"), results)
        assert made == decisions(SCHEDULERS[name]("min"), turned)

    @given(results=reports, more=reports)
    def test_replaying_the_results_rebuilds_it(self, name, results, more):
        first, second = SCHEDULERS[name]("max"), SCHEDULERS[name]("max")
        assert decisions(first, results + more) == decisions(second, results + more)

    @given(values=st.lists(unit, min_size=12, max_size=12), again=st.integers(1, 5), other=unit)
    def test_an_epoch_reported_again_changes_nothing(self, name, values, again, other):
        """A trial that goes on from a checkpoint trains epochs that are recorded already."""
        once, twice = SCHEDULERS[name]("max"), SCHEDULERS[name]("max")
        for scheduler in (once, twice):
            for i, value in enumerate(values[:8]):
                for epoch in range(1, 6):
                    scheduler.keep(f"t{i}", epoch, value * epoch / 5)
        assert all(twice.keep("t0", epoch, other) for epoch in range(again, 6))
        for i, value in enumerate(values):
            for epoch in range(6, 14):
                assert once.keep(f"t{i}", epoch, value) == twice.keep(f"t{i}", epoch, value)

    @pytest.mark.parametrize("stop_after", [1, 13, 37, 50])
    def test_a_crash_changes_no_decision(self, tmp_path, name, stop_after):
        searched = space(budget={**BUDGET, "scheduler": name})
        simulate(searched, tmp_path / "whole")
        simulate(searched, tmp_path / "r", stop_after=stop_after)
        simulate(searched, tmp_path / "r")
        whole = rows(tmp_path / "whole")
        assert {"stopped", "done"} == set(whole["status"])
        pd.testing.assert_frame_equal(rows(tmp_path / "r"), whole)

    def test_baselines_are_neither_stopped_nor_compared_with(self, tmp_path, name):
        def flat(trial, epoch):
            return {"baseline": 1.0 if trial.number % 2 else -1.0}.get(trial.origin, 0.5)

        baselines = [{"method": "sgd"}, {"method": "sam"}] * 6
        budget = {**BUDGET, "trials": 20, "scheduler": name}
        simulate(space(baselines=baselines, budget=budget), tmp_path / "r", flat)
        assert set(rows(tmp_path / "r")["status"]) == {"done"}


@pytest.mark.parametrize("reduction", [2, 3, 4, 7])
def test_without_a_grace_there_is_one_rung_and_it_comes_late(reduction):
    searched = space(budget={"trials": 4, "reduction": reduction})
    assert rungs_of(searched) == [searched.max_resource / reduction]
