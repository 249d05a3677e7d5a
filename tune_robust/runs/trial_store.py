"""The interface of a store that records a search, wherever it keeps the events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tune_robust.metrics import finite_or_none
from tune_robust.runs.record import Record
from tune_robust.runs.trial import Continued, Origin, Status, Trial, name_of

if TYPE_CHECKING:
    from tune_robust.spaces.space import Space


class Upkeep(Protocol):
    """Keeps up to date what is derived from the events of a search."""

    def refresh(self) -> None:
        """Bring it up to date after a change, unless this was done very recently."""

    def write(self) -> None:
        """Bring it up to date now."""

    def ended(self, trial: Trial) -> None:
        """A trial has ended."""


class TrialStore(ABC):
    """Records the events of a search's trials, each as it comes."""

    _record: Record

    @property
    def trials(self) -> dict[str, Trial]:
        """As in ``Record``."""
        return self._record.trials

    @property
    def history(self) -> Collection[tuple[str, int]]:
        """As in ``Record``."""
        return self._record.history.keys()

    @property
    @abstractmethod
    def journal(self) -> Path | None:
        """The path of the study's journal; None keeps the study in memory."""

    @property
    @abstractmethod
    def meta(self) -> Mapping[str, Any]:
        """Information about the search as a whole, described by ``RunMeta``."""

    @abstractmethod
    def update_meta(self, **facts: Any) -> None:
        """Set these fields of ``meta``."""

    @abstractmethod
    def upkeep(self, space: Space) -> Upkeep:
        """Return what is derived from the events of a search of ``space``."""

    @abstractmethod
    def close(self) -> None:
        """Stop recording."""

    def add_trial(
        self,
        origin: Origin,
        values: Mapping[str, Any],
        config: Mapping[str, Any],
        *,
        sentinel: bool = False,
        confirms: str | None = None,
        repeats: str | None = None,
        continues: Continued | None = None,
    ) -> Trial:
        """Record a new proposal under the next free name.

        One that ``continues`` another gets a copy of its last checkpoint first.
        """
        name = name_of(len(self.trials))
        again: dict[str, Any] = {} if repeats is None else {"repeats": repeats}
        if continues is not None:
            self._copy_checkpoint(continues.trial, name)
            again["continues"] = continues._asdict()
        fields = {"origin": origin, "values": dict(values), "config": dict(config), **again}
        self._append("trial", name, **fields, sentinel=sentinel, confirms=confirms)
        return self.trials[name]

    def start(self, trial: str) -> None:
        """Record that a trial starts, or starts again."""
        self._append("start", trial)

    def add_epoch(
        self,
        trial: str,
        epoch: int,
        metrics: Mapping[str, float | None],
        reliability: list[list[float]] | None = None,
    ) -> None:
        """Record one epoch. Recording it again replaces it: trials resume from checkpoints."""
        fields = {} if reliability is None else {"reliability": reliability}
        self._append("epoch", trial, epoch=epoch, metrics=finite_or_none(metrics), **fields)

    def end(self, trial: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended."""
        last = max(self.trials[trial].epochs, default=0)
        self._append("end", trial, status=status, error=_encodable(error), epoch=last)

    def note(self, trial: str, text: str) -> None:
        """Record a remark on a trial for its users."""
        self._append("note", trial, text=_encodable(text))

    def retry(self, trial: str) -> None:
        """Discard a failed trial's epochs: it will start again from the beginning."""
        self._append("retry", trial)

    def retry_failed(self) -> None:
        """Let every failed trial start again from the beginning."""
        for name in [t.name for t in self.trials.values() if t.status == "failed"]:
            self.retry(name)

    @abstractmethod
    def _copy_checkpoint(self, trial: str, to: str) -> None:
        """Give the trial ``to`` the last checkpoint of another one, in a store that keeps them."""

    @abstractmethod
    def _append(self, event: str, trial: str, **fields: Any) -> None:
        """Record an event, and update the record with it."""


def _encodable(text: str | None) -> str | None:
    """Replace incomplete characters, which names of files may contain."""
    return text if text is None else text.encode(errors="replace").decode()
