"""``tune-robust datasets``: list, prepare and check data and their label noise."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_robust.cli.options import (
    STORAGE,
    Code,
    ConfigSettings,
    DataDir,
    Json,
    NoDownload,
    Storage,
)
from tune_robust.errors import UserError, unknown
from tune_robust.formatting import visible

if TYPE_CHECKING:
    import numpy as np

    from tune_robust.config import DataConfig
    from tune_robust.data import Dataset, Summary
    from tune_robust.data.fields import Fields

app = typer.Typer(
    help="List and prepare data sets, and check them and their label noise.",
    no_args_is_help=True,
)

WIDEST = 12
"""The largest number of classes of a transition matrix that is printed."""

Name = Annotated[
    str,
    typer.Argument(
        help="The name of a data set, as `datasets list` shows it, or a function of your own: "
        "my_data:load."
    ),
]


@app.command("list")
def list_datasets(as_json: Json = False) -> None:
    """List the supported data sets and formats, and the files that each needs.

    Examples:
      tune-robust datasets list
      tune-robust datasets list --json
    """
    from tune_robust.data.sources import SOURCES

    rows = [{"name": name, "about": s.about, "needs": s.needs} for name, s in SOURCES.items()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    _print_table(["dataset", "what it is", "what it needs"], [list(row.values()) for row in rows])


@app.command()
def prepare(
    name: Name,
    data_dir: DataDir = None,
    settings: ConfigSettings = None,
    no_download: NoDownload = False,
    storage: Storage = STORAGE,
) -> None:
    """Download missing data and decode them once for all later searches in this storage.

    Examples:
      tune-robust datasets prepare cifar10 --data-dir ~/data
      tune-robust datasets prepare folder --data-dir ~/webvision \\
        --set data.image_size=224
    """
    from tune_robust.cache_folder import cache_of
    from tune_robust.data import load_dataset

    config = _config("prepare", name, data_dir, {}, settings, no_download)
    dataset = load_dataset(config, cache_of(storage))
    channels, height, width = dataset.train.images.shape[1:]
    print(
        f"{name} is ready: {len(dataset.train.labels):,} training and "
        f"{len(dataset.test.labels):,} test images of {width}x{height} pixels and {channels} "
        f"channel{'s' if channels > 1 else ''}, {len(dataset.classes)} classes. "
        f"{'Their index is' if dataset.train.compressed else 'Decoded'} in {cache_of(storage)}."
    )


@app.command()
def check(
    name: Name,
    data_dir: DataDir = None,
    noise: Annotated[
        str | None,
        typer.Option(help="The kind of noise: symmetric, asymmetric, instance, human or given."),
    ] = None,
    noise_rate: Annotated[float | None, typer.Option(help="The fraction of wrong labels.")] = None,
    noise_file: Annotated[
        str | None,
        typer.Option(
            help="The file with the labels: a .pt file of CIFAR-N (human) or a CSV file (given)."
        ),
    ] = None,
    noise_key: Annotated[
        str | None,
        typer.Option(help="Which labels: a label set (human) or a column (given)."),
    ] = None,
    settings: ConfigSettings = None,
    no_download: NoDownload = False,
    code: Code = None,
    as_json: Json = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write the transition matrix as a heat map to this HTML file."),
    ] = None,
    storage: Storage = STORAGE,
) -> None:
    """Read a data set, draw its label noise, and print a summary of both.

    Examples:
      tune-robust datasets check cifar10 --data-dir ~/data \\
        --noise asymmetric --noise-rate 0.4
      tune-robust datasets check cifar10 --data-dir ~/data --noise human \\
        --noise-file CIFAR-10_human.pt --noise-key worse_label --html noise.html
      tune-robust datasets check folder --data-dir ~/mine \\
        --noise given --noise-file labels.csv
      tune-robust datasets check digits --noise symmetric --noise-rate 0.5 --json
      tune-robust datasets check my_data:load --set data.options.root=birds
    """
    from tune_robust.cache_folder import cache_of
    from tune_robust.config import is_own
    from tune_robust.data import load_dataset, summarise
    from tune_robust.own import collect_code, use_code

    options = {"kind": noise, "rate": noise_rate, "file": noise_file, "key": noise_key}
    described = {key: value for key, value in options.items() if value is not None}
    if described and noise is None:
        raise UserError(
            f"--noise-{next(iter(described))} needs --noise: symmetric, asymmetric, instance, "
            "human or given."
        )
    config = _config("check", name, data_dir, {"noise": described}, settings, no_download)
    if is_own(config.dataset):
        use_code(collect_code([config.dataset], code))
    dataset = load_dataset(config, cache_of(storage))
    summary, odd = summarise(config, dataset), _cautions(config, dataset)
    if html is not None:
        _write_heat_map(summary, html)
    if as_json:
        document = {**summary.document(), "cautions": odd}
        print(json.dumps(document, indent=2, allow_nan=False))
        return
    _print_summary(summary, dataset.train.fields)
    for text in odd:
        print(visible(f"Warning: {text}"))
    if html is not None:
        print(visible(f"Heat map: {html}"))


def _config(
    verb: str,
    name: str,
    data_dir: Path | None,
    given: dict[str, Any],
    settings: list[str] | None,
    no_download: bool,
) -> DataConfig:
    from tune_robust.config import is_own, parse_config
    from tune_robust.data.sources import SOURCES
    from tune_robust.spaces.overrides import apply_overrides

    if is_own(name) and verb == "prepare":
        raise UserError(
            f"{name} is not prepared: every process calls it, and nothing of it is kept. To see "
            f"what it returns: tune-robust datasets check {name}"
        )
    if not is_own(name) and name not in SOURCES:
        raise UserError(f"{unknown('dataset', name, SOURCES)} See: tune-robust datasets list")
    data = {"dataset": name, **{key: value for key, value in given.items() if value}}
    if data_dir is not None:
        data["dir"] = str(data_dir.expanduser().resolve())
    if no_download:
        data["download"] = False
    document = apply_overrides({"data": data}, settings or [])
    return parse_config(document, f"datasets {verb} {name}").data


def _cautions(config: DataConfig, dataset: Dataset) -> list[str]:
    """Return the warnings or the error of a search on the data."""
    from tune_robust.data import cautions, make_splits

    try:
        splits = make_splits(config, dataset)
    except UserError as error:
        return [f"a search on these data would be refused: {error}"]
    return cautions(config, dataset, splits)


def _print_summary(summary: Summary, fields: Fields | None) -> None:
    print(
        f"{summary.dataset}: {summary.train_images:,} training and {summary.test_images:,} test "
        f"{_inputs(summary.image_shape) if fields is None else f'samples of {fields}'}"
    )
    print(f"classes: {len(summary.classes)}, {_sizes(summary)}")
    if summary.transition_matrix is None:
        print("noise_rate: unknown, since the true labels are unknown")
        return
    print(f"noise_rate: {summary.noise_rate:.4f}")
    matrix = summary.transition_matrix
    if not summary.noise_rate or matrix is None:
        return
    if len(summary.classes) <= WIDEST:
        _print_matrix(summary, matrix)
    else:
        _print_confusions(summary)


def _inputs(shape: tuple[int, ...]) -> str:
    if len(shape) != 3:
        return f"inputs of shape {shape}"
    channels, height, width = shape
    plural = "s" if channels > 1 else ""
    return f"images of {width}x{height} pixels, {channels} channel{plural}"


def _sizes(summary: Summary) -> str:
    smallest, largest = summary.class_counts.min(), summary.class_counts.max()
    if smallest == largest:
        return f"{smallest:,} training images each"
    return f"{smallest:,} to {largest:,} training images each"


def _print_matrix(summary: Summary, matrix: np.ndarray) -> None:
    rows = [
        [name, f"{count:,}", *(_percent(fraction) for fraction in fractions)]
        for name, count, fractions in zip(
            summary.classes, summary.class_counts, matrix, strict=True
        )
    ]
    print("\nOf the images of each class (row), the percentage labelled as each (column):")
    _print_table(["class", "images", *summary.classes], rows, right=True)


def _print_confusions(summary: Summary) -> None:
    rows = [
        [true, given, _percent(fraction)] for true, given, fraction in summary.confusions(WIDEST)
    ]
    print("\nThe most frequent confusions, in percent of the class (all of them: --html, --json):")
    _print_table(["class", "labelled as", "percent"], rows, right=True)


def _percent(fraction: float) -> str:
    if math.isnan(fraction):
        return "-"
    return f"{100 * fraction:.1f}" if fraction else "."


def _print_table(headings: list[str], rows: list[list[str]], *, right: bool = False) -> None:
    """Print a table; ``right`` aligns all columns but the first to the right."""
    from rich.table import Table

    from tune_robust.console.plain import PlainConsole

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if right and number else "left", no_wrap=right)
    for row in rows:
        table.add_row(*row)
    console = PlainConsole()
    if not console.is_terminal:
        console.width = 200  # one line per row, for grep and the like
    console.print(table, highlight=False)


def _write_heat_map(summary: Summary, path: Path) -> None:
    from tune_robust.api.transition_matrix import transition_matrix

    page = transition_matrix(summary).to_html(include_plotlyjs=True, full_html=True)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
