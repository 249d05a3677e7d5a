"""Run the trials of a run that retrains trials of another one: a confirmation, or folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tune_robust.api.own_code import code_meta, code_of_run
from tune_robust.errors import SearchFailed
from tune_robust.formatting import count
from tune_robust.runs.store import RunStore
from tune_robust.tuning.winners.retraining import Extension, label_set

if TYPE_CHECKING:
    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.engine.searching import RayOptions
    from tune_robust.tuning.engine.watching import Watcher


def retrain(
    store: RunStore,
    storage: str,
    extension: Callable[[], Extension],
    ray: RayOptions,
    watcher: Watcher,
    logs: Logs,
    code: str | Path | None = None,
    *,
    retry_failed: bool = False,
) -> None:
    """Add trials to the run in ``store``, run those that remain, and close it in any case.

    Args:
        store: the run, opened for writing.
        storage: the folder or URI next to which the decoded data is cached.
        extension: returns what to add.
        ray: where and how trials run.
        watcher: is informed of the progress.
        logs: where to log the trials beside the run's folder.
        code: as in ``confirm``.
        retry_failed: whether trials that have failed start again from the beginning.

    Raises:
        UserError: the trials cannot be added, their data cannot be loaded, or Ray cannot run them.
        SearchFailed: all of them failed.
    """
    from tune_robust.config import parse_config
    from tune_robust.tuning.engine.preparing import prepare_configs
    from tune_robust.tuning.engine.searching import run_search

    try:
        added = extension()
        own = code_meta(code_of_run(store.meta, added.space, code, watcher))
        retrained = [*store.trials.values(), *(trial for trial, _ in added.missing)]
        one_of_each = {label_set(trial): trial for trial in retrained}.values()
        prepare_configs([parse_config(t.config, t.name) for t in one_of_each], storage)
    except BaseException:
        store.close()
        raise

    def request() -> None:
        if own:
            store.update_meta(**own)
        added.record(store)

    conductor = run_search(
        added.space,
        store,
        storage,
        ray,
        watcher,
        logs,
        retry_failed=retry_failed,
        request=request,
        adds_trials=bool(added.missing),
    )
    if all(trial.status == "failed" for trial in conductor.trials.values()):
        raise SearchFailed(
            f"all {count(len(conductor.trials), 'trial')} failed. See why: `tune-robust status "
            f"{store.folder.place}`."
        )
