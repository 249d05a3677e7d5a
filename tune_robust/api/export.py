"""Write the best configurations to files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from tune_robust.api.runs import RunLike, folder_of
from tune_robust.errors import UserError, unknown
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.naming import STORAGE
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import Space

Format = Literal["yaml", "json", "csv", "parquet"]
Winner = Literal["peak", "plateau"]
TOP = 3


def export(
    run: RunLike,
    *,
    top: int | None = None,
    format: Format = "yaml",
    out: str | Path | None = None,
    checkpoint: bool = False,
    winner: Winner = "peak",
    by: str | None = None,
    storage: str | Path = STORAGE,
) -> list[Path]:
    """Write the best configurations of a run to files, and return their paths.

    They are selected by the search's objective alone, or by the metric ``by``; test metrics are not
    used for selection.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        top: how many to write, best first; by default 3, or the complete Pareto front of several
            objectives. On a grid over several label sets, whose scores are not comparable, the
            default is the best of each label set.
        format: ``yaml`` writes one file per trial for ``tune-robust train``;
            ``json``, ``csv`` and ``parquet`` write one file for all.
        out: the folder to write to; by default ``exported`` in the run's folder.
        checkpoint: whether to write the trained weights as well, as safetensors.
        winner: ``peak`` writes the best trials; ``plateau`` writes one YAML file with the
            centre of the region of settings that are all nearly as good as the best.
        by: another metric to select by, such as ``val_accuracy`` or ``val_information``.
        storage: the folder or URI that holds the runs.

    Returns:
        The paths of the files.

    Raises:
        UserError: there is no such run, no trial has a result yet, the weights are not kept, or
            ``by`` may not be used for selection or was not recorded.
    """
    from tune_robust.tuning.winners.criterion import selecting_by

    _check(format, winner, checkpoint)
    folder = folder_of(run, storage)
    out = folder.path / "exported" if out is None else Path(out).expanduser()
    if winner == "plateau":
        if by is not None:
            raise UserError(
                "--winner plateau is computed by the search's objective. Leave --by out."
            )
        paths = [_export_plateau(folder, out)]
    else:
        space = selecting_by(Space.from_document(folder.read_meta()["space"]), by)
        best = _best(folder, space, top)
        paths = _export(folder, space, best, format, out)
        if checkpoint:
            paths += _export_weights(folder, space, best, out)
    folder.upload()
    return paths


def _check(format: str, winner: str, checkpoint: bool) -> None:
    if format not in get_args(Format):
        raise UserError(unknown("format", format, get_args(Format)))
    if winner not in get_args(Winner):
        raise UserError(unknown("winner", winner, get_args(Winner)))
    if winner == "plateau" and (format != "yaml" or checkpoint):
        raise UserError(
            "--winner plateau writes one YAML of settings that may never have been trained. Leave "
            "--format and --checkpoint out, or train the YAML first."
        )


def _best(folder: RunFolder, space: Space, top: int | None) -> list[Trial]:
    from tune_robust.tuning.winners.criterion import check_recorded
    from tune_robust.tuning.winners.export import best_of_each_label_set, winners

    trials = read_trials(folder).values()
    check_recorded(trials, space)
    best = winners(trials, space)
    if not best:
        raise UserError(
            f"the run {folder.path.name!r} has no trial with a result yet. "
            f"See `tune-robust status {folder.place}`."
        )
    if top is not None or space.objective.against:
        return best[:top]
    leaders = best_of_each_label_set(best)
    return leaders if len(leaders) > 1 else best[:TOP]


def _export(
    folder: RunFolder, space: Space, best: list[Trial], format: str, out: Path
) -> list[Path]:
    from tune_robust.tuning.winners.export import export_json, export_table, export_yaml

    out.mkdir(parents=True, exist_ok=True)
    if format == "yaml":
        return export_yaml(folder, best, out)
    if format == "json":
        return [export_json(folder, best, out / "trials.json")]
    searched = dict.fromkeys(dim.path for dim in space.dimensions)
    table = out / f"trials.{format}"
    return [export_table(folder, best, searched, objective_of(space), table)]


def _export_weights(folder: RunFolder, space: Space, best: list[Trial], out: Path) -> list[Path]:
    from tune_robust.tuning.winners.export import export_weights

    objective = objective_of(space)
    return [
        export_weights(folder, trial, objective, out / f"{place}_{trial.name}.safetensors")
        for place, trial in enumerate(best, 1)
    ]


def _export_plateau(folder: RunFolder, out: Path) -> Path:
    from analysis.stored.run import load_run
    from analysis.surrogate.robust_region import robust_region
    from tune_robust.tuning.winners.export import export_settings

    if Space.from_document(folder.read_meta()["space"]).budget.scheduler == "pb2":
        raise UserError(
            f"the trials of the run {folder.path.name!r} have changed their settings in training "
            "(budget.scheduler: pb2), so that no region of constant settings can be determined. "
            "Export the best trial with --winner peak."
        )
    region = robust_region(load_run(folder.path, place=folder.place))
    if region is None:
        raise UserError(
            f"the run {folder.path.name!r} has too few finished trials to determine the region of "
            "its good settings. Export the best trial with --winner peak, or extend the run with "
            f"`tune-robust resume {folder.place} --trials +20`."
        )
    centre = region.plateau
    why = (
        f"the centre of the settings within a point of its best. Expected score "
        f"{centre.expected:.3g}, 90 % interval {centre.low:.3g} to {centre.high:.3g}."
    )
    trial = read_trials(folder)[centre.trial or region.start]
    values = {} if centre.trial else {path: centre.values[path] for path in region.bounds}
    out.mkdir(parents=True, exist_ok=True)
    return export_settings(folder, trial, values, out / "plateau.yaml", why)
