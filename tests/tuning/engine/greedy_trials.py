"""A search on Ray in which t0002 runs out of memory below half a GPU, and t0003 always.

Run as a program in a process of its own: ``python greedy_trials.py FOLDER GPUS``. The GPU is one
that Ray is told of; the trials train on the CPU. Each trial writes what it saw into FOLDER/seen.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from tests.tuning.simulated import space, store_at
from tune_robust.tuning.engine import ray_backend, ray_session, trainable
from tune_robust.tuning.engine.conductor import Conductor
from tune_robust.tuning.engine.slots import Node, fit_slots


class Greedy(trainable.TrialRunner):
    """Runs out of memory after an epoch."""

    def _begin(self, config):
        epochs = super()._begin(config)
        seen = Path(config["cache"]).parent / "seen"
        seen.mkdir(exist_ok=True)
        what = f"{config['gpus']:g} gpus={os.environ.get('CUDA_VISIBLE_DEVICES')!r}"
        with (seen / self._trial).open("a") as file:
            file.write(f"{what} threads={os.environ.get('OMP_NUM_THREADS')}\n")
        needs = {"t0002": 0.5 if config["gpus"] else 0.0, "t0003": 2.0}.get(self._trial, 0.0)
        return _until_memory_is_out(epochs) if config["gpus"] < needs else epochs


def _until_memory_is_out(epochs):
    yield next(epochs)
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def main(folder: Path, gpus: float) -> None:
    ray_backend._runner = lambda space: Greedy
    train = {
        "data": {"dataset": "digits", "subset": 300, "validation": {"size": 0.2}},
        "model": {"name": "small_cnn", "width": 0.25},
        "method": "saner",
        "epochs": 4,
    }
    searched = space(train=train, budget={"trials": 5, "scheduler": "none"})
    conductor = Conductor(searched, store_at(folder / "r", searched), threads=1)
    ray = ray_session.ray  # as it is set there: Ray reads its settings when it is imported
    ray.init(address="local", num_cpus=4, num_gpus=1 if gpus else 0, include_dashboard=False)
    conductor.give(fit_slots(1, gpus, None, [Node(4, 1 if gpus else 0)]))
    ray_backend.run_trials(conductor, folder / "cache")
    conductor.close()
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
