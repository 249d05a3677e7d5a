"""Self-training and averaging in the loop: what is trained on, evaluated, saved and counted."""

import pytest
import torch

from tests.training.test_presets import config
from tune_robust.data import load_dataset, make_splits
from tune_robust.methods import BatchLoss
from tune_robust.training import read_checkpoint, train


@pytest.fixture(scope="module")
def splits():
    data = config("sgd").data
    return make_splits(data, load_dataset(data))


@pytest.fixture
def watched(monkeypatch):
    """The labels that the batches of each epoch had, by position."""
    from tune_robust.data import Batches

    epochs = []
    original = Batches.__iter__

    def watching(self):
        epochs.append(self.part.labels.clone())
        yield from original(self)

    monkeypatch.setattr(Batches, "__iter__", watching)
    return epochs


def logits_of(model, part, splits):
    scale = (255 * torch.tensor([splits.mean, splits.std]))[:, None, :, None, None]
    with torch.no_grad():
        return model.eval()((part.images.float() - scale[0]) / scale[1])


def test_the_second_round_trains_on_the_first_ones_predictions(splits, watched):
    results = train(config("bootstrap_sgd"), splits=splits)
    next(results)
    first = next(results)
    predicted = logits_of(first.model, splits.train, splits).argmax(1)
    rest = list(results)
    assert [r.epoch for r in rest] == [3, 4]
    for labels in watched[:2]:
        assert torch.equal(labels, splits.train.labels)
    for labels in watched[2:]:
        assert torch.equal(labels, predicted)
    assert not torch.equal(predicted, splits.train.labels)


def test_a_round_starts_from_scratch_with_its_schedules(splits):
    results = list(train(config("bootstrap_sam", epochs=3), splits=splits))
    one, two = results[:3], results[3:]
    assert [r.metrics["lr"] for r in one] == [r.metrics["lr"] for r in two]
    assert one[0].model is one[2].model is not two[0].model
    learned = [r.metrics["val_loss"] for r in (one[0], one[2], two[0])]
    assert learned[0] > learned[1]
    assert [r.metrics["gradient_evaluations"] for r in results] == [2, 4, 6, 8, 10, 12]


def test_the_fits_keep_referring_to_the_given_labels(splits):
    *_, last = train(config("bootstrap_sgd", epochs=25, mixup={"alpha": 0.01}), splits=splits)
    predicted = logits_of(last.model, splits.train, splits).argmax(1)
    hit, noisy = (predicted == splits.train.labels).float(), splits.train.noisy
    assert last.metrics["clean_fit"] == pytest.approx(hit[~noisy].mean().item())
    assert last.metrics["noisy_fit"] == pytest.approx(hit[noisy].mean().item())


@pytest.mark.parametrize("average", [{"kind": "swa", "start": 0.5}, {"kind": "ema", "start": 0.6}])
def test_the_averaged_network_is_evaluated_and_saved_once_it_has_begun(splits, tmp_path, average):
    settings = config("sgd", epochs=4, average=average)
    begun = []
    for result in train(settings, splits=splits):
        result.save(tmp_path / "last.pt")
        state = read_checkpoint(tmp_path / "last.pt").state
        own = all(torch.equal(t, state["network"][n]) for n, t in state["model"].items())
        begun.append(not own)
        weights = result.model.state_dict()
        assert all(torch.equal(t, weights[n]) for n, t in state["model"].items())
        logits = logits_of(result.model, splits.test, splits)
        hit = (logits.argmax(1) == splits.test.labels).float().mean().item()
        assert result.metrics["test_accuracy"] == pytest.approx(hit, abs=1e-6)
    # The mean of a single epoch's weights differs in BatchNorm's statistics, measured anew.
    assert begun == [False, True, True, True] if average["kind"] == "swa" else [*begun[:2], 1, 1]


def test_averaging_does_not_disturb_the_network_that_trains(splits, tmp_path):
    for name, average in (("with", "swa"), ("without", None)):
        settings = config("sgd", epochs=1, average=average)
        next(train(settings, splits=splits)).save(tmp_path / name)
    ours, theirs = (read_checkpoint(tmp_path / n).state["network"] for n in ("with", "without"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_both_passes_of_a_sam_step_see_the_same_blend(splits, monkeypatch):
    seen = []

    def watching(self, logits, features, labels, plan=None, original=BatchLoss.__call__):
        seen.append(labels)
        return original(self, logits, features, labels, plan)

    monkeypatch.setattr(BatchLoss, "__call__", watching)
    next(train(config("sam", mixup={"alpha": 8.0}), splits=splits))
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(first, second)
        assert first.shape == (32, 10)
    assert not torch.equal(seen[0], seen[2])


def test_estimating_batch_norm_is_no_gradient_evaluation(splits):
    *_, last = train(config("sgd", epochs=3, average="ema"), splits=splits)
    assert last.metrics["gradient_evaluations"] == 3


def test_a_bootstrap_after_averaging_learns_from_the_averaged_network(splits, watched):
    results = train(config("swa", bootstrap_rounds=2), splits=splits)
    next(results)
    averaged = logits_of(next(results).model, splits.train, splits).argmax(1)
    watched.clear()
    next(results)
    assert torch.equal(watched[0], averaged)


def test_a_continued_round_goes_on_with_the_same_network_on_its_own_predictions(splits, watched):
    """The report's self-training: only the labels and the schedules start again."""
    results = list(train(config("bootstrap_sgd", bootstrap_network="continued"), splits=splits))
    assert [r.epoch for r in results] == [1, 2, 3, 4]
    assert len({id(r.model) for r in results}) == 1
    assert torch.equal(watched[0], splits.train.labels)
    assert torch.equal(watched[2], watched[3])
    assert not torch.equal(watched[2], splits.train.labels)
    assert results[2].metrics["lr"] == results[0].metrics["lr"]


@pytest.mark.parametrize("saved", [2, 3])
def test_a_continued_round_resumes_bit_for_bit(splits, tmp_path, saved):
    settings = config("bootstrap_sam", bootstrap_network="continued", average="ema")
    whole = []
    for result in train(settings, splits=splits):
        whole.append(result)
        if result.epoch == saved:
            result.save(tmp_path / "last.pt")
    rest = list(train(settings, splits=splits, resume=tmp_path / "last.pt"))
    ours, theirs = rest[-1].model.state_dict(), whole[-1].model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
