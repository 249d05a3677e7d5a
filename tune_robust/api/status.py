"""The progress of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tune_robust.api.runs import RunLike, folder_of
from tune_robust.runs.naming import STORAGE


def status(run: RunLike, *, storage: str | Path = STORAGE) -> dict[str, Any]:
    """Return the progress of a run, during its search or afterwards.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        storage: the folder or URI that holds the runs.

    Returns:
        Plain data: whether the run is ``live``, how many of its ``total`` trials have ``ended``,
        the address of Ray's ``dashboard``, the ``selection`` (the objective's ``metric``, the best
        ``trial`` by it, its ``value`` with the standard ``error``, the other trials ``level`` with
        it, at most two standard errors behind, and the number of its ``seeds`` with the 95 %
        interval ``low`` to ``high`` of their mean), the ``time`` (each limit of the budget, with
        the hours ``used`` when the last trial ended), the ``expected_gain`` of the trials that are
        left (with ``budget.stop: auto``), the ``pareto_front`` of several objectives,
        the results of the ``rung_check``, of the ``confirmation`` and of the ``audit`` (without
        its images), and the ``trials``, best first.

    Raises:
        UserError: there is no such run, or it is damaged.
    """
    from tune_robust.runs.audit import read_audit
    from tune_robust.runs.expected_gain import ExpectedGain
    from tune_robust.runs.pareto import pareto_front
    from tune_robust.runs.progress import SearchProgress
    from tune_robust.runs.reader import read_record
    from tune_robust.runs.time_used import time_used
    from tune_robust.schedulers.rung_check import check_run
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.winners.criterion import selection
    from tune_robust.tuning.winners.retraining import read_summary

    folder = folder_of(run, storage)
    meta = folder.read_meta()
    space, record, live = Space.from_document(meta["space"]), read_record(folder), folder.is_live()
    progress, check = SearchProgress(space, record.trials), check_run(space, record)
    best_first = [*progress.best_first()]
    front = pareto_front(best_first, space) if space.objective.against else None
    audited = read_audit(folder.path)
    selected = selection(best_first, space, (meta.get("images") or {}).get("validation"))
    return {
        "run": folder.path.name,
        "live": live,
        "dashboard": meta.get("dashboard") if live else None,
        "ended": progress.ended,
        "total": progress.total,
        "time": [used._asdict() for used in time_used(space, meta)],
        "expected_gain": gain._asdict() if (gain := ExpectedGain.of(meta)) else None,
        "selection": selected._asdict() if selected else None,
        "pareto_front": [trial.name for trial in front] if front is not None else None,
        "rung_check": check.document() if check else None,
        "confirmation": read_summary(folder),
        "audit": audited.model_dump(mode="json", exclude={"suspects"}) if audited else None,
        "trials": [
            {
                "trial": trial.name,
                "origin": trial.origin,
                "sentinel": trial.sentinel,
                "confirms": trial.confirms,
                "repeats": trial.repeats,
                "continues": trial.continues._asdict() if trial.continues else None,
                "status": trial.status,
                "values": trial.values,
                "epoch": trial.epoch,
                "metrics": trial.last,
                "error": trial.error,
                "retried": trial.retried,
                "notes": trial.notes,
            }
            for trial in best_first
        ],
    }


def list_runs(storage: str | Path = STORAGE) -> list[dict[str, Any]]:
    """Return a summary of each run in a storage, the newest first.

    Args:
        storage: the folder or URI that holds the runs.

    Returns:
        Plain data: the ``name`` of each run, its ``state`` (``running``, ``finished``,
        ``interrupted`` or ``unreadable``, with the ``problem``), how many of its ``total`` trials
        have ``ended``, the ``best`` value of its objective ``metric``, the ``owner`` (user and
        machine) who created it, and when it was ``created``. Unknown values are None.

    Raises:
        UserError: the storage cannot be read.
    """
    from tune_robust.runs.listing import list_runs as summaries

    return [run._asdict() for run in summaries(str(storage))]
