"""The rung check: its numbers against scipy's, its verdicts, and who belongs to its cohort."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.tuning.simulated import simulate, space, trading
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_record
from tune_robust.schedulers.asha import Asha
from tune_robust.schedulers.rung_check import Result, check_run, check_rungs

RUNGS = [2.0, 4.0]


def asha():
    return Asha(grace=2, reduction=2, max_resource=8, mode="max")


def results(curves):
    """Trial after trial, one result per unit of resource."""
    return [
        Result(name, resource, value)
        for name, values in curves.items()
        for resource, value in enumerate(values, 1)
    ]


def checked(curves, cohort=None, **changes):
    given = {"scheduler": asha(), "rungs": RUNGS, "mode": "max"} | changes
    return check_rungs(results(curves), cohort or list(curves), **given)


def random_curves(count, seed=0, length=8):
    rng = np.random.default_rng(seed)
    return {f"t{i}": list(np.cumsum(rng.normal(size=length))) for i in range(count)}


def test_the_correlation_is_spearmans_between_the_rung_and_the_end():
    curves = random_curves(12)
    end = [values[-1] for values in curves.values()]
    for rung in checked(curves).rungs:
        there = [values[int(rung.resource) - 1] for values in curves.values()]
        assert rung.n == 12
        assert rung.correlation == pytest.approx(spearmanr(there, end).statistic)
        assert rung.low < rung.correlation < rung.high


def test_ties_are_ranked_as_scipy_does():
    curves = {f"t{i}": [0, i // 2, 0, i // 3, 0, 0, 0, i % 4] for i in range(8)}
    there, end = [i // 2 for i in range(8)], [i % 4 for i in range(8)]
    assert checked(curves).rungs[0].correlation == pytest.approx(spearmanr(there, end).statistic)


def test_the_interval_narrows_with_more_trials_and_is_the_same_again():
    few, many = (checked(random_curves(count)).rungs[0] for count in (6, 60))
    assert many.high - many.low < few.high - few.low
    assert checked(random_curves(6)).rungs[0] == few


def test_a_rung_that_ranks_as_the_end_does_keeps_the_best():
    check = checked({f"t{i}": [i] * 8 for i in range(6)})
    assert check.best == "t5"
    assert [(r.correlation, r.drops_best) for r in check.rungs] == [(1.0, False)] * 2
    assert "would have kept t5" in check.reading
    assert "predicts" in check.reading


def test_a_late_bloomer_would_have_been_dropped():
    curves = {f"t{i}": [i] * 8 for i in range(6)}
    check = checked({**curves, "late": [-1, -1, -1, 9, 9, 9, 9, 9]})
    assert check.best == "late"
    assert [r.drops_best for r in check.rungs] == [True, False]
    assert "would have stopped late" in check.reading
    assert "at 2" in check.reading


def test_all_recorded_trials_set_the_bar_not_the_cohort_alone():
    cohort = {f"t{i}": [i] * 8 for i in range(4)}
    rivals = {f"r{i}": [10] * 2 for i in range(9)}
    assert not any(r.drops_best for r in checked(cohort).rungs)
    assert checked({**rivals, **cohort}, list(cohort)).rungs[0].drops_best


def test_smaller_is_better_in_mode_min():
    curves = {f"t{i}": [-i] * 8 for i in range(6)}
    scheduler = Asha(grace=2, reduction=2, max_resource=8, mode="min")
    check = checked(curves, scheduler=scheduler, mode="min")
    assert check.best == "t5"
    assert not any(r.drops_best for r in check.rungs)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_trials_are_said_to_be_too_few(count):
    check = checked({f"t{i}": [i] * 8 for i in range(count)})
    assert not check.enough
    assert all(r.correlation is None for r in check.rungs)
    assert f"{count} ran to the end" in check.reading


def test_equal_values_have_no_rank():
    check = checked({f"t{i}": [1, 1, 1, i, 1, 1, 1, i] for i in range(5)})
    assert [r.correlation for r in check.rungs] == [None, 1.0]
    assert "may not predict" in check.reading


# --- of a run -------------------------------------------------------------------------------------

BUDGET = {"trials": 20, "scheduler": "asha", "grace": 2, "reduction": 2, "sentinels": 5}


def check_of(path, searched):
    return check_run(searched, read_record(RunFolder(path)))


@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_the_cohort_of_a_run_are_its_sentinels(tmp_path, scheduler):
    searched = space(budget={**BUDGET, "scheduler": scheduler}, baselines=[{"method": "sgd"}])
    conductor = simulate(searched, tmp_path / "r")
    check = check_of(tmp_path / "r", searched)
    assert set(check.cohort) == {t.name for t in conductor.trials.values() if t.sentinel}
    assert [r.resource for r in check.rungs] == [2, 4, 8]
    assert [r.n for r in check.rungs] == [5, 5, 5]


def test_where_nothing_is_stopped_all_but_the_baselines_are_the_cohort(tmp_path):
    budget = {"trials": 12, "scheduler": "none", "grace": 2, "reduction": 2}
    searched = space(budget=budget, baselines=[{"method": "sgd"}])
    simulate(searched, tmp_path / "r")
    check = check_of(tmp_path / "r", searched)
    assert len(check.cohort) == 11
    assert "t0001" not in check.cohort
    assert [r.resource for r in check.rungs] == [2, 4, 8]


def test_a_sentinel_that_has_not_ended_is_no_part_of_it(tmp_path):
    searched = space(budget=BUDGET)
    simulate(searched, tmp_path / "r", stop_after=3)
    assert check_of(tmp_path / "r", searched).cohort == ()


def test_the_objectives_best_epoch_counts_where_the_space_says_so(tmp_path):
    budget = {"trials": 8, "scheduler": "none", "grace": 4, "reduction": 2}
    searched = space(budget=budget, objective={"metric": "val_accuracy", "at": "best"})
    simulate(searched, tmp_path / "r", lambda t, e: t.number if e == 1 else 0.0)
    assert [r.correlation for r in check_of(tmp_path / "r", searched).rungs] == [
        pytest.approx(1.0)
    ] * 2


def test_trials_on_different_labels_are_not_compared(tmp_path):
    searched = space(
        search={"data.noise.rate": {"grid": [0.1, 0.2, 0.3, 0.4]}},
        train={
            "data": {"dataset": "digits", "noise": {"kind": "symmetric", "rate": 0.1}},
            "epochs": 6,
        },
        budget={"trials": 4, "scheduler": "none"},
        searcher={"name": "grid"},
    )
    simulate(searched, tmp_path / "r")
    assert check_of(tmp_path / "r", searched) is None


def test_several_objectives_have_no_rungs(tmp_path):
    simulate(trading(), tmp_path / "r")
    assert check_of(tmp_path / "r", trading()) is None
