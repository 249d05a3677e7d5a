"""Does a search choose better if it spends some of its trials on repeats with other seeds?

    python benchmarks/repeats.py [--replays 100] [--trials 18] [--mark report] [--json]

Searches are replayed on the grids of ``recorded/repeats`` (``record_repeats.py``) with the
package's own samplers and schedulers, with ``budget.repeats: off`` and with ``auto``. A search
without repeats has so many trials, and the one with repeats as much compute as it took. The winner
is the setting with the best mean of the objective, the label information on the noisy validation
labels, over its finished trials. The regret is how much better the best setting of the grid is in
test accuracy. Each search may use three of the seeds of a setting, in an order of its own; test
accuracies are means over the seeds that it may not use or, if there are no others, over all three.

Printed are means over replays with 95 % intervals, of the regrets and of their difference within
the pairs, in points; and the fraction of trials that were repeats.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from statistics import fmean
from typing import Any, NamedTuple

from record_repeats import GRIDS, RECORDED, SEEDS, Grid

from tune_robust.runs.folder import RunFolder
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.statistics import Estimate, estimate
from tune_robust.tuning.simulation.recording import Pool, pool_of
from tune_robust.tuning.simulation.replay import Replay, replay
from tune_robust.tuning.strategy.repeats import MOST

SEARCHES = (
    ("random", "none"),
    ("tpe", "none"),
    ("tpe", "asha"),
    ("gp_mf", "promotion"),
)


class Pair(NamedTuple):
    """The regrets of one replay, in points, and the fraction of repeats in that with ``auto``."""

    off: float
    auto: float
    repeats: float


@lru_cache
def grid_pool(grid: Grid) -> Pool:
    """Return all trials of a grid."""
    folder = RunFolder(RECORDED / grid.name)
    return pool_of(Space.from_document(folder.read_meta()["space"]), folder)


def pair(grid: Grid, searcher: str, scheduler: str, trials: int, seed: int) -> Pair:
    """Replay one search without and with repeats."""
    whole = grid_pool(grid)
    searched, truth = _split(whole, seed)
    pool = Pool(whole.space, tuple(searched), Counter(), 0)
    best = max(truth.values())
    off = replay(pool, _space(pool, searcher, scheduler, trials, "off"), seed=seed)
    # As many trials as the compute allows.
    space = _space(pool, searcher, scheduler, len(searched), "auto")
    auto = replay(pool, space, seed=seed, compute=off.compute)
    regrets = [100 * (best - truth[_winner(pool, found)]) for found in (off, auto)]
    by_name = {trial.name: setting_of(trial) for trial in pool.trials}
    settings = {by_name[name] for name in auto.started}
    return Pair(*regrets, 1 - len(settings) / len(auto.started))


def setting_of(trial: Trial) -> str:
    """Return the values of a trial as text."""
    return json.dumps(trial.values, sort_keys=True)


def _split(pool: Pool, seed: int) -> tuple[list[Trial], dict[str, float]]:
    """Return the trials that a search may use, and the test accuracies over the other seeds."""
    random = Random(seed)
    settings: dict[str, list[Trial]] = {}
    for trial in pool.trials:
        settings.setdefault(setting_of(trial), []).append(trial)
    searched, truth = [], {}
    for name, same in settings.items():
        drawn = random.sample(same, len(same))
        searched += drawn[:MOST]
        truth[name] = fmean(_test_accuracy(trial) for trial in drawn[MOST:] or drawn)
    return searched, truth


def _test_accuracy(trial: Trial) -> float:
    accuracy = trial.last["test_accuracy"]
    return math.nan if accuracy is None else accuracy


def _space(pool: Pool, searcher: str, scheduler: str, trials: int, repeats: str) -> Space:
    budget = {"trials": trials, "scheduler": scheduler, "repeats": repeats}
    changes = {
        "budget": pool.space.budget.model_copy(update=budget),
        "searcher": pool.space.searcher.model_copy(update={"name": searcher}),
    }
    return pool.space.model_copy(update=changes)


def _winner(pool: Pool, found: Replay) -> str:
    """Return the setting with the best mean over its finished trials."""
    by_name = {trial.name: setting_of(trial) for trial in pool.trials}
    values: dict[str, list[float]] = {}
    for finish in found.finished:
        values.setdefault(by_name[finish.trial], []).append(finish.value)
    return max(values, key=lambda name: pool.objective.sign * fmean(values[name]))


def measure(
    grids: list[Grid], searcher: str, scheduler: str, trials: int, replays: int
) -> dict[str, Any]:
    """Return the figures of one kind of search, over all replays on all grids."""
    pairs = [
        pair(grid, searcher, scheduler, trials, seed) for grid in grids for seed in range(replays)
    ]
    return {
        "searcher": searcher,
        "scheduler": scheduler,
        "trials": trials,
        "off": estimate([one.off for one in pairs]),
        "auto": estimate([one.auto for one in pairs]),
        "auto_minus_off": estimate([one.auto - one.off for one in pairs]),
        "repeats": fmean(one.repeats for one in pairs),
    }


def _row(found: Mapping[str, Any]) -> str:
    cells = [_interval(found[name]) for name in ("off", "auto", "auto_minus_off")]
    search = f"{found['searcher']}, {found['scheduler']}, {found['trials']} trials"
    return f"| {search} | " + " | ".join(cells) + f" | {100 * found['repeats']:.0f} % |"


def _interval(found: Estimate) -> str:
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def main() -> None:
    """Replay the searches and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replays", type=int, default=100, help="of each search on each grid")
    parser.add_argument("--trials", type=int, nargs="+", default=[18])
    parser.add_argument("--mark", choices=["develop", "report"], default="report")
    parser.add_argument("--searchers", nargs="+", default=["random", "tpe", "gp_mf"])
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    options = parser.parse_args()
    there = [grid for grid in GRIDS if (RECORDED / grid.name).exists()]
    grids = [grid for grid in there if grid.mark == options.mark]
    measured = []
    if not options.json:
        print(f"{options.mark}: {', '.join(g.name for g in grids)}, {len(SEEDS)} seeds\n")
        print("| search | regret, off | regret, auto | difference | repeats |")
        print("|---|---|---|---|---|")
    for trials in options.trials:
        for searcher, scheduler in SEARCHES:
            if searcher in options.searchers:
                found = measure(grids, searcher, scheduler, trials, options.replays)
                measured.append(found)
                if not options.json:
                    print(_row(found), flush=True)
    if options.json:
        plain = ("off", "auto", "auto_minus_off")
        rows = [found | {name: found[name]._asdict() for name in plain} for found in measured]
        print(json.dumps({"mark": options.mark, "n": options.replays, "searches": rows}, indent=2))


if __name__ == "__main__":
    main()
