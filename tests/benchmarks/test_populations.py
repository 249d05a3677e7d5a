"""The recorded populations: recording survives kill -9, the export is exact and reads back."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import Started
from tune_robust.errors import UserError
from tune_robust.spaces.space import load_space

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAME = "digits_symmetric_0"
TIMES = ["seconds", "images_per_second", "peak_memory_mb"]


@pytest.fixture(scope="module")
def benchmarks():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import populations
        import record_populations

        yield populations, record_populations


@pytest.fixture
def small(benchmarks, tmp_path, monkeypatch):
    """The recorder and the loader, on a space of four short trials with small networks."""
    populations, recorder = benchmarks
    text = populations.SPACE.read_text()
    for old, new in (
        ("epochs: 20", "epochs: 3"),
        ("choice: [0.5, 1.0]", "choice: [0.125]"),
        ("trials: 60", "trials: 4"),
        ("size: 0.2", "size: 200"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "space.yaml").write_text(text)
    monkeypatch.setattr(recorder, "SPACE", tmp_path / "space.yaml")
    monkeypatch.setattr(recorder, "FEWEST", 2)
    return populations, recorder


def recorded(small, storage):
    populations, recorder = small
    recorder.record_run(populations.POPULATIONS[NAME], storage, None)
    out = storage / "out"
    assert [*recorder.export(storage, out)] == [NAME]
    return populations.load(NAME, folder=out)


def test_what_is_recorded_reads_back(small, tmp_path):
    found = recorded(small, tmp_path)
    assert len(found.trials) == 4
    assert (found.trials["status"] == "done").all()
    assert found.meta["images"] == {"train": 1237, "validation": 200, "test": 360}
    assert found.meta["wrong_labels"]["train"] == pytest.approx(0.5, abs=0.01)
    assert set(found.predictions) == {
        (trial, moment) for trial in found.trials["trial"] for moment in (0.333, 0.667, 1.0)
    }
    for trial in found.trials["trial"]:
        probabilities = found.predictions[trial, 1.0]
        assert probabilities.shape == (200, 10)
        # In 16 bits two classes can be equally probable that were not so in 32.
        accuracy = (probabilities.argmax(1) == found.labels.given).mean()
        assert accuracy == pytest.approx(found.last.loc[trial, "val_accuracy"], abs=0.02)
        accuracy = (probabilities.argmax(1) == found.labels.true).mean()
        assert accuracy == pytest.approx(found.last.loc[trial, "val_accuracy_clean"], abs=0.02)
    configs = [json.loads(text) for text in found.trials["config"]]
    assert {(c["seed"], c["data"]["seed"], c["data"]["dir"]) for c in configs} == {(0, 0, None)}
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| `{NAME}` | develop | 4 | 1237, 200, 360 |" in card
    assert "Not recorded so far: digits_asymmetric_0" in card


def test_a_trial_trained_again_is_the_same_and_a_changed_number_is_found(small, tmp_path):
    import check_recorded

    found = recorded(small, tmp_path)
    trial = found.trials["trial"].iloc[-1]
    assert check_recorded.differences(found, trial, None) == []
    rows = found.epochs["trial"] == trial
    found.epochs.loc[rows & (found.epochs["epoch"] == 2), "val_loss"] += 1e-6
    predicted = found.predictions[trial, 1.0] + np.float16(0.001)
    found = replace(found, predictions={**found.predictions, (trial, 1.0): predicted})
    epochs = found.epochs.loc[rows, "epoch"].max()
    assert check_recorded.differences(found, trial, None) == [
        "epoch 2: val_loss",
        f"epoch {epochs}: predictions",
    ]


KILLED = """\
import sys
from pathlib import Path
import record_populations as recorder
recorder.SPACE = Path(sys.argv[1]) / "space.yaml"
recorder.record_run(recorder.POPULATIONS["digits_symmetric_0"], Path(sys.argv[2]), None)
"""


def test_a_killed_recording_goes_on_and_comes_to_the_same(small, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = recorded(small, whole)
    command = [sys.executable, "-c", KILLED]
    started = Started(tmp_path, cut, cwd=BENCHMARKS, command=command)
    events = cut / NAME / "events.jsonl"
    started.wait_until(lambda: events.exists() and events.read_text().count('"epoch"') > 7)
    started.kill_tree()
    found = recorded(small, cut)
    pd.testing.assert_frame_equal(
        found.epochs.drop(columns=TIMES), expected.epochs.drop(columns=TIMES)
    )
    assert all(
        (found.predictions[key] == expected.predictions[key]).all() for key in found.predictions
    )


def test_half_of_the_populations_are_for_reports_and_all_can_be_searched(benchmarks):
    populations, _ = benchmarks
    marks = [population.mark for population in populations.POPULATIONS.values()]
    assert abs(marks.count("develop") - marks.count("report")) <= 1
    for population in populations.POPULATIONS.values():
        space = load_space(populations.SPACE, overrides=population.overrides)
        assert (space.budget.trials, space.budget.scheduler) == (60, "none")
        assert {c.gradient_evaluations for c in space.examples if c.sam} == {
            2 * space.train["epochs"]
        }


def test_names_that_are_not_there_are_refused_with_those_that_are(benchmarks, tmp_path):
    populations, _ = benchmarks
    with pytest.raises(UserError, match="Did you mean 'digits_symmetric_0'"):
        populations.load("digits_symetric_0")
    with pytest.raises(UserError, match=r"has not been recorded in .* There are: none"):
        populations.load(NAME, folder=tmp_path)


def test_the_commands_are_listed():
    command = [sys.executable, str(BENCHMARKS / "record_populations.py"), "--list"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{NAME} (develop)\n  tune-robust search --space benchmarks/populations/" in printed
