"""One table says of every metric what it is called and what may be done with it."""

import numpy as np
import pytest

from tune_robust.metrics import (
    AGAINST,
    DIAGNOSTIC,
    EPOCH_LINE,
    GAUGES,
    HPARAMS,
    METRICS,
    OBJECTIVES,
    TIMINGS,
    metric,
    sign_of,
)


def test_nothing_may_be_selected_by_a_diagnostic():
    assert {"test_accuracy", "noisy_fit", "val_accuracy_clean"} <= DIAGNOSTIC
    assert not DIAGNOSTIC & {*OBJECTIVES, *AGAINST}
    assert {*OBJECTIVES, *AGAINST} <= {*METRICS}


def test_every_selection_of_metrics_names_rows_of_the_table():
    assert {*EPOCH_LINE, *GAUGES, *HPARAMS, *TIMINGS} <= {*METRICS}


def test_every_metric_has_a_title_of_its_own_that_is_no_identifier():
    titles = [about.title for about in METRICS.values()]
    assert len(set(titles)) == len(METRICS)
    assert not [title for title in titles if "_" in title and "p_r" not in title]


@pytest.mark.parametrize(
    ("name", "mode"), [("val_accuracy", "max"), ("val_loss", "min"), ("noisy_fit", "min")]
)
def test_directions(name, mode):
    assert metric(name).mode == mode
    values = np.array([0.1, 0.7])
    assert (sign_of(mode) * values).argmax() == (values.argmax() if mode == "max" else 0)


def test_an_unknown_metric_goes_by_its_own_name():
    assert metric("my_metric").title == "my metric"
    assert not metric("my_metric").is_fraction
