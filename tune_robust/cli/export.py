"""``tune-robust export``: the best configurations as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tune_robust.cli.completion import one_of
from tune_robust.cli.options import STORAGE, By, Json, Run, Storage
from tune_robust.formatting import visible

if TYPE_CHECKING:
    from tune_robust.api.export import Format, Winner


def export(
    run: Run,
    top: Annotated[
        int | None,
        typer.Option(
            help="Write this many, best first; by default 3, or the complete Pareto front.", min=1
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="yaml writes one file per trial; the others write one file for all.",
            **one_of("yaml", "json", "csv", "parquet"),
        ),
    ] = "yaml",
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to; by default RUN/exported.")
    ] = None,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Also write the trained weights, as safetensors.")
    ] = False,
    winner: Annotated[
        str,
        typer.Option(
            help="peak writes the best trials; plateau writes one YAML file with the centre of the "
            "region of settings that are all nearly as good as the best.",
            **one_of("peak", "plateau"),
        ),
    ] = "peak",
    by: By = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Write the best configurations as files for `tune-robust train`.

    They are selected by the search's objective alone, or by the metric --by.

    Examples:
      tune-robust export r1 --top 3
      tune-robust export r1 --top 1 --checkpoint --out winners
      tune-robust export r1 --format csv
      tune-robust export r1 --winner plateau
      tune-robust export r1 --by val_accuracy --out by_accuracy
    """
    import tune_robust as tr

    files = tr.export(
        run,
        top=top,
        format=cast("Format", format),
        out=out,
        checkpoint=checkpoint,
        winner=cast("Winner", winner),
        by=by,
        storage=storage,
    )
    if as_json:
        print(json.dumps({"files": [str(file) for file in files]}, indent=2))
        return
    for file in files:
        print(visible(str(file)))
