"""``tune-robust search``: run the search of a space, from its first trial to its report."""

from __future__ import annotations

from typing import Annotated

import typer

from tune_robust.cli.completion import complete_run
from tune_robust.cli.options import (
    STORAGE,
    Address,
    Code,
    Dashboard,
    DataDir,
    Json,
    Mlflow,
    NoDownload,
    Settings,
    Space,
    Storage,
    TensorBoard,
    Trials,
    Verbose,
    Wandb,
)


def search(
    space: Space,
    trials: Trials = None,
    name: Annotated[
        str | None,
        typer.Option(help="The name of the run; by default the name of the space and the time."),
    ] = None,
    settings: Settings = None,
    data_dir: DataDir = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            help="Let the sampler learn from the trials of this earlier run first. Can be "
            "repeated.",
            autocompletion=complete_run,
        ),
    ] = None,
    no_download: NoDownload = False,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    tensorboard: TensorBoard = False,
    wandb: Wandb = False,
    mlflow: Mlflow = False,
    code: Code = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Search a space for its best configuration: propose, train and compare trials.

    Weak trials are stopped early, and every result is stored at once. At the end, the best
    configurations are exported and a report is written. Ctrl-C interrupts the search, and
    `tune-robust resume RUN` continues it.

    Examples:
      tune-robust search --space saner_digits
      tune-robust search --space saner_cifar100 --data-dir ~/data \\
        --set train.epochs=60
      tune-robust search --space my_space.yaml --trials 16 --name first
      tune-robust search --space saner_cifar100 --address auto \\
        --storage s3://bucket/runs
      tune-robust search --space saner_digits --warm-start first \\
        --set searcher.name=gp
    """
    import tune_robust as tr
    from tune_robust.cli.running import console_of, exits_when_interrupted
    from tune_robust.cli.summary import finish
    from tune_robust.console.display import Display

    console = console_of(as_json=as_json)
    with exits_when_interrupted():
        run = tr.search(
            space,
            name=name,
            storage=storage,
            trials=trials,
            settings=settings,
            data_dir=data_dir,
            download=not no_download,
            warm_start=warm_start or (),
            address=address,
            dashboard=dashboard,
            tensorboard=tensorboard,
            wandb=wandb,
            mlflow=mlflow,
            code=code,
            progress=Display(console),
            verbose=verbose,
        )
    finish(run, console, as_json=as_json)
