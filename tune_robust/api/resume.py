"""Continue an interrupted run, add trials to a run, or retry its failed trials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_robust.api.own_code import code_meta, code_of_run, register_loop
from tune_robust.api.runs import RunLike, folder_of, load_run
from tune_robust.api.watching import ProgressLike, watcher_of
from tune_robust.errors import Problem, UserError, nearest
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.meta import retrained_run
from tune_robust.runs.naming import STORAGE, run_argument
from tune_robust.runs.store import RunStore
from tune_robust.spaces.overrides import Overrides, parse_overrides
from tune_robust.spaces.paths import set_path
from tune_robust.spaces.space import Space

if TYPE_CHECKING:
    from analysis.stored.run import Run
    from tune_robust.loops import Loop
    from tune_robust.tuning.engine.watching import Watcher

MAY_CHANGE = (
    "budget.trials",
    "budget.hours",
    "budget.gpu_hours",
    "budget.stop",
    "resources.concurrency",
    "resources.cpus",
    "resources.gpus",
    "resources.processes",
)
"""The settings that do not affect the results of trials."""


def resume(
    run: RunLike,
    *,
    trials: int | str | None = None,
    retry_failed: bool = False,
    settings: Overrides | None = None,
    rebuild_log: bool = False,
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
) -> Run:
    """Continue an interrupted run, or extend a finished one, and return the run.

    Finished trials are not repeated, and interrupted trials continue from their last checkpoint.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        trials: a new total (``40``), or how many more (``"+20"``).
        retry_failed: whether to train the failed trials again, from the beginning.
        settings: changes to how the run is executed, as a mapping from key paths to values. Only
            ``budget.trials``, ``budget.hours``, ``budget.gpu_hours``, ``budget.stop`` and
            ``resources`` may change, so that all trials of a run are comparable.
        rebuild_log: whether to rebuild a lost event log from the run's two tables.
        code: the folder of other code for the run's own parts; by default the code that the run
            began with.
        train: the training loop again, if the run's was given as a function of a script or
            notebook.
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
        The run.

    Raises:
        UserError: there is no such run, another process works on it, or a setting may not change.
        KeyboardInterrupt: as in ``search``.
    """
    from tune_robust.api.audit import run_folds
    from tune_robust.api.confirm import run_confirmation
    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.engine.preparing import prepare_space
    from tune_robust.tuning.engine.searching import RayOptions, run_search

    logs = Logs(tensorboard, wandb, mlflow)
    if train is not None:
        register_loop(train)
    ray, watcher = RayOptions(address, dashboard, verbose), watcher_of(progress)
    folder = folder_of(run, storage)
    meta = folder.read_meta()
    if retrained_run(meta) is not None:
        if trials is not None or settings:
            raise _is_fixed(folder, meta)
        store = _opened(folder, watcher, rebuild_log)
        _point_out_failed(store, watcher, retry_failed)
        continued = run_confirmation if "confirms" in meta else run_folds
        continued(store, ray, watcher, logs, code, retry_failed=retry_failed)
        return load_run(folder.place)
    # Everything is validated before the run is changed.
    space = _changed(meta["space"], trials, settings)
    own = code_meta(code_of_run(meta, space, code, watcher))
    prepare_space(space, folder.storage)
    store = _opened(folder, watcher, rebuild_log)
    _point_out_failed(store, watcher, retry_failed)
    run_search(
        space,
        store,
        folder.storage,
        ray,
        watcher,
        logs,
        retry_failed=retry_failed,
        request=lambda: store.update_meta(**own) if own else None,
    )
    folder.upload()
    return load_run(folder.place)


def _changed(
    document: dict[str, Any], trials: int | str | None, settings: Overrides | None
) -> Space:
    """Return the run's space with the changes of this call.

    Raises:
        UserError: a setting may not change, or the changed space is not valid.
    """
    pairs, problems = parse_overrides(settings or {})
    problems += [_fixed(path) for path, _ in pairs if path not in MAY_CHANGE]
    if problems:
        raise UserError("--set cannot change this: " + "; ".join(map(str, problems)))
    changes = dict(pairs)
    # Validated and with all its entries, which one that was edited may lack.
    changed = Space.from_document(document).document()
    before = changed["budget"]["trials"]
    given = trials if trials is not None else changes.pop("budget.trials", None)
    for path, value in changes.items():
        set_path(changed, path, value)
    changed["budget"]["trials"] = _total(given, before, changed["budget"]["scheduler"])
    return Space.from_document(changed)


def _fixed(path: str) -> Problem:
    near = nearest(path, MAY_CHANGE)
    return Problem(
        path,
        f"it was fixed when the run began, so that its trials are comparable.{near} A resumed run "
        f"may change {', '.join(MAY_CHANGE)}. For others, start a new run: `tune-robust search "
        "--space ... --set ... --warm-start RUN` learns from this one",
    )


def _total(given: int | str | None, before: int, scheduler: str) -> int:
    """Return the new total of trials."""
    if given is None:
        return before
    try:
        more = isinstance(given, str) and given.startswith("+")
        total = before + int(given) if more else int(given)
    except (TypeError, ValueError):
        raise UserError(
            f"--trials {given!r}: give a total such as 40, or an increase such as +20."
        ) from None
    if total != before and scheduler == "pb2":
        raise UserError(
            f"--trials {given}: the run's trials are a population (budget.scheduler: pb2), whose "
            "members train side by side from the beginning: none can be added later. Start a new "
            f"search with --set budget.trials={total}, or leave --trials out."
        )
    if total < before:
        raise UserError(f"--trials {given}: the run has {before} already; give more, or +N.")
    return total


def _is_fixed(folder: RunFolder, meta: Mapping[str, Any]) -> UserError:
    if "folds" in meta:
        return UserError(
            f"{folder.place} has the folds of an audit, which has as many trials as `tune-robust "
            f"audit {run_argument(folder.storage)} --folds N` says."
        )
    return UserError(
        f"{folder.place} is a confirmation: extend it with `tune-robust confirm "
        f"{folder.storage} --seeds N` or --top N."
    )


def _opened(folder: RunFolder, watcher: Watcher, rebuild_log: bool) -> RunStore:
    """Open the run for writing, after recovering a damaged log, which is reported."""
    store = RunStore(folder, recover=True, rebuild=rebuild_log)
    if store.recovered:
        told = "\n".join(f"  {line}" for line in store.recovered)
        watcher.warn(f"The event log {folder.events} was damaged and has been recovered:\n{told}")
    return store


def _point_out_failed(store: RunStore, watcher: Watcher, retry_failed: bool) -> None:
    failed = sum(trial.status == "failed" for trial in store.trials.values())
    if failed and not retry_failed:
        watcher.note(
            f"{failed} {'trial has' if failed == 1 else 'trials have'} failed before. To train "
            f"{'it' if failed == 1 else 'them'} again: tune-robust resume "
            f"{run_argument(store.folder.place)} --retry-failed"
        )
