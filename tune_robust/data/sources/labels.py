"""Checks of the labels of a source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tune_robust.errors import UserError

Place = Callable[[int], object]
"""Where the label at a position comes from, for messages."""


def numbered_classes(labels: np.ndarray, place: Place) -> tuple[str, ...]:
    """Return the names "0" to "K - 1" for labels without class names; each label must occur.

    Raises:
        UserError: a label is missing; the message names the place of a label beyond the gap.
    """
    seen, first = np.unique(labels, return_index=True)
    seen, first = seen[seen >= 0], first[seen >= 0]
    gaps = np.flatnonzero(seen != np.arange(len(seen)))
    if gaps.size:
        gap = int(gaps[0])
        raise UserError(
            f"{place(int(first[gap]))}: label {seen[gap]}, but no training image has label "
            f"{gap}. Without class names, labels must be 0 to K - 1, each of them used."
        )
    return tuple(str(label) for label in seen)


def check_labels(labels: np.ndarray, classes: int, place: Place) -> None:
    """Refuse labels outside [0, ``classes``).

    Raises:
        UserError: there is such a label; the message names the place of the first one.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        first = int(wrong[0])
        raise UserError(
            f"{place(first)}: label {labels[first]} is not one of the {classes} classes; allowed "
            f"are 0 to {classes - 1}."
        )
