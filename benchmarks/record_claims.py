"""Records the grids that test single claims: all their trials, with every metric of every epoch.

    nice -n 19 python benchmarks/record_claims.py --storage RUNS
    python benchmarks/record_claims.py --storage RUNS --export

Each file of benchmarks/claims is a grid on the digits, with three seeds or two for each setting: a
seed determines the network, the split and the noise draw, so that settings can be compared seed by
seed. As in record_populations.py, everything runs in this one process and continues after an
interruption. --export writes the grids whose trials have all ended into benchmarks/recorded/claims.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from record import record
from record_populations import train_rest

from tune_robust.metrics import METRICS
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.runs.store import RunStore
from tune_robust.spaces.space import load_space

SPACES = Path(__file__).parent / "claims"
RECORDED = Path(__file__).parent / "recorded" / "claims"
CLAIMS = ("rho_and_noise", "parts", "saner_k", "rho_schedule", "sam_and_gce")
"""The grids, in the order of recording."""


def record_claim(name: str, storage: Path) -> None:
    """Train the remaining trials of a grid."""
    folder = RunFolder(storage / name)
    folder.make()
    if folder.meta.exists():
        store = RunStore(folder)
    else:
        space = load_space(SPACES / f"{name}.yaml")
        store = RunStore.create(folder, {"space": space.document(), **provenance()})
    train_rest(store, storage / ".data")


def export(storage: Path, out: Path) -> Iterator[str]:
    """Write the grids whose trials have all ended into ``out``, and yield their names."""
    for name in CLAIMS:
        folder = RunFolder(storage / name)
        if folder.trials.exists() and _complete(folder):
            record(folder.path, out / name, [*METRICS])
            yield name


def _complete(folder: RunFolder) -> bool:
    done = pd.read_parquet(folder.trials, columns=["status"])["status"] == "done"
    return int(done.sum()) == folder.read_meta()["space"]["budget"]["trials"]


def load(name: str, *, folder: Path = RECORDED) -> pd.DataFrame | None:
    """Return a row per trial with its settings and last metrics; None if it is not recorded."""
    place = folder / name
    if not (place / "trials.parquet").exists():
        return None
    epochs = pd.read_parquet(place / "epochs.parquet").sort_values("epoch")
    last = epochs.groupby("trial").tail(1).set_index("trial")
    return pd.read_parquet(place / "trials.parquet").set_index("trial").join(last)


def main() -> None:
    """Record or export the grids."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", type=Path, default=Path("runs"), help="where the runs lie")
    parser.add_argument("--only", nargs="+", choices=CLAIMS, metavar="NAME", help="of all")
    parser.add_argument("--export", action="store_true", help="write what is complete")
    parser.add_argument("--out", type=Path, default=RECORDED, help="what --export writes")
    arguments = parser.parse_args()
    if arguments.export:
        for name in export(arguments.storage, arguments.out):
            print(f"exported {name}")
    else:
        for name in arguments.only or CLAIMS:
            record_claim(name, arguments.storage)


if __name__ == "__main__":
    main()
