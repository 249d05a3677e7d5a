"""``tune-robust train``: one training run from a configuration file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tune_robust.cli.options import DataDir, NoDownload, Settings
from tune_robust.errors import UserError
from tune_robust.metrics import finite_or_none


def train(
    config: Annotated[
        Path,
        typer.Option(help="A YAML file: a training configuration, or what `export` wrote."),
    ],
    settings: Settings = None,
    data_dir: DataDir = None,
    no_download: NoDownload = False,
    device: Annotated[
        str | None,
        typer.Option(help="Train on this device: cpu, cuda, cuda:1, ...; by default a GPU if any."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write metrics.json, last.pt and model.safetensors into this folder."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue from this checkpoint (last.pt).")
    ] = None,
    code: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Import your own parts from this folder; by default from the folder `code` that "
            "`export` wrote beside the file, else from the working directory.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per epoch.")] = False,
) -> None:
    """Train one configuration, and print each epoch.

    A file that `export` wrote is trained up to the epoch at which the search ended the trial, and
    the command says whether every metric equals the exported one. With --set, --data-dir or
    --no-download it is trained for all its epochs.

    \b
    Examples:
      tune-robust train --config runs/r1/exported/1_t0007.yaml
      tune-robust train --config my.yaml --set epochs=60 --out trained
      tune-robust train --config my.yaml --resume trained/last.pt
    """
    from tune_robust.api.configuration import load_configuration

    found = load_configuration(
        config, settings=_overrides(settings, data_dir, no_download), code=code
    )
    exported = found.exported
    if found.changed and not as_json:
        print("The code of its own parts differs from that of the exported trial.")

    from tune_robust.training import save_epoch
    from tune_robust.training import train as run_training

    metrics: dict[str, float] = {}
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        for result in run_training(found.config, resume=resume, device=device):
            metrics = result.metrics
            _print_epoch(result.epoch, found.config.total_epochs, metrics, as_json)
            if out is not None:
                save_epoch(result, out)
            if exported is not None and result.epoch == exported.epoch:
                break
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}.") from error
    if exported is not None and not as_json:
        _print_comparison(exported.differing(metrics))


def _overrides(
    settings: Sequence[str] | None, data_dir: Path | None, no_download: bool
) -> list[str]:
    """What ``--set``, ``--data-dir`` and ``--no-download`` change, as ``path=value``."""
    overrides = list(settings or [])
    if data_dir is not None:
        overrides.append(f"data.dir={json.dumps(str(data_dir.expanduser().resolve()))}")
    if no_download:
        overrides.append("data.download=false")
    return overrides


def _print_epoch(epoch: int, epochs: int, metrics: dict[str, float], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"epoch": epoch, **finite_or_none(metrics)}), flush=True)
        return
    shown = ("train_loss", "val_accuracy", "test_accuracy", "clean_fit", "noisy_fit", "seconds")
    figures = "  ".join(
        f"{name} {metrics[name]:.4g}" for name in shown if not math.isnan(metrics[name])
    )
    print(f"epoch {epoch}/{epochs}  {figures}", flush=True)


def _print_comparison(differing: Mapping[str, tuple[float | None, ...]]) -> None:
    if not differing:
        print("Reproduced: every metric equals the exported one exactly.")
        return
    print("Some metrics differ from the exported ones (another machine, thread count or version?):")
    for name, (exported, now) in differing.items():
        print(f"  {name}: exported {exported}, now {now}")
