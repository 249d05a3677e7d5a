"""A store in memory holds what a run's would."""

import math

from tests.tuning.simulated import peak, simulate, space
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.simulation.memory_store import MemoryStore


def test_a_search_in_memory_is_the_one_on_disk(tmp_path):
    searched = space()
    on_disk = simulate(searched, tmp_path / "r")
    conductor = Conductor(searched, MemoryStore(), threads=1)
    while (trial := conductor.next_trial()) is not None:
        for epoch in range(1, trial.total_epochs + 1):
            metrics = {
                "val_accuracy": peak(trial, epoch),
                "val_information": peak(trial, epoch),
                "val_loss": trial.values["saner.alpha"],
                "gradient_evaluations": 2 * epoch,
                "seconds": 0.6 * epoch,
            }
            if conductor.on_epoch(trial.name, epoch, metrics) is Decision.END:
                break
    conductor.close()
    assert conductor.complete
    assert conductor.trials == on_disk.trials
    assert list(conductor.store.history) == list(on_disk.store.history)


def test_what_is_not_finite_is_missing_as_on_disk():
    store = MemoryStore()
    store.add_trial("sampled", {}, {"epochs": 2})
    store.add_epoch("t0001", 1, {"val_loss": math.nan})
    assert store.trials["t0001"].last == {"val_loss": None}


def test_what_is_known_of_the_search_is_updated_field_by_field():
    store = MemoryStore()
    store.update_meta(slots={"cpus": 1}, ended=None)
    store.update_meta(ended=3)
    assert store.meta == {"slots": {"cpus": 1}, "ended": 3}
