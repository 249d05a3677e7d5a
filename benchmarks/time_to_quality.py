"""The compute needed to find good settings: the default search compared with simpler ones.

    python benchmarks/time_to_quality.py              # 50 seeds: half an hour
    python benchmarks/time_to_quality.py --seeds 5 --only default random
    python benchmarks/time_to_quality.py --json

Every search method runs on the same recorded curves (benchmarks/recorded: full grids, on digits
with generated wrong labels and on CIFAR-10 images with human ones), one trial at a time, until it
has used them all; a proposal is replaced by the nearest recorded trial that the search has not used
yet. Measured is the compute, in gradient evaluations, until a trial has finished whose noisy
validation accuracy is within half a point of the grid's best, as a fraction of the compute of the
whole grid. The test set is not used.

The search methods: ``default`` is the default sampler and scheduler of a space (gp_mf, promotion),
including sentinels; ``tpe_asha`` is the earlier default, ``tpe`` is the same without early
stopping, and ``random`` also without a model. ``optuna_X`` is Optuna as in its documentation:
``optuna.create_study`` with its TPE and its own pruner, with the validation accuracy reported after
each epoch. By default its pruners begin at the first epoch; ``late`` is the median pruner with a
warm-up of a third of the epochs.

A recorded trial is used once. A search that stops nearly all trials early has soon used them all,
and never reaches the target: "reached in" shows how often a search did.

``default_over_X`` is the default's median over that of X.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from timing import machine

from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.space import Space, load_space, parse_space
from tune_robust.tuning.simulation.recording import Pool, pool_of
from tune_robust.tuning.simulation.replay import Finish, Recorded, Replay, open_grid, replay
from tune_robust.tuning.simulation.replay_statistics import Spread, Statistics, statistics
from tune_robust.tuning.strategy.study import params_of, suggested

RECORDED = Path(__file__).parent / "recorded"
HALF_A_POINT = 0.005
CLOCK = "gradient_evaluations"


class Recording(NamedTuple):
    """A recorded grid, and the space that is searched in it."""

    pool: Pool
    space: Space


def recordings() -> dict[str, Recording]:
    """Return the recorded grids by name."""
    digits = RunFolder(RECORDED / "methods_grid_digits")
    images = RunFolder(RECORDED / "methods_grid_cifar10n")
    document = open_grid(images.read_meta()["space"])
    # The built-in spaces are for the whole of CIFAR-10: this one has their budget and searcher.
    budget = {"trials": document["budget"]["trials"], "unit": CLOCK}
    document |= {"budget": budget, "searcher": {}}
    spaces = {
        "digits": (digits, load_space("methods_digits")),
        "cifar10n": (images, parse_space(document, source=str(images.path))),
    }
    # Their ASAM is that of format 1, by shape; with the current one, its trials would be left out.
    return {
        name: _recording(folder, space.model_copy(update={"format": 1}))
        for name, (folder, space) in spaces.items()
    }


def _recording(folder: RunFolder, space: Space) -> Recording:
    pool = pool_of(space, folder)
    budget = space.budget.model_copy(update={"trials": len(pool.trials)})
    return Recording(pool, space.model_copy(update={"budget": budget}))


def ours(recording: Recording, seed: int, **changes: Mapping[str, str]) -> Replay:
    """Replay the space's own search, with ``changes`` to its sections."""
    sections = {
        name: getattr(recording.space, name).model_copy(update=change)
        for name, change in changes.items()
    }
    return replay(recording.pool, recording.space.model_copy(update=sections), seed=seed)


def plain_optuna(recording: Recording, seed: int, pruner: optuna.pruners.BasePruner) -> Replay:
    """Replay a study as in Optuna's documentation: TPE, one pruner, a report after each epoch."""
    sampler = optuna.samplers.TPESampler(seed=seed)
    # Hyperband assigns brackets by the study's name, which would be random otherwise.
    study = optuna.create_study(
        study_name=f"seed {seed}", direction="maximize", sampler=sampler, pruner=pruner
    )
    recorded = Recorded(recording.space.dimensions, recording.pool.trials)
    started, finished, compute = [], [], 0.0
    for _ in recording.pool.trials:
        proposed = study.ask()
        found = recorded.take_nearest(suggested(recording.space, proposed))
        # As in our search, the recorded settings replace the proposal.
        study.tell(proposed, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(params_of(recording.space, found.values))
        trial = study.ask()
        suggested(recording.space, trial)
        started.append(found.name)
        for epoch, metrics in sorted(found.epochs.items()):
            trial.report(metrics["val_accuracy"], epoch)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                compute += metrics[CLOCK]
                break
        else:
            compute += metrics[CLOCK]
            study.tell(trial, metrics["val_accuracy"])
            finished.append(Finish(found.name, metrics["val_accuracy"], compute))
    return Replay(seed, tuple(started), tuple(finished), compute)


NO_STOPPING = {"budget": {"scheduler": "none"}}
TPE = {"searcher": {"name": "tpe"}}


def _tpe_asha(recording: Recording, seed: int) -> Replay:
    return ours(recording, seed, budget={"scheduler": "asha"}, **TPE)


def _without_stopping(recording: Recording, seed: int) -> Replay:
    return ours(recording, seed, **TPE, **NO_STOPPING)


def _random(recording: Recording, seed: int) -> Replay:
    return ours(recording, seed, searcher={"name": "random"}, **NO_STOPPING)


def _optuna_median(recording: Recording, seed: int) -> Replay:
    return plain_optuna(recording, seed, optuna.pruners.MedianPruner())


def _optuna_median_late(recording: Recording, seed: int) -> Replay:
    third = recording.space.train["epochs"] // 3
    return plain_optuna(recording, seed, optuna.pruners.MedianPruner(n_warmup_steps=third))


def _optuna_halving(recording: Recording, seed: int) -> Replay:
    return plain_optuna(recording, seed, optuna.pruners.SuccessiveHalvingPruner())


def _optuna_hyperband(recording: Recording, seed: int) -> Replay:
    return plain_optuna(recording, seed, optuna.pruners.HyperbandPruner())


WAYS: dict[str, Callable[[Recording, int], Replay]] = {
    "default": ours,
    "tpe_asha": _tpe_asha,
    "tpe": _without_stopping,
    "random": _random,
    "optuna_median": _optuna_median,
    "optuna_median_late": _optuna_median_late,
    "optuna_halving": _optuna_halving,
    "optuna_hyperband": _optuna_hyperband,
}


def measure(recording: Recording, seeds: int, only: Sequence[str]) -> dict[str, Statistics]:
    """Return the statistics of ``seeds`` searches by each method in ``only``."""
    return {
        name: statistics(
            recording.pool,
            [WAYS[name](recording, seed) for seed in range(seeds)],
            clock=CLOCK,
            tolerance=HALF_A_POINT,
        )
        for name in only
    }


def main() -> None:
    """Measure on each recording and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=50, help="searches of each way")
    parser.add_argument("--only", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = {
        name: measure(recording, arguments.seeds, arguments.only)
        for name, recording in recordings().items()
    }
    document = _document(found, arguments.seeds)
    print(json.dumps(document, indent=2)) if arguments.json else _print(document)


def _document(found: Mapping[str, Mapping[str, Statistics]], seeds: int) -> dict[str, Any]:
    return {
        "ratios": {
            f"default_over_{way}_{name}": ways["default"].within.median / each.within.median
            for name, ways in found.items()
            for way, each in ways.items()
            if "default" in ways and way != "default" and math.isfinite(each.within.median)
        },
        "share_of_the_grid": {
            name: {way: _plain(each.within) for way, each in ways.items()}
            for name, ways in found.items()
        },
        "trials_started": {
            name: {way: each.trials.median for way, each in ways.items()}
            for name, ways in found.items()
        },
        "reached": {
            name: {way: each.reached for way, each in ways.items()} for name, ways in found.items()
        },
        "machine": machine(),
        "n": seeds,
    }


def _plain(spread: Spread) -> dict[str, float | None]:
    """Return the spread as JSON data, which has no infinity: null if never reached."""
    return {name: v if math.isfinite(v) else None for name, v in spread._asdict().items()}


def _print(document: Mapping[str, Any]) -> None:
    for name, ways in document["share_of_the_grid"].items():
        print(f"\n{name}: fraction of the grid's compute until within half a point of its best")
        for way, share in ways.items():
            median, low, high = ("never" if v is None else f"{v:.1%}" for v in share.values())
            reached = f"{document['reached'][name][way]} of {document['n']}"
            print(f"  {way:20}{median:>7}  {f'({low} to {high})':20} reached in {reached}")


if __name__ == "__main__":
    main()
