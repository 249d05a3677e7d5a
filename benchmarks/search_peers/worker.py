"""Run one searcher on one table, in the environment of its library.

    PYTHON worker.py TABLE.json optuna_tpe WORKERS SEED ...

Prints a line of JSON for each seed: the trials that finished, each as its name, its value and the
fraction of the table's compute by then.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from table import Peer, Table, search


def peer_of(kind: str, table: Table, seed: int) -> Peer:
    """Return the searcher ``kind``; its library is imported here."""
    if kind.startswith("syne_tune"):
        from syne_tune_peers import SyneTune

        return SyneTune(kind, table, seed)
    if kind.startswith("smac"):
        from smac_peers import Smac

        return Smac(kind, table, seed)
    if kind.startswith("neps"):
        from neps_peers import Neps

        return Neps(kind, table, seed)
    from optuna_peers import Optuna

    return Optuna(kind, table, seed)


def main() -> None:
    """Run and print."""
    path, kind, workers, *seeds = sys.argv[1:]
    results = sys.stdout
    for seed in map(int, seeds):
        table = Table(Path(path))
        with redirect_stdout(sys.stderr):  # libraries print what they think of the machine
            found = search(table, peer_of(kind, table, seed), workers=int(workers))
        print(json.dumps(found), file=results, flush=True)


if __name__ == "__main__":
    main()
