"""``tune-robust doctor``: whether this machine has what a search needs, and computes it right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import STORAGE, Json, Storage

if TYPE_CHECKING:
    from tune_robust.training.checks import Outcome

LITTLE_DISK_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``ok`` is false for what would keep a search from running."""

    about: str
    found: str
    ok: bool = True


def doctor(
    methods: Annotated[
        bool, typer.Option("--methods", help="Check every method on this machine's own device.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="For --methods: cpu, cuda, cuda:1, ...")
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Show versions, devices, disk and whether Ray starts; with --methods, check every method.

    Exit code 1 if anything fails.

    \b
    Examples:
      tune-robust doctor
      tune-robust doctor --methods
      tune-robust doctor --methods --device cuda:1 --json
    """
    if methods:
        _check_methods(device, as_json)
        return
    findings = [*_environment(), _disk(Path(storage).expanduser()), _ray()]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


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
    """Space and permission where the runs will lie, which need not exist yet."""
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
    """Whether Ray starts here, as a search would start it, and runs something."""
    from tune_robust.tuning.engine.ray_session import ray_session

    try:
        with ray_session(dashboard=False, verbose=False):
            import ray

            task = ray.remote(lambda: os.getpid())
            process = ray.get(task.remote(), timeout=60)
            cpus = ray.cluster_resources().get("CPU", 0)
    except Exception as error:
        # Ray fails in as many ways as there are machines; all of them are the finding.
        return Finding("Ray starts", f"no: {type(error).__name__}: {error}", ok=False)
    apart = process != os.getpid()
    found = f"yes: {cpus:.0f} CPUs, a task ran" if apart else "no: a task ran in this very process"
    return Finding("Ray starts", found, ok=apart)


def _print_findings(findings: Iterable[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        table.add_row(mark, finding.about, finding.found, style=None if finding.ok else "bold")
    Console().print(table, highlight=False)


def _check_methods(device: str | None, as_json: bool) -> None:
    from rich.console import Console

    from tune_robust.training import choose_device
    from tune_robust.training.checks import check_methods

    chosen = choose_device(device)
    console = Console(stderr=as_json)
    with console.status(f"Checking every method on {chosen} ..."):
        outcomes = list(check_methods(chosen))
    failed = [outcome for outcome in outcomes if outcome.failure]
    if as_json:
        print(json.dumps(_document(str(chosen), outcomes), indent=2))
    else:
        console.print(_table(outcomes))
        for outcome in failed:
            line = f"{outcome.method}, {outcome.check}: {outcome.failure}"
            console.print(line, style="red", markup=False, highlight=False)
        applied = sum(outcome.applies for outcome in outcomes)
        console.print(f"\n{applied - len(failed)} of {applied} checks passed on {chosen}.")
    if failed:
        raise typer.Exit(1)


def _document(device: str, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    methods: dict[str, dict[str, Any]] = {}
    for method, check, applies, failure in outcomes:
        if applies:
            result = {"passed": failure is None, "failure": failure}
            methods.setdefault(method, {})[check] = result
    return {"device": device, "methods": methods}


def _table(outcomes: Iterable[Outcome]) -> Any:
    """Methods down, checks across."""
    from rich.table import Table

    rows: dict[str, list[str]] = {}
    columns: dict[str, None] = {}
    for method, check, applies, failure in outcomes:
        mark = "[red]✗[/]" if failure else "[green]✓[/]"
        rows.setdefault(method, []).append(mark if applies else "[dim]·[/]")
        columns[check] = None
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", no_wrap=True)
    for check in columns:
        table.add_column(check, justify="center")
    for method, marks in rows.items():
        table.add_row(method, *marks)
    return table
