"""``tune-robust spaces``: list, show, check and copy search spaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import Code, Json, Settings, SpaceName
from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.formatting import count, visible

if TYPE_CHECKING:
    from rich.table import Table

    from tune_robust.spaces.space import Space

app = typer.Typer(help="List, show, check and copy search spaces.", no_args_is_help=True)


_ALL_COLUMNS = 160
"""Characters that a terminal needs to show every column on one line per space."""


@app.command("list")
def list_spaces(as_json: Json = False) -> None:
    """List the built-in spaces.

    Examples:
      tune-robust spaces list
      tune-robust spaces list --json
    """
    from tune_robust.spaces.space import builtin_spaces, load_space

    rows = [_row(load_space(name)) for name in builtin_spaces()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    _print_table(rows)


@app.command()
def show(
    space: SpaceName,
    resolved: Annotated[
        bool,
        typer.Option(
            "--resolved", help="Print the space as a search would use it, including all defaults."
        ),
    ] = False,
    settings: Settings = None,
) -> None:
    """Print the file of a space; with --resolved or --set, the space that a search would use.

    Examples:
      tune-robust spaces show saner_digits
      tune-robust spaces show saner_digits --set budget.trials=8 \\
        --set search.saner.k=null
      tune-robust spaces show my_space.yaml --resolved
    """
    from tune_robust.spaces.space import load_space, space_text

    if resolved or settings:
        print(_resolved_text(load_space(space, overrides=settings or [])), end="")
    else:
        print(space_text(space), end="")


@app.command()
def check(space: SpaceName, settings: Settings = None, code: Code = None) -> None:
    """Check that a space is valid, and print the largest compute of its search.

    Own parts (my_nets:Tiny) are imported; `plan` also takes a step with them. Compute is counted in
    gradient evaluations: passes over the training set. The exit code is 2 if the space is not
    valid.

    Examples:
      tune-robust spaces check my_space.yaml
      tune-robust spaces check saner_cifar100 --set train.epochs=60
    """
    from tune_robust.api.own_code import find_parts, new_code
    from tune_robust.spaces.space import load_space

    loaded = load_space(space, overrides=settings or [])
    new_code(loaded, code)
    find_parts(loaded)
    print(
        f"{space} is valid: {count(len(loaded.dimensions), 'dimension')}, "
        f"{count(loaded.trials, 'trial')}, "
        f"at most {loaded.max_gradient_evaluations:,.0f} gradient evaluations"
    )


@app.command()
def cp(
    space: SpaceName,
    file: Annotated[Path, typer.Argument(help="The file to write, or the folder to write it in.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Copy a space to a file of your own that you can edit.

    Examples:
      tune-robust spaces cp saner_digits my_space.yaml
      tune-robust search --space my_space.yaml
    """
    from tune_robust.spaces.space import space_text

    text = space_text(space)
    target = file / f"{Path(space).stem}.yaml" if file.is_dir() else file
    if target.exists() and not force:
        raise UserError(f"{target} exists already: give another name, or --force to replace it")
    _write(target, text)
    print(visible(f"Wrote {target}. Edit it, then: tune-robust search --space {target}"))


def _row(space: Space) -> dict[str, Any]:
    data = space.config_for({}).data
    searched = {dimension.path for dimension in space.dimensions}
    return {
        "name": space.name,
        "dataset": "searched" if "data.dataset" in searched else _dataset(space, data.dataset),
        "noise": "searched" if "data.noise.kind" in searched else data.noise.kind,
        "noise_rate": getattr(data.noise, "rate", None) or 0.0,
        "methods": [method or "composed" for method in space.methods],
        "dimensions": [dimension.name for dimension in space.dimensions],
        "trials": space.trials,
        "purpose": space.purpose,
    }


def _dataset(space: Space, name: str) -> str:
    """The name of the data set; only a loop of the user's own knows its own."""
    return "by the loop" if space.has_loop else name


def _print_table(rows: list[dict[str, Any]]) -> None:
    from tune_robust.console.plain import PlainConsole

    console = PlainConsole()
    if not console.is_terminal:
        console.width = 300  # one line per space, for grep and the like
    console.print(spaces_table(rows, console.width), highlight=False)


def spaces_table(rows: list[dict[str, Any]], width: int) -> Table:
    """Return the spaces as rows, of which a narrow terminal gets name, trials and purpose."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    # Never shortened, since names are what other commands take.
    longest = max((len(row["name"]) for row in rows), default=0)
    table.add_column("space", no_wrap=True, min_width=longest)
    if width < _ALL_COLUMNS:
        left = max(1, width - longest - len("trials") - 4)
        table.add_column("trials", justify="right", no_wrap=True)
        table.add_column("purpose", no_wrap=True, overflow="ellipsis", width=left)
        for row in rows:
            table.add_row(row["name"], str(row["trials"]), row["purpose"])
        return table
    for heading in ("dataset", "noise", "methods"):
        table.add_column(heading)
    for heading in ("dimensions", "trials"):
        table.add_column(heading, justify="right")
    table.add_column("purpose")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    noise = f"{row['noise_rate']:.0%} {row['noise']}" if row["noise_rate"] else row["noise"]
    methods, dimensions = ", ".join(row["methods"]), str(len(row["dimensions"]))
    trials, purpose = str(row["trials"]), row["purpose"]
    return row["name"], row["dataset"], noise, methods, dimensions, trials, purpose


def _resolved_text(space: Space) -> str:
    from tune_robust.spaces.yaml_text import write_yaml

    document = space.document()
    comment = "".join(f"# {line}".rstrip() + "\n" for line in space.description.splitlines())
    document.pop("description", None)
    return comment + write_yaml(document)


def _write(target: Path, text: str) -> None:
    try:
        write_aside(target, text.encode())
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from error
