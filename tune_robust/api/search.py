"""Run the search of a space."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_robust.api.own_code import code_meta, new_code, with_loop
from tune_robust.api.runs import RunLike, folder_of, load_run
from tune_robust.api.spaces import SpaceLike, load_space
from tune_robust.api.watching import ProgressLike, watcher_of
from tune_robust.runs.find import new_run
from tune_robust.runs.naming import STORAGE
from tune_robust.spaces.overrides import Overrides
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.watching import Watcher

if TYPE_CHECKING:
    from analysis.stored.run import Run
    from tune_robust.loops import Loop


def search(
    space: SpaceLike,
    *,
    name: str | None = None,
    storage: str | Path = STORAGE,
    trials: int | None = None,
    settings: Overrides | None = None,
    data_dir: str | Path | None = None,
    download: bool = True,
    warm_start: RunLike | Iterable[RunLike] = (),
    address: str | None = None,
    dashboard: bool = True,
    tensorboard: bool = False,
    wandb: bool = False,
    mlflow: bool = False,
    code: str | Path | None = None,
    train: Loop | str | None = None,
    progress: ProgressLike = True,
    verbose: bool = False,
) -> Run:
    """Search a space for its best training configuration, and return the run.

    The call returns when all trials have ended. Every result is stored at once: after an
    interruption or a crash, ``resume`` continues the run.

    Args:
        space: the name of a built-in space, the path of a YAML file, or the same as a mapping.
        name: the name of the run; by default the name of the space and the time.
        storage: the folder or URI (``s3://``, ``gs://``) that holds the runs.
        trials: the number of trials; by default as many as in the space.
        settings: changes to the space, as a mapping from key paths to values:
            ``{"train.epochs": 10}``.
        data_dir: the folder of the data set.
        download: whether missing data may be downloaded.
        warm_start: earlier runs from whose trials the sampler learns first.
        address: the address of a Ray cluster, ``auto`` or HOST:PORT; by default the environment
            variable RAY_ADDRESS and, if that is not set, Ray on this machine alone.
        dashboard: whether to start Ray's dashboard (on this machine only).
        tensorboard: whether to write TensorBoard logs into the run's folder.
        wandb: whether to log each trial as a run of Weights & Biases, in a group with the name of
            the search. Needs ``pip install "tune-robust[wandb]"``.
        mlflow: whether to log each trial as a run of MLflow, in an experiment with the name of the
            search. Needs ``pip install "tune-robust[mlflow]"``.
        code: the folder with the modules of own parts (``my_nets:Tiny``); by default the working
            directory. Their source is stored with the run.
        train: a training loop of your own, ``train(config, trial)``; short for ``train.loop``. All
            dimensions of the space are then its settings. See docs/own-loop.md.
        progress: True shows the progress on standard error, or in the notebook; False shows
            nothing. An object with the methods of ``Watcher`` is called for every trial instead.
        verbose: whether to show Ray's own messages.

    Returns:
        The run, once all its trials have ended.

    Raises:
        UserError: the space is not valid, the data is missing, the run exists already, or it
            cannot be written.
        KeyboardInterrupt: after Ctrl-C (or an interrupted notebook cell), when everything is
            stored. Its message says how to resume.
    """
    from tune_robust.runs.provenance import provenance
    from tune_robust.runs.store import RunStore

    space, code = with_loop(space, train, code)
    loaded = load_space(
        space, trials=trials, settings=settings, data_dir=data_dir, download=download
    )

    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.engine.preparing import prepare_space
    from tune_robust.tuning.engine.searching import RayOptions, run_search

    logs = Logs(tensorboard, wandb, mlflow)
    watcher, storage = watcher_of(progress), str(storage)
    folder = new_run(storage, name or f"{loaded.name}-{datetime.now():%Y%m%d-%H%M%S}")
    meta = {"space": loaded.document(), **_warm_start(loaded, warm_start, storage, watcher)}
    meta |= code_meta(new_code(loaded, code))
    meta |= prepare_space(loaded, storage, folder)
    store = RunStore.create(folder, {**meta, **provenance()})
    ray = RayOptions(address, dashboard, verbose)
    run_search(loaded, store, storage, ray, watcher, logs)
    folder.upload()
    return load_run(folder.place)


def _warm_start(
    space: Space, runs: RunLike | Iterable[RunLike], storage: str, watcher: Watcher
) -> dict[str, Any]:
    """Return the warm start from earlier runs for run.json, and report what was taken."""
    from analysis.stored.run import Run
    from tune_robust.spaces.objective import objective_of
    from tune_robust.tuning.strategy.warm_start import harvest

    given = [runs] if isinstance(runs, str | Path | Run) else runs
    folders = [folder_of(run, storage) for run in given]
    if not folders:
        return {}
    found = harvest(space, objective_of(space), folders)
    for line in found.summary:
        watcher.note(f"Warm start from {line}")
    return {"warm_start": found.warm_start.model_dump(mode="json")}
