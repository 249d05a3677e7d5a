"""``tune-robust plan``: estimate what a search will take before it is started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import (
    STORAGE,
    Code,
    DataDir,
    Json,
    NoDownload,
    Settings,
    Space,
    Storage,
    Trials,
)
from tune_robust.formatting import count, duration, size

if TYPE_CHECKING:
    from rich.table import Table


def plan(
    space: Space,
    settings: Settings = None,
    trials: Trials = None,
    data_dir: DataDir = None,
    no_download: NoDownload = False,
    seconds: Annotated[
        float, typer.Option(help="Time each kind of trial for this many seconds.", min=0.1)
    ] = 4.0,
    price: Annotated[
        float | None,
        typer.Option(help="The price of an hour of this machine, to show the cost.", min=0),
    ] = None,
    storage: Storage = STORAGE,
    code: Code = None,
    as_json: Json = False,
) -> None:
    """Estimate the time and cost of a search from a few training steps of each method.

    The estimate has time, rungs, disk space and cost, both for the complete budget without early
    stopping and as expected with the space's scheduler. Compute is counted in gradient evaluations:
    passes over the training set. The command trains for some seconds, stores only the decoded data
    set, and prints the same warnings about the data as the search.

    Examples:
      tune-robust plan --space saner_digits
      tune-robust plan --space methods_cifar10 --data-dir ~/data --price 2.5
      tune-robust plan --space my_space.yaml --trials 16 \\
        --set budget.scheduler=none --json
    """
    import tune_robust as tr

    found = tr.plan(
        space,
        trials=trials,
        settings=settings,
        data_dir=data_dir,
        download=not no_download,
        seconds=seconds,
        price=price,
        storage=storage,
        code=code,
    )
    if as_json:
        print(json.dumps(found, indent=2))
    elif "loop" in found:
        _print_loop(found)
    else:
        _print(found)


def _print_loop(found: dict[str, Any]) -> None:
    from tune_robust.console.overview import open_console

    full, expected = found["without_stopping"], found["expected"]
    lines = [
        f"{count(found['trials'], 'trial')} of the loop {found['loop']}, each of up to "
        f"{count(found['reports'], 'report')}.",
        f"None stopped early: {count(round(full['reports']), 'report')}.",
    ]
    if found["scheduler"] != "none":
        lines.append(
            f"Expected with {found['scheduler']}: {count(round(expected['reports']), 'report')}; "
            f"{count(round(expected['finished']), 'trial')} run to their end."
        )
    lines += [*_rungs(found), *_repeats(found)]
    lines.append(
        "Only the loop knows how long a report takes: search with --trials 1 to see. A report "
        "counts as one gradient evaluation here, which differs if the loop reports its own."
    )
    for line in lines:
        open_console().print(line, highlight=False)


def _rungs(found: dict[str, Any]) -> list[str]:
    unit = found["unit"].replace("_", " ")
    return [
        f"  at {rung['resource']:g} {unit}: {rung['reach']:.0f} trials, "
        f"{rung['go_on']:.0f} continue"
        for rung in found["rungs"]
    ]


def _repeats(found: dict[str, Any]) -> list[str]:
    """Say what repeats add, of which nobody knows the number before the search."""
    if found["repeats"] == "off":
        return []
    stopped = " and are never stopped early, which takes longer than expected here"
    return [
        "Repeats: some of the trials may train a leading setting again with another seed. They are "
        f"among the {found['trials']} trials{stopped if found['scheduler'] != 'none' else ''}."
    ]


def _print(found: dict[str, Any]) -> None:
    from tune_robust.console.overview import open_console
    from tune_robust.tuning.engine.slots import Slots

    console = open_console()
    console.print(_table(found["kinds"]))
    machine, full = found["machine"], found["without_stopping"]
    lines = [
        "",
        f"{Slots(**found['slots']).describe()}, on {count(machine['cpus'], 'CPU')} and "
        f"{count(machine['gpus'], 'GPU') if machine['gpus'] else 'no GPU'}.",
        f"{found['trials']} trials, {_end(found)}: {_spent(full)}{_started(found, full)}.",
    ]
    if found["scheduler"] not in ("none", "pb2"):
        expected = found["expected"]
        lines.append(
            f"Expected with {found['scheduler']}: {_spent(expected)}{_started(found, expected)}; "
            f"{expected['finished']:.0f} trials run to their end."
        )
    lines += [*_rungs(found), *_repeats(found)]
    if found["stop"] == "auto":
        lines.append(
            "It may end earlier (budget.stop: auto): what is left to gain is predicted once 20 "
            "trials have ended."
        )
    lines.append(
        f"This includes {found['start_seconds']:.0f} s for the start and the end of the search."
    )
    kept = found["predictions_bytes"]
    lines.append(
        f"Disk: checkpoints of {size(found['checkpoint_bytes'])}, at most "
        f"{size(found['checkpoints_bytes'])} at a time; data {size(found['data_bytes'])}"
        + (f"; predictions, at most {size(kept)}." if kept else ".")
        + (f" Comparing them takes {size(found['predictions_memory'])} of memory." if kept else "")
    )
    lines.append(images_line(found))
    for line in lines:
        console.print(line, highlight=False)
    for text in found["cautions"]:
        console.print(f"Warning: {text}", style="yellow", markup=False, highlight=False)


def _end(found: dict[str, Any]) -> str:
    if found["scheduler"] == "pb2":
        return "and in the place of those that end others that continue better networks (pb2)"
    return "none stopped early"


def images_line(found: dict[str, Any]) -> str:
    """Say where the images are while a trial trains."""
    images, on_gpu = found["images"], found["slots"]["gpus"] > 0
    if images["tier"] == "compressed":
        return (
            f"Images: {size(images['bytes'])} in each trial once decoded. They stay compressed, "
            f"and are decoded for each batch by {count(found['slots']['cpus'], 'thread')} of the "
            "trial (resources.cpus)."
        )
    if images["tier"] == "host":
        memory = "its part of the GPU's memory" if on_gpu else "this machine's memory"
        return (
            f"Images: {size(images['bytes'])} in each trial, more than half of {memory}. They are "
            "read in batches from the decoded file, ahead of their use."
        )
    where = "copied to its GPU" if on_gpu else "mapped into memory from the decoded file"
    return f"Images: {size(images['bytes'])} in each trial, {where}."


def _table(kinds: list[dict[str, Any]]) -> Table:
    from rich.table import Table

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
            duration(kind["seconds"]),
        )
    return table


def _spent(course: dict[str, Any]) -> str:
    money = "" if course["money"] is None else f", cost {course['money']:.2f}"
    gpu = f", {course['gpu_hours']:.3g} GPU-hours" if course["gpu_hours"] else ""
    return (
        f"{duration(3600 * course['hours'])}{gpu}, {course['gradient_evaluations']:,.0f} gradient "
        f"evaluations{money}"
    )


def _started(found: dict[str, Any], course: dict[str, Any]) -> str:
    """Say how many trials start within the limits of time, if there are any."""
    given = [name for name in ("hours", "gpu_hours") if found[name] is not None]
    if not given:
        return ""
    limits = " and ".join(f"budget.{name}: {found[name]:g}" for name in given)
    return f", in which {course['started']:.0f} trials start ({limits})"
