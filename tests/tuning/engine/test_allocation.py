"""Which slots a resumed search runs on."""

import pytest

from tests.tuning.simulated import space, store_at
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.tuning.engine import ray_session
from tune_robust.tuning.engine.allocation import check_limits, slots_of_run
from tune_robust.tuning.engine.slots import Node, Slots
from tune_robust.tuning.engine.watching import Silent

HALVED = Slots(1, 0, 2)
"""What out-of-memory had left when the run was interrupted."""


@pytest.fixture
def slots_for(tmp_path, monkeypatch):
    """The slots for a run's space, changed by ``resources``, on a machine of so many cores."""
    monkeypatch.setattr(ray_session, "live_nodes", lambda: [Node(cores[0], 0)])
    cores = [8]
    store = store_at(tmp_path / "r", space())
    store.update_meta(slots={"cpus": 1, "gpus": 0, "concurrency": 2})

    def found(resources=None, machine=8):
        cores[0] = machine
        changed = space(**({"resources": resources} if resources else {}))
        return slots_of_run(changed, RunFolder(tmp_path / "r"), tmp_path, Silent())

    found()  # notes the machine
    yield found
    store.close()


def test_the_slots_stay_while_the_machine_and_the_resources_do(slots_for):
    assert slots_for() == HALVED


def test_other_resources_are_heeded_though_the_run_has_slots(slots_for):
    assert slots_for({"concurrency": 1}) == Slots(1, 0, 1)
    assert slots_for({"cpus": 2}) == Slots(2, 0, 4)


def test_another_machine_has_slots_of_its_own(slots_for):
    assert slots_for(machine=4) == Slots(1, 0, 4)


def test_batches_that_cannot_be_divided_among_the_processes_are_refused():
    searched = space(train={"data": {"dataset": "digits"}, "method": "saner", "batch_size": 33})
    check_limits(searched, Slots(1, 0, 1))
    with pytest.raises(UserError, match=r"batch_size: found 33.* 2 processes.*batch_size: 34"):
        check_limits(searched, Slots(1, 0, 1, processes=2))
