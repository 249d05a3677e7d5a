"""kill -9 at any moment of a search's own work: nothing is lost, repeated or decided otherwise."""

import multiprocessing
import random
import time
from contextlib import suppress
from itertools import product

import pandas as pd
import pytest

from tests.tuning.simulated import peak, simulate, space, study_of

KILLS = 40
BUDGET = {"trials": 48, "scheduler": "asha", "grace": 2, "reduction": 2}


def searched(path, pause=0.0):
    """The search from where it was to its end, ``pause`` seconds an epoch."""

    def slow(trial, epoch):
        time.sleep(pause)
        return peak(trial, epoch)

    simulate(space(budget=BUDGET, searcher={"name": "tpe", "startup": 4}), path, slow)


RHO = {"log_uniform": [0.01, 1.0]}
RANGES = {"sam.rho": RHO, "saner.alpha": {"uniform": [0.0, 1.0]}}
UNCONDITIONAL = {
    **RANGES,
    "saner.k": {"int": [0, 20]},
    "batch_size": {"log_int": [16, 128]},
    "sam.rho_schedule": {"choice": ["constant", "step_decay"]},
}
SAM = {"method": ["sam", "saner"]}
CONDITIONAL = {
    **UNCONDITIONAL,
    "method": {"choice": ["sgd", "sam", "saner"]},
    "sam.rho": {**RHO, "when": SAM},
    "sam.rho_schedule": {"choice": ["constant", "step_decay"], "when": SAM},
    "saner.alpha": {"uniform": [0.0, 1.0], "when": {"method": "saner"}},
    "saner.k": {"int": [0, 20], "when": {"saner.alpha": {"below": 0.5}}},
}
KNOWN = {
    "method": "saner",
    "sam.rho": 0.1,
    "sam.rho_schedule": "constant",
    "saner.alpha": 0.3,
    "saner.k": 5,
    "batch_size": 32,
}
LISTED = {"sam.rho": {"grid": [0.1, 0.2, 0.3]}, "saner.alpha": {"choice": [0.2, 0.5, 0.7]}}
STOPPING = ("asha", "median", "none")
SEARCHES = [
    *product(["gp_mf", "qmc", "random"], [*STOPPING, "promotion"], [CONDITIONAL]),
    *product(["tpe"], STOPPING, [CONDITIONAL]),
    *product(["gp"], STOPPING, [UNCONDITIONAL]),
    *product(["cmaes"], STOPPING, [RANGES]),
    *product(["grid"], [*STOPPING, "promotion"], [LISTED]),
    *product(["qmc", "random"], ["pb2"], [CONDITIONAL]),
    ("nsga2", "none", UNCONDITIONAL),
    *product(["gp_mf", "qmc", "random", "tpe", "gp", "cmaes"], ["auto"], [{"sam.rho": RHO}]),
]
"""Every searcher with every scheduler that it supports, and with a single dimension."""


@pytest.mark.parametrize(("searcher", "scheduler", "search"), SEARCHES)
def test_every_searcher_proposes_the_same_after_kills(tmp_path, searcher, scheduler, search):
    given = space(
        search=search,
        searcher={"name": searcher, "startup": 6, "seed": 5},
        budget={"trials": 8, "scheduler": scheduler, "grace": 2, "reduction": 2},
        objective={"against": ["gradient_evaluations"]} if searcher == "nsga2" else {},
        known=[KNOWN] if search is CONDITIONAL else [],
    )
    simulate(given, tmp_path / "whole")
    lives = 1
    while not simulate(given, tmp_path / "killed", stop_after=11).complete:
        lives += 1
    assert lives > 1
    for table in ("trials.parquet", "epochs.parquet"):
        whole, killed = (pd.read_parquet(tmp_path / run / table) for run in ("whole", "killed"))
        pd.testing.assert_frame_equal(killed, whole)


def recorded(path):
    with suppress(FileNotFoundError):
        return (path / "events.jsonl").stat().st_size
    return 0


def killed_at_work(context, path, chance):
    """One life: it ends while something is being written, or at whatever moment it may be."""
    process = context.Process(target=searched, args=(path, 0.001))
    before, wanted = recorded(path), chance.choice([1, 1, 300, 900])
    process.start()
    while recorded(path) < before + wanted and process.is_alive():
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.01))
    process.kill()
    process.join()
    process.close()


@pytest.mark.slow
def test_forty_kills_change_nothing(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([searched.__module__])
    chance = random.Random(7)
    for _ in range(KILLS):
        killed_at_work(context, tmp_path / "killed", chance)
    under_way = recorded(tmp_path / "killed")
    searched(tmp_path / "killed")
    searched(tmp_path / "whole")

    assert under_way < recorded(tmp_path / "killed"), "it had ended before the last kill"
    tables = [tmp_path / name for name in ("killed", "whole")]
    for table in ("trials.parquet", "epochs.parquet"):
        killed, whole = (pd.read_parquet(path / table) for path in tables)
        pd.testing.assert_frame_equal(killed, whole)
    studies = [study_of(path).trials for path in tables]
    assert len(studies[0]) == len(studies[1]) == BUDGET["trials"]
    for one, other in zip(*studies, strict=True):
        assert (one.state, one.params, one.value) == (other.state, other.params, other.value)
        assert one.intermediate_values == other.intermediate_values
    assert not [p for p in (tmp_path / "killed").rglob(".*") if p.is_file()]
