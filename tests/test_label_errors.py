"""Which labels are wrong, by predictions and given labels."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tune_robust.label_errors import average_precision, label_errors

N, K = 1000, 5


def case(rate, quality=0.9, seed=0, transition=None):
    """True and given labels, and the probabilities of two networks that are often right."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, K, N)
    if transition is None:
        other = (true + generator.integers(1, K, N)) % K
        given = np.where(generator.random(N) < rate, other, true)
    else:
        given = np.array([generator.choice(K, p=transition[label]) for label in true])
    right = generator.random((2, N)) < quality
    predicted = np.where(right, true, generator.integers(0, K, (2, N)))
    probabilities = 0.1 + 0.5 * np.eye(K)[predicted]
    return true, given, probabilities


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_wrong_labels_are_found_and_counted(rate):
    true, given, probabilities = case(rate)
    found = label_errors(probabilities, given)
    wrong = given != true
    assert average_precision(found.wrong, wrong) > 0.95
    assert found.low <= wrong.mean() <= found.high
    assert (found.likely == true).mean() > 0.93


def test_right_labels_are_left_alone():
    _, given, probabilities = case(0.0, quality=1.0)
    found = label_errors(probabilities, given)
    assert found.rate < 0.01
    assert (found.likely == given).all()


def test_the_transition_matrix_is_that_of_the_noise():
    transition = np.eye(K) * 0.6 + 0.4 * np.roll(np.eye(K), 1, axis=1)
    _, given, probabilities = case(0.4, transition=transition)
    found = label_errors(probabilities, given)
    assert found.transition == pytest.approx(transition, abs=0.1)
    assert found.transition.sum(axis=1) == pytest.approx(1)


def test_the_result_does_not_depend_on_the_order_of_images_or_classes():
    _, given, probabilities = case(0.3)
    found = label_errors(probabilities, given)
    order, names = np.random.default_rng(1).permutation(N), np.array([3, 1, 4, 0, 2])
    renamed = probabilities[:, order][:, :, np.argsort(names)]
    other = label_errors(renamed, names[given[order]])
    assert other.wrong == pytest.approx(found.wrong[order], abs=1e-6)
    assert (other.likely == names[found.likely[order]]).all()


def test_a_class_without_labels_and_confident_networks_do_no_harm():
    probabilities = np.eye(3)[np.array([[0, 1, 0, 1]])]
    found = label_errors(probabilities, np.array([0, 1, 0, 1]))
    assert np.isfinite(found.wrong).all()
    assert np.isfinite(found.transition).all()


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images"):
        label_errors(np.zeros((1, 0, 3)), np.zeros(0, int))


def test_average_precision_is_that_of_scikit_learn():
    generator = np.random.default_rng(0)
    scores, positive = generator.integers(0, 20, 200) / 20, generator.random(200) < 0.3
    expected = average_precision_score(positive, scores)
    assert average_precision(scores, positive) == pytest.approx(expected)
    assert math.isnan(average_precision(scores, np.zeros(200, bool)))
