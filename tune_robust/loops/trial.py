"""What a loop of the user's own is given beside its settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

Saver = Callable[[Path], Any]
"""Writes whatever the loop needs to go on into the (empty) folder that it is given."""


class Loop(Protocol):
    """``loop``: a function that trains, and reports as it goes."""

    def __call__(self, config: dict[str, Any], trial: LoopTrial) -> None:
        """Train with the settings ``config``; return when done.

        ``config`` has the loop's own settings, those searched included, and beside them ``epochs``
        (after so many reports the trial is over) and ``seed``, from which all random numbers are to
        be drawn. Python's, NumPy's and, if it is imported, PyTorch's global generators are seeded
        with it.
        """


class Stop(BaseException):
    """The trial is over: raised by ``LoopTrial.report``. No ``Exception``, so that loops that catch
    those stop as well; ``finally`` and ``with`` are run."""


class LoopTrial:
    """One trial, to which its loop reports.

    Attributes:
        name: as in t0007.
        checkpoint: a folder with what the loop last saved, or None at the beginning.
        epoch: how often the loop has reported, up to that checkpoint.
    """

    def __init__(
        self,
        name: str,
        epoch: int,
        checkpoint: Path | None,
        hand_over: Callable[[dict[str, float], Saver | None], None],
    ):
        self.name, self.epoch, self.checkpoint = name, epoch, checkpoint
        self._hand_over = hand_over

    def report(self, metrics: Mapping[str, Any], checkpoint: Saver | None = None) -> None:
        """Report an epoch, or whatever stretch of training takes its place.

        Args:
            metrics: numbers by name, the objective of the search among them.
                ``gradient_evaluations``, forward and backward passes over the training data so far,
                is by default the number of reports; ``seconds`` is measured.
            checkpoint: called with an empty folder, into which it writes what the loop needs to go
                on from here. Without one, an interrupted trial goes on from the last that it has.

        Raises:
            Stop: the trial is over.
            TypeError: a metric is not a number.
        """
        self.epoch += 1
        self._hand_over({name: _number(name, value) for name, value in metrics.items()}, checkpoint)


RESERVED = ("trial", "epoch", "seconds")


def _number(name: object, value: Any) -> float:
    if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
        raise TypeError(
            f"trial.report: found a metric called {name!r}; expected a name of letters, digits and "
            f"underscores, other than {', '.join(RESERVED)}"
        )
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"trial.report: {name} is {value!r}; expected a number ({math.nan} where it is not "
            "known)"
        ) from error
