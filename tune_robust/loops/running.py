"""A loop of the user's own as a generator of epochs."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tune_robust.config import TrainConfig, parse_config
from tune_robust.errors import UserError
from tune_robust.loops.checkpoints import (
    LoopCheckpoint,
    read_loop_checkpoint,
    unpack_loop_checkpoint,
    write_loop_checkpoint,
)
from tune_robust.loops.trial import Loop, LoopTrial, Saver, Stop
from tune_robust.own import import_part, signature_problem

_PATIENCE = 30.0
"""Seconds that a loop has to end after it was told to."""

_SETTING = "loop"


@dataclass(frozen=True)
class LoopEpoch:
    """One report of a loop, counted from 1, with the names of ``training.EpochResult``.

    ``files``: the folder with what the loop has saved at it, None where it has saved nothing.
    ``save(path, owner)`` makes a checkpoint of them, from which ``run_loop(..., resume=path)`` goes
    on.
    """

    epoch: int
    metrics: dict[str, float]
    earlier: list[dict[str, float]]
    config: dict[str, Any]
    files: Path | None

    def save(self, path: Path, owner: dict[str, str | None] | None = None) -> None:
        """Write a checkpoint."""
        if self.files is None:
            raise ValueError(f"the loop has saved nothing at epoch {self.epoch}")
        facts = LoopCheckpoint(
            self.epoch, self.metrics, self.config, self.metrics["seconds"], self.earlier, owner
        )
        write_loop_checkpoint(Path(path), facts, self.files)


def check_loop(config: TrainConfig) -> Loop:
    """The function that ``config.loop`` names, seen to take ``(config, trial)``.

    Raises:
        UserError: there is no such function, or it takes other arguments.
    """
    if config.loop is None:
        raise ValueError("the configuration has no loop")
    loop: Loop = import_part(config.loop.name, _SETTING)
    if problem := signature_problem(loop, 2, {}):
        raise UserError(
            f"{_SETTING}: {config.loop.name} cannot be called as loop(config, trial): {problem}"
        )
    return loop


def run_loop(
    config: TrainConfig, *, name: str = "trial", resume: Path | None = None
) -> Iterator[LoopEpoch]:
    """Run the loop, yielding at each of its reports, at most ``config.epochs`` of them.

    The loop runs in a thread of its own, and waits in ``report`` until the next epoch is asked for.
    Closing the generator raises ``Stop`` there.

    Args:
        config: the run; ``config.loop`` names the function.
        name: of the trial.
        resume: a checkpoint of the same configuration to go on from.

    Raises:
        UserError: the loop cannot be called, or the checkpoint does not fit.
        Exception: whatever the loop raises.
    """
    document = config.model_dump(mode="json")
    with tempfile.TemporaryDirectory(prefix="tune-robust-") as own:
        place = Path(own)
        began = _begin(config, resume, place) if resume is not None else None
        running = _Running(config, name, began, place)
        history = [*began.earlier, began.metrics] if began is not None else []
        try:
            while len(history) < config.epochs and (report := running.next_report()) is not None:
                metrics, saver = report
                files = _saved(saver, place / "next") if saver is not None else None
                yield LoopEpoch(len(history) + 1, metrics, [*history], document, files)
                history.append(metrics)
        finally:
            running.stop()


def _begin(config: TrainConfig, path: Path, own: Path) -> LoopCheckpoint:
    """The checkpoint at ``path``, its files unpacked for the loop to read."""
    checkpoint = read_loop_checkpoint(path)
    check_continues(checkpoint, config, path)
    unpack_loop_checkpoint(path, own / "checkpoint")
    (own / "checkpoint").mkdir(exist_ok=True)
    return checkpoint


def check_continues(checkpoint: LoopCheckpoint, config: TrainConfig, path: Path) -> None:
    """See that ``checkpoint`` is of this configuration.

    Raises:
        UserError: it is of another.
    """
    if parse_config(checkpoint.config, str(path)) != config:
        raise UserError(
            f"{path} belongs to another configuration. Resume it with the configuration it was "
            "saved with."
        )


def _saved(saver: Saver, folder: Path) -> Path:
    if folder.exists():
        for file in sorted(folder.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    folder.mkdir(exist_ok=True)
    saver(folder)
    return folder


class _Running:
    """The loop in its thread, and what it hands over."""

    def __init__(
        self, config: TrainConfig, name: str, began: LoopCheckpoint | None, own: Path
    ) -> None:
        self._config, self._loop = config, check_loop(config)
        self._asked, self._answered = threading.Event(), threading.Event()
        self._report: tuple[dict[str, float], Saver | None] | None = None
        self._error: BaseException | None = None
        self._over = False
        self._seconds = began.seconds if began is not None else 0.0
        self._since = 0.0
        epoch = began.epoch if began is not None else 0
        folder = own / "checkpoint" if began is not None else None
        self._trial = LoopTrial(name, epoch, folder, self._hand_over)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def next_report(self) -> tuple[dict[str, float], Saver | None] | None:
        """What the loop reports next; None when it has returned."""
        self._answered.clear()
        self._asked.set()
        self._answered.wait()
        if self._error is not None:
            raise self._error
        return self._report

    def stop(self) -> None:
        """End the loop where it next reports, and wait for it."""
        self._over = True
        self._asked.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            self._wait()
            _seed(self._config.seed)
            self._loop(self._settings(), self._trial)
            if not self._trial.epoch:
                raise UserError(
                    f"{_SETTING}: the loop has returned without a report: call "
                    "trial.report({...}) at least once."
                )
        except Stop:
            pass
        except BaseException as error:
            self._error = error
        self._report = None
        self._answered.set()

    def _settings(self) -> dict[str, Any]:
        own = self._config.loop.arguments if self._config.loop is not None else {}
        return {"epochs": self._config.epochs, "seed": self._config.seed, **own}

    def _hand_over(self, metrics: dict[str, float], saver: Saver | None) -> None:
        self._seconds += time.perf_counter() - self._since
        epochs = {"gradient_evaluations": float(self._trial.epoch)}
        self._report = {**epochs, **metrics, "seconds": self._seconds}, saver
        self._answered.set()
        self._wait()

    def _wait(self) -> None:
        """Until the next epoch is asked for; the time is not the loop's."""
        self._asked.wait()
        self._asked.clear()
        if self._over:
            raise Stop
        self._since = time.perf_counter()


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)
