"""Repeat a search on a recorded run with other schedulers and samplers."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from tune_robust.api.runs import RunLike, folder_of
from tune_robust.api.spaces import SpaceLike, load_space
from tune_robust.errors import ConfigError, UserError, unknown
from tune_robust.files import write_aside
from tune_robust.metrics import finite_or_none
from tune_robust.runs.naming import STORAGE
from tune_robust.spaces.overrides import Overrides, parse_overrides
from tune_robust.spaces.space import Space, parse_space

if TYPE_CHECKING:
    from tune_robust.tuning.simulation.recording import Pool
    from tune_robust.tuning.simulation.replay_statistics import Statistics

Clock = Literal["gradient_evaluations", "seconds"]


class Combination(NamedTuple):
    """A combination of scheduler and sampler, and its replays."""

    name: str
    space: Space
    statistics: Statistics
    curve: list[dict[str, Any]]


def replay(
    run: RunLike,
    *,
    schedulers: Sequence[str] = (),
    searchers: Sequence[str] = (),
    reductions: Sequence[int] = (),
    graces: Sequence[float] = (),
    space: SpaceLike | None = None,
    settings: Overrides | None = None,
    trials: int | None = None,
    compute: float | None = None,
    seeds: int = 20,
    workers: int = 1,
    clock: Clock = "gradient_evaluations",
    within: float = 0.005,
    out: str | Path | None = None,
    storage: str | Path = STORAGE,
) -> dict[str, Any]:
    """Repeat a search on recorded training curves, with any scheduler and sampler.

    Every combination of ``schedulers``, ``searchers``, ``reductions`` and ``graces`` is compared;
    others are those of the space. A proposal that was not recorded is replaced by the nearest
    recorded trial that the replay has not used yet. Only trials that ran to their end take
    part: record with ``budget.scheduler: none``.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        schedulers: any of ``asha``, ``median``, ``none``.
        searchers: any of ``tpe``, ``gp``, ``random``, ...
        reductions: ASHA's reduction factors.
        graces: how much of the budget a trial uses before it may be stopped, in the budget's unit.
        space: a space to search on the run's trials, instead of the run's own.
        settings: further changes to the space, as a mapping from key paths to values.
        trials: the number of trials of each replay.
        compute: end each replay at this fraction of the recorded compute, not after ``trials``.
        seeds: the number of replays of each combination.
        workers: the number of simulated trials that run at a time.
        clock: the unit of compute and of the workers' time: ``gradient_evaluations`` or
            ``seconds``.
        within: how close to the best a score must be to count as near, in the objective's unit.
        out: a file for the anytime curves: ``.html`` for a figure, ``.json`` for the result.
        storage: the folder or URI that holds the runs.

    Returns:
        Plain data: the recorded ``pool``, and for each of the ``combinations`` the median and the
        quartiles over the seeds of its trials, compute, regret and other figures, and its anytime
        curve.

    Raises:
        UserError: there is no such run, fewer than two of its trials can be replayed, an argument
            is not valid, or the budget limits the time and ``clock`` is not ``seconds``.
    """
    _check(clock, out)
    from tune_robust.tuning.simulation.recording import pool_of, read_recorded

    folder = folder_of(run, storage)
    overrides = _pairs(settings)
    if trials is not None:
        overrides["budget.trials"] = trials
    elif compute is not None:
        overrides["budget.trials"] = len(read_recorded(folder))
    choices = {
        "budget.scheduler": schedulers,
        "searcher.name": searchers,
        "budget.reduction": reductions,
        "budget.grace": graces,
    }
    recorded = folder.read_meta()["space"]
    spaces = [_space(recorded, space, {**overrides, **chosen}) for chosen in _combinations(choices)]
    pool = pool_of(spaces[0], folder)
    done = [
        _replayed(pool, candidate, seeds, workers, clock, compute, within)
        for candidate in {_name(candidate): candidate for candidate in spaces}.values()
    ]
    found = _document(pool, done, clock, within)
    if out is not None:
        _write(Path(out), found)
    return found


def _check(clock: str, out: str | Path | None) -> None:
    if clock not in get_args(Clock):
        raise UserError(unknown("clock", clock, get_args(Clock)))
    if out is not None and Path(out).suffix not in {".html", ".json"}:
        raise UserError(f"--out {out}: give a file that ends in .html (a figure) or .json (data).")


def _pairs(settings: Overrides | None) -> dict[str, Any]:
    pairs, problems = parse_overrides(settings or {})
    if problems:
        raise ConfigError("--set", problems)
    return dict(pairs)


def _combinations(choices: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the given values, by path."""
    given = {path: values for path, values in choices.items() if values}
    for values in itertools.product(*given.values()):
        yield dict(zip(given, values, strict=True))


def _space(recorded: dict[str, Any], other: SpaceLike | None, changes: dict[str, Any]) -> Space:
    """Return the space to search: the run's own, with ranges in place of grids if needed."""
    from tune_robust.tuning.simulation.replay import open_grid

    if other is not None:
        return load_space(other, settings=changes)
    searcher = changes.get("searcher.name", recorded["searcher"]["name"])
    document = recorded if searcher == "grid" else open_grid(recorded)
    source = f"the recorded space {recorded['name']}"
    return parse_space(document, source=source, overrides=changes)


def _replayed(
    pool: Pool,
    space: Space,
    seeds: int,
    workers: int,
    clock: Clock,
    compute: float | None,
    within: float,
) -> Combination:
    from tune_robust.tuning.simulation.replay import replay
    from tune_robust.tuning.simulation.replay_statistics import anytime_curve, statistics

    limit = pool.cost(clock) * (math.inf if compute is None else compute)
    replays = [
        replay(pool, space, seed=seed, workers=workers, clock=clock, compute=limit)
        for seed in range(seeds)
    ]
    found = statistics(pool, replays, clock=clock, tolerance=within)
    return Combination(_name(space), space, found, anytime_curve(pool, replays))


def _name(space: Space) -> str:
    """Return a name such as ``asha 3 from 40 · tpe``."""
    from tune_robust.schedulers.building import grace_of

    budget = space.budget
    reduction = f" {budget.reduction}" if budget.scheduler in ("asha", "promotion") else ""
    grace = "" if budget.scheduler == "none" else f" from {grace_of(space):g}"
    return f"{budget.scheduler}{reduction}{grace} · {space.searcher.name}"


def _document(pool: Pool, done: list[Combination], clock: str, within: float) -> dict[str, Any]:
    return {
        "pool": {
            "trials": len(pool.trials),
            "left_out": dict(pool.left_out.most_common()),
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
    """Replace infinity, which JSON lacks, by null: the score was never reached."""
    from tune_robust.tuning.simulation.replay_statistics import Spread

    return {
        name: finite_or_none(value._asdict()) if isinstance(value, Spread) else value
        for name, value in statistics.items()
    }


def _write(out: Path, found: dict[str, Any]) -> None:
    if out.suffix == ".json":
        write_aside(out, json.dumps(found, indent=2).encode())
        return
    from analysis.figures.anytime import anytime, write_anytime

    pool = found["pool"]
    figure = anytime(
        {combination["name"]: combination["anytime"] for combination in found["combinations"]},
        objective=pool["objective"],
        best=pool["best"],
        unit=pool["clock"].replace("_", " "),
    )
    write_anytime(figure, out)
