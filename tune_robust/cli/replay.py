"""``tune-robust replay``: repeat a search on a recorded run with other settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tune_robust.cli.completion import complete_space, one_of
from tune_robust.cli.options import STORAGE, Json, Run, Settings, Storage, Trials
from tune_robust.formatting import MISSING, count

if TYPE_CHECKING:
    from rich.table import Table

    from tune_robust.api.replay import Clock


def replay(
    run: Run,
    scheduler: Annotated[
        list[str] | None,
        typer.Option(
            help="Replay with this scheduler: asha, promotion, median or none. Can be repeated."
        ),
    ] = None,
    searcher: Annotated[
        list[str] | None,
        typer.Option(help="Replay with this searcher: tpe, gp, random, ... Can be repeated."),
    ] = None,
    reduction: Annotated[
        list[int] | None,
        typer.Option(
            help="Replay with this reduction factor of ASHA: one trial in this many continues at "
            "each rung. Can be repeated."
        ),
    ] = None,
    grace: Annotated[
        list[float] | None,
        typer.Option(
            help="Do not stop any trial before it has used this much of the budget's unit. Can be "
            "repeated."
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Search this space on the run's trials instead of the run's own space.",
            autocompletion=complete_space,
        ),
    ] = None,
    settings: Settings = None,
    trials: Trials = None,
    compute: Annotated[
        float | None,
        typer.Option(
            help="End each replay at this fraction of the recorded compute instead of after a "
            "number of trials.",
            min=0.001,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Replay each combination this many times.", min=1)
    ] = 20,
    workers: Annotated[
        int, typer.Option(help="Simulate this many trials running at a time.", min=1)
    ] = 1,
    clock: Annotated[
        str,
        typer.Option(
            help="The unit in which compute and time are measured.",
            **one_of("gradient_evaluations", "seconds"),
        ),
    ] = "gradient_evaluations",
    within: Annotated[
        float,
        typer.Option(
            help="How close to the best a score must be to count as near, in the objective's unit."
        ),
    ] = 0.005,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the anytime curves to this file: a figure (.html) or the data (.json)."
        ),
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Repeat a search on recorded training curves, with any scheduler and searcher.

    Every combination of the repeated options is compared. A proposal that was not recorded is
    replaced by the nearest recorded trial that the replay has not used yet. Only trials that ran to
    their end take part: record a run with --set budget.scheduler=none.

    Examples:
      tune-robust replay r1 --scheduler asha --scheduler none \\
        --searcher tpe --searcher random
      tune-robust replay r1 --reduction 2 --reduction 4 --grace 20 \\
        --compute 0.2 --workers 2
      tune-robust replay r1 --set searcher.startup=20 --seeds 50 \\
        --out anytime.html
      tune-robust replay benchmarks/recorded/methods_grid_digits \\
        --space methods_digits --json
    """
    import tune_robust as tr

    found = tr.replay(
        run,
        schedulers=scheduler or (),
        searchers=searcher or (),
        reductions=reduction or (),
        graces=grace or (),
        space=space,
        settings=settings,
        trials=trials,
        compute=compute,
        seeds=seeds,
        workers=workers,
        clock=cast("Clock", clock),
        within=within,
        out=out,
        storage=storage,
    )
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _print(found, out)


def _print(found: dict[str, Any], out: Path | None) -> None:
    from tune_robust.console.overview import open_console

    console = open_console()
    pool = found["pool"]
    console.print(
        f"{count(pool['trials'], 'recorded trial')}, {pool['compute']:,.0f} "
        f"{pool['clock'].replace('_', ' ')}, best {pool['objective']} {pool['best']:.4g}.",
        highlight=False,
    )
    for reason, trials in pool["left_out"].items():
        console.print(
            f"Left out: {count(trials, 'trial')} ({reason}).", style="dim", highlight=False
        )
    if pool["stopped_early"]:
        console.print(
            f"Warning: {count(pool['stopped_early'], 'trial')} stopped early and cannot take part. "
            "The rest are survivors, so every combination looks better than it is. Record full "
            "curves with --set budget.scheduler=none.",
            style="yellow",
            highlight=False,
        )
    console.print(_table(found))
    if out is not None:
        console.print(f"Anytime curves: {out}", highlight=False, soft_wrap=True)


def _table(found: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    near = f"compute to within {found['tolerance']:g}"
    figures = ("trials", "finished", "compute", "regret", near, "reached", "best found")
    table.add_column("combination")
    for heading in (*figures, "test acc.*"):
        table.add_column(heading, justify="right")
    for of in found["combinations"]:
        test = of["test_accuracy"]
        table.add_row(
            of["name"],
            _shown(of["trials"], "{:.0f}"),
            _shown(of["finished"], "{:.0f}"),
            _shown(of["compute"], "{:.0%}"),
            _shown(of["regret"], "{:.4f}"),
            _shown(of["within"], "{:.0%}"),
            f"{of['reached']}/{of['n']}",
            f"{of['winner_found']}/{of['n']}",
            MISSING if test is None else _shown(test, "{:.3f}"),
        )
    table.caption = (
        "Median and quartiles over the seeds; - where a score was not reached. compute: the "
        "fraction of the recorded compute. regret: how far the best finished trial is from the "
        "best recorded one. best found: how often the best recorded trial was found. * of the "
        f"trial with the best {found['pool']['objective']}; not used for selection."
    )
    table.caption_justify = "left"
    return table


def _shown(spread: dict[str, float | None], form: str) -> str:
    median, low, high = (MISSING if v is None else form.format(v) for v in spread.values())
    return median if median == low == high else f"{median} ({low} to {high})"
