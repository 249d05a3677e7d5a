"""Where a run came from: versions, commit, machine, command line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("tune-robust", "torch", "torchvision", "ray", "optuna", "numpy", "pyarrow", "plotly")


def provenance() -> dict[str, Any]:
    """Plain data for run.json and for exported configurations."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "git_commit": _git_commit(),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(),
            "cpus": os.cpu_count(),
            "gpus": gpu_names(),
        },
        "command": _command(),
    }


def _command() -> list[str]:
    """The command line that is running: the command itself, a script or a notebook's kernel."""
    program = Path(sys.argv[0])
    if program.name == "tune-robust" or program.parts[-2:] == ("tune_robust", "__main__.py"):
        return ["tune-robust", *sys.argv[1:]]
    return ["python", *sys.argv]


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """The commit of the source tree that runs, when it is a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def gpu_names() -> list[str]:
    """Of all GPUs that PyTorch sees or, where nothing needs PyTorch, that NVIDIA's driver has."""
    if (torch := sys.modules.get("torch")) is None:
        return _names_by_driver()
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _names_by_driver() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.strip().splitlines()
