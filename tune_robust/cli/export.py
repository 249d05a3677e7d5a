"""``tune-robust export``: the best configurations as files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.options import STORAGE, Run, Storage
from tune_robust.errors import UserError

if TYPE_CHECKING:
    from tune_robust.runs.folder import RunFolder


class Format(StrEnum):
    """yaml: a file per winner for ``train``; the others: one file for all."""

    yaml = "yaml"
    json = "json"
    csv = "csv"
    parquet = "parquet"


class Winner(StrEnum):
    """peak: the best trials; plateau: the middle of the settings that are all nearly as good."""

    peak = "peak"
    plateau = "plateau"


def export(
    run: Run,
    top: Annotated[
        int | None,
        typer.Option(help="How many, best first: 3, or the whole Pareto front.", min=1),
    ] = None,
    format: Annotated[Format, typer.Option(help="yaml: one file each.")] = Format.yaml,
    out: Annotated[Path | None, typer.Option(help="Folder; by default RUN/exported.")] = None,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Add the weights as safetensors.")
    ] = False,
    winner: Annotated[
        Winner, typer.Option(help="plateau: one YAML from the middle of the good settings.")
    ] = Winner.peak,
    storage: Storage = STORAGE,
) -> None:
    """Write the best configurations, chosen by the search's objective alone.

    \b
    Examples:
      tune-robust export r1 --top 3
      tune-robust export r1 --top 1 --checkpoint --out winners
      tune-robust export r1 --format csv
      tune-robust export r1 --winner plateau
    """
    from tune_robust.runs.find import find_run
    from tune_robust.runs.reader import read_trials
    from tune_robust.spaces.objective import objective_of
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.winners.export import (
        export_json,
        export_table,
        export_weights,
        export_yaml,
        winners,
    )

    if winner is Winner.plateau and (format is not Format.yaml or checkpoint):
        raise UserError(
            "--winner plateau writes one YAML of settings that may never have been trained. Leave "
            "--format and --checkpoint out, or train the YAML first."
        )
    folder = find_run(run, storage)
    space = Space.from_document(folder.read_meta()["space"])
    objective = objective_of(space)
    if winner is Winner.plateau:
        path = _export_plateau(folder, out or folder.path / "exported")
        folder.upload()
        print(path)
        return
    several = bool(space.objective.against)
    best = winners(read_trials(folder).values(), space)[: top or (None if several else 3)]
    if not best:
        raise UserError(
            f"the run {folder.path.name!r} has no trial with a result yet. "
            f"See `tune-robust status {folder.place}`."
        )
    out = out or folder.path / "exported"
    out.mkdir(parents=True, exist_ok=True)
    if format is Format.yaml:
        paths = export_yaml(folder, best, out)
    elif format is Format.json:
        paths = [export_json(folder, best, out / "trials.json")]
    else:
        searched = dict.fromkeys(dim.path for dim in space.dimensions)
        paths = [export_table(folder, best, searched, objective, out / f"trials.{format.value}")]
    if checkpoint:
        paths += [
            export_weights(folder, trial, objective.at, out / f"{place}_{trial.name}.safetensors")
            for place, trial in enumerate(best, 1)
        ]
    folder.upload()
    for path in paths:
        print(path)


def _export_plateau(folder: RunFolder, out: Path) -> Path:
    from analysis import load_run, robust_region
    from tune_robust.runs.reader import read_trials
    from tune_robust.tuning.winners.export import export_settings

    region = robust_region(load_run(folder.path))
    if region is None:
        raise UserError(
            f"the run {folder.path.name!r} has too few finished trials to tell where its good "
            "settings lie. Export the best trial with --winner peak, or extend the run with "
            f"`tune-robust resume {folder.place} --trials +20`."
        )
    centre = region.plateau
    why = (
        f"the middle of the settings within a point of its best. Expected score "
        f"{centre.expected:.3g}, nine times in ten {centre.low:.3g} to {centre.high:.3g}."
    )
    trial = read_trials(folder)[centre.trial or region.start]
    values = {} if centre.trial else {path: centre.values[path] for path in region.bounds}
    out.mkdir(parents=True, exist_ok=True)
    return export_settings(folder, trial, values, out / "plateau.yaml", why)
