import math

import pytest

from analysis.formatting import difference, duration, number, plain, score
from tune_robust.formatting import count


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.48371, "0.484"),
        (50.0, "50"),
        (12345.0, "12,345"),
        (1234.5, "1234"),
        (1e-5, "1e-05"),
        (math.inf, "inf"),
        (math.nan, "–"),
        (None, "–"),
        ("step_decay", "step_decay"),
        (True, "true"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_shares_are_percent():
    assert score("val_accuracy", 0.9718) == "97.2%"
    assert score("val_loss", 1.2345) == "1.23"
    assert difference("val_accuracy", 0.131) == "13.1 points"
    assert difference("val_loss", 0.131) == "0.131"


def test_counts_agree():
    assert (count(1, "trial"), count(2000, "trial")) == ("1 trial", "2,000 trials")


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (200, "3 min"), (9000, "2.5 h")])
def test_durations_read_easily(seconds, text):
    assert duration(seconds) == text


def test_markup_is_shown_not_obeyed():
    assert plain("<b>&") == "&lt;b&gt;&amp;"
