"""Export winners: one YAML file each that ``train`` accepts, or one table of all."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tune_robust.config import LOOP_SETTINGS, parse_config
from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.loops import LoopCheckpoint
from tune_robust.loops.checkpoints import unpack_loop_checkpoint
from tune_robust.own import Code
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.pareto import pareto_front
from tune_robust.runs.replicates import by_setting
from tune_robust.runs.tables import trials_table
from tune_robust.runs.trial import Trial
from tune_robust.spaces.dimensions import varies_labels
from tune_robust.spaces.objective import Objective, objective_of
from tune_robust.spaces.paths import nested_copy, set_path
from tune_robust.spaces.space import Space
from tune_robust.spaces.yaml_text import write_yaml


def ranked(trials: Iterable[Trial], objective: Objective) -> list[Trial]:
    """Return finished trials, best first by the objective; stopped ones only if none finished.

    A setting with several seeds, in a grid or by ``budget.repeats``, is represented by its first
    trial and ranked by its mean over the seeds.
    """
    trials = [t for t in trials if objective.value(t.epochs) is not None]
    finished = [t for t in trials if t.status == "done"]
    candidates = finished or [t for t in trials if t.status == "stopped"]
    return [same[0] for same in ranked_settings(candidates, objective)]


def ranked_settings(trials: Iterable[Trial], objective: Objective) -> list[list[Trial]]:
    """Return the trials of each setting, the best first by the mean over its seeds."""
    settings = by_setting(trials)
    settings.sort(key=lambda same: objective.sort_key(mean_of(same, objective)))
    return settings


def mean_of(trials: Sequence[Trial], objective: Objective) -> float:
    """Return the mean objective of the trials of a setting."""
    return fmean(objective.known_value(trial.epochs) for trial in trials)


def winners(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """Return the results of a search, best first by the main objective.

    These are its finished trials, or the Pareto front of several objectives.
    """
    if space.objective.against:
        return pareto_front(trials, space)
    return ranked(trials, objective_of(space))


def best_of_each_label_set(best_first: Iterable[Trial]) -> list[Trial]:
    """Return the best trial of each label set, since their scores are not comparable."""
    leaders: dict[str, Trial] = {}
    for trial in best_first:
        labels = {path: value for path, value in trial.values.items() if varies_labels(path)}
        leaders.setdefault(json.dumps(labels, sort_keys=True), trial)
    return list(leaders.values())


def export_yaml(folder: RunFolder, trials: Iterable[Trial], out: Path) -> list[Path]:
    """Write ``<place>_<trial>.yaml`` for each trial, best first, and return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    meta = folder.read_meta()
    _export_code(meta, out)
    paths = []
    for place, trial in enumerate(trials, 1):
        path = out / f"{place}_{trial.name}.yaml"
        document = _document(trial, place, meta)
        text = _heading(trial, place, meta, path) + write_yaml(document)
        write_aside(path, text.encode())
        paths.append(path)
    return paths


CODE = "code"
"""The folder, beside exported configurations, with the source of their own parts."""


def _export_code(meta: dict[str, Any], out: Path) -> None:
    code = Code.of(meta)
    if code is not None and code.files:
        code.unpack(out / CODE)


def _heading(trial: Trial, place: int, meta: dict[str, Any], path: Path) -> str:
    return (
        f"# Place {place} of the run {meta['name']}: trial {trial.name}.\n"
        f"#   tune-robust train --config {shlex.quote(str(path))}\n"
        "# trains it again; on the same machine and versions, to the same numbers.\n"
        + _lineage(trial)
    )


def _lineage(trial: Trial) -> str:
    if (found := trial.continues) is None:
        return ""
    return (
        f"# The trial continued {found.trial} after epoch {found.epoch} (budget.scheduler: pb2): "
        "train.knots are\n# the settings that came out, and training follows them.\n"
    )


def _document(trial: Trial, place: int, meta: dict[str, Any]) -> dict[str, Any]:
    return {
        "train": _settings(trial.config),
        "result": {
            "trial": trial.name,
            "place": place,
            "status": trial.status,
            "epoch": max(trial.epochs),
            "metrics": trial.last,
        },
        "provenance": _provenance(meta),
    }


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration, without what does not apply to a loop of the user's own."""
    if config.get("loop") is None:
        return config
    return {key: value for key, value in config.items() if key in LOOP_SETTINGS}


def _provenance(meta: dict[str, Any]) -> dict[str, Any]:
    code = Code.of(meta)
    return {
        "run": meta["name"],
        "created": meta.get("created"),
        "search": shlex.join(meta.get("command") or []),
        "git_commit": meta.get("git_commit"),
        "versions": meta.get("versions"),
        "hardware": meta.get("hardware"),
        **_processes(meta),
        **({} if code is None else {"code": {"hash": code.hash, "packages": {**code.packages}}}),
    }


def _processes(meta: dict[str, Any]) -> dict[str, int]:
    """The number of processes of each trial, if there are several: numbers depend on it."""
    processes = (meta.get("slots") or {}).get("processes", 1)
    return {"processes": processes} if processes > 1 else {}


def export_settings(
    folder: RunFolder, trial: Trial, values: Mapping[str, Any], path: Path, why: str
) -> Path:
    """Write the configuration of ``trial`` with ``values`` (by path) in place of its own.

    ``why`` is a line on their origin. Without values, the trial's own configuration is written.
    """
    meta = folder.read_meta()
    _export_code(meta, path.parent)
    config = nested_copy(trial.config)
    for setting, value in values.items():
        set_path(config, setting, value)
    heading = (
        f"# Of the run {meta['name']}: {why}\n"
        + ("# No trial had these settings: train them before you use them.\n" if values else "")
        + f"#   tune-robust train --config {shlex.quote(str(path))}\n"
    )
    document = {"train": config, "provenance": _provenance(meta)}
    write_aside(path, (heading + write_yaml(document)).encode())
    return path


def export_json(folder: RunFolder, trials: Iterable[Trial], path: Path) -> Path:
    """Write all trials as one JSON list, each with the content of its YAML file."""
    meta = folder.read_meta()
    documents = [_document(trial, place, meta) for place, trial in enumerate(trials, 1)]
    write_aside(path, json.dumps(documents, indent=2).encode())
    return path


def export_table(
    folder: RunFolder,
    trials: Iterable[Trial],
    searched: Iterable[str],
    objective: Objective,
    path: Path,
) -> Path:
    """Write the trials' rows of trials.parquet as CSV or Parquet, according to the suffix."""
    table = trials_table(trials, searched, objective, folder)
    sink = pa.BufferOutputStream()
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, sink)
    else:
        pyarrow.parquet.write_table(table, sink)
    write_aside(path, sink.getvalue().to_pybytes())
    return path


def export_weights(folder: RunFolder, trial: Trial, objective: Objective, path: Path) -> Path:
    """Write the trial's weights as safetensors, from the epoch that ranks it, last or best.

    Of a loop of the user's own, the files that it has saved, in a folder instead.

    Raises:
        UserError: the checkpoint is no longer kept, or is of another epoch; the message says how to
            train it again.
    """
    from tune_robust.runs.checkpoints import Owner, read_own_checkpoint

    checkpoint = folder.fetch_checkpoint(trial.name, f"{objective.at}.pt")
    if checkpoint is None:
        raise UserError(
            f"the weights of {trial.name} are not kept: a run keeps those of its best few trials. "
            "Train it again from its exported YAML: `tune-robust train --config ... --out DIR`."
        )
    owner = Owner(folder.id, trial.name, parse_config(trial.config, trial.name))
    found = read_own_checkpoint(checkpoint, owner)
    _check_epoch(found.epoch, trial, objective, checkpoint)
    if isinstance(found, LoopCheckpoint):
        unpack_loop_checkpoint(checkpoint, path.with_suffix(""))
        return path.with_suffix("")
    from tune_robust.training.saving import write_weights

    write_weights(path, found.state["model"])
    return path


def _check_epoch(epoch: int, trial: Trial, objective: Objective, checkpoint: Path) -> None:
    """Refuse a checkpoint of the trial's own that took the place of another one of it."""
    if objective.at == "last":
        ranks = epoch == max(trial.epochs)
    else:
        ranks = trial.epochs.get(epoch, {}).get(objective.metric) == objective.best(trial.epochs)
    if not ranks:
        raise UserError(
            f"{checkpoint} has the weights of epoch {epoch}, which is not the epoch that ranks "
            f"{trial.name}. If its search was interrupted, finish it with `tune-robust resume "
            "RUN`; if not, train it again from its exported YAML: `tune-robust train --config ...`."
        )
