"""An audit of labels by the predictions that a search stored, and by networks trained for it."""

from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import tune_robust as tr
from analysis.stored.run import load_run
from tests.tuning.simulated import open_confirming, simulate, space
from tune_robust.config import parse_config
from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.runs.agreement import confusion_of
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.predictions import KeptPredictions
from tune_robust.runs.reader import read_trials
from tune_robust.spaces.objective import objective_of
from tune_robust.tuning.winners.export import ranked

NOISE = {"kind": "symmetric", "rate": 0.3}


def searched(path, **data):
    """A finished search on the digits, without predictions."""
    train = {
        "data": {"dataset": "digits", "noise": NOISE, "subset": 600, **data},
        "model": {"name": "mlp"},
        "method": "saner",
        "epochs": 6,
    }
    known = space(train=train, budget={"trials": 4, "scheduler": "none"})
    conductor = simulate(known, path)
    return known, [*conductor.trials.values()]


def with_predictions(path, quality=0.95, **data):
    """The same with predictions of all trials, of which that fraction is right."""
    known, trials = searched(path, **data)
    config = parse_config(trials[0].config, "t0001").data
    splits = make_splits(config, load_dataset(config))
    true = splits.validation.true_labels.numpy()
    if (true < 0).any():
        true = splits.validation.labels.numpy()
    generator = np.random.default_rng(0)
    for trial in trials:
        shown = np.where(generator.random(len(true)) < quality, true, (true + 1) % 10)
        kept = KeptPredictions(
            RunFolder(path).predictions, trial.name, (1.0,), 6, objective_of(known), trial.config
        )
        result = SimpleNamespace(
            epoch=6,
            metrics={known.objective.metric: 0.5},
            validation_probabilities=torch.from_numpy(0.03 + 0.7 * np.eye(10)[shown]),
        )
        kept.save(result, splits.validation)
    return splits


def test_the_validation_labels_are_audited_by_stored_predictions(tmp_path):
    splits = with_predictions(tmp_path / "r1")
    found = tr.audit(tmp_path / "r1")
    part = splits.validation
    assert (found["images"], found["folds"], len(found["trials"])) == (len(part), 0, 3)
    assert found["truth"]["rate"] == pytest.approx(part.noisy.float().mean().item())
    assert found["truth"]["average_precision"] > 0.9
    assert found["low"] < found["truth"]["rate"] < found["high"]
    assert found["suspects"][0]["png"]
    names = dict.fromkeys(("given", "likely", "true"), str)
    table = pd.read_csv(tmp_path / "r1" / "audit" / "labels.csv", dtype=names)
    pd.testing.assert_frame_equal(
        table,
        pd.read_parquet(tmp_path / "r1" / "audit" / "labels.parquet"),
        check_dtype=False,
    )
    assert table["wrong_probability"].is_monotonic_decreasing
    by_index = table.set_index("index").loc[part.positions.tolist()]
    assert by_index["given"].astype(int).tolist() == part.labels.tolist()
    assert by_index["true"].astype(int).tolist() == part.true_labels.tolist()
    first = found["suspects"][0]
    assert first["likely"] != first["given"]


def mislabelled(path):
    """A file with labels of the digits, of which 30 % are wrong."""
    config = parse_config({"data": {"dataset": "digits"}, "epochs": 1}, "digits").data
    labels = load_dataset(config).train.labels.numpy()
    wrong = np.random.default_rng(1).random(len(labels)) < 0.3
    pd.DataFrame({"label": (labels + wrong) % 10}).to_csv(path, index=False)
    return {"kind": "given", "file": str(path), "key": "label"}


def confirmed(path, seeds):
    """Confirm the best trial, with right predictions of each seed; return their splits."""
    source = RunFolder(path)
    best = ranked(read_trials(source).values(), objective_of(space()))[0]
    splits = []
    with closing(open_confirming(source, [best.name], seeds)) as store:
        for trial in [*store.trials.values()]:
            data = parse_config(trial.config, trial.name).data
            splits.append(make_splits(data, load_dataset(data)))
            store.start(trial.name)
            metrics = {"val_information": 0.5, "gradient_evaluations": 1.0}
            store.add_epoch(trial.name, 1, metrics)
            store.end(trial.name, "done")
            kept = KeptPredictions(
                store.folder.predictions, trial.name, (1.0,), 6, objective_of(space()), trial.config
            )
            true = splits[-1].validation.true_labels.numpy()
            result = SimpleNamespace(
                epoch=6,
                metrics={"val_accuracy": 0.5},
                validation_probabilities=torch.from_numpy(0.03 + 0.7 * np.eye(10)[true]),
            )
            kept.save(result, splits[-1].validation)
    return splits


def test_the_splits_of_a_confirmation_are_audited_too(tmp_path):
    data = {"noise": mislabelled(tmp_path / "labels.csv"), "subset": None}
    before = with_predictions(tmp_path / "r1", **data)
    splits = confirmed(tmp_path / "r1", 2)
    found = tr.audit(tmp_path / "r1")
    seen = [set(each.validation.positions.tolist()) for each in (before, *splits)]
    assert found["confirmed"] == 2
    assert found["images"] == len(set.union(*seen)) > len(seen[0])
    assert found["truth"]["average_precision"] > 0.9
    assert found["low"] < 0.3 < found["high"]
    table = pd.read_csv(tmp_path / "r1" / "audit" / "labels.csv")
    assert set(table["index"]) == set.union(*seen)
    assert set(table.loc[table["part"] == "validation", "index"]) == seen[0]
    page = (tmp_path / "r1" / "audit" / "audit.html").read_text()
    assert "by 2 networks of the confirmation on validation images of other splits" in page


def test_other_draws_of_noise_are_not_mixed_with_those_of_the_search(tmp_path):
    before = with_predictions(tmp_path / "r1")
    confirmed(tmp_path / "r1", 1)
    found = tr.audit(tmp_path / "r1")
    assert (found["confirmed"], found["images"]) == (0, len(before.validation))


def test_the_report_shows_the_first_of_them(tmp_path):
    with_predictions(tmp_path / "r1")
    tr.audit(tmp_path / "r1")
    from analysis.report.page import render

    page = render(load_run(tmp_path / "r1"))
    assert "Which labels are probably wrong?" in page
    assert 1 < page.count("<figure>") <= 24


def test_a_second_audit_of_cleaned_labels_starts_from_them(tmp_path):
    """What --write-labels writes is what noise: given reads, and its truth is unknown."""
    before = with_predictions(tmp_path / "r1")
    cleaned = tmp_path / "cleaned.csv"
    found = tr.audit(tmp_path / "r1", write_labels=cleaned)
    noise = {"kind": "given", "file": str(cleaned), "key": "label", "truth": "unknown"}
    data = {"dataset": "digits", "noise": noise, "subset": 600}
    config = parse_config({"data": data, "epochs": 1}, "cleaned").data
    after = make_splits(config, load_dataset(config))
    assert not config.truth_known
    assert (after.train.true_labels == -1).all()
    assert torch.equal(after.train.labels, before.train.labels)  # they were not audited
    table = pd.read_csv(tmp_path / "r1" / "audit" / "labels.csv").set_index("index")
    audited = table.loc[after.validation.positions.tolist()]
    expected = audited["likely"].where(audited["wrong_probability"] > 0.5, audited["given"])
    assert after.validation.labels.tolist() == expected.tolist()
    right = (after.validation.labels == before.validation.true_labels).float().mean()
    assert right > 0.9
    assert str(cleaned) in found["files"]


def test_folds_audit_all_labels_and_never_see_the_test_images(tmp_path, monkeypatch):
    _, trials = searched(tmp_path / "r1")
    seen = []
    import tune_robust.training as training

    def train(config, *, splits):
        assert splits.test is splits.validation
        known = set(splits.train.positions.tolist())
        held_out = splits.validation.positions.tolist()
        assert not known & set(held_out)
        seen.extend(held_out)
        true = splits.validation.true_labels
        probabilities = 0.03 + 0.7 * torch.eye(10)[true]
        metrics = {"val_information": 0.5}
        yield SimpleNamespace(epoch=6, metrics=metrics, validation_probabilities=probabilities)
        if len(seen) == 400 and not lines[2:]:
            raise KeyboardInterrupt  # in the second of three folds

    monkeypatch.setattr(training, "train", train)
    lines = []
    with pytest.raises(KeyboardInterrupt):
        tr.audit(tmp_path / "r1", folds=3, progress=lines.append)
    del seen[200:]  # the second fold was not stored
    found = tr.audit(tmp_path / "r1", folds=3, progress=lines.append)
    config = parse_config(trials[0].config, "t0001").data
    splits = make_splits(config, load_dataset(config))
    everything = [*splits.train.positions.tolist(), *splits.validation.positions.tolist()]
    assert sorted(seen) == sorted(everything)
    assert found["images"] == 600
    assert found["truth"]["average_precision"] > 0.95
    assert [line[:11] for line in lines] == [f"Fold {n} of 3" for n in (1, 2, 2, 3)]
    again = tr.audit(tmp_path / "r1", folds=3, progress=lines.append)
    assert again["rate"] == pytest.approx(found["rate"], abs=0.001)  # stored as 16-bit floats
    assert len(lines) == 4  # nothing was trained again
    parts = pd.read_csv(tmp_path / "r1" / "audit" / "labels.csv")["part"].value_counts()
    assert parts.to_dict() == {"train": len(splits.train), "validation": len(splits.validation)}


def test_folds_train_the_winner(tmp_path):
    searched(tmp_path / "r1", subset=300)
    found = tr.audit(tmp_path / "r1", folds=2)
    assert found["images"] == 300
    assert 0 <= found["truth"]["average_precision"] <= 1


def test_an_unknown_truth_is_not_reported(tmp_path):
    with_predictions(tmp_path / "r1", noise={"kind": "given"})
    found = tr.audit(tmp_path / "r1")
    assert found["truth"] is None
    assert "true" not in pd.read_csv(tmp_path / "r1" / "audit" / "labels.csv")
    page = (tmp_path / "r1" / "audit" / "audit.html").read_text()
    assert "true labels*" not in page


def test_a_run_without_predictions_is_told_of_folds(tmp_path):
    searched(tmp_path / "r1")
    with pytest.raises(UserError, match="--folds 5"):
        tr.audit(tmp_path / "r1")


def test_right_validation_labels_are_not_audited(tmp_path):
    searched(tmp_path / "r1", validation={"labels": "clean"})
    with pytest.raises(UserError, match="nothing to audit"):
        tr.audit(tmp_path / "r1")


def test_trials_whose_predictions_agree_are_said_to_do_so(tmp_path):
    with_predictions(tmp_path / "r1", quality=1.0)
    folder = RunFolder(tmp_path / "r1")
    trials = [*read_trials(folder).values()]
    assert "The 4 best trials predict the same classes" in confusion_of(folder, trials)
    for name in ("t0001", "t0002"):
        (tmp_path / "r1" / "predictions" / name / "1.npz").write_bytes(b"damaged")
    assert confusion_of(folder, trials) is None  # two are too few


def test_changed_data_are_noticed(tmp_path, monkeypatch):
    with_predictions(tmp_path / "r1")
    from tune_robust.tuning.winners import auditing

    data = auditing._data

    def changed(config, folder):
        found = data(config, folder)
        found.splits.validation.labels[0] += 1
        return found

    monkeypatch.setattr(auditing, "_data", changed)
    with pytest.raises(UserError, match="the data set has changed"):
        tr.audit(tmp_path / "r1")


@pytest.mark.parametrize(
    ("wish", "message"), [({"folds": 1}, "at least 2"), ({"write_labels": "a.txt"}, "CSV")]
)
def test_mistakes_are_explained(tmp_path, wish, message):
    with pytest.raises(UserError, match=message):
        tr.audit(tmp_path / "r1", **wish)
