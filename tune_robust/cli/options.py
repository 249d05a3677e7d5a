"""Options that several verbs share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[str, typer.Argument(help="A run's name under --storage, or its path.")]
Storage = Annotated[str, typer.Option(help="The folder that holds the runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a setting by its key path; the value is YAML. Can be repeated.",
    ),
]
NoDownload = Annotated[
    bool, typer.Option("--no-download", help="Fetch nothing: fail where files are missing.")
]
Dashboard = Annotated[bool, typer.Option(help="Start Ray's dashboard (on this machine only).")]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard logs into the run's folder too.")
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        help="Run on this Ray cluster; by default RAY_ADDRESS, else Ray on this machine alone.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Ray's own messages.")]

STORAGE = "./runs"
EXITS_INTERRUPTED = 130


def overrides_of(
    settings: Sequence[str] | None, data_dir: Path | None, no_download: bool, *, data: str
) -> list[str]:
    """What ``--set``, ``--data-dir`` and ``--no-download`` change, as ``path=value``.

    ``data`` is the path of the data's section.
    """
    overrides = list(settings or [])
    if data_dir is not None:
        overrides.append(f"{data}.dir={json.dumps(str(data_dir.expanduser().resolve()))}")
    if no_download:
        overrides.append(f"{data}.download=false")
    return overrides
