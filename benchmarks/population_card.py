"""The card of the recorded populations: their contents, their origin and how to read them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from populations import POPULATIONS, Recorded, load, recorded

from tune_robust.files import write_aside

_OPENING = """\
# Recorded populations

Written by `python benchmarks/record_populations.py --export`. Each population is one data set with
one kind of label noise and one draw of both, and 60 configurations of twelve methods trained on it
to their end: the same 60 points of one Sobol sequence in every population
(`benchmarks/populations/space.yaml`), nothing stopped early, all at equal compute (an epoch with
two passes a step counts twice). Within a population all trials share the split, the noise draw and
the seed of the network, so that they differ by their settings alone. That of ResNet-20, and one
that is still being recorded, have the first points of the sequence, which cover the space evenly.

Tuning uses the populations marked `develop` only; those marked `report` are for evaluating its
result. The marks were fixed before anything was recorded. Draws of one
kind of noise share their test images.

| file | contents |
|---|---|
| `run.json` | the space, versions, commit and machine; images and wrong labels of each part |
| `trials.parquet` | a row per trial: its settings by path, its status, its whole configuration |
| `epochs.parquet` | a row per trial and epoch: every metric, as 32-bit floats |
| `predictions.parquet` | per trial and `moment` (0.333, 0.667 and 1.0 of its epochs) the \
probabilities predicted for the validation images, float16, image by image |
| `confirmed.parquet` | if recorded: each method's best configuration on fresh `seed`s |
| `labels.parquet` | `given` and `true` labels of the validation images, in the same order |

```python
from populations import load, recorded  # in benchmarks/

population = load("digits_symmetric_0")
population.last  # a row per trial: its settings, and the metrics of its last epoch
population.predictions["t0001", 1.0]  # (images, classes)
```

`python benchmarks/check_recorded.py --trials 10` trains ten random trials again and compares all
their numbers exactly. Floating-point sums differ between kinds of processors and versions of
PyTorch; the command prints those of the recording.
"""


def write_card(folder: Path) -> None:
    """Write README.md into ``folder``, about the populations recorded there."""
    there = [load(name, folder=folder) for name in recorded(folder=folder)]
    write_aside(folder / "README.md", card(there).encode())


def card(there: Sequence[Recorded]) -> str:
    """Return the text of the card about the populations ``there``."""
    missing = [name for name in POPULATIONS if name not in {r.population.name for r in there}]
    parts = [_OPENING, _table(there)]
    if missing:
        left = f"Not recorded so far: {', '.join(missing)}."
        parts.append(textwrap.fill(left, 100, break_on_hyphens=False) + "\n")
    parts.append(_commands(there))
    return "\n".join(parts)


def _table(there: Sequence[Recorded]) -> str:
    lines = [
        "## What there is\n",
        "`noisy_fit` is the fraction of wrong training labels that the network has learned: here",
        "that of the SGD trials at their end, the most and the least.\n",
        "| population | mark | trials | images: train, validation, test | wrong labels: train, "
        "validation | `noisy_fit` of SGD | test accuracy, best and median |",
        "|---|---|---|---|---|---|---|",
        *map(_row, there),
    ]
    return "\n".join(lines) + "\n"


def _row(one: Recorded) -> str:
    images, wrong = one.meta["images"], one.meta["wrong_labels"]
    last = one.last
    fit = last.loc[last["method"] == "sgd", "noisy_fit"]
    test = last["test_accuracy"]
    fits = "-" if fit.isna().all() else f"{100 * fit.max():.0f} %, {100 * fit.min():.0f} %"
    return (
        f"| `{one.population.name}` | {one.population.mark} | {_trials(one)} "
        f"| {images['train']}, {images['validation']}, {images['test']} "
        f"| {100 * wrong['train']:.1f} %, {100 * wrong['validation']:.1f} % "
        f"| {fits} | {100 * test.max():.1f} %, {100 * test.median():.1f} % |"
    )


def _trials(one: Recorded) -> str:
    return str(len(one.trials)) if one.complete else f"{len(one.trials)} of {one.planned}"


def _commands(there: Sequence[Recorded]) -> str:
    lines = ["## How they were recorded\n"]
    for one in there:
        meta = one.meta
        hours = one.last["seconds"].sum() / 3600
        machine = f"{meta['hardware']['machine']}, {meta['hardware']['cpus']} CPU cores"
        lines.append(
            f"- `{one.population.command}`\n"
            f"  ({meta['created']}; commit {meta['git_commit'][:7]}; PyTorch "
            f"{meta['versions']['torch']}; {machine}, shared, one thread; {hours:.2f} hours)"
        )
    lines.append(
        "\nDIR holds CIFAR-10 as Parquet files and CIFAR-10_human.pt. `python "
        "benchmarks/record_populations.py\n--storage RUNS --data-dir DIR` runs all of them in one "
        "process, and goes on where it was interrupted.\n"
    )
    return "\n".join(lines)
