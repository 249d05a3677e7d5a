"""An audit of labels by the predictions that a search stored, and by networks trained for it."""

import hashlib
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import tune_robust as tr
from analysis.report.page import render
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
from tune_robust.tuning.engine import searching
from tune_robust.tuning.engine.searching import Interrupted
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


@pytest.fixture
def folds_run(monkeypatch):
    """In place of Ray: each trial predicts the true labels; ``stop_after`` interrupts the run."""
    done = SimpleNamespace(trained=[], stop_after=None, fails=())

    def run_search(space, store, storage, *_, request, retry_failed, adds_trials):
        with closing(store):
            request()
            if retry_failed:
                store.retry_failed()
            for trial in [t for t in store.trials.values() if t.status not in ("done", "failed")]:
                fold = trial.config["data"]["fold"]["index"]
                if len(done.trained) == done.stop_after:
                    raise Interrupted(store.folder.place, len(done.trained), space.trials)
                store.start(trial.name)
                if fold in done.fails:
                    store.end(trial.name, "failed", error="boom")
                    continue
                done.trained.append(fold)
                predict_the_truth(store, trial, space)
            return SimpleNamespace(trials=dict(store.trials))

    monkeypatch.setattr(searching, "run_search", run_search)
    return done


def predict_the_truth(store, trial, known):
    config = parse_config(trial.config, trial.name)
    part = make_splits(config.data, load_dataset(config.data)).validation
    store.add_epoch(trial.name, 6, {"val_information": 0.5, "gradient_evaluations": 1.0})
    moments, place = known.record.predictions, store.folder.predictions
    kept = KeptPredictions(place, trial.name, moments, 6, objective_of(known), trial.config)
    result = SimpleNamespace(
        epoch=6,
        metrics={known.objective.metric: 0.5},
        validation_probabilities=torch.from_numpy(0.03 + 0.7 * np.eye(10)[part.true_labels]),
    )
    kept.save(result, part)
    store.end(trial.name, "done")


def test_folds_audit_all_labels_and_an_interrupted_audit_trains_the_missing_ones(
    tmp_path, folds_run
):
    _, trials = searched(tmp_path / "r1")
    folds_run.stop_after = 2
    with pytest.raises(Interrupted):
        tr.audit(tmp_path / "r1", folds=3, progress=False)
    folds_run.stop_after = None
    found = tr.audit(tmp_path / "r1", folds=3, progress=False)
    assert folds_run.trained == [1, 2, 3]
    assert tr.audit(tmp_path / "r1", folds=3, progress=False)["rate"] == found["rate"]
    assert folds_run.trained == [1, 2, 3]  # nothing is trained again
    assert (found["folds"], found["images"]) == (3, 600)
    assert found["truth"]["average_precision"] > 0.95
    config = parse_config(trials[0].config, "t0001").data
    splits = make_splits(config, load_dataset(config))
    table = pd.read_csv(tmp_path / "r1" / "audit" / "labels.csv").set_index("index")
    for name in ("train", "validation"):
        part = getattr(splits, name)
        rows = table.loc[part.positions.tolist()]
        assert set(rows["part"]) == {name}
        assert rows["given"].tolist() == part.labels.tolist()


def test_other_numbers_of_folds_are_added_to_the_same_run(tmp_path, folds_run):
    searched(tmp_path / "r1")
    for folds in (2, 3):
        assert tr.audit(tmp_path / "r1", folds=folds, progress=False)["folds"] == folds
    folder = RunFolder(tmp_path / "r1" / "folds")
    folds = [trial.config["data"]["fold"] for trial in read_trials(folder).values()]
    assert folds == [{"index": i, "of": k} for k in (2, 3) for i in range(1, k + 1)]
    with pytest.raises(UserError, match="retrains trials of r1"):
        tr.audit(folder.path)
    assert "These are the folds of an audit" in render(load_run(folder.path))


def test_a_failed_fold_is_said_and_trained_again_by_the_same_call(tmp_path, folds_run):
    searched(tmp_path / "r1")
    folds_run.fails = (2,)
    with pytest.raises(UserError, match="1 fold of 2 failed"):
        tr.audit(tmp_path / "r1", folds=2, progress=False)
    folds_run.fails = ()
    assert tr.audit(tmp_path / "r1", folds=2, progress=False)["images"] == 600
    assert folds_run.trained == [1, 2]


def test_folds_of_changed_labels_are_noticed(tmp_path, folds_run):
    labels = tmp_path / "labels.csv"
    searched(tmp_path / "r1", noise=mislabelled(labels), subset=None)
    tr.audit(tmp_path / "r1", folds=2, progress=False)
    table = pd.read_csv(labels)
    table["label"] = (table["label"] + 1) % 10
    table.to_csv(labels, index=False)
    with pytest.raises(UserError, match=r"has changed\. Restore it, or delete .*folds"):
        tr.audit(tmp_path / "r1", folds=2, progress=False)


def test_folds_that_an_earlier_version_trained_are_used(tmp_path, folds_run):
    """They are with the predictions of the run's trials, in the order of the fold's images."""
    _, trials = searched(tmp_path / "r1")
    folder = RunFolder(tmp_path / "r1")
    objective = objective_of(space())
    best = ranked(trials, objective)[0]
    data = parse_config(best.config, best.name).data
    splits = make_splits(data, load_dataset(data))
    images = torch.stack(
        [
            torch.cat([getattr(part, kind) for part in (splits.train, splits.validation)])
            for kind in ("labels", "positions", "true_labels")
        ]
    ).numpy()
    digest = hashlib.sha256(images[:2].astype("<i8").tobytes()).hexdigest()[:8]
    of_fold = np.random.default_rng(data.seed).permutation(600) % 3 == 1
    held_out = splits.train.take(torch.zeros(of_fold.sum(), dtype=torch.long))
    given, positions, true = map(torch.from_numpy, images[:, of_fold])
    held_out = replace(held_out, labels=given, positions=positions, true_labels=true)
    name = f"{best.name}-{digest}-fold-2-of-3"
    kept = KeptPredictions(folder.predictions, name, ("last",), 6, objective, best.config)
    probabilities = torch.from_numpy(0.03 + 0.7 * np.eye(10)[true])
    metrics = {objective.metric: 0.5}
    kept.save(
        SimpleNamespace(epoch=6, metrics=metrics, validation_probabilities=probabilities), held_out
    )
    found = tr.audit(tmp_path / "r1", folds=3, progress=False)
    assert folds_run.trained == [1, 3]
    assert found["truth"]["average_precision"] > 0.95


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
