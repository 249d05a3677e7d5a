"""The benchmark of shared and own seeds runs, and its table is taken apart rightly."""

import numpy as np
import pytest


@pytest.fixture
def seeds():
    import seeds

    return seeds


@pytest.mark.e2e
def test_prints_one_object(measured):
    found = measured("seeds.py", "--quick")
    assert {"ratios", "machine", "n"} < set(found)
    assert found["n"] == {"configurations": 3, "seeds": 2, "trials": 3}


def table(configuration, seed, rest, rows=60, columns=50):
    draw = np.random.default_rng(0).normal
    return (
        draw(0, configuration, (rows, 1)) + draw(0, seed, columns) + draw(0, rest, (rows, columns))
    )


def test_deviations_are_those_the_table_was_made_with(seeds):
    found = seeds._deviations(table(0.03, 0.02, 0.01))
    assert found == pytest.approx({"configuration": 0.03, "seed": 0.02, "rest": 0.01}, rel=0.25)


def test_a_shared_seed_helps_where_it_moves_all_configurations_alike(seeds, monkeypatch):
    monkeypatch.setattr(seeds, "SEARCHES", 500)
    alike = table(0.01, 0.03, 0.0, columns=6)
    assert seeds._loss(alike, 10, shared=True)[0] == pytest.approx(0)
    assert seeds._loss(alike, 10, shared=False)[0] > 0.003


def test_a_shared_seed_changes_nothing_where_seeds_move_each_apart(seeds, monkeypatch):
    monkeypatch.setattr(seeds, "SEARCHES", 4000)
    apart = table(0.01, 0.0, 0.01, columns=6)
    (own, error), (shared, _) = (seeds._loss(apart, 10, shared=s) for s in (False, True))
    assert abs(own - shared) < 0.1 * own + 4 * error
