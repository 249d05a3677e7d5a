"""The throughput of several trials on one device over that of one, with and without NVIDIA MPS.

    python benchmarks/sharing.py --device cuda                        # four ResNet-32 on one GPU
    python benchmarks/sharing.py --device cuda --network resnet18 --mps
    python benchmarks/sharing.py --network small_cnn --together 2     # on a CPU, one thread each

Each trial is a process of its own, as in a search, and runs the real training loop, including
evaluation, on random images of CIFAR's shape. All trials finish their first epoch before the clock
starts; then each trains whole epochs for ``--seconds`` and reports its images per second.
``throughput`` is the sum over the trials that run together over that of one alone, the median over
the rounds; a round measures each way once, in random order.

``--mps`` adds the same under NVIDIA's Multi-Process Service, which lets kernels of several
processes run at the same time: the daemon is started for the time of a measurement, in a folder of
its own, and stopped. It needs ``nvidia-cuda-mps-control`` and a GPU in default compute mode.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from epoch import Case, configuration, splits_of
from timing import machine

from tune_robust.training import train
from tune_robust.training.device import wait_for

BATCH, STEPS = 128, {"cpu": 4, "cuda": 100}
CONTROL = "nvidia-cuda-mps-control"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cpu", choices=STEPS)
    parser.add_argument("--network", default="resnet32")
    parser.add_argument("--method", default="sam")
    parser.add_argument("--together", type=int, default=4, help="trials on the one device")
    parser.add_argument("--mps", action="store_true", help="also under NVIDIA MPS")
    parser.add_argument("--cuda-graphs", action="store_true", help="steps recorded as CUDA graphs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument("--trial", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trial:
        _trial(arguments)
        return
    if arguments.mps and (arguments.device != "cuda" or shutil.which(CONTROL) is None):
        parser.error(f"--mps needs --device cuda, and {CONTROL} on the PATH.")
    document = _measured(arguments)
    print(json.dumps(document, indent=2)) if arguments.json else _print(document)


def _trial(arguments: argparse.Namespace) -> None:
    """Run one trial: print ``ready``, wait for a line, train, and print its images per second."""
    steps = STEPS[arguments.device]
    case = Case(arguments.network, BATCH, steps)
    config = configuration(case, arguments.method, {"dataset": "cifar10"}, threads=1)
    config = config.model_copy(update={"cuda_graphs": arguments.cuda_graphs})
    epochs = train(config, device=arguments.device, splits=splits_of(config, real=False))
    next(epochs)
    print("ready", flush=True)
    sys.stdin.readline()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < arguments.seconds:
        next(epochs)
        done += 1
    wait_for(torch.device(arguments.device))
    print(done * steps * BATCH / (time.perf_counter() - began), flush=True)


def _measured(arguments: argparse.Namespace) -> dict[str, Any]:
    ways = ["alone", "together", *(["together_mps"] if arguments.mps else [])]
    before, rates = machine(), {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way in random.sample(ways, len(ways)):
            with _mps(wanted=way.endswith("mps")) as environment:
                count = 1 if way == "alone" else arguments.together
                rates[way].append(_images_per_second(count, environment))
    return {
        "ratios": {
            f"throughput_{way}": statistics.median(
                rate / alone for rate, alone in zip(rates[way], rates["alone"], strict=True)
            )
            for way in ways[1:]
        },
        "images_per_second": rates,
        "trials": arguments.together,
        "network": arguments.network,
        "method": arguments.method,
        "device": _name(arguments.device),
        "machine": before,
        "n": arguments.rounds,
    }


def _images_per_second(count: int, environment: dict[str, str]) -> float:
    """Return the images per second of ``count`` simultaneous trials in total."""
    command = [sys.executable, *sys.argv, "--trial"]
    trials = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        for _ in range(count)
    ]
    try:
        for trial in trials:
            if trial.stdout.readline() != "ready\n":
                raise RuntimeError("a trial ended before it began: its error stands above")
        for trial in trials:
            trial.stdin.write("go\n")
            trial.stdin.flush()
        return sum(float(trial.stdout.readline()) for trial in trials)
    finally:
        for trial in trials:
            trial.kill()
            trial.communicate()


@contextmanager
def _mps(*, wanted: bool) -> Iterator[dict[str, str]]:
    """Yield the environment of processes that share a GPU by MPS, or an unchanged one."""
    if not wanted:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        environment = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        everything = {**os.environ, **environment}
        subprocess.run([CONTROL, "-d"], check=True, env=everything)
        try:
            yield environment
        finally:
            subprocess.run([CONTROL], input="quit\n", text=True, check=True, env=everything)


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device


def _print(document: dict[str, Any]) -> None:
    about = "{trials} trials of {network}, {method}, on {device}, n = {n}".format_map(document)
    print(about)
    for way, rates in document["images_per_second"].items():
        print(f"{way:14}{statistics.median(rates):10,.0f} images per second")
    for name, ratio in document["ratios"].items():
        print(f"{name:28}{ratio:6.2f}")


if __name__ == "__main__":
    main()
