"""Errors that all trials share, which no selection by the validation labels can notice."""

import numpy as np

from tune_robust.runs.agreement import shared_confusion

GENERATOR = np.random.default_rng(0)
TRUE = np.arange(400) % 4
SWAPPED = np.where(TRUE == 2, 3, TRUE)
"""What a network predicts that has learned class 3 for class 2."""


def given(wrong_of_2):
    """Labels of which this fraction of class 2 is given as 3."""
    flipped = (TRUE == 2) & (GENERATOR.random(400) < wrong_of_2)
    return np.where(flipped, 3, TRUE)


def with_errors(predicted, fraction):
    wrong = GENERATOR.random((5, 400)) < fraction
    return np.where(wrong, GENERATOR.integers(0, 4, (5, 400)), predicted)


def test_a_class_that_no_trial_predicts_is_named():
    text = shared_confusion(np.stack([SWAPPED] * 5), given(0.7), 4)
    assert text.startswith("No trial predicts class 2, although ")
    assert "no selection by these labels can notice it" in text


def test_trials_that_agree_on_everything_cannot_be_told_apart():
    text = shared_confusion(np.stack([TRUE] * 5), given(0.4), 4)
    assert "The 5 best trials predict the same classes for 100.0%" in text


def test_trials_that_differ_are_compared_without_a_warning():
    assert shared_confusion(with_errors(TRUE, 0.2), given(0.4), 4) is None


def test_a_class_that_one_trial_predicts_is_not_missing():
    predicted = np.stack([TRUE, *[SWAPPED] * 4])
    assert shared_confusion(predicted, given(0.7), 4) is None


def test_two_trials_are_too_few_for_a_warning():
    assert shared_confusion(np.stack([TRUE] * 2), given(0.4), 4) is None
