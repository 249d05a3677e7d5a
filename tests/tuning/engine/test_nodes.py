"""A cluster's nodes come and go while a search runs."""

import pytest

from tests.tuning.simulated import space, store_at
from tune_robust.tuning.engine import ray_backend
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.slots import Node, fit_slots


@pytest.fixture
def cluster(monkeypatch):
    """What Ray says of its nodes, and a clock."""
    state = {"nodes": [Node(2, 0)], "time": 0.0}
    monkeypatch.setattr(ray_backend, "live_nodes", lambda: list(state["nodes"]))
    monkeypatch.setattr(ray_backend.time, "monotonic", lambda: state["time"])
    return state


def running_after(proposals, conductor):
    while isinstance(proposals.suggest("any"), dict):
        pass
    return conductor.running


def test_as_many_trials_run_as_the_nodes_hold_that_are_there(tmp_path, cluster):
    searched = space(resources={"cpus": 1})
    conductor = Conductor(searched, store_at(tmp_path / "r", searched), threads=1)
    conductor.give(fit_slots(searched.resources, 0, cluster["nodes"]))
    proposals = ray_backend._Proposals(conductor, tmp_path, ray_backend._Storage())
    assert running_after(proposals, conductor) == 2

    cluster["nodes"].append(Node(3, 0))
    cluster["time"] += 10
    assert running_after(proposals, conductor) == 5

    cluster["nodes"].pop()
    cluster["time"] += 10
    conductor.process_lost("t0003", "its node was lost")
    assert running_after(proposals, conductor) == 4, "those that run go on, no other starts"
    assert conductor.store.folder.read_meta()["slots"]["concurrency"] == 2
    cluster["nodes"].clear()
    cluster["time"] += 10
    assert running_after(proposals, conductor) == 4
    conductor.close()
