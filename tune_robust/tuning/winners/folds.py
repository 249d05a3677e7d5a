"""Train a trial on the folds of its images, for the audit of all labels.

The folds are an ordinary run in the folder ``folds`` of the run that is audited. Its trials have
the configuration of a trial of that run with a ``data.fold``. All of them are in its store before
the first one starts. Winners and numbers of folds of several audits are in the same run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import Trial
from tune_robust.spaces.sections import Record
from tune_robust.tuning.winners.retraining import (
    Extension,
    create_inside,
    drop_inside_unless,
    retraining_space,
)

FOLDER = "folds"


def folds_of(source: RunFolder) -> RunFolder:
    """Return the folder of a run's folds, whether or not it exists."""
    return source.inside(FOLDER)


def open_folds(source: RunFolder) -> RunStore:
    """Open the folds of ``source`` for writing; new ones have no trials yet.

    Raises:
        UserError: another process is working on them.
    """
    folder = folds_of(source)
    if folder.meta.exists():
        return RunStore(folder)
    return create_inside(source, folder, folds={"run": source.path.resolve().name})


def discard_empty(source: RunFolder) -> None:
    """Delete the folds of ``source`` if they never began: there is no trial."""
    drop_inside_unless(source, folds_of(source), read_trials)


def config_of(trial: Trial, index: int, folds: int) -> dict[str, Any]:
    """Return the configuration of ``trial`` that holds out fold ``index`` (from 1) of ``folds``."""
    data = {**trial.config["data"], "fold": {"index": index, "of": folds}}
    return {**trial.config, "data": data}


def extension_of(
    store: RunStore, trial: Trial | None = None, indices: Iterable[int] = (), folds: int = 0
) -> Extension:
    """Return what is to be recorded so that ``trial`` is trained without each of these folds."""
    known = [each.config for each in store.trials.values()]
    wanted = [] if trial is None else [(trial, config_of(trial, i, folds)) for i in indices]
    missing = [pair for pair in wanted if pair[1] not in known]
    space = retraining_space(store, len(known) + len(missing))
    return Extension({}, space.model_copy(update={"record": Record()}), missing)


def finished_trials(folder: RunFolder) -> list[Trial]:
    """Return the trials of the folds in ``folder`` that are done; none if it does not exist."""
    trials = read_trials(folder).values() if folder.meta.exists() else ()
    return [trial for trial in trials if trial.status == "done"]
