"""The provenance of a run: versions, commit, machine, command line."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("tune-robust", "torch", "torchvision", "ray", "optuna", "numpy", "pyarrow", "plotly")


def provenance() -> dict[str, Any]:
    """Return the provenance as plain data, for run.json and exported configurations."""
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


def owner() -> str:
    """Return the user and the machine, as in ``alice@gpu-1``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _command() -> list[str]:
    """Return the command line: the command itself, a script or a notebook's kernel."""
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
    """Return the commit of the source tree, if it is a git checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def gpu_names() -> list[str]:
    """Return the names of all GPUs that PyTorch finds or, if it is not imported, the driver."""
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
