"""Run one searcher on one table, in the environment of its library.

    PYTHON worker.py TABLE.json optuna_tpe FIRST SEEDS

Prints a JSON list: for each seed the fraction of the table's compute until it was within reach of
the best, or null if it never was.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from table import Peer, Table, compute_to_target


def peer_of(kind: str, table: Table, seed: int) -> Peer:
    """Return the searcher ``kind``; its library is imported here."""
    if kind.startswith("syne_tune"):
        from syne_tune_peers import SyneTune

        return SyneTune(kind, table, seed)
    from optuna_peers import Optuna

    return Optuna(kind, table, seed)


def main() -> None:
    """Run and print."""
    path, kind, first, seeds = sys.argv[1:]
    found = []
    for seed in range(int(first), int(first) + int(seeds)):
        table = Table(Path(path))
        found.append(compute_to_target(table, peer_of(kind, table, seed)))
    print(json.dumps([value if math.isfinite(value) else None for value in found]))


if __name__ == "__main__":
    main()
