"""The cost of a whole epoch beyond its forward and backward passes, and the cost of evaluation.

    python benchmarks/epoch.py                 # three networks, up to ten minutes
    python benchmarks/epoch.py --quick         # the 8x8 CNN on digits, up to two minutes
    python benchmarks/epoch.py --quick --json
    python benchmarks/epoch.py --device cuda --steps 100
    python benchmarks/epoch.py --quick --profile sam   # the operations of an epoch of SAM

An epoch is that of ``tune_robust.training.train``: shuffling, augmentation, normalisation,
schedules, the method's step, the fits and weights of every sample. It is compared with bare passes
of the same network over as many batches of the same size, prepared beforehand, in the same
precision and memory layout: zeroed gradients, forward, cross-entropy and backward, as often per
step as the method does.

The peer trains in the usual way: PIL images, RandomCrop, flip and Normalize by torchvision in a
DataLoader (in the process itself, or in two persistent workers), SGD or the SAM of davda54/sam,
without recording any outputs of the network.

Everything is measured in one process in turn: a round takes one epoch of each in random order, and
a ratio is the median over the rounds of the ratios of times of the same round.

- ``epoch_over_passes``: an epoch's training, from the shuffle to the end of the last step.
- ``dataloader_over_passes``: the peer's, ``_0`` in the process, ``_2`` with two workers.
- ``evaluation_over_epoch``: everything else in an epoch, relative to its training. The validation
  part and the test set are 1/9 and 2/9 as large as the training part: CIFAR's 5,000 and 10,000
  beside 45,000.

CIFAR-shaped images are those of CIFAR-10 if ``--data-dir`` has its Parquet files, otherwise random.
On a CPU an epoch has few steps, so that a round is short.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from peers import one_at_a_time, plain_sgd
from timing import Ratio, machine, ratio, rounds, show_ratios
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2
from torchvision.transforms.functional import to_pil_image

from tune_robust.config import TrainConfig, parse_config
from tune_robust.data import Batches, LabelledImages, Splits, load_dataset, make_splits
from tune_robust.models import build_model
from tune_robust.training import train
from tune_robust.training.device import autocast, choose_device, memory_format, wait_for

METHODS = ("sgd", "sam", "saner", "slaw")
PEERS = {"sgd": plain_sgd, "sam": lambda model: one_at_a_time(model, rho=0.1)}
LIMITS = {"epoch_over_passes": "1.05", "evaluation_over_epoch": "0.10"}
WARM_UP = 2
"""The warm-up rounds of ``rounds``, which are not timed."""


class Case(NamedTuple):
    """A network, its batch size and the steps of its epoch."""

    network: str
    batch: int
    steps: int


SMALL = Case("small_cnn", 32, 35)
ON_CPU = (SMALL, Case("resnet32", 128, 3), Case("resnet18", 32, 1))
ON_GPU = (SMALL, Case("resnet32", 128, 100), Case("resnet18", 128, 100))


class Result(NamedTuple):
    """The images that a case trained on, the number of rounds, and (what, method, ratio) by row."""

    images: str
    n: int
    rows: list[tuple[str, str, Ratio]]


class Times(NamedTuple):
    """Seconds by round of an epoch's training, of the whole epoch, and of the baselines."""

    training: dict[str, list[float]]
    whole: dict[str, list[float]]
    passes: list[float]
    peers: dict[tuple[str, int], list[float]]


def configuration(case: Case, method: str, source: dict[str, Any], threads: int) -> TrainConfig:
    """Return the configuration of ``case`` with ``method`` and a tiny learning rate.

    The weights hardly move, so that all rounds are alike.
    """
    images = case.batch * case.steps
    data = {
        "subset": images + images // 9,
        "validation": {"size": images // 9},
        "test_subset": 2 * images // 9,
        "noise": {"kind": "symmetric", "rate": 0.4},
        "augment": "crop_flip",
    }
    return parse_config(
        {
            "data": data | source,
            "model": {"name": case.network},
            "method": method,
            "optimizer": {"name": "sgd", "lr": 1e-6},
            "lr_schedule": {"kind": "cosine"},
            "epochs": 10_000,
            "batch_size": case.batch,
            "threads": threads,
        }
    )


def source_of(case: Case, data_dir: Path) -> dict[str, Any]:
    """Return the data of ``case`` as a configuration's ``data`` names it."""
    if case is SMALL:
        return {"dataset": "digits"}
    if (data_dir / "cifar10").is_dir():
        return {"dataset": "parquet", "dir": str(data_dir / "cifar10")}
    return {"dataset": "cifar10"}  # only its shape is used; nothing is loaded


def splits_of(config: TrainConfig, *, real: bool) -> Splits:
    """Return the parts that ``config`` names or, if not ``real``, random ones of the same size."""
    if real:
        return make_splits(config.data, load_dataset(config.data))

    def part(count: int) -> LabelledImages:
        images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
        return LabelledImages(images, *torch.randint(0, 10, (2, count)))

    data = config.data
    sizes = data.subset - data.validation.size, data.validation.size, data.test_subset
    names = tuple(map(str, range(10)))
    return Splits(*map(part, sizes), names, (0.5,) * 3, (0.25,) * 3)


def network(config: TrainConfig, splits: Splits, device: torch.device) -> nn.Module:
    """Return the network that ``config`` trains."""
    channels, size, _ = splits.train.image_shape
    model = build_model(config.model, channels=channels, image_size=size, classes=10)
    return model.to(device, memory_format=memory_format(config)).train()


def bare_epoch(config: TrainConfig, splits: Splits, device: torch.device) -> Callable[[], None]:
    """Return a function that runs one forward and backward pass per batch of an epoch."""
    model = network(config, splits, device)
    batches = [
        (inputs, labels)
        for inputs, labels, _ in Batches(
            splits.train.to(device),
            config.batch_size,
            augment="crop_flip",
            mean=splits.mean,
            std=splits.std,
            generator=torch.Generator(device),
            memory_format=memory_format(config),
        )
    ]

    def run() -> None:
        for inputs, labels in batches:
            one_pass(config, model, inputs, labels)

    return run


def one_pass(config: TrainConfig, model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Zero the gradients, run forward and backward, and return the loss."""
    model.zero_grad()
    with autocast(config, inputs.device):
        logits = model(inputs)
    loss = F.cross_entropy(logits.float(), labels)
    loss.backward()
    return loss


class PilImages(torch.utils.data.Dataset):
    """Images and labels, stored and transformed as in torchvision's datasets."""

    def __init__(self, part: LabelledImages, mean: tuple[float, ...], std: tuple[float, ...]):
        self._images = [to_pil_image(image) for image in part.images]
        self._labels = part.labels.tolist()
        side = part.image_shape[-1]
        self._transform = v2.Compose(
            [
                v2.RandomCrop(side, padding=side // 8),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(mean, std),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._images[index]), self._labels[index]


def peer_epoch(
    config: TrainConfig, splits: Splits, device: torch.device, *, method: str, workers: int
) -> Callable[[], None]:
    """Return a function that trains one epoch of ``method`` as a usual script does."""
    model = network(config, splits, device)
    step = PEERS[method](model)
    loader = DataLoader(
        PilImages(splits.train, splits.mean, splits.std),
        config.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )

    def run() -> None:
        for images, labels in loader:
            inputs = images.to(device, memory_format=memory_format(config), non_blocking=True)
            answers = labels.to(device, non_blocking=True)
            step(lambda x=inputs, y=answers: one_pass(config, model, x, y))

    return run


def measure(
    configs: dict[str, TrainConfig], splits: Splits, device: torch.device, count: int
) -> Times:
    """Return the times of ``count`` rounds."""
    any_config = configs["sgd"]
    torch.set_num_threads(any_config.threads)
    training: dict[str, list[float]] = {method: [] for method in configs}

    def our_epoch(method: str) -> Callable[[], None]:
        results = train(configs[method], device=str(device), splits=splits)
        images = len(splits.train) // any_config.batch_size * any_config.batch_size

        def run() -> None:
            metrics = next(results).metrics
            training[method].append(images / metrics["images_per_second"])

        return run

    peers = {
        (method, workers): peer_epoch(any_config, splits, device, method=method, workers=workers)
        for method in PEERS
        for workers in (0, 2)
    }
    tasks = {method: our_epoch(method) for method in configs}
    tasks |= {"passes": bare_epoch(any_config, splits, device)} | peers
    finished = {name: _finished(task, device) for name, task in tasks.items()}
    seconds = rounds(finished, count=count, turn_seconds=0, at_most=120.0)
    return Times(
        {method: times[WARM_UP:] for method, times in training.items()},
        {method: seconds[method] for method in configs},
        seconds["passes"],
        {name: seconds[name] for name in peers},
    )


def _finished(task: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return ``task`` followed by waiting for the device."""

    def run() -> None:
        task()
        wait_for(device)

    return run


def compared(times: Times, passes: dict[str, int]) -> Iterator[tuple[str, str, Ratio]]:
    """Yield (what, method, ratio) for each row of the table.

    ``passes``: the passes per step of each method.
    """
    for method, training in times.training.items():
        bare = [passes[method] * seconds for seconds in times.passes]
        yield "epoch_over_passes", method, ratio(training, bare)
    for (method, workers), seconds in times.peers.items():
        bare = [passes[method] * second for second in times.passes]
        yield f"dataloader_over_passes_{workers}", method, ratio(seconds, bare)
    for method, training in times.training.items():
        rest = [w - t for w, t in zip(times.whole[method], training, strict=True)]
        yield "evaluation_over_epoch", method, ratio(rest, training)


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return the networks to measure."""
    chosen = ON_GPU if arguments.device.startswith("cuda") else ON_CPU
    if arguments.quick:
        chosen = (SMALL,)
    if arguments.network:
        chosen = [case for case in chosen if case.network == arguments.network]
    given = {"steps": arguments.steps, "batch": arguments.batch}
    changes = {name: value for name, value in given.items() if value}
    return [case if case is SMALL else case._replace(**changes) for case in chosen]


def prepared(
    case: Case, arguments: argparse.Namespace
) -> tuple[dict[str, TrainConfig], Splits, str]:
    """Return the configuration of each method, the splits, and the name of the images."""
    source = source_of(case, arguments.data_dir)
    configs = {m: configuration(case, m, source, arguments.threads) for m in METHODS}
    random = source["dataset"] == "cifar10"
    splits = splits_of(configs["sgd"], real=not random)
    return configs, splits, "digits" if case is SMALL else "random" if random else "CIFAR-10"


def profile(case: Case, arguments: argparse.Namespace) -> str:
    """Return the operations that take the most time in the third epoch of one method."""
    configs, splits, images = prepared(case, arguments)
    results = train(configs[arguments.profile], device=arguments.device, splits=splits)
    for _ in range(WARM_UP):
        next(results)
    with torch.profiler.profile() as seen:
        next(results)
    on = "cuda" if arguments.device.startswith("cuda") else "cpu"
    table = seen.key_averages().table(sort_by=f"self_{on}_time_total", row_limit=15)
    return f"{case.network}, {arguments.profile}, {images} images\n{table}"


def result_of(case: Case, arguments: argparse.Namespace) -> Result:
    """Measure one case."""
    configs, splits, images = prepared(case, arguments)
    times = measure(configs, splits, choose_device(arguments.device), arguments.rounds)
    passes = {method: config.passes_per_step for method, config in configs.items()}
    return Result(images, len(times.passes), list(compared(times, passes)))


def show(results: dict[Case, Result], on: dict[str, Any]) -> None:
    """Print a table per case."""
    tables = {
        f"{case.network}, {case.steps} steps of {case.batch} {images} images, n = {n}": rows
        for case, (images, n, rows) in results.items()
    }
    show_ratios(tables, ("ratio", "method"), LIMITS, on)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the 8x8 CNN on digits alone")
    parser.add_argument("--json", action="store_true", help="one object: ratios, machine, n")
    parser.add_argument(
        "--rounds", type=int, default=30, help="at most; five take as long as they take"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, on the CPU")
    parser.add_argument("--steps", type=int, help="of an epoch on CIFAR-shaped images")
    parser.add_argument("--batch", type=int, help="CIFAR-shaped images a step")
    parser.add_argument("--network", choices=[case.network for case in ON_CPU], help="it alone")
    beside = Path(__file__).parents[2] / "shared" / "data"
    default = Path(os.environ.get("TUNE_ROBUST_TEST_DATA", beside))
    parser.add_argument("--data-dir", type=Path, default=default, help="has cifar10/*.parquet")
    parser.add_argument("--profile", choices=METHODS, help="no ratios: one epoch's operations")
    arguments = parser.parse_args()
    if arguments.profile:
        print(*(profile(case, arguments) for case in cases(arguments)), sep="\n")
        return
    on = machine() | {"device": arguments.device, "threads": arguments.threads}
    results = {case: result_of(case, arguments) for case in cases(arguments)}
    if not arguments.json:
        show(results, on)
        return
    ratios = {
        f"{name}_{case.network}_{method}": round(found.median, 4)
        for case, result in results.items()
        for name, method, found in result.rows
    }
    n = {case.network: result.n for case, result in results.items()}
    print(json.dumps({"ratios": ratios, "machine": on, "n": n}))


if __name__ == "__main__":
    main()
