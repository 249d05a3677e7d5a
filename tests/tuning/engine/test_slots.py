"""How many trials run at a time, and with what."""

import pytest

from tune_robust.errors import UserError
from tune_robust.spaces.sections import Resources
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
        (1, 2, None, 16, 5, Slots(1, 2, 2, 2)),
        (8, 4, None, 16, 8, Slots(4, 4, 1, 4)),  # its processes have the CPUs there are
        (1, 2, None, 4, 0, Slots(1, 0, 4)),  # no GPU: in one process
        (1, 0.25, 3, 16, 1, Slots(1, 0.25, 3)),
        (1, 0.25, 30, 16, 1, Slots(1, 0.25, 4)),
    ],
)
def test_as_many_as_the_machine_holds(cpus, gpus, concurrency, have_cpus, have_gpus, expected):
    wanted = Resources(cpus=cpus, gpus=gpus, concurrency=concurrency)
    assert fit_slots(wanted, gpus, [Node(have_cpus, have_gpus)]) == expected


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes", "expected"),
    [
        (2, 0, [Node(3, 0), Node(3, 0)], Slots(2, 0, 2)),  # not 3: a trial lies on one node
        (8, 0, [Node(2, 0), Node(4, 0)], Slots(4, 0, 1)),
        (1, 0.5, [Node(8, 0), Node(8, 1), Node(1, 4)], Slots(1, 0.5, 3)),
    ],
)
def test_a_trial_fits_on_one_node(cpus, gpus, nodes, expected):
    assert fit_slots(Resources(cpus=cpus, gpus=gpus), gpus, nodes) == expected


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


@pytest.mark.parametrize(
    ("processes", "nodes", "expected"),
    [
        (2, [Node(4, 0)], Slots(1, 0, 2, 2)),
        (2, [Node(3, 0), Node(3, 0)], Slots(1, 0, 2, 2)),
        (4, [Node(2, 0), Node(4, 0)], Slots(1, 0, 1, 4)),
    ],
)
def test_all_processes_of_a_trial_are_on_one_node(processes, nodes, expected):
    assert fit_slots(Resources(processes=processes), 0.0, nodes) == expected


@pytest.mark.parametrize(
    ("resources", "nodes", "says"),
    [
        ({"gpus": 4}, [Node(16, 2), Node(16, 2)], "found 4, and no machine here has more than 2"),
        ({"processes": 3}, [Node(2, 0)], "needs 3 CPUs on one machine, and none .* more than 2"),
    ],
)
def test_a_trial_that_fits_on_no_node_is_refused(resources, nodes, says):
    with pytest.raises(UserError, match=says):
        fit_slots(Resources(**resources), resources.get("gpus", 0.0), nodes)


def test_the_processes_of_a_trial_are_told():
    slots = Slots(cpus=2, gpus=4.0, concurrency=1, processes=4)
    assert slots.describe() == "1 at a time, 8 CPU and 4 GPU each in 4 processes"
