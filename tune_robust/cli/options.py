"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune_robust.cli.completion import complete_run, complete_space
from tune_robust.runs.naming import STORAGE as STORAGE

Run = Annotated[
    str,
    typer.Argument(
        help="The run: its name under --storage, its path or its URI.", autocompletion=complete_run
    ),
]
Runs = Annotated[
    list[str],
    typer.Argument(
        help="The runs: names under --storage, paths or URIs.", autocompletion=complete_run
    ),
]
Space = Annotated[
    str,
    typer.Option(
        help="The name of a built-in space, or the path of a YAML file.",
        autocompletion=complete_space,
    ),
]
SpaceName = Annotated[
    str,
    typer.Argument(
        help="The name of a built-in space, or the path of a YAML file.",
        autocompletion=complete_space,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(help="Run this many trials; by default as many as in the space.", min=1),
]
Storage = Annotated[str, typer.Option(help="The folder or URI that holds the runs.")]
By = Annotated[
    str | None,
    typer.Option(
        metavar="METRIC",
        help="Select the best trials by this metric, such as val_accuracy or val_information, "
        "instead of the search's objective.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the setting of the space at this key path, as in train.epochs=60. The value "
        "is YAML. Can be repeated.",
    ),
]
ConfigSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the setting of the training configuration at this key path, as in "
        "data.subset=0.5. The value is YAML. Can be repeated.",
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="The folder that holds the data set.")]
NoDownload = Annotated[
    bool, typer.Option("--no-download", help="Do not download data; fail if files are missing.")
]
Dashboard = Annotated[
    bool, typer.Option(help="Start Ray's dashboard, which listens on this machine only.")
]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Also write TensorBoard logs into the run's folder.")
]
Wandb = Annotated[
    bool,
    typer.Option(
        "--wandb",
        help="Also log each trial as a run of Weights & Biases, in a group with the name of the "
        "search. Needs the extra tune-robust[wandb].",
    ),
]
Mlflow = Annotated[
    bool,
    typer.Option(
        "--mlflow",
        help="Also log each trial as a run of MLflow, in an experiment with the name of the "
        "search. Needs the extra tune-robust[mlflow].",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        help="Run the trials on this Ray cluster. By default RAY_ADDRESS says which, and where "
        "that is not set, Ray starts on this machine alone.",
    ),
]
Code = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Import your own parts, such as model.name: my_nets:Tiny, from this folder; by "
        "default from the working directory.",
    ),
]
OtherCode = Annotated[
    Path | None,
    typer.Option(
        "--code",
        metavar="DIR",
        help="Go on with the code in this folder for your own parts; by default with the code that "
        "the run began with.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Ray's own messages.")]
