"""``tune-robust train``: one training run from a configuration file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tune_robust.cli.options import DataDir, NoDownload, Settings
from tune_robust.errors import UserError


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
    from tune_robust.config import parse_config
    from tune_robust.spaces.locations import locate_config
    from tune_robust.spaces.overrides import apply_overrides
    from tune_robust.spaces.yaml_text import read_yaml

    document = read_yaml(config)
    given = document.get("train", document) if isinstance(document, dict) else document
    overrides = _overrides(settings, data_dir, no_download)
    located, changes = locate_config(given, overrides, config.expanduser().absolute().parent)
    parsed = parse_config(apply_overrides(located, changes), str(config))

    from tune_robust.training import train as run_training

    exported = document.get("result", {}) if not overrides else {}
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        metrics: dict[str, float] = {}
        for result in run_training(parsed, resume=resume, device=device):
            metrics = result.metrics
            _print_epoch(result.epoch, parsed.total_epochs, metrics, as_json)
            if out is not None:
                _save(result, out)
            if result.epoch == exported.get("epoch"):
                break
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}.") from error
    if "metrics" in exported and not as_json:
        _compare(exported["metrics"], metrics)


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
        print(json.dumps({"epoch": epoch, **_plain(metrics)}), flush=True)
        return
    shown = ("train_loss", "val_accuracy", "test_accuracy", "clean_fit", "noisy_fit", "seconds")
    figures = "  ".join(
        f"{name} {metrics[name]:.4g}" for name in shown if not math.isnan(metrics[name])
    )
    print(f"epoch {epoch}/{epochs}  {figures}", flush=True)


def _save(result: Any, out: Path) -> None:
    from safetensors.torch import save

    from tune_robust.files import write_aside

    result.save(out / "last.pt")
    weights = {name: t.contiguous() for name, t in result.model.state_dict().items()}
    write_aside(out / "model.safetensors", save(weights))
    metrics = {"epoch": result.epoch, **_plain(result.metrics)}
    write_aside(out / "metrics.json", json.dumps(metrics, indent=2).encode())


TIMINGS = {"seconds", "images_per_second", "peak_memory_mb"}


def _compare(expected: dict[str, float | None], metrics: dict[str, float]) -> None:
    """Say whether every metric equals the exported one to the last bit."""
    met = _plain(metrics)
    differing = [k for k in expected if k not in TIMINGS and expected[k] != met.get(k)]
    if not differing:
        print("Reproduced: every metric equals the exported one exactly.")
        return
    print("Some metrics differ from the exported ones (another machine, thread count or version?):")
    for name in differing:
        print(f"  {name}: exported {expected[name]}, now {met.get(name)}")


def _plain(metrics: dict[str, float]) -> dict[str, float | None]:
    return {k: v if math.isfinite(v) else None for k, v in metrics.items()}
