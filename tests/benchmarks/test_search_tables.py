"""The tables of searches have medians, the seeds that got there, and means over the recordings."""

import math

import numpy as np
import pytest

UNKNOWN = math.nan


@pytest.fixture(scope="module")
def search_tables():
    import search_tables

    return search_tables


@pytest.fixture
def found(search_tables):
    """Two recordings; one searcher has been run on the second only, one on the first only."""

    def measured(compute, accuracy):
        return search_tables.Measured(np.array(compute), np.array(accuracy)[:, None])

    ours = measured([0.1, 0.1, 0.1], [0.9, 0.9, 0.9])
    never = measured([0.2, math.inf, math.inf], [0.8, 0.8, 0.8])
    late = measured([0.3, 0.3, math.inf], [UNKNOWN, 0.5, 0.7])
    return {
        "digits": {"optuna_tpe": never, "gp_mf_promotion": ours, "smac_hyperband": late},
        "cifar10n, 4 at a time": {"gp_mf_promotion": ours, "optuna_tpe": late},
    }


def rows(table):
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [lines[0], *lines[2:]]


def test_there_is_a_row_for_each_searcher_if_they_are_more_than_the_recordings(
    search_tables, found
):
    head, *body = rows(search_tables.compute_table(found))
    assert head == ["`digits`", "`cifar10n`, 4 at a time"]
    assert body[0] == [
        "ours, `gp_mf` with `promotion`",
        "10.0 (10.0 to 10.0) [3]",
        "10.0 (10.0 to 10.0) [3]",
    ]
    assert body[1] == ["Optuna, TPE", "never [1 of 3]", "30.0 (30.0 to never) [2 of 3]"]
    assert body[2] == ["SMAC3, Hyperband", "30.0 (30.0 to never) [2 of 3]"]


def test_otherwise_there_is_a_row_for_each_recording(search_tables, found):
    del found["digits"]["smac_hyperband"]
    head, digits, _ = rows(search_tables.accuracy_table(found))
    assert head == ["ours, `gp_mf` with `promotion`", "Optuna, TPE"]
    assert digits == ["`digits`", "90.0", "80.0"]


def test_means_are_of_the_searchers_that_were_run_on_all_recordings(search_tables, found):
    head, ours, tpe = rows(search_tables.means_table(found, [0.05]))
    assert head[-1] == "test accuracy after 5 %"
    assert ours[:2] == ["ours, `gp_mf` with `promotion`", "10.0 (10.0 to 10.0)"]
    assert ours[-1] == "90.0"
    # 20, 100, 100 and 30, 30, 100 %: a search that never got there used everything.
    assert tpe[1].startswith("63.3 (")
    assert tpe[2].startswith("+53.3 (+")
    assert tpe[3:] == ["0, 2", "none"]
