"""How many trials run at a time, and with what."""

import pytest

from tune_robust.tuning.engine.slots import Node, Slots, fit_slots


@pytest.mark.parametrize(
    ("cpus", "gpus", "concurrency", "have_cpus", "have_gpus", "expected"),
    [
        (1, 0, None, 2, 0, Slots(1, 0, 2)),
        (1, 0.25, None, 2, 0, Slots(1, 0, 2)),  # no GPU: on the CPU
        (4, 0, None, 2, 0, Slots(2, 0, 1)),
        (1, 0.25, None, 16, 1, Slots(1, 0.25, 4)),
        (8, 0.25, None, 16, 1, Slots(8, 0.25, 2)),
        (1, 0.6, None, 16, 2, Slots(1, 0.6, 2)),  # a share lies on one GPU
        (1, 0.1, None, 32, 2, Slots(1, 0.1, 20)),
        (1, 2, None, 16, 5, Slots(1, 2, 2)),
        (1, 0.25, 3, 16, 1, Slots(1, 0.25, 3)),
        (1, 0.25, 30, 16, 1, Slots(1, 0.25, 4)),
    ],
)
def test_as_many_as_the_machine_holds(cpus, gpus, concurrency, have_cpus, have_gpus, expected):
    assert fit_slots(cpus, gpus, concurrency, [Node(have_cpus, have_gpus)]) == expected


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes", "expected"),
    [
        (2, 0, [Node(3, 0), Node(3, 0)], Slots(2, 0, 2)),  # not 3: a trial lies on one node
        (8, 0, [Node(2, 0), Node(4, 0)], Slots(4, 0, 1)),
        (1, 0.5, [Node(8, 0), Node(8, 1), Node(1, 4)], Slots(1, 0.5, 3)),
    ],
)
def test_a_trial_fits_on_one_node(cpus, gpus, nodes, expected):
    assert fit_slots(cpus, gpus, None, nodes) == expected


@pytest.mark.parametrize(
    ("slots", "halved"),
    [
        (Slots(1, 0.25, 8), Slots(1, 0.5, 4)),
        (Slots(1, 0.5, 1), Slots(1, 1.0, 1)),
        (Slots(1, 0.6, 3), Slots(1, 1.0, 1)),
        (Slots(1, 0.0, 5), Slots(1, 0.0, 2)),
        (Slots(1, 1.0, 8), None),
        (Slots(1, 0.0, 1), None),
    ],
)
def test_half_as_many_have_twice_the_share(slots, halved):
    assert slots.halved() == halved
