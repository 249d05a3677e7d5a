"""A search on Ray in which t0002 runs out of memory below half a GPU, and t0003 always.

Run as a program in a process of its own: ``python greedy_trials.py FOLDER GPUS``. The GPU is one
that Ray is told of. Each trial writes what it saw into FOLDER/seen.
"""

from __future__ import annotations

# First: it makes the settings that Ray reads when it is imported.
from tune_robust.spaces.sections import Resources

from tune_robust.tuning.engine import ray_session  # isort: skip

import os
import sys
from pathlib import Path
from unittest.mock import patch

from tests.cli.paced import write_space
from tune_robust.api.own_code import code_meta, new_code
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.store import RunStore
from tune_robust.spaces.space import load_space
from tune_robust.tuning.engine import loop_runner, ray_backend
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.slots import Node, fit_slots


class Greedy(loop_runner.LoopRunner):
    """Runs out of memory after an epoch."""

    def _begin(self, config):
        seen = Path(config["cache"]).parent / "seen"
        seen.mkdir(exist_ok=True)
        what = f"{config['gpus']:g} gpus={os.environ.get('CUDA_VISIBLE_DEVICES')!r}"
        with (seen / self._trial).open("a") as file:
            file.write(f"{what} threads={os.environ.get('OMP_NUM_THREADS')}\n")
        needs = {"t0002": 0.5 if config["gpus"] else 0.0, "t0003": 2.0}.get(self._trial, 0.0)
        epochs = super()._begin(config)
        return _until_memory_is_out(epochs) if config["gpus"] < needs else epochs


def _until_memory_is_out(epochs):
    yield next(epochs)
    raise RuntimeError("CUDA error: out of memory. Tried to allocate 2.00 GiB.")


def main(folder: Path, gpus: float) -> None:
    budget = {"trials": 5, "scheduler": "none"}
    space = load_space(write_space(folder, epochs=4, pause=0.0, budget=budget))
    meta = {"space": space.document(), **code_meta(new_code(space, folder))}
    conductor = Conductor(space, RunStore.create(RunFolder(folder / "r"), meta), threads=1)
    ray = ray_session.ray
    ray.init(address="local", num_cpus=4, num_gpus=1 if gpus else 0, include_dashboard=False)
    conductor.give(fit_slots(Resources(), gpus, [Node(4, 1 if gpus else 0)]))
    with patch.object(ray_backend, "_runner", lambda space: Greedy):
        ray_backend.run_trials(conductor, folder / "cache")
    conductor.close()
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
