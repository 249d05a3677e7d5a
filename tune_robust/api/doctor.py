"""Check whether this machine can run a search."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tune_robust.runs.naming import STORAGE

LITTLE_DISK_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """The result of a check; ``ok`` is false if it would prevent a search."""

    about: str
    found: str
    ok: bool = True


def doctor(*, storage: str | Path = STORAGE) -> list[Finding]:
    """Check versions, devices, disk space and permissions, and whether Ray starts.

    Args:
        storage: the folder for the runs, which need not exist yet.

    Returns:
        A finding for each check.
    """
    return [*_environment(), _disk(Path(storage).expanduser()), _ray()]


def _environment() -> Iterator[Finding]:
    import torch

    from tune_robust.runs.provenance import provenance

    known = provenance()
    for package, version in known["versions"].items():
        yield Finding(package, version)
    hardware = known["hardware"]
    yield Finding("system", hardware["system"])
    yield Finding("CPU", f"{hardware['cpus']} cores, {torch.get_num_threads()} threads in PyTorch")
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        memory = f"{gpu.total_memory / 2**30:.0f} GiB"
        bfloat16 = "bfloat16" if torch.cuda.is_bf16_supported() else "float32 only"
        yield Finding(f"GPU {index}", f"{gpu.name}, {memory}, {bfloat16}")
    if not torch.cuda.is_available():
        yield Finding("GPU", "none: trials run on the CPU")


def _disk(storage: Path) -> Finding:
    """Check the space and permissions of the folder for runs, which need not exist yet."""
    here = storage.absolute()
    while not here.exists():
        here = here.parent
    free = shutil.disk_usage(here).free / 1e9
    text = f"{free:.0f} GB free at {here}"
    if not os.access(here, os.W_OK):
        return Finding("disk", f"{here} cannot be written to: give --storage", ok=False)
    if free < LITTLE_DISK_GB:
        return Finding("disk", f"{text}, too little for checkpoints: give --storage", ok=False)
    return Finding("disk", text)


def _ray() -> Finding:
    """Check whether Ray starts in the same way as for a search, and runs a task."""
    from tune_robust.tuning.engine.ray_session import ray_session

    try:
        with ray_session(dashboard=False, verbose=False):
            import ray

            task = ray.remote(lambda: os.getpid())
            process = ray.get(task.remote(), timeout=60)
            cpus = ray.cluster_resources().get("CPU", 0)
    except Exception as error:
        # Ray can fail in many ways, all of which are a finding.
        return Finding("Ray starts", f"no: {type(error).__name__}: {error}", ok=False)
    apart = process != os.getpid()
    found = f"yes: {cpus:.0f} CPUs, a task ran" if apart else "no: a task ran in this very process"
    return Finding("Ray starts", found, ok=apart)
