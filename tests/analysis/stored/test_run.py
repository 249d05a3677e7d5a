import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import (
    best_so_far,
    importance,
    learning_curves,
    memorisation,
    parallel,
    sensitivity,
    write_figures,
)
from analysis.comparison.scenes import compare_runs
from analysis.report.page import render
from analysis.stored.run import load_run, require_epochs, scored_epochs
from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.metrics import METRICS
from tune_robust.spaces.objective import Objective


def test_a_run_reads_back(search_run):
    assert search_run.name == "r1"
    assert search_run.objective == Objective("val_accuracy", "max", "last")
    assert search_run.searched == ("sam.rho", "saner.alpha")
    assert len(search_run.trials) == 24
    assert search_run.trials["objective"].dtype == "float64"
    assert set(search_run.epochs["trial"]) == set(search_run.trials["trial"])


def test_null_columns_become_missing_floats(build):
    path = build.write([build.trial(1, {})])
    for name in ("trials", "epochs"):
        table = pd.read_parquet(path / f"{name}.parquet").assign(test_accuracy=None)
        table.to_parquet(path / f"{name}.parquet")
    run = load_run(path)
    assert run.epochs["test_accuracy"].isna().all()
    assert run.trials["test_accuracy"].dtype == "float64"


def test_a_searched_path_without_a_column_is_missing_throughout(build):
    path = build.write([build.trial(1, {"sam.rho": 0.1})])
    pd.read_parquet(path / "trials.parquet").drop(columns="saner.alpha").to_parquet(
        path / "trials.parquet"
    )
    assert load_run(path).trials["saner.alpha"].isna().all()


def test_no_such_run_names_the_nearest(build):
    path = build.write([build.trial(1, {})], name="first")
    with pytest.raises(UserError, match=r"no run at .*frist\. Did you mean 'first'\?"):
        load_run(path.with_name("frist"))


def test_a_folder_that_is_no_run_says_what_is_missing(tmp_path):
    with pytest.raises(UserError, match=r"not a run: it has no run\.json"):
        load_run(tmp_path)


def test_a_run_without_epochs_loads_and_says_what_to_do_where_it_is_to_be_shown(build):
    path = build.write([build.trial(1, {"sam.rho": 0.1}, status="pending", epochs=0)])
    run = load_run(path)
    assert list(run.trials["status"]) == ["pending"]
    assert run.epochs.empty
    with pytest.raises(UserError, match=r"no epochs yet.*tune-robust resume"):
        require_epochs(run)


def test_a_run_whose_tables_are_not_written_yet_has_empty_ones(build):
    path = build.write([build.trial(1, {})])
    for name in ("trials", "epochs"):
        (path / f"{name}.parquet").unlink()
    run = load_run(path)
    assert run.trials.empty
    assert run.epochs.empty
    assert {"trial", "status", "sam.rho", "objective", *METRICS, "error"} <= set(run.trials)
    assert {"trial", "epoch", *METRICS} == set(run.epochs)


def test_a_run_of_failed_trials_loads_and_names_the_error_where_it_is_to_be_shown(build):
    failed = {"status": "failed", "epochs": 0, "error": "no such network"}
    run = load_run(build.write([build.trial(n, {"sam.rho": 0.1}, **failed) for n in (1, 2)]))
    assert list(run.trials["error"]) == ["no such network"] * 2
    with pytest.raises(UserError, match=r"all 2 trials .* failed .* no such network"):
        require_epochs(run)


@pytest.mark.parametrize(
    "show",
    [
        best_so_far,
        importance,
        learning_curves,
        memorisation,
        parallel,
        sensitivity,
        render,
        lambda run: write_figures(run, run.path / "figures"),
        lambda run: compare_runs([run.path, build_another(run.path)]),
    ],
)
def test_nothing_is_shown_of_a_run_without_epochs(build, show):
    path = build.write([build.trial(1, {"sam.rho": 0.1}, status="pending", epochs=0)])
    with pytest.raises(UserError, match="no epochs yet"):
        show(load_run(path))
    assert not (path / "figures").exists()


def build_another(path):
    return shutil.copytree(path, path.with_name("another"))


def test_a_run_knows_where_it_lies_of_which_it_is_a_copy(build):
    path = build.write([build.trial(1, {})])
    assert load_run(path).place == str(path)
    assert load_run(path, place="s3://b/r1").place == "s3://b/r1"


def test_a_damaged_description_is_named(build):
    path = build.write([build.trial(1, {})])
    (path / "run.json").write_text('{"format": 1,')
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        load_run(path)


def test_a_newer_format_is_refused(build):
    path = build.write([build.trial(1, {})])
    meta = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**meta, "format": 2}))
    with pytest.raises(UserError, match=r"found 2; this version of tune-robust reads 1"):
        load_run(path)


def test_a_truncated_table_is_named(build):
    path = build.write([build.trial(1, {})])
    data = (path / "epochs.parquet").read_bytes()
    (path / "epochs.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"epochs\.parquet is damaged"):
        load_run(path)


def test_a_table_may_be_replaced_while_it_is_read(build):
    path = build.write([build.trial(1, {})])
    table = path / "epochs.parquet"
    versions = [table.read_bytes()]
    pd.concat([pd.read_parquet(table)] * 50).to_parquet(table)
    versions.append(table.read_bytes())

    def replace():
        while not over.is_set():
            for version in versions:
                write_aside(table, version)

    over = threading.Event()
    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(100):
            assert not load_run(path).epochs.empty
    finally:
        over.set()
        writer.join()


def test_a_table_without_its_columns_is_named(build):
    path = build.write([build.trial(1, {})])
    pd.read_parquet(path / "trials.parquet").drop(columns="status").to_parquet(
        path / "trials.parquet"
    )
    with pytest.raises(UserError, match=r"trials\.parquet lacks the columns status"):
        load_run(path)


RECORDED = Path(__file__).parents[3] / "benchmarks" / "recorded"


@pytest.mark.parametrize("path", sorted(RECORDED.glob("methods_*")), ids=lambda path: path.name)
def test_a_recording_that_keeps_only_what_cannot_be_derived_is_read(path):
    run = load_run(path)
    ended = run.trials["status"] == "done"
    assert run.trials.loc[ended, "objective"].notna().all()
    assert set(run.trials["trial"]) == set(run.epochs["trial"])


EPOCHS = pd.DataFrame(
    {
        "trial": ["a", "b", "a", "a", "b"],
        "epoch": [1, 1, 2, 3, 2],
        "val_accuracy": [0.2, np.nan, 0.9, 0.4, np.nan],
        "test_accuracy": [0.1, 0.2, 0.3, 0.4, 0.5],
        "gradient_evaluations": [2.0, 1.0, 4.0, 6.0, 2.0],
    }
)


@pytest.mark.parametrize(("at", "epoch", "test"), [("last", 3, 0.4), ("best", 2, 0.3)])
def test_the_scored_epoch_is_the_last_or_the_best(at, epoch, test):
    scored = scored_epochs(EPOCHS, Objective("val_accuracy", "max", at))
    assert scored.loc["a", "epoch"] == epoch
    assert scored.loc["a", "test_accuracy"] == test
    assert scored.loc["a", "spent"] == 6


def test_a_trial_that_never_scored_is_read_at_its_end():
    scored = scored_epochs(EPOCHS, Objective("val_accuracy", "max", "best"))
    assert scored.loc["b", "epoch"] == 2


def test_the_gain_is_positive_for_better():
    assert Objective("val_accuracy", "max", "last").gain(0.6, 0.5) == pytest.approx(0.1)
    assert Objective("val_loss", "min", "last").gain(0.6, 0.5) == pytest.approx(-0.1)
