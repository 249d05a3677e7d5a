"""Numbers and words as they are shown."""

import pytest

from tune_robust.formatting import count, duration, listed, short, size


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names, text):
    assert listed(names) == text


def test_a_count_has_its_noun_in_the_right_number():
    assert (count(0, "trial"), count(1, "trial"), count(2, "trial")) == (
        "0 trials",
        "1 trial",
        "2 trials",
    )


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (180, "3 min"), (9000, "2.5 h")])
def test_a_duration_has_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("n", "text"), [(512, "512 B"), (31_400_000, "31.4 MB")])
def test_a_size_has_the_unit_that_fits(n, text):
    assert size(n) == text


@pytest.mark.parametrize(("value", "text"), [(0.123456, "0.1235"), (None, "-"), ("sam", "sam")])
def test_a_value_is_short(value, text):
    assert short(value) == text
