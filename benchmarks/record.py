"""Reduces a finished run to the data that is used later, small enough to commit.

    python benchmarks/record.py RUN FOLDER

Writes run.json, trials.parquet and epochs.parquet, with the metrics that ``tune-robust replay``
needs, as 32-bit floats. Paths on the machine that recorded it are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tune_robust.files import write_aside

META = (
    *("format", "name", "created", "space", "images", "wrong_labels"),
    *("versions", "git_commit", "hardware"),
)
REPLAYED = ("val_accuracy", "val_loss", "test_accuracy", "gradient_evaluations", "seconds")


def record(
    run: Path,
    out: Path,
    metrics: Sequence[str] = REPLAYED,
    *,
    trials: Sequence[str] | None = None,
) -> None:
    """Write the recording of ``run`` into the folder ``out``.

    Args:
        run: the run's folder.
        out: made if it is not there.
        metrics: those to keep of each epoch, as far as they were recorded.
        trials: those to keep; by default all.
    """
    out.mkdir(parents=True, exist_ok=True)
    meta = json.loads((run / "run.json").read_text())
    meta = {name: meta[name] for name in META if name in meta}
    meta["space"]["train"]["data"].pop("dir", None)
    _name_files(meta["space"]["train"]["data"])
    write_aside(out / "run.json", (json.dumps(meta, indent=2) + "\n").encode())
    table = _only(trials, pq.read_table(run / "trials.parquet"))
    searched = [path for path in meta["space"]["search"] if path in table.column_names]
    configs = pa.array([_without_folder(config) for config in table["config"].to_pylist()])
    table = table.select(["trial", "origin", "status", *searched])
    write(table.append_column("config", configs), out / "trials.parquet")
    epochs = _only(trials, pq.read_table(run / "epochs.parquet"))
    metrics = [metric for metric in metrics if metric in epochs.column_names]
    epochs = epochs.select(["trial", "epoch", *metrics])
    narrow = {"epoch": pa.int16(), **dict.fromkeys(metrics, pa.float32())}
    fields = [pa.field(f.name, narrow.get(f.name, f.type)) for f in epochs.schema]
    write(epochs.cast(pa.schema(fields)), out / "epochs.parquet")


def _only(trials: Sequence[str] | None, table: pa.Table) -> pa.Table:
    if trials is None:
        return table
    return table.filter(pc.is_in(table["trial"], pa.array(trials)))


def _without_folder(config: str) -> str:
    document = json.loads(config)
    document["data"]["dir"] = None
    _name_files(document["data"])
    return json.dumps(document)


def _name_files(data: dict[str, Any]) -> None:
    """Leave the name only of the file with the annotators' labels, which lies with the images."""
    noise = data.get("noise")
    if isinstance(noise, dict) and noise.get("file"):
        noise["file"] = Path(noise["file"]).name


def write(table: pa.Table, path: Path) -> None:
    """Write a table as small as Parquet allows, aside and then renamed."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=19)
    write_aside(path, buffer.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("out", type=Path, help="the folder to write")
    arguments = parser.parse_args()
    record(arguments.run, arguments.out)
