"""Whether training on a GPU is right: methods, recorded steps, checkpoints, memory, waiting."""

from __future__ import annotations

import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from rows import Bench, Row, checked

from tune_robust.config import PRESETS, TrainConfig, parse_config
from tune_robust.data import LabelledImages, Splits, load_dataset, make_splits
from tune_robust.training import EpochResult, train
from tune_robust.training.checks import check_methods

PART = "correctness"
STEPPED: dict[str, dict[str, Any]] = {
    "sgd": {"method": "sgd"},
    "sam": {"method": "sam"},
    "saner": {"method": "saner", "saner": {"k": 2}},
    "slaw": {"method": "slaw"},
    "sals, whole gradient": {"method": "slaw", "sals": {"scope": "full"}},
    "adamw": {"method": "sam", "optimizer": {"name": "adamw", "lr": 1e-3}},
    "ema": {"method": "sam", "average": {"kind": "ema"}},
    "mixup": {"method": "sam", "mixup": {"alpha": 0.4}},
    "randaugment": {"method": "sam", "data": {"augment": "randaugment"}},
    "asam": {"method": "asam"},
    "norm inf": {"method": "sam", "sam": {"rho": 0.01, "norm": "inf"}},
    **{v: {"method": "sam", "sam": {"rho": 0.1, "variant": v}} for v in ("gsam", "fsam", "vasso")},
}
"""What a step may consist of."""


def correctness(bench: Bench) -> Iterator[Row]:
    """All checks, the cheapest first."""
    methods = ("sgd", "sam", "saner_slaw") if bench.quick else tuple(PRESETS)
    yield _methods(bench, methods)
    for method in methods:
        what = f"{method}: an epoch of digits"
        yield checked(PART, what, "trains", lambda m=method: _digits(bench, m))
    for method in methods if bench.data_dir else ():
        what = f"{method}: an epoch of CIFAR-10"
        yield checked(PART, what, "trains", lambda m=method: _cifar10(bench, m))
    for name in [*STEPPED][: 2 if bench.quick else None]:
        yield checked(PART, f"{name}: waits in a step", "0", lambda n=name: _waits(bench, n))
        yield checked(PART, f"{name}: cuda_graphs", "as eager", lambda n=name: _graphed(bench, n))
    for method in ("sam", "saner_slaw"):
        what = f"{method}: resumed, deterministic cuDNN"
        yield checked(PART, what, "bit for bit", lambda m=method: _resumed(bench, m))
    what = "images on the host, deterministic cuDNN"
    yield checked(PART, what, "as on the GPU, bit for bit", lambda: _on_host(bench))
    for one, other in (("cpu", str(bench.device)), (str(bench.device), "cpu")):
        what = f"a checkpoint of {one} on {other}"
        yield checked(PART, what, "goes on", lambda a=one, b=other: _moved(bench, a, b))
    yield checked(PART, "out of memory", "recognised, then trains", lambda: _out_of_memory(bench))


def _methods(bench: Bench, methods: tuple[str, ...]) -> Row:
    def check() -> tuple[str, bool]:
        outcomes = [o for o in check_methods(bench.device, methods) if o.applies]
        failures = [f"{o.method}, {o.check}: {o.failure}" for o in outcomes if o.failure]
        return "; ".join(failures) or f"{len(outcomes)} checks", not failures

    return checked(PART, "doctor --methods", "no failure", check)


def _configured(bench: Bench, **changes: Any) -> TrainConfig:
    """A small network on CIFAR's shape, cropped and flipped."""
    document = {
        "method": "sam",
        "model": {"name": "small_cnn" if bench.quick else "resnet20"},
        "optimizer": {"name": "sgd", "lr": 0.0625},
        "epochs": 2,
        "batch_size": 16 if bench.quick else 128,
    }
    data = {"augment": "crop_flip"} | changes.pop("data", {})
    return parse_config(document | changes | {"data": data})


def _images(config: TrainConfig, steps: int, *, size: int = 32) -> Splits:
    """Random images for so many steps an epoch."""
    generator = torch.Generator().manual_seed(0)

    def part(count: int) -> LabelledImages:
        shape = (count, 3, size, size)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return LabelledImages(images, *torch.randint(0, 10, (2, count), generator=generator))

    batch = config.batch_size
    names = tuple("0123456789")
    return Splits(part(steps * batch), part(batch), part(batch), names, (0.5,) * 3, (0.25,) * 3)


def _size(bench: Bench) -> int:
    return 8 if bench.quick else 32


def _trained(result: EpochResult) -> tuple[str, bool]:
    metrics = result.metrics
    found = f"loss {metrics['train_loss']:.3f}, {metrics['images_per_second']:,.0f} images/s"
    return found, metrics["train_loss"] < 10 and metrics["skipped_steps"] == 0


def _digits(bench: Bench, method: str) -> tuple[str, bool]:
    subset = {"subset": 200} if bench.quick else {}
    config = _configured(bench, method=method, epochs=1, batch_size=32, model={"name": "small_cnn"})
    config = config.model_copy(update={"data": parse_config({"data": subset}).data})
    return _trained(next(train(config, device=str(bench.device))))


def _cifar10(bench: Bench, method: str) -> tuple[str, bool]:
    source = {"dataset": "parquet", "dir": bench.data_dir, "subset": 5000, "test_subset": 1000}
    config = _configured(bench, method=method, epochs=1, data=source)
    splits = make_splits(config.data, load_dataset(config.data))
    return _trained(next(train(config, device=str(bench.device), splits=splits)))


def _waits(bench: Bench, name: str) -> tuple[str, bool | None]:
    """Waits that an epoch of more steps has more of, by the line that waited."""
    if not bench.cuda:
        return "not a GPU", None
    config = _configured(bench, **STEPPED[name])
    few, many = (_waits_of_an_epoch(bench, config, steps) for steps in (8, 40))
    more = many - few
    return ", ".join(f"{count} at {line}" for line, count in more.items()) or "0", not more


def _waits_of_an_epoch(bench: Bench, config: TrainConfig, steps: int) -> Counter[str]:
    results = train(config, device=str(bench.device), splits=_images(config, steps))
    next(results)  # the first epoch makes the optimizer's state and may wait
    seen: Counter[str] = Counter()

    def note(*_: Any, **__: Any) -> None:
        ours = [f for f in traceback.extract_stack() if "tune_robust" in f.filename]
        seen[f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "elsewhere"] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            next(results)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return seen


def _graphed(bench: Bench, name: str) -> tuple[str, bool | None]:
    """The weights after steps of every kind, recorded and not."""
    if not bench.cuda:
        return "no CUDA graphs", None
    weights = []
    for graphs in (False, True):
        # The first step of an epoch is of a kind of its own, recorded the fourth time.
        changes = {"precision": "float32", "cuda_graphs": graphs, "epochs": 5}
        config = _configured(bench, **STEPPED[name] | changes)
        with _deterministic():
            *_, last = train(config, device=str(bench.device), splits=_images(config, 8))
        weights.append([p.detach().clone() for p in last.model.parameters()])
    difference = max((a - b).abs().max().item() for a, b in zip(*weights, strict=True))
    return f"largest difference of a weight {difference:.1e}", difference < 1e-3


@contextmanager
def _deterministic() -> Iterator[None]:
    """Inside, cuDNN takes algorithms that repeat themselves."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def _resumed(bench: Bench, method: str) -> tuple[str, bool]:
    config = _configured(bench, method=method)
    splits = _images(config, 4 if bench.quick else 20, size=_size(bench))
    with _deterministic(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "first.pt"
        results = train(config, device=str(bench.device), splits=splits)
        next(results).save(path)
        whole = next(results).model.state_dict()
        *_, rest = train(config, device=str(bench.device), splits=splits, resume=path)
    same = all(torch.equal(t, whole[name]) for name, t in rest.model.state_dict().items())
    return "bit for bit" if same else "other weights", same


def _on_host(bench: Bench) -> tuple[str, bool]:
    """Compare two epochs with images that are gathered ahead from the host's memory."""
    config = _configured(bench, method="saner_slaw", data={"augment": "randaugment"})
    splits = _images(config, 4 if bench.quick else 20, size=_size(bench))

    def weights() -> dict[str, torch.Tensor]:
        *_, last = train(config, device=str(bench.device), splits=splits)
        return last.model.state_dict()

    with _deterministic():
        kept = weights()
        with patch("tune_robust.training.loop.fits_images", lambda device, size: False):
            gathered = weights()
    same = all(torch.equal(tensor, kept[name]) for name, tensor in gathered.items())
    return "bit for bit" if same else "other weights", same


def _moved(bench: Bench, one: str, other: str) -> tuple[str, bool]:
    config = _configured(bench, method="saner_slaw")
    splits = _images(config, 2, size=_size(bench))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "first.pt"
        next(train(config, device=one, splits=splits)).save(path)
        *_, last = train(config, device=other, splits=splits, resume=path)
    return f"epoch {last.epoch}", last.epoch == config.total_epochs


def _out_of_memory(bench: Bench) -> tuple[str, bool | None]:
    """A network too large for the memory it may use, and the same once it may use all."""
    if not bench.cuda:
        return "not a GPU", None
    config = _configured(bench, epochs=1, model={"name": "wrn28_10"})
    splits = _images(config, 2)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01, bench.device)
    try:
        next(train(config, device=str(bench.device), splits=splits))
        return "1 % of the memory was enough", False
    except torch.OutOfMemoryError as error:
        found = f"{type(error).__name__}"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
    again, trains = _trained(next(train(config, device=str(bench.device), splits=splits)))
    return f"{found}, then {again}", trains
