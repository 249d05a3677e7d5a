"""Records grids of settings trained with several seeds each, on which repeats are replayed.

    nice -n 19 python benchmarks/record_repeats.py --storage RUNS
    python benchmarks/record_repeats.py --storage RUNS --export

A grid has 24 settings, the points of one Sobol sequence through the space of the populations
(populations/space.yaml) with a small MLP, batches of 256 images and 24 gradient evaluations, each
trained with ``SEEDS`` on the same split and the same wrong labels of the digits. The first command
trains in this one process and on one thread, without Ray, and continues after any interruption.
--export writes the grids of which all seeds are complete into benchmarks/recorded/repeats.

``mark`` was fixed before anything was recorded: rules are developed on the grids marked ``develop``
and measured once on those marked ``report``, which have another split and other wrong labels.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from populations import Mark, Population
from record import record, write
from record_populations import record_run

from tune_robust.runs.trial import name_of

RECORDED = Path(__file__).parent / "recorded" / "repeats"
SETTINGS, SEEDS = 24, (1, 2, 3)
METRICS = (
    *("val_accuracy", "val_information", "val_information_error", "val_loss"),
    *("test_accuracy", "gradient_evaluations", "seconds"),
)


class Grid(NamedTuple):
    """A grid: one kind of noise and one draw of the split and of the wrong labels."""

    noise: str
    draw: int
    mark: Mark

    @property
    def name(self) -> str:
        """Return the name, as in ``asymmetric_0``."""
        return f"{self.noise}_{self.draw}"

    def with_seed(self, seed: int) -> OneSeed:
        """Return the settings with one of the seeds, which is recorded as a run of its own."""
        return OneSeed(self, seed)


class OneSeed(NamedTuple):
    """The settings of a grid with one seed, as a population to record."""

    grid: Grid
    seed: int
    data: str = "digits"

    @property
    def name(self) -> str:
        """Return the name of its run."""
        return f"{self.grid.name}_seed_{self.seed}"

    @property
    def overrides(self) -> list[str]:
        """Return the changes to the space, each as ``--set`` takes it."""
        base = Population("digits", self.grid.noise, self.grid.draw, self.grid.mark)
        return [
            *base.overrides,
            f"name={self.grid.name}",
            f"train.seed={self.seed}",
            "train.model.name=mlp",
            "train.epochs=12",
            "train.batch_size=256",
            f"budget.trials={SETTINGS}",
            "objective.metric=null",
            "record.predictions=[]",
        ]


GRIDS = (
    Grid("asymmetric", 0, "develop"),
    Grid("symmetric", 0, "develop"),
    Grid("asymmetric", 1, "report"),
    Grid("symmetric", 1, "report"),
)


def export(storage: Path, out: Path) -> None:
    """Write each grid of which all seeds are complete; its trials are numbered anew."""
    for grid in GRIDS:
        if not all(_is_complete(storage, grid.with_seed(seed)) for seed in SEEDS):
            continue
        parts = [out / grid.name / f"seed_{seed}" for seed in SEEDS]
        for seed, part in zip(SEEDS, parts, strict=True):
            record(storage / grid.with_seed(seed).name, part, METRICS)
        for table in ("trials", "epochs"):
            whole = pa.concat_tables(
                [_numbered(pq.read_table(p / f"{table}.parquet"), n) for n, p in enumerate(parts)],
                promote_options="permissive",
            )
            write(whole, out / grid.name / f"{table}.parquet")
        (parts[0] / "run.json").replace(out / grid.name / "run.json")
        for part in parts:
            shutil.rmtree(part)


def _is_complete(storage: Path, one: OneSeed) -> bool:
    table = storage / one.name / "trials.parquet"
    if not table.exists():
        return False
    return int(pd.read_parquet(table)["status"].isin(["done", "failed"]).sum()) == SETTINGS


def _numbered(table: pa.Table, seed: int) -> pa.Table:
    """Return the table with the trials' numbers after those of the earlier seeds."""
    names = [name_of(int(name[1:]) - 1 + seed * SETTINGS) for name in table["trial"].to_pylist()]
    return table.set_column(table.schema.get_field_index("trial"), "trial", pa.array(names))


def main() -> None:
    """Record or export the grids."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", type=Path, default=Path("runs"), help="where the runs lie")
    parser.add_argument("--export", action="store_true", help="write what there is")
    parser.add_argument("--out", type=Path, default=RECORDED, help="the folder to write")
    arguments = parser.parse_args()
    if arguments.export:
        export(arguments.storage, arguments.out)
        return
    for seed in SEEDS:
        for grid in GRIDS:
            record_run(grid.with_seed(seed), arguments.storage, None)


if __name__ == "__main__":
    main()
