"""The cost of a step beyond its forward and backward passes, and that of the peers' steps.

    python benchmarks/step.py            # the whole table, up to five minutes a network and batch
    python benchmarks/step.py --quick    # batch 32 on one thread
    python benchmarks/step.py --quick --json

Everything is measured on one network in one process, in turn: a round takes every step once in
random order, and a ratio is the median over the rounds of the ratios of times of the same round.
The bare pass zeroes the gradients and runs forward, cross-entropy and backward. Every step of an
optimizer, ours and the peers', includes SGD's own (momentum, weight decay), and so does the plain
step that SALS, LAW and SLAW are compared with. Ours also restrict BatchNorm's statistics to the
first pass, check that the gradients are finite, and record norms and the fractions of the gradient
groups.

``ratios`` are those of ResNet-20 and, with the suffix ``_small``, of the 8x8 CNN, at batch 32 on
one thread, where the overhead is largest.

Why the small CNN exceeds its limits: two bare passes take 6.2 ms there, so 1 % is 62 us, some
twenty tensor operations of any size at 3 to 4 us each, dispatched with cold caches after a
network's passes. Of SAM's 5 to 7 %, SGD's own step takes 110 us, moving the weights 100 us (half of
it the norm), the check of the second gradients and the exchange of weights 20 us each. ASAM's
scales add 100 us, seven more operations on each weight. SALS's closed form, without a graph of its
own, takes some 30 operations on (32, 10) numbers: 160 us, compared with 3.1 ms for a step of
cross-entropy. On ResNet-20, where a pass takes 110 ms, all of this is below 0.5 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from peers import peers
from timing import Ratio, machine, ratio, rounds, show_ratios
from torch import Tensor

from tune_robust.config import LawConfig, ModelConfig, SalsConfig, SgdConfig
from tune_robust.methods import BatchLoss, SharpnessAware, build_optimizer
from tune_robust.models import build_model

RHO = 0.05
SGD = SgdConfig(lr=1e-6)  # the weights hardly move, so that all rounds are alike


class Case(NamedTuple):
    """A network, a batch size and a number of threads; ``size`` is the images' side in pixels."""

    network: str
    channels: int
    size: int
    batch: int
    threads: int


SMALL = Case("small_cnn", 1, 8, 32, 1)
RESNET20 = Case("resnet20", 3, 32, 32, 1)
CASES = [
    SMALL,
    *(
        Case(network, 3, 32, batch, threads)
        for network in ("resnet20", "resnet18")
        for batch in (32, 128)
        for threads in (1, 2)
    ),
]

RATIOS = {
    "sam_over_two_passes": ("SAM", "two passes"),
    "asam_over_two_passes": ("ASAM", "two passes"),
    "saner_over_sam": ("SANER", "SAM"),
    "sals_over_ce": ("SALS", "CE"),
    "law_over_ce": ("LAW", "CE"),
    "slaw_over_ce": ("SLAW", "CE"),
}
LIMITS = {"SAM": "1.02 (small 1.06)", "ASAM": "1.05", "SANER": "1.02", "SALS": "1.03"} | {
    "LAW": "1.03",
    "SLAW": "1.03",
}


def tasks(case: Case) -> dict[str, Callable[[], object]]:
    """Return what is timed by name, all on one network and one batch."""
    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    config = ModelConfig(name=case.network)
    model = build_model(config, channels=case.channels, image_size=case.size, classes=10)
    images = torch.randn(case.batch, case.channels, case.size, case.size)
    labels = torch.randint(0, 10, (case.batch,))

    def bare() -> Tensor:
        model.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        return loss

    def ours(batch_loss: BatchLoss | None = None, **settings: object) -> Callable[[], object]:
        base = build_optimizer(SGD, model.parameters(), torch.device("cpu"))
        optimizer = SharpnessAware(base, model=model, **settings)
        if batch_loss is None:
            return lambda: optimizer.step(bare)
        return lambda: optimizer.step(lambda: pass_with(batch_loss))

    def pass_with(batch_loss: BatchLoss) -> Tensor:
        model.zero_grad()
        features = model.features(images)
        loss, _ = batch_loss(model.head(features), features, labels)
        loss.backward()
        return loss

    return {
        "two passes": lambda: (bare(), bare()),
        "SAM": ours(rho=RHO),
        "ASAM": ours(rho=10 * RHO, adaptive="asam"),
        "SANER": ours(rho=RHO, alpha=0.5),
        "CE": ours(BatchLoss(), rho=0.0),
        "SALS": ours(BatchLoss(sals=SalsConfig()), rho=0.0),
        "LAW": ours(BatchLoss(law=LawConfig()), rho=0.0),
        "SLAW": ours(BatchLoss(sals=SalsConfig(), law=LawConfig()), rho=0.0),
        **{f"SAM, {name}": _bound(step, bare) for name, step in peers(model, RHO).items()},
    }


def _bound(step: Callable, closure: Callable) -> Callable[[], object]:
    return lambda: step(closure)


def measure(case: Case, count: int) -> dict[str, list[float]]:
    """Return the seconds of every task of ``case``, by round."""
    return rounds(tasks(case), count=count)


def compared(seconds: dict[str, list[float]]) -> Iterator[tuple[str, str, Ratio]]:
    """Yield (what, over what, ratio) for every row of the table."""
    for what, base in RATIOS.values():
        yield what, base, ratio(seconds[what], seconds[base])
    for name in seconds:
        if name.startswith("SAM, "):
            yield name, "two passes", ratio(seconds[name], seconds["two passes"])


def show(results: dict[Case, dict[str, list[float]]], on: dict[str, Any]) -> None:
    """Print a table per case."""
    tables = {
        f"{case.network}, batch {case.batch}, threads {case.threads}, "
        f"n = {len(seconds['two passes'])}": compared(seconds)
        for case, seconds in results.items()
    }
    show_ratios(tables, ("step", "over"), LIMITS, on)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="batch 32 on one thread")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    parser.add_argument("--rounds", type=int, default=40, help="paired rounds, at most")
    arguments = parser.parse_args()
    cases = [SMALL, RESNET20] if arguments.quick else CASES
    on = machine()
    results = {case: measure(case, arguments.rounds) for case in cases}
    if not arguments.json:
        show(results, on)
        return
    n = min(len(results[case]["two passes"]) for case in (SMALL, RESNET20))
    ratios = {
        name + suffix: round(ratio(results[case][what], results[case][base]).median, 4)
        for suffix, case in (("", RESNET20), ("_small", SMALL))
        for name, (what, base) in RATIOS.items()
    }
    print(json.dumps({"ratios": ratios, "machine": on, "n": n}))


if __name__ == "__main__":
    main()
