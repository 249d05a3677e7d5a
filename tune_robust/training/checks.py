"""Properties that every method must have, checked on this machine's device by very short training.

Each check takes a few steps of a very small network on synthetic images. ``tune-robust doctor
--methods`` prints them all.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from tune_robust.config import PRESETS, TrainConfig, parse_config
from tune_robust.data import LabelledImages, Splits
from tune_robust.models import build_network
from tune_robust.training.loop import EpochResult, train

CLASSES, SIDE, BATCH, STEPS = 4, 8, 16, 4
ALWAYS = ("train_loss", "val_accuracy", "val_loss", "test_accuracy", "clean_fit", "noisy_fit")
"""Metrics that every method reports."""


class Outcome(NamedTuple):
    """The result of a check; ``failure`` says what is wrong and is None if the check passed.

    ``applies`` is false if the method does not have the part that the check is about.
    """

    method: str
    check: str
    applies: bool
    failure: str | None


class Trial:
    """One method on one device, with the short training runs that the checks need."""

    def __init__(self, method: str, device: torch.device):
        self.device = device
        self._splits = _made_up()
        self._method = method
        self.config = self._configured({})

    def _configured(self, changes: dict[str, Any]) -> TrainConfig:
        document = {
            "method": self._method,
            "model": {"name": "small_cnn", "width": 0.125},
            "optimizer": {"name": "sgd", "lr": 0.05},
            "epochs": 2,
            "batch_size": BATCH,
            "precision": "float32",
        }
        if "saner" in PRESETS[self._method]:
            document["saner"] = {"k": 0}  # otherwise alpha would stay close to 1 in so short a run
        return parse_config(document | changes)

    def run(
        self, *, images_mean: float = 0.5, resume: Path | None = None, **changes: Any
    ) -> Iterator[EpochResult]:
        """Train the method with ``changes`` to its configuration and yield its epochs."""
        splits = replace(self._splits, mean=(images_mean,))
        settings = self._configured(changes)
        return train(settings, device=str(self.device), splits=splits, resume=resume)

    def same(self, one: nn.Module, other: nn.Module) -> bool:
        """Return whether the weights are equal: bit for bit on a CPU.

        GPUs add in no fixed order.
        """
        pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        if self.device.type == "cpu":
            return all(torch.equal(a, b) for a, b in pairs)
        return all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs)


def _made_up() -> Splits:
    """Return synthetic images, one pattern per class, with a quarter of the labels wrong."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 256, (CLASSES, 1, SIDE, SIDE), generator=generator)

    def part(size: int) -> LabelledImages:
        true = torch.arange(size) % CLASSES
        speckle = torch.randint(-60, 60, (size, 1, SIDE, SIDE), generator=generator)
        images = (patterns[true] + speckle).clamp(0, 255).to(torch.uint8)
        wrong = torch.arange(size) % 16 < CLASSES
        return LabelledImages(images, (true + wrong) % CLASSES, true)

    names = tuple(map(str, range(CLASSES)))
    return Splits(part(BATCH * STEPS), part(32), part(32), names, (0.5,), (0.25,))


def _last(results: Iterable[EpochResult]) -> EpochResult:
    *_, last = results
    return last


def _trains(trial: Trial) -> str | None:
    result = _last(trial.run())
    bad = [name for name in ALWAYS if not math.isfinite(result.metrics[name])]
    if bad:
        return f"{', '.join(bad)} not finite"
    cost, announced = result.metrics["gradient_evaluations"], trial.config.gradient_evaluations
    return None if cost == announced else f"cost {cost:g} gradient evaluations, not {announced}"


def _repeats(trial: Trial) -> str | None:
    one, other = _last(trial.run()), _last(trial.run())
    return None if trial.same(one.model, other.model) else "two equal runs give other weights"


def _resumes(trial: Trial) -> str | None:
    whole = _last(trial.run())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "last.pt"
        next(trial.run()).save(path)
        rest = _last(trial.run(resume=path))
    return None if trial.same(whole.model, rest.model) else "a resumed run ends at other weights"


def _batch_norm_once(trial: Trial) -> str | None:
    state = next(trial.run()).model.state_dict()
    moved = {name: t.item() for name, t in state.items() if name.endswith("num_batches_tracked")}
    wrong = [f"{name}: {n}" for name, n in moved.items() if n != STEPS]
    return f"BatchNorm moved {wrong[0]} times in {STEPS} steps" if wrong else None


def _not_finite(trial: Trial) -> str | None:
    result = next(trial.run(images_mean=math.nan))
    if result.metrics["skipped_steps"] != STEPS:
        return f"{result.metrics['skipped_steps']:g} of {STEPS} steps skipped on NaN images"
    torch.manual_seed(trial.config.seed)
    images = torch.zeros(1, 1, SIDE, SIDE)
    fresh = build_network(trial.config.model, inputs=images, classes=CLASSES)
    touched = [
        name
        for (name, ours), theirs in zip(
            result.model.named_parameters(), fresh.parameters(), strict=True
        )
        if not torch.equal(ours.detach().cpu(), theirs)
    ]
    return f"NaN images changed {touched[0]}" if touched else None


def _rho_zero(trial: Trial) -> str | None:
    if trial.config.sam is None:
        return None
    sam = trial.config.sam.model_dump() | {"rho": 0.0}
    without, base = trial.run(sam=sam, saner=None), trial.run(sam=None, saner=None)
    same = trial.same(_last(without).model, _last(base).model)
    return None if same else "rho 0 is not the base optimizer"


def _alpha_one(trial: Trial) -> str | None:
    neutral, without = trial.run(saner={"alpha": 1.0, "k": 0}), trial.run(saner=None)
    same = trial.same(_last(neutral).model, _last(without).model)
    return None if same else "alpha 1 is not the method without SANER"


def _low_precision(trial: Trial) -> str | None:
    full, low = (
        next(trial.run(precision=precision)).metrics["sharpness"]
        for precision in ("float32", "bfloat16")
    )
    # BatchNorm stays in float32: a second pass on stale weights would still show some sharpness.
    if abs(low - full) <= abs(full) / 2:
        return None
    return f"the second pass saw other weights: sharpness {low:.2g}, in float32 {full:.2g}"


def _always(config: TrainConfig) -> bool:
    return True


def _has_sam(config: TrainConfig) -> bool:
    return config.sam is not None


def _has_saner(config: TrainConfig) -> bool:
    return config.saner is not None


CHECKS: dict[str, tuple[Callable[[TrainConfig], bool], Callable[[Trial], str | None]]] = {
    "trains": (_always, _trains),
    "repeats": (_always, _repeats),
    "resumes": (_always, _resumes),
    "BN once": (_always, _batch_norm_once),
    "skips NaN": (_always, _not_finite),
    "rho 0 = base": (_has_sam, _rho_zero),
    "alpha 1 = SAM": (_has_saner, _alpha_one),
    "bfloat16": (_has_sam, _low_precision),
}
"""Maps each name to a test of the configurations it applies to and to the check itself, which
returns what is wrong or None.
"""


def check_methods(
    device: torch.device, methods: Iterable[str] = tuple(PRESETS)
) -> Iterator[Outcome]:
    """Run every check of every method and yield the outcomes; this takes about 0.5 s per method.

    The state of torch's global random numbers is restored. An error in a check counts as its
    failure.
    """
    state = torch.get_rng_state()
    for method in methods:
        trial = Trial(method, device)
        for name, (applies, check) in CHECKS.items():
            if applies(trial.config):
                yield Outcome(method, name, True, _failure(check, trial))
            else:
                yield Outcome(method, name, False, None)
    torch.set_rng_state(state)


def _failure(check: Callable[[Trial], str | None], trial: Trial) -> str | None:
    try:
        return check(trial)
    except Exception as error:
        # The check exists to find whatever a driver or a kernel raises here.
        return f"{type(error).__name__}: {error}"
