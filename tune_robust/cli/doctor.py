"""``tune-robust doctor``: check that this machine can run a search and computes correctly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import STORAGE, Json, Storage

if TYPE_CHECKING:
    from tune_robust.api.doctor import Finding
    from tune_robust.training.checks import Outcome


def doctor(
    methods: Annotated[
        bool,
        typer.Option(
            "--methods",
            help="Train a few steps of every method on this machine's device and check them.",
        ),
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="The device that --methods uses: cpu, cuda, cuda:1, ...")
    ] = None,
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Check versions, devices, disk and whether Ray starts; with --methods, every method.

    The exit code is 1 if a check fails.

    Examples:
      tune-robust doctor
      tune-robust doctor --methods
      tune-robust doctor --methods --device cuda:1 --json
    """
    if methods:
        _check_methods(device, as_json)
        return
    from tune_robust.api.doctor import doctor as look

    findings = look(storage=storage)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _print_findings(findings: Iterable[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from tune_robust.console.plain import PlainConsole

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = Text("✓", style="green") if finding.ok else Text("✗", style="red")
        table.add_row(mark, finding.about, finding.found, style=None if finding.ok else "bold")
    PlainConsole().print(table, highlight=False)


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
    """Return a table with a row per method and a column per check."""
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
