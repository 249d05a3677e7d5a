"""Pilots are drawn from one population and given to searches of another; ratios are to none."""

import pytest

from tune_robust.tuning.simulation.replay import replay


@pytest.fixture(scope="module")
def warm_start():
    import warm_start

    return warm_start


PAIR = ("digits_symmetric_0", "digits_asymmetric_1")


def test_a_pilot_has_random_trials_of_its_population(warm_start):
    source, target = map(warm_start.recording, PAIR)
    drawn = warm_start.pilot(source, target, 3)
    assert len({trial.trial for trial in drawn}) == warm_start.PILOT
    assert warm_start.pilot(source, target, 3) == drawn != warm_start.pilot(source, target, 4)
    recorded = {trial.name: trial.last["val_accuracy"] for trial in source.pool.trials}
    assert all(trial.value == recorded[trial.trial] for trial in drawn)
    opposite = warm_start.pilot(source, target, 3, sign=-1)
    assert [trial.value for trial in opposite] == [-trial.value for trial in drawn]
    assert [trial.steps[-1][1] for trial in opposite] == [-trial.value for trial in drawn]


def test_ratios_are_to_the_mean_of_the_searches_without_a_pilot(warm_start, monkeypatch):
    best = max(
        warm_start.recording(PAIR[1]).pool.trials, key=lambda trial: trial.last["val_accuracy"]
    )
    compute = {"cold": 0.2, "warm": 0.1, "opposite": None}

    def searches(pair, way, seeds):
        end = warm_start.Finish(best.name, best.last["val_accuracy"], compute[way] or 0.0)
        return [[end] if compute[way] else []] * seeds

    monkeypatch.setattr(warm_start, "searches", searches)
    pairs = [warm_start.Pair(*PAIR), warm_start.Pair("digits_instance_0", PAIR[1])]
    rows = list(warm_start.rows(pairs, 2))
    assert [row["way"] for row in rows] == ["cold", "warm", "opposite", "warm", "opposite"]
    assert [row["ratio"] for row in rows] == pytest.approx([1.0, 0.5, 5.0, 0.5, 5.0])
    assert "x 5.00" in warm_start.line(rows[2])


def test_a_search_learns_from_its_pilot(warm_start):
    """The pilot is all there is to the first proposal."""
    source, target = map(warm_start.recording, PAIR)
    pilot = warm_start.pilot(source, target, 0)
    changes = {"name": "gp_mf", "seed": 0}
    searcher = target.space.searcher.model_copy(update=changes)
    space = target.space.model_copy(update={"searcher": searcher})
    given = {"compute": 1.0}
    first = replay(target.pool, space, earlier=pilot, **given).started
    cold = replay(target.pool, space, **given).started
    assert first[0] != cold[0]
