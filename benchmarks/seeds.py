"""Own seeds or common random numbers: which finds the better configuration in a search?

    python benchmarks/seeds.py [--configurations 24] [--seeds 6] [--epochs 40] [--quick] [--json]

Random configurations of ``methods_digits`` are trained with each of several seeds (the images, the
split and the wrong labels stay the same, as in a search). Searches are then sampled from that
table: each takes some of the configurations, with a seed of its own per trial or one for all, and
selects the one with the best score. The selected configuration is evaluated by the mean over the
other seeds.

``ratios``: the loss of accuracy relative to the best configuration, with shared over with own
seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from random import Random

import numpy as np
from timing import machine

from tune_robust.config import TrainConfig
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.space import Space, load_space
from tune_robust.spaces.unit_cube import from_unit
from tune_robust.training import train

SEARCHES = 20_000


def main() -> None:
    """Train the table, sample searches from it and print their losses."""
    options = _options()
    space = load_space("methods_digits", overrides=[f"train.epochs={options.epochs}"])
    configs = _configurations(space, options.configurations)
    table = _scores(configs, options.seeds)
    chosen = min(options.trials, len(configs))
    losses = {seeds: _loss(table, chosen, seeds == "shared") for seeds in ("own", "shared")}
    own, shared = losses["own"][0], losses["shared"][0]
    found = {
        "ratios": {"shared_over_own": shared / own if own else None},
        "loss": {seeds: mean for seeds, (mean, _) in losses.items()},
        "standard_error": {seeds: error for seeds, (_, error) in losses.items()},
        "deviations": _deviations(table),
        "n": {"configurations": len(configs), "seeds": options.seeds, "trials": chosen},
        "machine": machine(),
    }
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configurations", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--trials", type=int, default=10, help="trials of each search")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="a few seconds, figures of no use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.configurations, options.seeds, options.epochs = 3, 2, 1
    return options


def _configurations(space: Space, count: int) -> list[TrainConfig]:
    random = Random(0)
    return [space.config_for(_drawn(space.dimensions, random), threads=1) for _ in range(count)]


def _drawn(dimensions: Sequence[Dimension], random: Random) -> dict:
    values: dict = {}
    for dimension in dimensions:
        if dimension.active(values):
            values[dimension.path] = from_unit(dimension.distribution, random.random())
    return values


def _scores(configs: Sequence[TrainConfig], seeds: int) -> np.ndarray:
    """Return the last epoch's noisy validation accuracies, (configurations, seeds)."""
    table = np.empty((len(configs), seeds))
    for row, config in enumerate(configs):
        for seed in range(seeds):
            *_, last = train(config.model_copy(update={"seed": seed}), device="cpu")
            table[row, seed] = last.metrics["val_accuracy"]
    return table


def _loss(table: np.ndarray, trials: int, shared: bool) -> tuple[float, float]:
    """Return the mean accuracy lost by the selected configuration, and its standard error.

    The loss is relative to the best configuration of the search; both are evaluated by the seeds
    that the search did not use for the selected one.
    """
    generator = np.random.default_rng(0)
    configurations, seeds = table.shape
    lost = np.empty(SEARCHES)
    for search in range(SEARCHES):
        seen = generator.choice(configurations, trials, replace=False)
        drawn = generator.integers(seeds, size=1 if shared else trials)
        drawn = np.broadcast_to(drawn, trials)
        kept = table[seen, drawn].argmax()
        fresh = np.delete(table[seen], drawn[kept], axis=1).mean(1)
        lost[search] = fresh.max() - fresh[kept]
    return float(lost.mean()), float(lost.std() / np.sqrt(SEARCHES))


def _deviations(table: np.ndarray) -> dict[str, float | None]:
    """Return standard deviations of the scores, in accuracy, of an additive model of the table.

    ``configuration``: between the configurations; ``seed``: the effect of a seed on all of them,
    which common random numbers cancel; ``rest``: its effect on each alone, which they do not.
    """
    rows, columns = table.shape
    mean = table.mean()
    of_row, of_column = table.mean(1) - mean, table.mean(0) - mean
    rest = table - mean - of_row[:, None] - of_column
    noise = (rest**2).sum() / ((rows - 1) * (columns - 1))
    seed = (of_column**2).sum() / (columns - 1) - noise / rows
    configuration = (of_row**2).sum() / (rows - 1) - noise / columns
    parts = {"configuration": configuration, "seed": seed, "rest": noise}
    return {name: float(np.sqrt(max(0.0, variance))) for name, variance in parts.items()}


def _print(found: dict) -> None:
    n, deviations = found["n"], found["deviations"]
    print(f"{n['configurations']} configurations, {n['seeds']} seeds each")
    for name, deviation in deviations.items():
        print(f"  standard deviation, {name:<13} {100 * deviation:.2f} points")
    for seeds, mean in found["loss"].items():
        error = found["standard_error"][seeds]
        print(f"  lost with {seeds:<6} seeds     {100 * mean:.3f} ± {100 * error:.3f} points")


if __name__ == "__main__":
    main()
