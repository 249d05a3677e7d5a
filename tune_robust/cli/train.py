"""``tune-robust train``: one training run from a configuration file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_robust.cli.options import ConfigSettings, DataDir, NoDownload
from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.metrics import EPOCH_LINE, finite_or_none

if TYPE_CHECKING:
    from tune_robust.config import TrainConfig
    from tune_robust.loops import LoopEpoch
    from tune_robust.training import EpochResult


def train(
    config: Annotated[
        Path,
        typer.Option(help="A YAML file with a training configuration, as `export` writes it."),
    ],
    settings: ConfigSettings = None,
    data_dir: DataDir = None,
    no_download: NoDownload = False,
    device: Annotated[
        str | None,
        typer.Option(help="Train on this device: cpu, cuda, cuda:1, ...; by default a GPU if any."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train in so many processes, each on a GPU of its own or on the CPU; by default "
            "in as many as the trials of the run that the file was exported from, else in one.",
        ),
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
    """Train one configuration and print the metrics of each epoch.

    A file written by `export` is trained up to the epoch at which the search ended the trial, and
    the command prints whether every metric equals the exported one. With --set, --data-dir or
    --no-download, it is trained for all its epochs.

    Examples:
      tune-robust train --config runs/r1/exported/1_t0007.yaml
      tune-robust train --config my.yaml --set epochs=60 --out trained
      tune-robust train --config my.yaml --resume trained/last.pt
    """
    from tune_robust.api.configuration import load_configuration, uses_other_code

    found = load_configuration(
        config, settings=_overrides(settings, data_dir, no_download), code=code
    )
    exported = found.exported
    if uses_other_code(config) and not as_json:
        print("The code of its own parts differs from that of the exported trial.")

    processes = processes or found.processes
    metrics: dict[str, float] = {}
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        for result in _epochs(found.config, resume, device, processes):
            metrics = result.metrics
            _print_epoch(result.epoch, found.config, metrics, as_json)
            if out is not None:
                _save(result, out)
            if exported is not None and result.epoch == exported.epoch:
                break
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}.") from error
    if exported is not None and not as_json:
        _print_comparison(exported.differing(metrics), (found.processes, processes))


def _epochs(
    config: TrainConfig, resume: Path | None, device: str | None, processes: int
) -> Iterator[EpochResult | LoopEpoch]:
    if config.loop is not None:
        from tune_robust.loops import run_loop

        return run_loop(config, resume=resume)
    # Only here: PyTorch, which a loop of the user's own may do without.
    from tune_robust.cache_folder import own_cache
    from tune_robust.own import used_code
    from tune_robust.training import train, train_together
    from tune_robust.tuning.engine.following import load_splits

    load = partial(load_splits, config.data, own_cache(), used_code())
    if processes == 1:
        return train(config, resume=resume, device=device, splits=load())
    return train_together(config, processes, load=load, resume=resume, device=device)


def _save(result: EpochResult | LoopEpoch, out: Path) -> None:
    from tune_robust.loops import LoopEpoch

    if not isinstance(result, LoopEpoch):
        from tune_robust.training import save_epoch

        save_epoch(result, out)
        return
    if result.files is not None:
        result.save(out / "last.pt")
    metrics = {"epoch": result.epoch, **finite_or_none(result.metrics)}
    write_aside(out / "metrics.json", json.dumps(metrics, indent=2).encode())


def _overrides(
    settings: Sequence[str] | None, data_dir: Path | None, no_download: bool
) -> list[str]:
    """Return the changes by ``--set``, ``--data-dir`` and ``--no-download`` as ``path=value``."""
    overrides = list(settings or [])
    if data_dir is not None:
        overrides.append(f"data.dir={json.dumps(str(data_dir.expanduser().resolve()))}")
    if no_download:
        overrides.append("data.download=false")
    return overrides


def _print_epoch(epoch: int, config: TrainConfig, metrics: dict[str, float], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"epoch": epoch, **finite_or_none(metrics)}), flush=True)
        return
    shown: Sequence[str] = EPOCH_LINE if config.loop is None else [*metrics]
    figures = "  ".join(
        f"{name} {metrics[name]:.4g}" for name in shown if not math.isnan(metrics[name])
    )
    print(f"epoch {epoch}/{config.total_epochs}  {figures}", flush=True)


def _print_comparison(
    differing: Mapping[str, tuple[float | None, ...]], processes: tuple[int, int]
) -> None:
    """Print what differs; ``processes`` of the trial and of this training."""
    if not differing:
        print("Reproduced: every metric equals the exported one exactly.")
        return
    why = "another machine, thread count or version?"
    of_trial, here = processes
    if of_trial != here:
        why = f"number of processes: {of_trial} for the trial, {here} here"
    print(f"Some metrics differ from the exported ones ({why}):")
    for name, (exported, now) in differing.items():
        print(f"  {name}: exported {exported}, now {now}")
