"""``tune-robust replay``: search a recorded run again, offline, under other settings."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tune_robust.cli.options import STORAGE, Json, Run, Storage
from tune_robust.errors import UserError
from tune_robust.files import write_aside

if TYPE_CHECKING:
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.simulation.recording import Pool
    from tune_robust.tuning.simulation.replay_statistics import Spread, Statistics


class Clock(StrEnum):
    """What counts as compute, and lets time pass for the simulated workers."""

    gradient_evaluations = "gradient_evaluations"
    seconds = "seconds"


class Combination(NamedTuple):
    """One way of searching, and what its replays came to."""

    name: str
    space: Space
    statistics: Statistics
    curve: list[dict[str, Any]]


def _name(space: Space) -> str:
    """As in ``asha 3 from 40 · tpe``."""
    from tune_robust.schedulers.building import grace_of

    budget = space.budget
    reduction = f" {budget.reduction}" if budget.scheduler == "asha" else ""
    grace = "" if budget.scheduler == "none" else f" from {grace_of(space):g}"
    return f"{budget.scheduler}{reduction}{grace} · {space.searcher.name}"


def replay(
    run: Run,
    scheduler: Annotated[
        list[str] | None, typer.Option(help="asha, median or none. Can be repeated.")
    ] = None,
    searcher: Annotated[
        list[str] | None, typer.Option(help="tpe, gp, random, ... Can be repeated.")
    ] = None,
    reduction: Annotated[
        list[int] | None, typer.Option(help="Of asha's rungs. Can be repeated.")
    ] = None,
    grace: Annotated[
        list[float] | None, typer.Option(help="Before which nothing stops. Can be repeated.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(help="Search this space, rather than the run's own, among its trials."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: searcher.startup=20. Can be repeated."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="How many trials.", min=1)] = None,
    compute: Annotated[
        float | None,
        typer.Option(help="End at this share of the recorded compute, not by trials.", min=0.001),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many replays of each.", min=1)] = 20,
    workers: Annotated[int, typer.Option(help="Trials at a time, simulated.", min=1)] = 1,
    clock: Annotated[
        Clock, typer.Option(help="What compute is counted in.")
    ] = Clock.gradient_evaluations,
    within: Annotated[
        float, typer.Option(help="How close to the best is near it, in the objective's unit.")
    ] = 0.005,
    out: Annotated[
        Path | None, typer.Option(help="The anytime curves: a .html file, or .json for the data.")
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Replay a recorded run under any scheduler and sampler, offline.

    Every combination of the repeated options is compared. A proposal that was not recorded is
    replaced by the nearest recorded trial that the replay has not used yet. Only trials that ran to
    their end take part: record with --set budget.scheduler=none.

    \b
    Examples:
      tune-robust replay r1 --scheduler asha --scheduler none --searcher tpe --searcher random
      tune-robust replay r1 --reduction 2 --reduction 4 --grace 20 --compute 0.2 --workers 2
      tune-robust replay r1 --set searcher.startup=20 --seeds 50 --out anytime.html
      tune-robust replay benchmarks/recorded/methods_grid_digits --space methods_digits --json
    """
    if out is not None and out.suffix not in {".html", ".json"}:
        raise UserError(f"--out {out}: give a file that ends in .html (a figure) or .json (data).")

    from tune_robust.runs.find import find_run
    from tune_robust.tuning.simulation.recording import pool_of, read_recorded

    folder = find_run(run, storage)
    overrides = list(settings or [])
    if trials is not None:
        overrides.append(f"budget.trials={trials}")
    elif compute is not None:
        overrides.append(f"budget.trials={len(read_recorded(folder))}")
    choices = {
        "budget.scheduler": scheduler,
        "searcher.name": searcher,
        "budget.reduction": reduction,
        "budget.grace": grace,
    }
    spaces = [
        _space(folder.read_meta()["space"], space, [*overrides, *chosen])
        for chosen in _combinations(choices)
    ]
    pool = pool_of(spaces[0], folder)
    done = [
        _replayed(pool, candidate, seeds, workers, clock.value, compute, within)
        for candidate in {_name(candidate): candidate for candidate in spaces}.values()
    ]
    document = _document(pool, done, clock.value, within)
    if out is not None:
        _write(out, pool, done, document)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(pool, done, clock.value, within, out)


def _combinations(choices: Mapping[str, list | None]) -> Iterator[list[str]]:
    """Every combination, as overrides; what was not given stays as the space has it."""
    given = [[f"{path}={value}" for value in values] for path, values in choices.items() if values]
    return map(list, itertools.product(*given))


def _space(recorded: dict[str, Any], name: str | None, overrides: list[str]) -> Space:
    """The space to search. The run's own, if it is a grid and the sampler is not, with ranges."""
    from tune_robust.spaces.space import load_space, parse_space
    from tune_robust.tuning.simulation.replay import open_grid

    if name is not None:
        return load_space(name, overrides=overrides)
    source = f"the recorded space {recorded['name']}"
    asked = [o.partition("=")[2] for o in overrides if o.startswith("searcher.name=")]
    searcher = asked[-1] if asked else recorded["searcher"]["name"]
    document = recorded if searcher == "grid" else open_grid(recorded)
    return parse_space(document, source=source, overrides=overrides)


def _replayed(
    pool: Pool,
    space: Space,
    seeds: int,
    workers: int,
    clock: str,
    compute: float | None,
    within: float,
) -> Combination:
    from rich.console import Console

    from tune_robust.tuning.simulation.replay import replay
    from tune_robust.tuning.simulation.replay_statistics import anytime_curve, statistics

    limit = pool.cost(clock) * (math.inf if compute is None else compute)
    replays = []
    with Console(stderr=True).status("") as status:
        for seed in range(seeds):
            status.update(
                f"{space.budget.scheduler} · {space.searcher.name}: seed {seed + 1} of {seeds}"
            )
            replays.append(
                replay(pool, space, seed=seed, workers=workers, clock=clock, compute=limit)
            )
    found = statistics(pool, replays, clock=clock, tolerance=within)
    return Combination(_name(space), space, found, anytime_curve(pool, replays))


def _document(pool: Pool, done: list[Combination], clock: str, within: float) -> dict[str, Any]:
    return {
        "pool": {
            "trials": len(pool.trials),
            "left_out": dict(pool.left_out),
            "stopped_early": pool.stopped,
            "objective": pool.objective.metric,
            "best": pool.best,
            "compute": pool.cost(clock),
            "clock": clock,
        },
        "tolerance": within,
        "combinations": [
            {
                "name": combination.name,
                "budget": combination.space.budget.model_dump(),
                "searcher": combination.space.searcher.model_dump(),
                **_plain(asdict(combination.statistics)),
                "anytime": combination.curve,
            }
            for combination in done
        ],
    }


def _plain(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: what was never reached is null."""
    return {
        name: {k: v if math.isfinite(v) else None for k, v in value._asdict().items()}
        if isinstance(value, tuple)
        else value
        for name, value in statistics.items()
    }


def _write(out: Path, pool: Pool, done: list[Combination], document: dict[str, Any]) -> None:
    if out.suffix == ".json":
        write_aside(out, json.dumps(document, indent=2).encode())
        return
    from analysis.figures.anytime import anytime, write_anytime

    figure = anytime(
        {combination.name: combination.curve for combination in done},
        objective=pool.objective.metric,
        best=pool.best,
        unit=document["pool"]["clock"].replace("_", " "),
    )
    write_anytime(figure, out)


def _print(
    pool: Pool, done: list[Combination], clock: str, within: float, out: Path | None
) -> None:
    from rich.table import Table

    from tune_robust.cli.overview import open_console

    console = open_console()
    metric = pool.objective.metric
    unit = clock.replace("_", " ")
    console.print(
        f"{len(pool.trials)} recorded trials, {pool.cost(clock):,.0f} {unit}, best {metric} "
        f"{pool.best:.4g}.",
        highlight=False,
    )
    for reason, count in pool.left_out.most_common():
        console.print(f"Left out: {count} x {reason}.", style="dim", highlight=False)
    if pool.stopped:
        console.print(
            f"Warning: {pool.stopped} trials were stopped early and have no end. What is left are "
            "survivors, so that every combination looks better than it is. Record full curves with "
            "--set budget.scheduler=none.",
            style="yellow",
            highlight=False,
        )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in (
        "combination",
        "trials",
        "finished",
        "compute",
        "regret",
        f"compute to within {within:g}",
        "reached",
        "winner",
        "test acc.*",
    ):
        justify = "left" if heading == "combination" else "right"
        table.add_column(heading, justify=justify)
    for combination in done:
        found = combination.statistics
        table.add_row(
            combination.name,
            _shown(found.trials, "{:.0f}"),
            _shown(found.finished, "{:.0f}"),
            _shown(found.compute, "{:.0%}"),
            _shown(found.regret, "{:.4f}"),
            _shown(found.within, "{:.0%}"),
            f"{found.reached}/{found.n}",
            f"{found.winner_found}/{found.n}",
            "-" if found.test_accuracy is None else _shown(found.test_accuracy, "{:.3f}"),
        )
    table.caption = (
        "Median and middle half over the seeds; - where it was not reached. compute: share of the "
        "recorded. regret: how far the best finished trial is from the best recorded one. winner: "
        f"how often that one was found. * of the trial chosen by {metric}, for the record only: "
        "nothing is chosen by it."
    )
    table.caption_justify = "left"
    console.print(table)
    if out is not None:
        console.print(f"Anytime curves: {out}", highlight=False, soft_wrap=True)


def _shown(spread: Spread, form: str) -> str:
    median, low, high = (form.format(v) if math.isfinite(v) else "-" for v in spread)
    return median if median == low == high else f"{median} ({low} to {high})"
