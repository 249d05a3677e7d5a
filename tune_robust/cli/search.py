"""``tune-robust search``: run a space's search from its first trial to its report."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import (
    STORAGE,
    Address,
    Dashboard,
    NoDownload,
    Settings,
    Storage,
    TensorBoard,
    Verbose,
    overrides_of,
)

if TYPE_CHECKING:
    from tune_robust.runs.folder import RunFolder
    from tune_robust.spaces.space import Space


def search(
    space: Annotated[str, typer.Option(help="A built-in space's name, or a YAML file.")],
    trials: Annotated[int | None, typer.Option(help="How many trials.", min=1)] = None,
    name: Annotated[str | None, typer.Option(help="The run's name; by default space-time.")] = None,
    settings: Settings = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(help="A run whose trials the sampler learns from first. Can be repeated."),
    ] = None,
    no_download: NoDownload = False,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    tensorboard: TensorBoard = False,
    verbose: Verbose = False,
) -> None:
    """Search a space: propose, train, stop the weak, keep everything.

    Ctrl-C stops cleanly; `tune-robust resume RUN` goes on.

    \b
    Examples:
      tune-robust search --space saner_digits
      tune-robust search --space saner_cifar100 --data-dir ~/data --set train.epochs=60
      tune-robust search --space my_space.yaml --trials 16 --name first
      tune-robust search --space saner_cifar100 --address auto --storage s3://bucket/runs
      tune-robust search --space saner_digits --warm-start first --set searcher.name=gp
    """
    from tune_robust.runs.find import find_run, new_run
    from tune_robust.runs.provenance import provenance
    from tune_robust.runs.store import RunStore
    from tune_robust.spaces.space import load_space

    overrides = overrides_of(settings, data_dir, no_download, data="train.data")
    if trials is not None:
        overrides.append(f"budget.trials={trials}")
    loaded = load_space(space, overrides=overrides)

    from tune_robust.cli.conduct import RayOptions, conduct, one_of_each_data, prepare

    folder = new_run(storage, name or f"{loaded.name}-{datetime.now():%Y%m%d-%H%M%S}")
    meta = {"space": loaded.document()}
    if warm_start:
        meta["warm_start"] = _warm_start(loaded, [find_run(run, storage) for run in warm_start])
    meta |= prepare(one_of_each_data(loaded), storage)
    store = RunStore.create(folder, {**meta, **provenance()})
    ray = RayOptions(address, dashboard, verbose)
    conduct(loaded, store, storage, ray, tensorboard=tensorboard)


def _warm_start(space: Space, folders: list[RunFolder]) -> dict[str, Any]:
    """What the runs have for the sampler, as run.json keeps it; says what was taken."""
    from tune_robust.spaces.objective import objective_of
    from tune_robust.tuning.strategy.warm_start import harvest

    found = harvest(space, objective_of(space), folders)
    taken = found.warm_start
    for line in found.summary:
        typer.echo(f"Warm start from {line}")
    return taken.model_dump(mode="json")
