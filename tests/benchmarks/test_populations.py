"""The recorded populations: recording survives kill -9, the export is exact and reads back."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import Started
from tune_robust.errors import UserError
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import load_space

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAME = "digits_symmetric_0"
TIMES = ["seconds", "images_per_second", "peak_memory_mb"]


@pytest.fixture(scope="module")
def benchmarks():
    import populations
    import record_populations

    return populations, record_populations


@pytest.fixture(scope="module")
def small(benchmarks, tmp_path_factory):
    """The recorder with a space of three short trials of small networks; where the space lies."""
    populations, recorder = benchmarks
    text = populations.SPACE.read_text()
    for old, new in (
        ("dataset: digits", "dataset: digits\n    subset: 400"),
        ("size: 0.2", "size: 200"),
        ("epochs: 20", "epochs: 3"),
        ("choice: [0.5, 1.0]", "choice: [0.125]"),
        ("trials: 60", "trials: 3"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "SPACE", path)
        patch.setattr(recorder, "FEWEST", 2)
        yield path


def recorded(benchmarks, storage):
    """What is recorded and exported in ``storage``, going on with what is there."""
    populations, recorder = benchmarks
    recorder.record_run(populations.POPULATIONS[NAME], storage, None)
    assert [*recorder.export(storage, storage / "out")] == [NAME]
    return populations.load(NAME, folder=storage / "out")


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def found(benchmarks, small, storage):
    """A recorded population."""
    return recorded(benchmarks, storage)


def test_a_run_that_was_begun_with_more_trials_is_exported_as_planned(
    benchmarks, small, found, storage, tmp_path, monkeypatch
):
    populations, recorder = benchmarks
    fewer = tmp_path / "space.yaml"
    fewer.write_text(small.read_text().replace("trials: 3", "trials: 2"))
    monkeypatch.setattr(recorder, "SPACE", fewer)
    assert [*recorder.export(storage, tmp_path / "out")] == [NAME]
    cut = populations.load(NAME, folder=tmp_path / "out")
    assert cut.complete
    assert cut.trials["trial"].tolist() == found.trials["trial"].tolist()[:2]


def test_what_is_recorded_reads_back(found):
    assert len(found.trials) == 3
    assert (found.trials["status"] == "done").all()
    assert found.meta["images"] == {"train": 200, "validation": 200, "test": 360}
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


def test_the_card_says_what_there_is_and_what_is_not(benchmarks, found, tmp_path):
    import population_card

    card = population_card.card([found])
    assert f"| `{NAME}` | develop | 3 | 200, 200, 360 |" in card
    assert f"tune-robust search --space benchmarks/populations/space.yaml --name {NAME}" in card
    assert "Not recorded so far: digits_asymmetric_0" in card


def test_a_trial_trained_again_is_the_same_and_a_changed_number_is_found(found):
    import check_recorded

    trial = found.trials["trial"].iloc[-1]
    assert check_recorded.differences(found, trial, None) == []
    epochs = found.epochs.copy()
    rows = epochs["trial"] == trial
    epochs.loc[rows & (epochs["epoch"] == 2), "val_loss"] += 1e-6
    last = epochs.loc[rows, "epoch"].max()
    predictions = found.predictions | {(trial, 1.0): found.predictions[trial, 1.0] + 1}
    epochs.loc[rows, "test_loss"] = math.nan  # as recorded by a version without this metric
    changed = replace(found, epochs=epochs, predictions=predictions)
    assert check_recorded.differences(changed, trial, None) == [
        "epoch 2: val_loss",
        f"epoch {last}: predictions",
    ]


def test_the_best_of_each_method_is_trained_again_on_fresh_seeds(benchmarks, found, storage):
    """The best by label information, as the labels are noisy; by accuracy if that is asked for."""
    from judge_formulas import label_information

    populations, recorder = benchmarks
    assert found.confirmed is None
    population = populations.POPULATIONS[NAME]
    recorder.confirm_run(population, storage, 2)
    confirmed = recorded(benchmarks, storage).confirmed
    assert confirmed.groupby("trial").size().eq(2).all()
    assert not set(confirmed["seed"]) & {0}
    last = found.last
    probabilities = np.stack([found.predictions[trial, 1.0] for trial in last.index])
    last["val_information"] = label_information(probabilities, found.labels.given)
    assert set(confirmed["trial"]) == _best(last, "val_information")
    recorder.confirm_run(population, storage, 2, "val_accuracy")
    confirmed = recorded(benchmarks, storage).confirmed
    assert set(confirmed["trial"]) == _best(last, "val_information") | _best(last, "val_accuracy")
    assert set(confirmed["method"]) == set(last["method"])


def _best(last, metric):
    return set(last.groupby("method")[metric].idxmax())


def test_the_label_information_selects_where_validation_labels_are_noisy(benchmarks):
    populations, _ = benchmarks
    for name, population in populations.POPULATIONS.items():
        unnamed = [*population.overrides, "objective.metric=null"]
        space = load_space(populations.SPACE, overrides=unnamed)
        assert objective_of(space).metric == population.criterion, name


KILLED = """\
import sys
from pathlib import Path
sys.path.append(sys.argv[3])
import record_populations as recorder
recorder.SPACE = Path(sys.argv[1])
recorder.record_run(recorder.POPULATIONS["digits_symmetric_0"], Path(sys.argv[2]), None)
"""


@pytest.mark.e2e
def test_a_killed_recording_goes_on_and_comes_to_the_same(benchmarks, small, found, tmp_path):
    program = tmp_path / "killed.py"
    program.write_text(KILLED)
    started = Started(small, tmp_path, BENCHMARKS, cwd=tmp_path, program=program)
    events = tmp_path / NAME / "events.jsonl"
    started.wait_until(lambda: events.exists() and events.read_text().count('"epoch"') > 7)
    started.kill_tree()
    again = recorded(benchmarks, tmp_path)
    pd.testing.assert_frame_equal(
        again.epochs.drop(columns=TIMES), found.epochs.drop(columns=TIMES)
    )
    for key, predictions in found.predictions.items():
        assert (again.predictions[key] == predictions).all()


def test_half_of_the_populations_are_for_reports_and_all_can_be_searched(benchmarks):
    populations, _ = benchmarks
    marks = [population.mark for population in populations.POPULATIONS.values()]
    assert abs(marks.count("develop") - marks.count("report")) <= 1
    for population in populations.POPULATIONS.values():
        space = load_space(populations.SPACE, overrides=population.overrides)
        trials = 30 if population.data == "resnet20" else 60
        assert (space.budget.trials, space.budget.scheduler) == (trials, "none")
        assert {c.gradient_evaluations for c in space.examples if c.sam} == {
            2 * space.train["epochs"]
        }


def test_names_that_are_not_there_are_refused_with_those_that_are(benchmarks, tmp_path):
    populations, _ = benchmarks
    with pytest.raises(UserError, match="Did you mean 'digits_symmetric_0'"):
        populations.load("digits_symetric_0")
    with pytest.raises(UserError, match=r"has not been recorded in .* There are: none"):
        populations.load(NAME, folder=tmp_path)


def test_the_commands_are_listed(script):
    printed = script("record_populations.py", "--list")
    assert f"{NAME} (develop)\n  tune-robust search --space benchmarks/populations/" in printed
