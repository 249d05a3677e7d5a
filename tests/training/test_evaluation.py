"""Evaluation against torchmetrics and against what can be counted by hand."""

import pytest
import torch
from torch import nn

from tune_robust.data import UNKNOWN
from tune_robust.information import information_error, label_information
from tune_robust.training.evaluation import (
    evaluate,
    expected_calibration_error,
    information,
    reliability,
)


@pytest.mark.parametrize("seed", range(5))
def test_ece_equals_torchmetrics(seed):
    generator = torch.Generator().manual_seed(seed)
    probabilities = (3 * torch.randn(500, 10, generator=generator)).softmax(1)
    labels = torch.randint(0, 10, (500,), generator=generator)
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    theirs = torchmetrics.multiclass_calibration_error(probabilities, labels, 10, n_bins=15)
    torch.testing.assert_close(
        expected_calibration_error(reliability(probabilities, labels)), theirs
    )


def test_certainty_belongs_to_the_last_bin():
    probabilities = torch.eye(4)
    assert expected_calibration_error(reliability(probabilities, torch.arange(4))) == 0
    bins = reliability(probabilities, torch.zeros(4, dtype=torch.long))
    assert expected_calibration_error(bins) == 0.75
    assert bins[-1].tolist() == [1.0, 1.0, 0.25]
    assert not bins[:-1].any()


def test_evaluate_counts_against_given_and_true_labels():
    model = nn.Sequential(nn.Identity(), nn.Dropout(0.9))
    logits = 10 * torch.eye(3)[[0, 1, 2, 0]]
    given, true = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 2, 1])
    batches = [(logits[:3], given[:3]), (logits[3:], given[3:])]
    figures = evaluate(model, batches, true, model)
    assert figures.accuracy == 0.75
    assert figures.accuracy_true == 0.75
    assert figures.loss == pytest.approx(nn.functional.cross_entropy(logits, given).item())
    assert model.training


def test_information_counts_predicted_classes_by_given_labels():
    predicted, labels = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 1, 1, 2, 2, 0])
    counts = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    found, error = information(torch.eye(3)[predicted], labels)
    assert found == pytest.approx(float(label_information(counts)))
    assert error == pytest.approx(float(information_error(counts)))


def test_reliability_bins_hold_shares_confidences_and_accuracies():
    probabilities = torch.tensor([[0.9, 0.1], [0.88, 0.12], [0.3, 0.7], [0.45, 0.55]])
    bins = reliability(probabilities, torch.tensor([0, 1, 1, 0]))
    filled = bins[bins[:, 0] > 0]
    expected = torch.tensor([[0.25, 0.55, 0.0], [0.25, 0.7, 1.0], [0.5, 0.89, 0.5]])
    torch.testing.assert_close(filled, expected)


@pytest.mark.parametrize("spoilt", ["truth", "logits"])
def test_what_is_not_finite_has_no_bins(spoilt):
    logits = torch.eye(3) * (float("nan") if spoilt == "logits" else 1.0)
    true = torch.full((3,), UNKNOWN) if spoilt == "truth" else torch.arange(3)
    figures = evaluate(nn.Identity(), [(logits, torch.arange(3))], true, lambda inputs: inputs)
    assert figures.reliability == []
