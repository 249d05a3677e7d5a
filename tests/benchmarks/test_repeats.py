"""The benchmark of repeats: paired replays at equal compute on grids with three seeds a setting."""

import pytest


@pytest.fixture(scope="module")
def repeats():
    import repeats

    return repeats


@pytest.fixture(scope="module")
def grids(repeats):
    return [grid for grid in repeats.GRIDS if (repeats.RECORDED / grid.name).exists()]


def test_every_setting_is_recorded_with_every_seed(repeats, grids):
    assert {grid.mark for grid in grids} == {"develop", "report"}
    for grid in grids:
        trials = repeats.grid_pool(grid).trials
        seeds = {}
        for trial in trials:
            seeds.setdefault(repeats.setting_of(trial), set()).add(trial.config["seed"])
        assert len(seeds) == 24
        assert {frozenset(own) for own in seeds.values()} == {frozenset(repeats.SEEDS)}


def test_both_searches_of_a_pair_are_judged_by_the_same_means(repeats, grids):
    pool = repeats.grid_pool(grids[0])
    searched, truth = repeats._split(pool, 0)
    assert sorted(trial.name for trial in searched) == sorted(trial.name for trial in pool.trials)
    first = pool.trials[0]
    same = [t for t in pool.trials if t.values == first.values]
    mean = sum(trial.last["test_accuracy"] for trial in same) / 3
    assert truth[repeats.setting_of(first)] == pytest.approx(mean)
    found = repeats.pair(grids[0], "random", "none", 24, 0)
    assert min(found.off, found.auto) >= 0
    assert 0 < found.repeats < 0.5


def test_the_table_has_a_row_per_search(script):
    arguments = ("--replays", "2", "--trials", "12", "--searchers", "random")
    printed = script("repeats.py", *arguments)
    assert "| random, none, 12 trials |" in printed
