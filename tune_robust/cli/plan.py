"""``tune-robust plan``: what a search will take, before anything is spent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tune_robust.cli.options import STORAGE, Json, NoDownload, Storage, overrides_of

if TYPE_CHECKING:
    from tune_robust.config import TrainConfig
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.simulation.kinds import Kind
    from tune_robust.tuning.simulation.plan import Course
    from tune_robust.tuning.simulation.trial_times import Times

RAY_AND_REPORT = 9.0
"""Seconds that a search takes beside its trials: Ray's start and end, and the report."""


def plan(
    space: Annotated[str, typer.Option(help="A built-in space's name, or a YAML file.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: train.epochs=60. Can be repeated."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="How many trials.", min=1)] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    no_download: NoDownload = False,
    seconds: Annotated[
        float, typer.Option(help="How long to time each kind of trial.", min=0.1)
    ] = 4.0,
    price: Annotated[
        float | None, typer.Option(help="Of this machine per hour, for the cost.", min=0)
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Time a few real steps of each method, and say what the search would take.

    Times, rungs, disk and money: for the whole budget without early stopping, and as expected under
    the space's scheduler. Trains for some seconds; records nothing but the decoded data set.

    \b
    Examples:
      tune-robust plan --space saner_digits
      tune-robust plan --space methods_cifar10 --data-dir ~/data --price 2.5
      tune-robust plan --space my_space.yaml --trials 16 --set budget.scheduler=none --json
    """
    from tune_robust.spaces.space import load_space

    overrides = overrides_of(settings, data_dir, no_download, data="train.data")
    if trials is not None:
        overrides.append(f"budget.trials={trials}")
    document = _document(load_space(space, overrides=overrides), storage, seconds, price)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(document)


def _document(space: Space, storage: str, seconds: float, price: float | None) -> dict[str, Any]:
    import torch

    from tune_robust.cli.conduct import new_slots, one_of_each_data, prepare
    from tune_robust.data.cache_folder import cache_of
    from tune_robust.runs.disk import predictions_bytes
    from tune_robust.tuning.engine.ray_session import ray_session
    from tune_robust.tuning.engine.slots import Node
    from tune_robust.tuning.simulation.kinds import kinds_of
    from tune_robust.tuning.simulation.plan import checkpoints_bytes, expected_course
    from tune_robust.tuning.simulation.trial_times import time_kinds

    prepare(one_of_each_data(space), storage)
    cpus, gpus = os.cpu_count() or 1, torch.cuda.device_count()
    console = Console(stderr=True)
    # Only sharing a GPU is measured with Ray.
    shared = bool(gpus) and space.resources.gpus == "auto"
    with ray_session(dashboard=False, verbose=False) if shared else nullcontext():
        slots = new_slots(space, cache_of(storage), [Node(cpus, gpus)], console)
    at_a_time = min(slots.concurrency, space.trials)
    configs = kinds_of(space)
    with console.status(f"Timing {len(configs)} kinds of trials ..."):
        times = time_kinds(
            configs, cache_of(storage), at_a_time=at_a_time, gpus=gpus, seconds=seconds
        )
    epoch_seconds = {kind: timed.seconds for kind, timed in times.epochs.items()}
    start = times.start + RAY_AND_REPORT
    full, expected = (
        expected_course(space, epoch_seconds, at_a_time=at_a_time, stopping=stopping)
        for stopping in (False, True)
    )
    size = max(timed.checkpoint_bytes for timed in times.epochs.values())
    return {
        "space": space.name,
        "trials": space.trials,
        "scheduler": space.budget.scheduler,
        "unit": space.budget.unit,
        "machine": {"cpus": cpus, "gpus": gpus},
        "slots": asdict(slots),
        "kinds": [_kind(kind, configs[kind], times) for kind in configs],
        "start_seconds": start,
        "without_stopping": _course(full, start, price),
        "expected": _course(expected, start, price),
        "rungs": [asdict(rung) for rung in expected.rungs],
        "checkpoint_bytes": size,
        "checkpoints_bytes": checkpoints_bytes(size, at_a_time),
        "predictions_bytes": predictions_bytes(space, cache_of(storage)),
        "data_bytes": _data_bytes(configs.values(), storage),
    }


def _kind(kind: Kind, config: TrainConfig, times: Times) -> dict[str, Any]:
    epoch = times.epochs[kind].seconds
    return {
        "name": kind.name,
        "seconds_per_epoch": epoch,
        "seconds_per_gradient_evaluation": epoch / config.passes_per_step,
        "epochs": config.total_epochs,
        "gradient_evaluations": config.gradient_evaluations,
        "seconds": epoch * config.total_epochs,
    }


def _course(course: Course, start: float, price: float | None) -> dict[str, Any]:
    hours = (course.seconds + start) / 3600
    return {
        "hours": hours,
        "gradient_evaluations": course.gradient_evaluations,
        "finished": course.finished,
        "money": None if price is None else price * hours,
    }


def _data_bytes(configs: Iterable[TrainConfig], storage: str) -> int:
    """Of the decoded data sets, which every trial maps."""
    from tune_robust.data import load_dataset
    from tune_robust.data.cache_folder import cache_of

    different = {config.data.dataset: config.data for config in configs}
    return sum(
        tensor.nbytes
        for data in different.values()
        for images in load_dataset(data, cache_of(storage))[:2]
        for tensor in (images.images, images.labels)
    )


def _print(found: dict[str, Any]) -> None:
    from analysis.formatting import count
    from tune_robust.cli.overview import open_console
    from tune_robust.tuning.engine.slots import Slots

    console = open_console()
    console.print(_table(found["kinds"]))
    machine, full = found["machine"], found["without_stopping"]
    lines = [
        "",
        f"{Slots(**found['slots']).describe()}, on {count(machine['cpus'], 'CPU')} and "
        f"{count(machine['gpus'], 'GPU') if machine['gpus'] else 'no GPU'}.",
        f"{found['trials']} trials, none stopped early: {_spent(full)}.",
    ]
    if found["scheduler"] != "none":
        expected = found["expected"]
        lines.append(
            f"Expected with {found['scheduler']}: {_spent(expected)}; "
            f"{expected['finished']:.0f} trials run to their end."
        )
    for rung in found["rungs"]:
        unit = found["unit"].replace("_", " ")
        lines.append(
            f"  at {rung['resource']:g} {unit}: {rung['reach']:.0f} trials, "
            f"{rung['go_on']:.0f} go on"
        )
    lines.append(
        f"Of that, {found['start_seconds']:.0f} s until the first trial trains and at the end."
    )
    lines.append(
        f"Disk: checkpoints of {_size(found['checkpoint_bytes'])}, at most "
        f"{_size(found['checkpoints_bytes'])} at a time; data {_size(found['data_bytes'])}"
        + (
            f"; predictions, at most {_size(kept)}."
            if (kept := found["predictions_bytes"])
            else "."
        )
    )
    for line in lines:
        console.print(line, highlight=False)


def _table(kinds: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("trial")
    for heading in ("s per gradient evaluation", "s per epoch", "epochs", "full trial"):
        table.add_column(heading, justify="right")
    for kind in kinds:
        table.add_row(
            kind["name"],
            f"{kind['seconds_per_gradient_evaluation']:.3g}",
            f"{kind['seconds_per_epoch']:.3g}",
            str(kind["epochs"]),
            _time(kind["seconds"]),
        )
    return table


def _spent(course: dict[str, Any]) -> str:
    money = "" if course["money"] is None else f", cost {course['money']:.2f}"
    return (
        f"{_time(3600 * course['hours'])}, {course['gradient_evaluations']:,.0f} gradient "
        f"evaluations{money}"
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
