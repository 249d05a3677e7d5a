"""What a search with wrong validation labels should optimise, by replays on the populations.

    python benchmarks/guided_search.py [--seeds 20] [--trials 24] [--json]

Each replay is a search of some of the 60 recorded trials of a population, with the package's own
sampler and scheduler. The sampler and ASHA are told either the accuracy on the noisy labels or the
label information (docs/selection.md); one of the finished trials is then chosen by either. The
regret is the difference in test accuracy between the best trial of the population and that one.
ASHA decides at a third and at two thirds of a trial, where the predictions were recorded. Intervals
are Student's t over populations, of the means over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from judges import _interval
from populations import Mark, Recorded, load, recorded

from tune_robust.information import label_information
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.statistics import estimate
from tune_robust.tuning.simulation.recording import Pool
from tune_robust.tuning.simulation.replay import replay

ACCURACY, INFORMATION = "val_accuracy", "val_information"
MOMENTS = (0.333, 0.667, 1.0)
SCHEDULERS = ("none", "asha")
SEARCHERS = ("tpe", "random")


class Way(NamedTuple):
    """What the sampler and the rungs are told, and what chooses the winner."""

    told: str
    chosen_by: str


WAYS = (Way(ACCURACY, ACCURACY), Way(ACCURACY, INFORMATION), Way(INFORMATION, INFORMATION))
BASELINE = WAYS[0]


def pool_of(population: Recorded, told: str, searcher: str, scheduler: str, trials: int) -> Pool:
    """Return the finished trials as a pool, with an epoch at each of ``MOMENTS``."""
    document = {**population.meta["space"]}
    document["budget"] = {
        "trials": trials,
        "unit": "epochs",
        "max": 3,
        "grace": 1,
        "reduction": 2,
        "scheduler": scheduler,
    }
    document["objective"] = {"metric": told, "mode": "max"}
    document["searcher"] = {"name": searcher, "seeds": "shared"}
    document["record"] = {}
    document["train"] = {**document["train"], "epochs": 3}
    space = Space.from_document(document)
    rows = population.trials[population.trials["status"] == "done"]
    finished = tuple(_trial(population, space, row) for row in rows.to_dict("records"))
    return Pool(space, finished, Counter(), 0)


def _trial(population: Recorded, space: Space, row: dict[str, Any]) -> Trial:
    epochs = {
        number: {
            **scores(population.predictions[row["trial"], moment], population.labels.given),
            "gradient_evaluations": float(number),
        }
        for number, moment in enumerate(MOMENTS, 1)
    }
    paths = [dim.path for dim in space.dimensions]
    values = {path: row[path] for path in paths if row[path] == row[path] and row[path] is not None}
    config = {**json.loads(row["config"]), "epochs": 3}
    return Trial(row["trial"], "sampled", values, config, status="done", epochs=epochs)


def scores(probabilities: np.ndarray, given: np.ndarray) -> dict[str, float]:
    """Return both criteria of one trial's predictions (N, K) on the given labels (N,)."""
    predicted, classes = probabilities.argmax(1), probabilities.shape[1]
    counts = np.bincount(predicted * classes + given, minlength=classes**2)
    return {
        ACCURACY: float((predicted == given).mean()),
        INFORMATION: float(label_information(counts.reshape(classes, classes))),
    }


def regrets(population: Recorded, searcher: str, scheduler: str, trials: int, seeds: int) -> dict:
    """Return the mean regret over seeds, in points, of each way."""
    test, found = population.last["test_accuracy"], {way: [] for way in WAYS}
    for told in (ACCURACY, INFORMATION):
        pool = pool_of(population, told, searcher, scheduler, trials)
        last = {trial.name: trial.last for trial in pool.trials}
        for seed in range(seeds):
            finished = [one.trial for one in replay(pool, pool.space, seed=seed).finished]
            for way in (way for way in WAYS if way.told == told):
                chosen = max(finished, key=lambda name: last[name][way.chosen_by])
                found[way].append(100 * (test.max() - test[chosen]))
    return {way: float(np.mean(values)) for way, values in found.items()}


def measured(mark: Mark, trials: int, seeds: int) -> dict[str, Any]:
    """Return {searcher, scheduler: {way: regrets of the populations of a mark, in their order}}."""
    populations = [one for one in map(load, recorded(mark)) if one.complete]
    return {
        f"{searcher}, {scheduler}": _by_way(
            [regrets(one, searcher, scheduler, trials, seeds) for one in populations]
        )
        for searcher in SEARCHERS
        for scheduler in SCHEDULERS
    }


def _by_way(each: Sequence[dict[Way, float]]) -> dict[Way, list[float]]:
    return {way: [one[way] for one in each] for way in WAYS}


def _print(mark: Mark, found: dict[str, Any]) -> None:
    print(f"\n{mark}: {', '.join(recorded(mark))}\n")
    print("| search | told | chosen by | regret, points | worst | minus the first row's |")
    print("|---|---|---|---|---|---|")
    for search, ways in found.items():
        for way, values in ways.items():
            apart = [a - b for a, b in zip(values, ways[BASELINE], strict=True)]
            cells = [
                _interval(estimate(values)._asdict(), 1, low=0.0),
                f"{max(values):.1f}",
                _interval(estimate(apart)._asdict(), 1),
            ]
            print(f"| {search} | {way.told} | {way.chosen_by} | " + " | ".join(cells) + " |")


def main() -> None:
    """Replay the searches and print a table per mark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="replays of each search")
    parser.add_argument("--trials", type=int, default=24, help="trials of each search")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    marks: tuple[Mark, ...] = ("develop", "report")
    found = {mark: measured(mark, options.trials, options.seeds) for mark in marks}
    if options.json:
        print(json.dumps(_plain(found), indent=2))
        return
    for mark in marks:
        _print(mark, found[mark])


def _plain(found: dict[Mark, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "mark": mark,
            "search": search,
            **way._asdict(),
            "regret": dict(zip(names, values, strict=True)),
        }
        for mark, searches in found.items()
        for names in [recorded(mark)]
        for search, ways in searches.items()
        for way, values in ways.items()
    ]


if __name__ == "__main__":
    main()
