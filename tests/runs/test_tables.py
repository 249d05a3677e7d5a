"""The tables: their columns, their types, and that they are whole at every moment."""

import json
import subprocess
import sys

import pandas as pd

from tests.tuning.simulated import simulate, space
from tune_robust.metrics import METRICS


def test_columns_of_both_tables(tmp_path):
    simulate(space(), tmp_path / "r")
    trials = pd.read_parquet(tmp_path / "r" / "trials.parquet")
    epochs = pd.read_parquet(tmp_path / "r" / "epochs.parquet")
    assert list(epochs.columns) == ["trial", "epoch", *METRICS]
    expected = {"trial", "origin", "status", "sentinel", "sam.rho", "saner.alpha", "epoch"}
    expected |= {"objective", "val_accuracy_last", "val_accuracy_best", "confirms", "repeats"}
    expected |= {"continues"}
    expected |= {"seed", "reliability", "error", "checkpoint", "config", "values"}
    assert expected | set(METRICS) == set(trials.columns)
    assert json.loads(trials.loc[3, "config"])["seed"] == trials.loc[3, "seed"] == 3


def test_values_of_every_type_keep_it(tmp_path):
    search = {
        "method": {"choice": ["sam", "saner"]},
        "sam.rho": {"uniform": [0.1, 1.0]},
        "optimizer.nesterov": {"choice": [True, False]},
        "saner.k": {"int": [0, 5], "when": {"method": "saner"}},
    }
    train = {"data": {"dataset": "digits"}, "optimizer": {"name": "sgd"}, "epochs": 6}
    simulate(space(search=search, train=train), tmp_path / "r")
    table = pd.read_parquet(tmp_path / "r" / "trials.parquet")
    assert table["sam.rho"].dtype == table["saner.k"].dtype == float
    assert set(table["method"]) <= {"sam", "saner"}
    assert set(table["optimizer.nesterov"]) <= {"true", "false"}


def test_a_run_that_has_just_begun_has_empty_tables(tmp_path):
    simulate(space(), tmp_path / "r", stop_after=0)
    assert pd.read_parquet(tmp_path / "r" / "epochs.parquet").empty


READ = """
import os, sys
from pathlib import Path
from tune_robust.runs.tables import read_table
before = len(os.listdir("/proc/self/task"))
read_table(Path(sys.argv[1]))
print(len(os.listdir("/proc/self/task")) - before)
"""


def test_reading_a_table_leaves_no_thread_that_could_abort_the_process_at_its_end(tmp_path):
    simulate(space(), tmp_path / "r")
    command = [sys.executable, "-c", READ, str(tmp_path / "r" / "epochs.parquet")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "0\n"
