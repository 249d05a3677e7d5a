"""The heat map of label noise."""

import numpy as np
import pytest

from tune_robust.api.transition_matrix import transition_matrix
from tune_robust.data.summary import Summary
from tune_robust.errors import UserError


def summary(matrix, classes):
    names = tuple(f"c{k}" for k in range(classes))
    counts = np.full(classes, 10)
    rate = None if matrix is None else 0.25
    return Summary("digits", 10 * classes, 5, (1, 8, 8), names, counts, rate, matrix)


def test_cells_are_percent_of_the_true_class():
    figure = transition_matrix(summary(np.array([[0.5, 0.5], [0.0, 1.0]]), 2))
    (heat,) = figure.data
    assert np.array_equal(heat.z, [[50, 50], [0, 100]])
    assert (heat.x, heat.y) == (("0 c0", "1 c1"), ("0 c0", "1 c1"))
    assert heat.texttemplate
    assert figure.layout.title.text == "digits: 25.00% of 20 labels are wrong"


def test_with_many_classes_the_cells_have_no_text():
    assert transition_matrix(summary(np.eye(21), 21)).data[0].texttemplate is None


def test_unknown_truth_has_nothing_to_draw():
    with pytest.raises(UserError, match="without true labels"):
        transition_matrix(summary(None, 2))
