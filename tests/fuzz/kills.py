"""Random kill -9 of a search, resumed each time: the end is that of the search that nobody killed.

``python -m tests.fuzz.kills --kills 100`` runs the long form in a temporary folder, twenty kills to
a search, whose trials train networks.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import yaml

from tests.cli.command import Started, run
from tests.cli.tiny import SPACE as TINY
from tune_robust.tuning.strategy.journal import DerivedJournal

SPACE = {
    **TINY,
    "name": "faults",
    "baselines": [],
    "searcher": {"name": "tpe", "startup": 4},
}
BUDGET = {"scheduler": "asha", "grace": 4, "reduction": 2}
ROUND = 20
"""Kills of one search. What is wrong then shows soon, and which kills it may come from."""
TIMED = ["seconds", "images_per_second", "peak_memory_mb"]


def kill_and_compare(place: Path, space: Path, kills: int, seed: int) -> None:
    """Kill the search ``r1`` in ``place`` so many times, finish it, and run it once undisturbed.

    ``space`` is a file, of at least six trials for ten kills.

    Raises:
        AssertionError: something is lost, repeated or different.
    """
    trials = yaml.safe_load(space.read_text())["budget"]["trials"]
    search = ("search", "--space", space, "--name", "r1", "--no-dashboard")
    folder = place / "runs" / "r1"
    _kill(place, folder, search, kills, random.Random(seed))
    killed = len(events(folder, "end"))
    run("resume", "r1", "--no-dashboard", cwd=place)
    run(*search, "--storage", "whole", cwd=place)

    assert killed < trials, "all had ended before the last kill"
    ends = [e["trial"] for e in events(folder, "end") if e["status"] != "interrupted"]
    assert len(ends) == len(set(ends)) == trials
    whole = place / "whole" / "r1"
    pd.testing.assert_frame_equal(
        trials_of(folder).drop(columns=TIMED), trials_of(whole).drop(columns=TIMED)
    )
    assert study_of(folder) == study_of(whole)
    assert not leftovers(folder)


def _kill(place: Path, folder: Path, search: tuple, kills: int, chance: random.Random) -> None:
    """Kill so many processes: a search while it starts, or its trials at work and then itself."""
    while kills:
        resumes = (folder / "run.json").exists()
        command = Started(*(("resume", "r1", "--no-dashboard") if resumes else search), cwd=place)
        if chance.random() < 0.4:
            time.sleep(chance.uniform(0.5, 6))
        else:
            for _ in range(min(chance.randrange(3), kills - 1)):
                kills -= _kill_trial(command, folder, chance)
            _wait_for_epoch(command, folder, chance)
        _end(command, whole_tree=chance.random() < 0.5)
        kills -= 1


def _wait_for_epoch(command: Started, folder: Path, chance: random.Random) -> None:
    seen = len(events(folder, "epoch"))
    with suppress(AssertionError):  # it may come to its end first
        command.wait_until(lambda: len(events(folder, "epoch")) > seen)
    time.sleep(chance.uniform(0, 0.1))


def _kill_trial(command: Started, folder: Path, chance: random.Random) -> bool:
    """Kill the process of the trial that runs; whether there was one at that moment."""
    _wait_for_epoch(command, folder, chance)
    found = command.processes("ray::t0")
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return bool(found)


def _end(command: Started, *, whole_tree: bool) -> None:
    if whole_tree:
        command.kill_tree()
    else:  # the driver alone: Ray sees to its own processes
        command.interrupt(signal.SIGKILL)


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The events of a kind so far."""
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [event for event in whole if event["event"] == kind]


def trials_of(folder: Path) -> pd.DataFrame:
    """The table of trials."""
    return pd.read_parquet(folder / "trials.parquet").set_index("trial")


def study_of(folder: Path) -> list[tuple]:
    """The trials as Optuna has them."""
    storage = optuna.storages.JournalStorage(DerivedJournal(folder / "study.journal"))
    (study,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=study, storage=storage).trials
    return [(t.state, t.params, t.value, t.intermediate_values) for t in trials]


def leftovers(folder: Path) -> list[Path]:
    """Files that were being written when something ended."""
    return [p for p in folder.rglob(".*") if p.is_file()] + [*folder.rglob("*.aside")]


def main() -> None:
    """Run as many kills as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    for number in range(0, given.kills, ROUND):
        kills = min(ROUND, given.kills - number)
        with tempfile.TemporaryDirectory() as place:
            space = Path(place) / "kills.yaml"
            budget = BUDGET | {"trials": max(12, 6 * kills // 10)}
            space.write_text(yaml.safe_dump(SPACE | {"budget": budget}))
            kill_and_compare(Path(place), space, kills, given.seed + number)
        print(
            f"{number + kills} kills: nothing lost, nothing repeated, nothing changed", flush=True
        )


if __name__ == "__main__":
    main()
