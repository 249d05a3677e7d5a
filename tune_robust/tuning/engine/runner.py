"""A trial as a Ray Tune class trainable, run in an actor that is reused for the next trial."""

from __future__ import annotations

import gc
import os
import traceback
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray._raylet import setproctitle  # type: ignore[attr-defined]  # written in Cython

from tune_robust.errors import UserError
from tune_robust.own import Code, register_functions, use_code
from tune_robust.runs.checkpoints import AnyCheckpoint, Checkpoints
from tune_robust.tuning.engine.gpu_errors import has_broken_cuda, is_out_of_memory


class Unsaved(Exception):
    """A checkpoint could not be written: the storage's fault, and not the trial's."""


class Runner(tune.Trainable):
    """What trials of the built-in loop and of the user's own have in common.

    Ray's config is plain data: ``run``, ``trial``, ``label``, ``config``, ``checkpoints``,
    ``predictions``, ``cache``, ``objective``, ``known``, ``continues``, ``cpus``, ``gpus``,
    ``processes`` and ``process``. A
    trial that has checkpoints goes on from the newest good one, whoever restarted it, and reports
    that checkpoint's epoch again first, so that no epoch is missing from the store.

    A mistake in training is reported as a result with ``error``; a checkpoint that could not be
    written as ``unsaved``: (errno, message, file).
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """What Ray sets aside for the trial, on one node.

        Only trials that ask for the very same follow each other in one process: a few bytes of
        memory, which nobody will miss, tell those apart that shall not.
        """
        cpus = config["cpus"] * config["processes"]
        bundle = {"CPU": cpus, "GPU": config["gpus"], "memory": config["process"]}
        return tune.PlacementGroupFactory([{what: n for what, n in bundle.items() if n}])

    def setup(
        self,
        config: dict[str, Any],
        environment: Mapping[str, str] | None = None,
        code: Code | None = None,
        functions: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare the trial; Ray calls it in a new actor.

        ``environment``: variables that this process needs, such as a storage's credentials.
        ``code``: the source of the user's own parts. ``functions``: those that are not in files.
        """
        os.environ.update(environment or {})
        use_code(code)
        register_functions(functions or {})
        self._code, self._functions = code, dict(functions or {})
        # What is imported stays: collecting garbage between trials need not look at it again, which
        # would take longer than all else between them.
        gc.freeze()
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Prepare the next trial in the same actor, with nothing left of the one before."""
        self.cleanup()
        self._start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch."""
        # Ray's label of an actor stays its first trial's: the process is named after the trial.
        setproctitle(f"ray::{self._label}")
        try:
            result = next(self._epochs, {"returned": True})
        except Unsaved as error:
            return {"trial": self._trial, "unsaved": error.args}
        except Exception as error:
            return {"trial": self._trial, **self._failed(error)}
        return {"trial": self._trial, **result}

    def cleanup(self) -> None:
        """Drop what only this trial used."""
        self._epochs: Iterator[dict[str, Any]] = iter(())
        gc.collect()

    def __repr__(self) -> str:
        """The actor's label in Ray's dashboard, asked for once."""
        return self._label

    def _start(self, config: dict[str, Any]) -> None:
        self._trial, self._label = config["trial"], config["label"]
        self._epochs = self._begin(config)

    @abstractmethod
    def _begin(self, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The results of the trial's epochs."""

    def _failed(self, error: Exception) -> dict[str, Any]:
        """What the search is told of an error, with ``out_of_memory`` if the GPU was too small."""
        too_large = is_out_of_memory(error)
        if not too_large and has_broken_cuda(error):
            raise error  # Ray ends this process, and the conductor retries the trial in a new one
        return {"error": str(error) if too_large else explain(error), "out_of_memory": too_large}


def reported_again(
    checkpoints: Checkpoints,
    known: int,
    report: Callable[[int, Mapping[str, Any]], dict[str, Any]],
) -> Generator[dict[str, Any], None, tuple[Path, AnyCheckpoint] | None]:
    """Report what the search lost with its machine, and return the newest good checkpoint.

    These are what became of damaged checkpoints, and the epochs above ``known`` before the newest
    good one, each by ``report(epoch, metrics)``. That checkpoint's own epoch is left to the caller.
    """
    found = checkpoints.newest()
    if checkpoints.notes:
        yield {"note": " ".join(checkpoints.notes)}
    if found is not None:
        for epoch, metrics in enumerate(found[1].earlier, 1):
            if epoch > known:
                yield report(epoch, metrics)
    return found


def explain(error: Exception) -> str:
    """A user's mistake in its own words, and all else with where it happened."""
    if isinstance(error, UserError):
        return str(error)
    return "".join(traceback.format_exception(error))
