"""The time of a proposal after many trials.

    python benchmarks/proposals.py                      # gp_mf and tpe after 150, 500 and 5,000
    python benchmarks/proposals.py --searchers gp_mf --trials 500
    python benchmarks/proposals.py --json

The trials have random settings of ``methods_digits`` and random scores after every epoch; two
thirds of them were stopped at half of their length. Measured is the CPU time of a proposal, five
times, each after one trial less; a first one, which imports libraries, does not count.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial
from timing import machine

from tune_robust.spaces.space import Space, load_space
from tune_robust.spaces.unit_cube import from_unit
from tune_robust.tuning.strategy.samplers import build_sampler, optuna_distribution
from tune_robust.tuning.strategy.study import suggested

REPEATS = 5


def trial_of(space: Space, rng: np.random.Generator) -> FrozenTrial:
    """Return an ended trial of ``space``."""
    values: dict[str, Any] = {}
    drawn = []
    for dim in space.dimensions:
        if dim.active(values):
            values[dim.path] = from_unit(dim.distribution, float(rng.random()))
            drawn.append(dim)
    done = rng.random() < 1 / 3
    length = round(space.max_resource) // (1 if done else 2)
    steps = {step: float(rng.random()) for step in range(2, length + 1, 2)}
    return create_trial(
        state=TrialState.COMPLETE if done else TrialState.PRUNED,
        params={dim.name: values[dim.path] for dim in drawn},
        distributions={dim.name: optuna_distribution(dim.distribution) for dim in drawn},
        value=steps[max(steps)],
        intermediate_values=steps,
    )


def seconds(space: Space, trials: list[FrozenTrial]) -> float:
    """Return the CPU time of a proposal after ``trials``."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    began = time.process_time()
    study.sampler = build_sampler(space, len(trials))
    suggested(space, study.ask())
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--searchers", nargs="+", default=["gp_mf", "tpe"])
    parser.add_argument("--trials", type=int, nargs="+", default=[150, 500, 5000])
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, rng = load_space("methods_digits"), np.random.default_rng(0)
    trials = [trial_of(space, rng) for _ in range(max(arguments.trials))]
    found: dict[str, dict[str, list[float]]] = {}
    for name in arguments.searchers:
        searcher = space.searcher.model_copy(update={"name": name})
        searched = space.model_copy(update={"searcher": searcher, "known": ()})
        seconds(searched, trials[:40])
        for count in arguments.trials:
            taken = sorted(seconds(searched, trials[: count - n]) for n in range(REPEATS))
            found.setdefault(name, {})[str(count)] = taken
            if not arguments.json:
                middle, last = taken[REPEATS // 2], taken[-1]
                print(f"{name:8}{count:6} trials  {middle:.3f} s ({taken[0]:.3f} to {last:.3f})")
    document = {"ratios": {}, "seconds": found, "machine": machine(), "n": REPEATS}
    if arguments.json:
        print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
