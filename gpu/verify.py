"""Is training on this GPU right, and how fast is it? One table, and JSON for the record.

    python gpu/verify.py correctness                       # each call takes less than ten minutes
    python gpu/verify.py correctness --data-dir ~/cifar10  # with an epoch of CIFAR-10 a method
    python gpu/verify.py epoch --network resnet18
    python gpu/verify.py epoch --network resnet32
    python gpu/verify.py sharing
    python gpu/verify.py packs
    python gpu/verify.py correctness epoch packs --device cpu --quick   # what the tests run

- ``correctness``: the checks of ``doctor --methods``, all methods on digits and CIFAR-10, no wait
  for the device in a step, steps recorded as CUDA graphs (``cuda_graphs``) beside the ordinary
  ones, resumed runs, checkpoints from device to device, memory that runs out.
- ``epoch``: seconds an epoch of CIFAR's size, evaluation included, eager, compiled, recorded; the
  usual script with a DataLoader; bare passes.
- ``sharing``: 2, 4 and 8 trials on one GPU, as processes, with NVIDIA's MPS where it is installed.
- ``packs``: several networks stacked and trained as one.

It needs PyTorch, torchvision, this package and what ``tune_robust.training`` imports (pydantic and
safetensors among them), and neither Ray nor Optuna. The exit status is 1 if a check has failed.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from correctness import correctness
from epochs import epochs
from packs import packs
from rich.console import Console
from rich.table import Table
from rows import Bench, Row, checked

SHARING = Path(__file__).parents[1] / "benchmarks" / "sharing.py"


def sharing(bench: Bench) -> Iterator[Row]:
    """The throughput of several trials over that of one, by ``benchmarks/sharing.py``."""
    network = bench.network or ("small_cnn" if bench.quick else "resnet32")
    mps = shutil.which("nvidia-cuda-mps-control") is not None and bench.cuda
    for count in (2,) if bench.quick else (2, 4, 8):
        for graphs in (False, True) if bench.cuda else (False,):
            command = [sys.executable, str(SHARING), "--json", "--device", bench.device.type]
            command += ["--network", network, "--together", str(count), "--rounds", "1"]
            command += ["--seconds", "1" if bench.quick else "8"]
            command += ["--mps"] * mps + ["--cuda-graphs"] * graphs

            def check(command: list[str] = command, count: int = count) -> tuple[str, bool | None]:
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                ratios = json.loads(done.stdout)["ratios"]
                found = ", ".join(f"{name} {ratio:.2f} x" for name, ratio in ratios.items())
                return found, max(ratios.values()) >= 2.5 if count == 4 and bench.cuda else None

            what = f"{network}: {count} trials{', recorded' if graphs else ''}"
            yield checked("sharing", what, "2.5 x" if count == 4 else "", check)


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "correctness": correctness,
    "epoch": epochs,
    "sharing": sharing,
    "packs": packs,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print and write; the exit status."""
    given = _parser().parse_args(arguments)
    bench = Bench(torch.device(given.device), given.quick, given.data_dir, given.network)
    if bench.cuda and not torch.cuda.is_available():
        _parser().error("there is no GPU here that PyTorch can use. Try --device cpu --quick.")
    machine, rows = _machine(bench), []
    for part in given.parts:
        for row in PARTS[part](bench):
            print(f"{_verdict(row):6} {row.part}: {row.what}: {row.found}", flush=True)
            rows.append(row)
            _write(given.json, machine, rows)  # after each: a call that is cut off leaves the rest
    _show(machine, rows)
    return int(any(row.passed is False for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="+", choices=PARTS, help="what to check")
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:1, cpu")
    parser.add_argument("--quick", action="store_true", help="the reduced form, for a CPU")
    parser.add_argument("--network", help="in epoch, sharing and packs: this one alone")
    parser.add_argument("--data-dir", help="has CIFAR-10 as parquet files")
    parser.add_argument("--json", type=Path, help="a file to write to")
    return parser


def _machine(bench: Bench) -> dict[str, Any]:
    facts = {"device": str(bench.device), "torch": torch.__version__}
    if bench.cuda:
        facts |= {
            "gpu": torch.cuda.get_device_name(bench.device),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return facts | {"python": platform.python_version(), "cpu": platform.processor()}


def _verdict(row: Row) -> str:
    return {None: "-", True: "ok", False: "FAILED"}[row.passed]


def _write(path: Path | None, machine: dict[str, Any], rows: list[Row]) -> None:
    if path is not None:
        document = {"machine": machine, "rows": [row._asdict() for row in rows]}
        path.write_text(json.dumps(document, indent=2))


def _show(machine: dict[str, Any], rows: list[Row]) -> None:
    table = Table(title=", ".join(f"{key} {value}" for key, value in machine.items()))
    for column in ("part", "what", "found", "target", ""):
        table.add_column(column)
    for row in rows:
        table.add_row(row.part, row.what, row.found, row.target, _verdict(row))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
