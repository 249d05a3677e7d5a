"""What a search's own labels cannot show: errors that all its trials share.

A selection by validation labels compares trials with each other. If all of them predict the same
classes, or none ever predicts some class, then no metric on these labels can notice that they are
wrong together.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from tune_robust.errors import UserError
from tune_robust.formatting import listed
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.predictions import read_labels, read_predictions
from tune_robust.runs.trial import Trial

MOST = 20
"""How many trials are compared, so that the time is bounded."""
_FEWEST = 3
_SAME = 0.99
_GIVEN_OFTEN = 10  # images with the label of a class, at least
_NEVER = 0.05  # as often predicted as given, at most


def shared_confusion(predicted: np.ndarray, given: np.ndarray, classes: int) -> str | None:
    """Return a sentence on the errors that the labels could not show; None if there is no sign.

    Args:
        predicted: int (T, N), the classes that T trials predict for N validation images.
        given: int (N,), their given labels.
        classes: the number of classes.
    """
    if len(predicted) < _FEWEST:
        return None
    votes = np.stack([np.bincount(column, minlength=classes) for column in predicted.T])
    as_label = np.bincount(given, minlength=classes)
    as_prediction = np.stack([np.bincount(row, minlength=classes) for row in predicted]).max(axis=0)
    often = as_label >= _GIVEN_OFTEN
    missing = np.flatnonzero(often & (as_prediction <= _NEVER * as_label))
    if missing.size:
        names = listed([str(each) for each in missing])
        one = missing.size == 1
        return (
            f"No trial predicts class{'' if one else 'es'} {names}, although "
            f"{as_label[missing].sum() / len(given):.0%} of the validation labels are of "
            f"{'it' if one else 'them'}. If most labels of a class are wrong in the same way, the "
            "trials learn the wrong class together, and no selection by these labels can notice it."
        )
    same = float(votes.max(axis=1).mean() / len(predicted))
    if same < _SAME:
        return None
    return (
        f"The {len(predicted)} best trials predict the same classes for {same:.1%} of the "
        "validation images. Their labels cannot tell these trials apart, and could not show an "
        "error that all of them share."
    )


def confusion_of(folder: RunFolder, best_first: Iterable[Trial]) -> str | None:
    """Return ``shared_confusion`` of the best finished trials with stored predictions.

    Only those of the first one's labels are compared. Damaged files are left out.
    """
    predicted: list[np.ndarray] = []
    labels = None
    for trial in best_first:
        if trial.status != "done" or len(predicted) == MOST:
            continue
        with suppress(UserError):
            found = read_predictions(folder.predictions, trial.name, 1.0, trial.config)
            if found is None or labels not in (None, found.labels):
                continue
            labels = found.labels
            predicted.append(found.probabilities.argmax(1))
            classes = found.probabilities.shape[1]
    if labels is None:
        return None
    with suppress(UserError):
        given = read_labels(folder.predictions, labels).given
        return shared_confusion(np.stack(predicted), given, classes)
    return None
