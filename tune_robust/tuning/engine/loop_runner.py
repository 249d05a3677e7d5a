"""One trial of a loop of the user's own. Imports no PyTorch: the loop may do without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tune_robust.config import TrainConfig
from tune_robust.loops import LoopEpoch, run_loop
from tune_robust.runs.checkpoints import AnyCheckpoint, Owner, open_checkpoints
from tune_robust.spaces.objective import Objective
from tune_robust.tuning.engine.runner import Runner, Unsaved


class LoopRunner(Runner):
    """Runs a loop of the user's own, a report a step, checkpointing into the run's folder."""

    def _begin(self, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
        train_config = TrainConfig.model_validate(config["config"])
        objective = Objective(**config["objective"])
        owner = Owner(config["run"], config["trial"], train_config)
        checkpoints = open_checkpoints(config["checkpoints"], objective, owner)
        found, resume = checkpoints.newest(), None
        if checkpoints.notes:
            yield {"note": ". ".join(checkpoints.notes)}
        if found is not None:
            resume, saved = found
            for epoch, metrics in enumerate(saved.earlier, 1):
                if epoch > config["known"]:
                    yield {"epoch": epoch, "metrics": metrics}
            yield _report(saved)
        for result in run_loop(train_config, name=config["trial"], resume=resume):
            if result.files is not None:
                try:
                    checkpoints.save(result)
                except OSError as error:
                    raise Unsaved(error.errno, error.strerror, str(error.filename)) from error
            yield _report(result)


def _report(result: LoopEpoch | AnyCheckpoint) -> dict[str, Any]:
    return {"epoch": result.epoch, "metrics": dict(result.metrics)}
