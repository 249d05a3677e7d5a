"""``tune-robust resume``: continue a run, or extend it."""

from __future__ import annotations

from typing import Annotated

import typer

from tune_robust.cli.options import (
    STORAGE,
    Address,
    Dashboard,
    Json,
    Mlflow,
    OtherCode,
    Run,
    Storage,
    TensorBoard,
    Verbose,
    Wandb,
)


def resume(
    run: Run,
    trials: Annotated[
        str | None, typer.Option(help="A new total of trials (40), or how many more (+20).")
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Train the failed trials again from the beginning."),
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change how the run is executed: budget.trials, resources.cpus, resources.gpus, "
            "resources.processes or resources.concurrency. Other settings are fixed, so that all "
            "trials of a run are comparable. Can be repeated.",
        ),
    ] = None,
    rebuild_log: Annotated[
        bool,
        typer.Option(
            "--rebuild-log",
            help="Rebuild a lost event log from the tables trials.parquet and epochs.parquet.",
        ),
    ] = False,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    tensorboard: TensorBoard = False,
    wandb: Wandb = False,
    mlflow: Mlflow = False,
    code: OtherCode = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Continue an interrupted run, or extend a finished one.

    Finished trials are not repeated, and interrupted trials continue from their last checkpoint.

    Examples:
      tune-robust resume r1
      tune-robust resume r1 --trials +20
      tune-robust resume runs/r1 --retry-failed
      tune-robust resume r1 --set resources.concurrency=1
    """
    import tune_robust as tr
    from tune_robust.cli.confirm import print_confirmation
    from tune_robust.cli.running import console_of, exits_when_interrupted
    from tune_robust.cli.summary import finish
    from tune_robust.console.display import Display

    console = console_of(as_json=as_json)
    with exits_when_interrupted():
        found = tr.resume(
            run,
            trials=trials,
            retry_failed=retry_failed,
            settings=settings,
            rebuild_log=rebuild_log,
            storage=storage,
            address=address,
            dashboard=dashboard,
            tensorboard=tensorboard,
            wandb=wandb,
            mlflow=mlflow,
            code=code,
            progress=Display(console),
            verbose=verbose,
        )
    if "confirms" in found.meta:
        print_confirmation(found.place, console, as_json=as_json)
    elif "folds" in found.meta and not as_json:
        console.print("The folds are trained. Give the command `tune-robust audit` again.")
    else:
        finish(found, console, as_json=as_json)
