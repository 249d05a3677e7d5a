"""A search of a loop of the user's own, run in this process instead of by Ray."""

from __future__ import annotations

from pathlib import Path

from tune_robust.config import parse_config
from tune_robust.loops import run_loop
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.store import RunStore
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.conductor import Conductor, Decision


def search(space: Space, place: Path) -> Conductor:
    """All trials of ``space``, one after the other; its code must be in use already."""
    store = RunStore.create(RunFolder(place), {"space": space.document()})
    conductor = Conductor(space, store, threads=1)
    while (trial := conductor.next_trial()) is not None:
        for result in run_loop(parse_config(trial.config), name=trial.name):
            if conductor.on_epoch(trial.name, result.epoch, result.metrics) is Decision.END:
                break
        else:
            conductor.end(trial.name, "done")
    conductor.close()
    return conductor
