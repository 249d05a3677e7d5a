"""What ``budget.stop: auto`` saves and loses, against running all trials.

    python benchmarks/stopping.py --seeds 20 [--recordings digits] [--json]

Each recording (benchmarks/recorded) is searched twice with the same seed, for half of its trials,
with and without ``stop: auto``. The first search is the beginning of the second. Measured are the
compute saved, as a fraction of that of the second; how much better the finished trial with the best
score is in the second search, by that score and by its test accuracy, in points; and in which part
of the searches that is at most 0.2 points. The test set is not used for anything else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from intervals import quantiles
from searchers import DEVELOP, OURS, recording
from time_to_quality import Recording
from timing import machine

from tune_robust.tuning.simulation.replay import Finish, Replay, replay

KINDS = ("gp_mf_promotion", "tpe_asha")
TOLERANCE = 0.002
"""The loss that is accepted, in the unit of an accuracy."""


class Loss(NamedTuple):
    """Of one search: the fraction of compute saved, and how much better the whole search is."""

    saved: float
    score: float
    test: float


def loss(kind: str, recorded: Recording, seed: int) -> Loss:
    """Return what a search saves and loses.

    Args:
        kind: a key of ``searchers.OURS``.
        recorded: what is searched.
        seed: the seed of the searcher.
    """
    ended, whole = (_search(kind, recorded, seed, stop) for stop in ("auto", "never"))
    first, last = _chosen(recorded, ended), _chosen(recorded, whole)
    tests = {trial.name: trial.last["test_accuracy"] for trial in recorded.pool.trials}
    return Loss(
        saved=1 - ended.compute / whole.compute,
        score=recorded.pool.objective.sign * (last.value - first.value),
        test=tests[last.trial] - tests[first.trial],
    )


def _search(kind: str, recorded: Recording, seed: int, stop: str) -> Replay:
    searcher, scheduler = OURS[kind]
    budget = {"trials": len(recorded.pool.trials) // 2, "scheduler": scheduler}
    budget |= {"grace": None, "sentinels": 0, "stop": stop}
    changes = {
        "known": (),
        "budget": recorded.space.budget.model_copy(update=budget),
        "searcher": recorded.space.searcher.model_copy(update={"name": searcher}),
    }
    return replay(recorded.pool, recorded.space.model_copy(update=changes), seed=seed)


def _chosen(recorded: Recording, found: Replay) -> Finish:
    return min(found.finished, key=lambda end: recorded.pool.objective.sort_key(end.value))


def summary(losses: Sequence[Loss]) -> dict[str, Any]:
    """Return the quantiles of each figure, and how many searches ended early or lost little."""
    columns = {name: [getattr(loss, name) for loss in losses] for name in Loss._fields}
    return {
        **{name: quantiles(values) for name, values in columns.items()},
        "ended_early": sum(saved > 0 for saved in columns["saved"]),
        "little_lost": sum(score <= TOLERANCE + 1e-9 for score in columns["score"]),
        "mean_test": float(np.mean(columns["test"])),
        "mean_score": float(np.mean(columns["score"])),
        "n": len(losses),
    }


def _line(name: str, kind: str, found: Mapping[str, Any]) -> str:
    saved = found["saved"]
    return (
        f"{name:22}{kind:18} saved {saved['median']:.0%} ({saved['low']:.0%} to "
        f"{saved['high']:.0%}), {found['ended_early']} of {found['n']} ended early; at most 0.2 "
        f"points lost in {found['little_lost']}; mean loss {100 * found['mean_score']:.2f} points, "
        f"test {100 * found['mean_test']:+.2f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="searches of each kind")
    parser.add_argument("--recordings", nargs="+", default=DEVELOP)
    parser.add_argument("--only", nargs="+", choices=[*OURS], default=KINDS)
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.recordings:
        recorded = recording(name)
        for kind in arguments.only:
            found = summary([loss(kind, recorded, seed) for seed in range(arguments.seeds)])
            print(_line(name, kind, found), file=sys.stderr, flush=True)
            rows.append({"recording": name, "kind": kind, **found})
    if arguments.json:
        document = {"ratios": {}, "stopping": rows, "machine": machine(), "n": arguments.seeds}
        print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
