"""A finished run cut down to what ``tune-robust replay`` needs, small enough to commit.

    python benchmarks/record.py RUN FOLDER

Writes run.json, trials.parquet and epochs.parquet; metrics as 32-bit floats. Where things lay on
the machine that recorded it is left out.
"""

from __future__ import annotations

import argparse
import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tune_robust.files import write_aside

META = (
    *("format", "name", "created", "space", "images", "wrong_labels"),
    *("versions", "git_commit", "hardware"),
)
METRICS = ("val_accuracy", "val_loss", "test_accuracy", "gradient_evaluations", "seconds")


def record(run: Path, out: Path) -> None:
    """Write the recording of ``run`` into the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    meta = json.loads((run / "run.json").read_text())
    meta = {name: meta[name] for name in META if name in meta}
    meta["space"]["train"]["data"].pop("dir", None)
    write_aside(out / "run.json", (json.dumps(meta, indent=2) + "\n").encode())
    trials = pq.read_table(run / "trials.parquet")
    searched = [path for path in meta["space"]["search"] if path in trials.column_names]
    configs = pa.array([_without_folder(config) for config in trials["config"].to_pylist()])
    trials = trials.select(["trial", "origin", "status", *searched])
    _write(trials.append_column("config", configs), out)
    epochs = pq.read_table(run / "epochs.parquet").select(["trial", "epoch", *METRICS])
    narrow = {"epoch": pa.int16(), **dict.fromkeys(METRICS, pa.float32())}
    fields = [pa.field(f.name, narrow.get(f.name, f.type)) for f in epochs.schema]
    _write(epochs.cast(pa.schema(fields)), out)


def _without_folder(config: str) -> str:
    document = json.loads(config)
    document["data"]["dir"] = None
    return json.dumps(document)


def _write(table: pa.Table, out: Path) -> None:
    name = "epochs" if "epoch" in table.column_names else "trials"
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=19)
    write_aside(out / f"{name}.parquet", buffer.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("out", type=Path, help="the folder to write")
    arguments = parser.parse_args()
    record(arguments.run, arguments.out)
