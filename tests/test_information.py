"""Label information: against a plain reference, and what it must reward."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.references import judges
from tune_robust.information import label_information

TABLES = arrays(np.int64, (3, 3), elements=st.integers(0, 50)).filter(lambda counts: counts.any())


@given(TABLES)
def test_it_is_the_evidence_of_its_model(counts):
    assert label_information(counts) == pytest.approx(
        judges.label_information(counts.tolist()), abs=1e-9
    )


@given(TABLES, st.permutations(range(3)))
def test_names_of_classes_do_not_matter(counts, order):
    renamed = counts[np.ix_(order, order)]
    assert label_information(renamed) == pytest.approx(label_information(counts), abs=1e-9)


@given(TABLES)
def test_it_is_at_most_what_there_is_to_know(counts):
    assert label_information(counts) <= math.log(3) + 1e-9


def table(predicted, labels, classes=10):
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (predicted, labels), 1)
    return counts


@pytest.fixture(scope="module")
def true():
    return np.random.default_rng(0).integers(0, 10, 2000)


def test_networks_that_learned_the_confusion_score_below_the_true_labels(true):
    """Of classes whose neighbour is as frequent a label, accuracy cannot tell which is right."""
    generator = np.random.default_rng(1)
    labels = np.where(generator.random(2000) < 0.49, (true + 1) % 10, true)
    mixed = np.where(generator.random(2000) < 0.5, (true + 1) % 10, true)
    right, confused = label_information([table(true, labels), table(mixed, labels)])
    assert right > confused + 0.1


def test_symmetric_noise_is_judged_as_accuracy_judges_it(true):
    """Also where the noise is so high that chance outweighs it in the mutual information."""
    generator = np.random.default_rng(2)
    labels = np.where(generator.random(2000) < 0.8, generator.integers(0, 10, 2000), true)
    wrong = np.linspace(0, 1, 6)
    tables = [
        table(np.where(generator.random(2000) < w, generator.integers(0, 10, 2000), true), labels)
        for w in wrong
    ]
    scores, accuracies = label_information(tables), [np.trace(counts) for counts in tables]
    assert np.argsort(scores).tolist() == np.argsort(accuracies).tolist()
    assert scores[-1] == pytest.approx(0, abs=0.01)


def test_a_constant_prediction_says_nothing(true):
    assert label_information(table(np.zeros(2000, int), true)) == pytest.approx(0, abs=0.01)


def test_tables_are_scored_together_as_alone(true):
    tables = np.stack([table(true, true), table(true, (true + 1) % 10), np.zeros((10, 10), int)])
    scores = label_information(tables.reshape(3, 1, 10, 10))
    assert scores.shape == (3, 1)
    assert scores[:2, 0] == pytest.approx([label_information(one) for one in tables[:2]])
    assert math.isnan(scores[2, 0])
