"""``tune-robust audit``: the labels of a run's data that are probably wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.options import (
    STORAGE,
    Address,
    Dashboard,
    Json,
    OtherCode,
    Run,
    Storage,
    Verbose,
)
from tune_robust.formatting import visible
from tune_robust.runs.naming import run_argument

if TYPE_CHECKING:
    from tune_robust.runs.folder import RunFolder

SHOWN = 10


def audit(
    run: Run,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Train the winner this many times on Ray, each time without a part of the images, "
            "to audit all training and validation labels; by default, the validation labels are "
            "audited by the stored predictions of the three best trials.",
            min=2,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to; by default RUN/audit.")
    ] = None,
    write_labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Write a label for each training image: the likely one where the given one is "
            "more likely wrong than right.",
        ),
    ] = None,
    storage: Storage = STORAGE,
    address: Address = None,
    dashboard: Dashboard = True,
    code: OtherCode = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Estimate which labels are wrong, by networks that were not trained on these images.

    It writes a table of all images (labels.csv, labels.parquet) and a page with pictures of the
    most suspicious ones. The test images are not audited. With --folds, the same command continues
    an interrupted one.

    Examples:
      tune-robust audit r1
      tune-robust audit r1 --folds 5
      tune-robust audit r1 --folds 5 --write-labels cleaned.csv
    """
    import tune_robust as tr
    from tune_robust.api.runs import folder_of
    from tune_robust.cli.running import console_of, exits_when_interrupted
    from tune_robust.console.display import Display
    from tune_robust.runs.audit import AuditSummary

    again = None
    if folds is not None:
        place = run_argument(folder_of(run, storage).place)
        again = f"tune-robust audit {place} --folds {folds}"
    with exits_when_interrupted(again):
        found = tr.audit(
            run,
            folds=folds,
            out=out,
            write_labels=write_labels,
            code=code,
            storage=storage,
            address=address,
            dashboard=dashboard,
            progress=Display(console_of(as_json=as_json)),
            verbose=verbose,
        )
    if as_json:
        print(json.dumps(found, indent=2))
        return
    _print(AuditSummary.model_validate(found).sentence())
    for suspect in found["suspects"][:SHOWN]:
        name = suspect["file"] or f"image {suspect['index']}"
        _print(
            f"  {suspect['wrong']:.0%}  {name} ({suspect['part']}): given {suspect['given']}, "
            f"likely {suspect['likely']}"
        )
    for file in found["files"]:
        _print(file)


def status_line(source: RunFolder) -> str | None:
    """Return what ``status`` prints about the audit of a run's labels; None if there is none."""
    from tune_robust.cli.confirm import in_progress
    from tune_robust.runs.audit import read_audit
    from tune_robust.tuning.winners.folds import folds_of

    if unfinished := in_progress("An audit", folds_of(source)):
        return unfinished
    found = read_audit(source.path)
    return f"Audited: {found.sentence()}" if found else None


def _print(line: str) -> None:
    print(visible(line), flush=True)
