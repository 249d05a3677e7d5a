"""Sentinels: which trials they are, that nothing stops them, and that all else is as ever."""

import itertools
import json

import pandas as pd
import pytest

from tests.tuning.drawing import make_space, problems
from tests.tuning.simulated import simulate, space
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.spaces.sentinels import sentinel_numbers

BUDGET = {"trials": 20, "scheduler": "asha", "grace": 2, "reduction": 2, "sentinels": 5}


def rows(path):
    return pd.read_parquet(path / "trials.parquet").drop(columns=["checkpoint"])


@pytest.mark.parametrize(("sentinels", "planned", "total"), [(5, 3, 23), (4, 2, 32), (7, 0, 9)])
def test_they_are_spread_evenly_from_the_first_sampled_trial_on(sentinels, planned, total):
    numbers = sorted(sentinel_numbers(sentinels, planned=planned, total=total))
    assert len(numbers) == sentinels
    assert numbers[0] == planned
    assert numbers[-1] < total
    gaps = {b - a for a, b in itertools.pairwise(numbers)}
    assert max(gaps) - min(gaps) <= 1


def test_none_are_wanted_unless_asked_for():
    assert space().sentinels == frozenset()


def test_they_run_to_their_end_where_others_are_stopped(tmp_path):
    conductor = simulate(space(budget=BUDGET), tmp_path / "r", lambda t, e: -t.number)
    trials = conductor.trials.values()
    sentinels = [t for t in trials if t.sentinel]
    assert [t.number for t in sentinels] == [0, 4, 8, 12, 16]
    assert {t.status for t in sentinels} == {"done"}
    assert {t.status for t in trials if t.number > 1 and not t.sentinel} == {"stopped"}
    for name in (t.name for t in sentinels):
        assert all(name in results for results in conductor._scheduler.rungs.values())
    table = rows(tmp_path / "r")
    assert list(table["sentinel"]) == [t.sentinel for t in trials]


def test_baselines_and_known_points_are_none(tmp_path):
    given = {"baselines": [{"method": "sgd"}], "known": [{"sam.rho": 0.1, "saner.alpha": 0.5}]}
    table = rows_of(simulate(space(budget=BUDGET, **given), tmp_path / "r"))
    assert table["sentinel"].sum() == 5
    assert set(table[table["sentinel"]]["origin"]) == {"sampled"}


def rows_of(conductor):
    return rows(conductor.store.folder.path)


@pytest.mark.parametrize("stop_after", [1, 6, 17, 30, 52])
def test_a_crash_changes_nothing(tmp_path, stop_after):
    searched = space(budget=BUDGET)
    simulate(searched, tmp_path / "whole")
    simulate(searched, tmp_path / "r", stop_after=stop_after)
    simulate(searched, tmp_path / "r")
    pd.testing.assert_frame_equal(rows(tmp_path / "r"), rows(tmp_path / "whole"))


def test_extending_a_run_keeps_them_and_adds_none(tmp_path):
    simulate(space(budget=BUDGET), tmp_path / "r")
    before = [t.name for t in read_trials(RunFolder(tmp_path / "r")).values() if t.sentinel]
    conductor = simulate(space(budget={**BUDGET, "trials": 40}), tmp_path / "r")
    assert conductor.complete
    assert len(conductor.trials) == 40
    assert [t.name for t in conductor.trials.values() if t.sentinel] == before


def test_runs_from_before_there_were_any_are_read(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=3)
    folder = RunFolder(tmp_path / "r")
    folder.write_meta({key: value for key, value in folder.read_meta().items() if key != "id"})
    log = folder.events
    events = [json.loads(line) for line in log.read_text().splitlines()]
    older = [{k: v for k, v in e.items() if k not in ("sentinel", "crc")} for e in events]
    assert older != events
    log.write_text("".join(json.dumps(event) + "\n" for event in older))
    assert not any(t.sentinel for t in read_trials(RunFolder(tmp_path / "r")).values())


def test_they_are_refused_where_nothing_is_stopped():
    message = problems(budget={"trials": 9, "scheduler": "none", "sentinels": 2})
    assert "expected 0, as scheduler none stops nothing" in message["budget.sentinels"]


def test_more_than_there_are_sampled_trials_are_refused():
    budget = {"trials": 9, "sentinels": 10}
    message = problems(budget=budget, baselines=[{"method": "sgd"}])["budget.sentinels"]
    assert "expected at most 9" in message


def test_a_number_of_trials_that_no_search_has_is_refused_before_they_are_numbered():
    message = problems(budget={"trials": 10**12, "sentinels": 6})
    assert "less than or equal to 1000000" in message["budget.trials"]


@pytest.mark.parametrize(
    ("override", "left"),
    [("budget.trials=10", 2), ("budget.trials=2", 0), ("budget.trials=90", 6)],
)
def test_a_shorter_search_has_its_share_of_them(override, left):
    assert make_space(override, budget={"trials": 30, "sentinels": 6}).budget.sentinels == left


def test_a_search_that_is_told_to_stop_nothing_has_none():
    budget = {"trials": 30, "sentinels": 6}
    assert make_space("budget.scheduler=none", budget=budget).budget.sentinels == 0
    given = problems("budget.scheduler=none", "budget.sentinels=3", budget=budget)
    assert "budget.sentinels" in given
