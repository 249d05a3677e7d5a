"""Retrain a run's winners on fresh seeds, to get the scores to publish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_robust.api.own_code import register_loop
from tune_robust.api.retraining import retrain
from tune_robust.api.runs import RunLike, folder_of
from tune_robust.api.watching import ProgressLike, watcher_of
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.naming import STORAGE
from tune_robust.runs.progress import most_trials
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import ENDED
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import Space
from tune_robust.tuning.winners.criterion import check_recorded, selecting_by
from tune_robust.tuning.winners.retraining import (
    choose,
    confirmed_by,
    discard_empty,
    extension_of,
    open_confirmation,
    write_summary,
)

if TYPE_CHECKING:
    from tune_robust.loops import Loop
    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.engine.searching import RayOptions
    from tune_robust.tuning.engine.watching import Watcher

TOP = 3


def confirm(
    run: RunLike,
    *,
    top: int | None = None,
    trials: Sequence[str] = (),
    seeds: int = 5,
    baselines: bool = True,
    by: str | None = None,
    code: str | Path | None = None,
    train: Loop | None = None,
    storage: str | Path = STORAGE,
    address: str | None = None,
    dashboard: bool = True,
    tensorboard: bool = False,
    wandb: bool = False,
    mlflow: bool = False,
    progress: ProgressLike = True,
    verbose: bool = False,
) -> dict[str, Any]:
    """Retrain a run's best trials on fresh seeds, and return the results.

    The best of many trials is partly the luckiest one. Each trial is therefore trained with the
    complete budget on seeds that the search has not used (for network, split and noise draw), which
    are the same for all of them. The same call continues an interrupted confirmation; with more
    ``seeds`` or ``top`` it adds what is missing. If the run has a report, it is updated.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        top: how many of the best trials to confirm; by default 3, or none if ``trials`` are given.
        trials: the names of trials to confirm, such as ``t0012``.
        seeds: the number of fresh seeds on which each trial is trained.
        baselines: whether to train the baselines on the same seeds.
        by: another metric to select the best trials by, such as ``val_accuracy``. On the fresh
            seeds they are compared by the search's objective.
        code: the folder of other code for the run's own parts, as in ``resume``.
        train: the training loop again, as in ``resume``.
        storage: the folder or URI that holds the runs.
        address: the address of a Ray cluster, as in ``search``.
        dashboard: whether to start Ray's dashboard (on this machine only).
        tensorboard: whether to write TensorBoard logs; logs that exist are continued.
        wandb: whether to log each trial as a run of Weights & Biases, in a group with the name of
            the search. Needs ``pip install "tune-robust[wandb]"``.
        mlflow: whether to log each trial as a run of MLflow, in an experiment with the name of the
            search. Needs ``pip install "tune-robust[mlflow]"``.
        progress: as in ``search``.
        verbose: whether to show Ray's own messages.

    Returns:
        The content of ``confirm/confirmation.json`` in the run's folder. ``conclusion`` is a text.
        ``trials`` has, best first, each trial's ``mean``, its 95 % interval (``low``, ``high``),
        its ``scores`` by seed and its ``probability_best``.

    Raises:
        UserError: there is no such run or trial, or nothing to confirm yet, or all trials failed.
        KeyboardInterrupt: as in ``search``.
    """
    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.engine.searching import RayOptions

    logs = Logs(tensorboard, wandb, mlflow)
    if train is not None:
        register_loop(train)
    watcher = watcher_of(progress)
    folder = folder_of(run, storage)
    meta = folder.read_meta()
    if "confirms" in meta:
        raise UserError(
            f"{folder.place} is itself a confirmation. Extend it by its run: "
            f"`tune-robust confirm {folder.storage} --seeds N`."
        )
    space, known = Space.from_document(meta["space"]), read_trials(folder)
    top = top or (0 if trials else TOP)
    selecting = selecting_by(space, by)
    check_recorded(known.values(), selecting)
    chosen = choose(known, objective_of(selecting), top=top, named=trials, baselines=baselines)
    if not chosen:
        raise UserError(
            f"the run {folder.path.name!r} has no trial with a result to confirm yet. "
            f"See `tune-robust status {folder.place}`."
        )
    ended = sum(t.status in ENDED for t in known.values())
    total = most_trials(space, len(known), ended)
    if ended < total:
        watcher.note(
            f"The search has not finished: {ended} of {total} trials have ended. The best "
            "so far are confirmed."
        )
    ray, names = RayOptions(address, dashboard, verbose), [trial.name for trial in chosen]
    try:
        store = open_confirmation(folder)
        return run_confirmation(store, ray, watcher, logs, code, trials=names, seeds=seeds)
    except BaseException:
        discard_empty(folder)
        raise


def run_confirmation(
    store: RunStore,
    ray: RayOptions,
    watcher: Watcher,
    logs: Logs,
    code: str | Path | None = None,
    *,
    trials: Sequence[str] = (),
    seeds: int = 0,
    retry_failed: bool = False,
) -> dict[str, Any]:
    """Run the remaining trials of a confirmation, and write and return its results.

    ``code`` is as in ``confirm``; ``trials`` and ``seeds`` are confirmed at least.

    Raises:
        SearchFailed: there are no results.
    """
    folder = store.folder
    source = confirmed_by(folder)
    retrain(
        store,
        source.storage,
        lambda: extension_of(store, trials, seeds),
        ray,
        watcher,
        logs,
        code,
        retry_failed=retry_failed,
    )
    found = write_summary(folder)
    folder.upload()
    _refresh_report(source)
    return found


def _refresh_report(source: RunFolder) -> None:
    """Update the report of the run, if it has one, with the confirmation."""
    if (source.path / "report.html").exists():
        from analysis.report.page import write_report
        from analysis.stored.run import load_run

        write_report(load_run(source.path, place=source.place))
        source.upload()
