"""Warm starts between recorded populations: what a search gains from a pilot on other labels.

    python benchmarks/warm_start.py                   # all pairs of the populations marked develop
    python benchmarks/warm_start.py --seeds 5 --pilots digits_symmetric_0
    python benchmarks/warm_start.py --targets digits_asymmetric_0 digits_clean_0
    python benchmarks/warm_start.py --json

A pilot has 20 trials of one population, drawn at random for each seed, that ran to their end; it
stands for an earlier run with other labels, other noise or another data set. A search of another
population (``gp_mf`` with ``promotion``, as in searchers.py) starts with it (``warm``) or without
it (``cold``). ``opposite`` is a pilot that misleads, with scores of the other sign. Measured is the
compute until a trial has finished within half a point of the best, as a fraction of that of all
recorded trials, without that of the pilot, and the regret after 5, 10 and 20 % of it, as in
searchers.py.

The populations have the same 60 settings, so that those of a pilot are among those of the search.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from populations import POPULATIONS, recorded
from searchers import Finish, ours, recording, summary, to_target
from time_to_quality import Recording
from timing import machine

from tune_robust.tuning.strategy.warm_start import EarlierTrial, earlier_trial

PILOT = 20
"""The number of trials of a pilot."""

KIND = "gp_mf_promotion"
WAYS = ("cold", "warm", "opposite")


class Pair(NamedTuple):
    """The population of the pilot and that of the search."""

    pilot: str
    target: str


def pilot(source: Recording, target: Recording, seed: int, *, sign: int = 1) -> list[EarlierTrial]:
    """Return the trials of a pilot for a search of ``target``.

    Args:
        source: the population of the pilot.
        target: the population of the search.
        seed: determines which trials it has.
        sign: -1 for a pilot that misleads.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(source.pool.trials))[:PILOT]
    objective = target.pool.objective
    trials = [
        earlier_trial(target.space, objective, "pilot", source.pool.trials[n]) for n in chosen
    ]
    return [
        trial.model_copy(
            update={
                "steps": tuple((step, sign * value) for step, value in trial.steps),
                "value": sign * trial.value,
            }
        )
        for trial in trials
    ]


def searches(pair: Pair, way: str, seeds: int) -> list[list[Finish]]:
    """Return the finished trials of ``seeds`` searches."""
    source, target = recording(pair.pilot), recording(pair.target)
    sign = -1 if way == "opposite" else 1
    return [
        ours(KIND, target, seed, earlier=pilot(source, target, seed, sign=sign))
        if way != "cold"
        else ours(KIND, target, seed)
        for seed in range(seeds)
    ]


def rows(pairs: Sequence[Pair], seeds: int) -> Iterator[dict[str, Any]]:
    """Yield the measurement of each pair and way, with the ratio of its mean compute to ``cold``.

    A trial that never reaches the target counts with all of the compute.
    """
    cold: dict[str, float] = {}
    for pair, way in product(pairs, WAYS):
        if way == "cold" and pair.target in cold:
            continue
        found = searches(pair, way, seeds)
        target = recording(pair.target)
        mean = fmean(min(1.0, to_target(target, finished)) for finished in found)
        if way == "cold":
            cold[pair.target] = mean
        ratio = mean / cold[pair.target]
        yield {**pair._asdict(), "way": way, "mean": mean, "ratio": ratio, **summary(target, found)}


def line(row: Mapping[str, Any]) -> str:
    """Return a row as text."""
    pilot = "" if row["way"] == "cold" else row["pilot"]
    medians = [at["median"] for at in row["regret"].values()]
    regret = ", ".join("never" if at is None else f"{at:.1%}" for at in medians)
    compute = f"mean {row['mean']:.1%}, median {row['compute']['median'] or 1.0:.1%}"
    names = f"{row['target']:20}{row['way']:9}{pilot:20}"
    return f"{names}{compute}, x {row['ratio']:.2f}; regret {regret}"


def main() -> None:
    """Measure and print."""
    develop = [name for name in recorded("develop") if POPULATIONS[name].data == "digits"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="searches of each pair")
    parser.add_argument("--pilots", nargs="+", choices=recorded(), default=develop)
    parser.add_argument("--targets", nargs="+", choices=recorded(), default=develop)
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    arguments = parser.parse_args()
    pairs = [Pair(*names) for names in product(arguments.pilots, arguments.targets)]
    measured = []
    for row in rows([pair for pair in pairs if pair.pilot != pair.target], arguments.seeds):
        print(line(row), file=sys.stderr, flush=True)
        measured.append(row)
    ratios = {way: fmean(row["ratio"] for row in measured if row["way"] == way) for way in WAYS[1:]}
    print("compute relative to cold:", ratios, file=sys.stderr)
    if arguments.json:
        document = {"ratios": ratios, "searches": measured, "machine": machine()}
        print(json.dumps({**document, "n": arguments.seeds}, indent=2))


if __name__ == "__main__":
    main()
