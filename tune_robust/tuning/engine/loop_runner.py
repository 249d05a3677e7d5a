"""One trial of a loop of the user's own. Imports no PyTorch: the loop may do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tune_robust.config import TrainConfig
from tune_robust.loops import run_loop
from tune_robust.runs.checkpoints import Owner, open_checkpoints
from tune_robust.spaces.objective import Objective
from tune_robust.tuning.engine.runner import Runner, Unsaved, reported_again


class LoopRunner(Runner):
    """Runs a loop of the user's own, a report a step, checkpointing into the run's folder."""

    def _begin(self, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
        train_config = TrainConfig.model_validate(config["config"])
        objective = Objective(**config["objective"])
        owner = Owner(config["run"], config["trial"], train_config)
        checkpoints = open_checkpoints(config["checkpoints"], objective, owner)
        resume = None
        found = yield from reported_again(checkpoints, config["known"], _report)
        if found is not None:
            resume, saved = found
            yield _report(saved.epoch, saved.metrics)
        for result in run_loop(train_config, name=config["trial"], resume=resume):
            if result.files is not None:
                try:
                    checkpoints.save(result)
                except OSError as error:
                    raise Unsaved(error.errno, error.strerror, str(error.filename)) from error
            yield _report(result.epoch, result.metrics)


def _report(epoch: int, metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {"epoch": epoch, "metrics": dict(metrics)}
