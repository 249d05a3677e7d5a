"""The benchmark of time to quality runs and says what it promises."""

import pytest

RECORDINGS = {"digits", "cifar10n"}


@pytest.mark.e2e
def test_prints_one_object(measured):
    found = measured("time_to_quality.py", "--seeds", "1")
    assert set(found) == {
        "ratios",
        "share_of_the_grid",
        "trials_started",
        "reached",
        "machine",
        "n",
    }
    assert set(found["share_of_the_grid"]) == set(found["reached"]) == RECORDINGS
    for name in RECORDINGS:
        # Without early stopping a search that goes on to the end has seen the best.
        assert found["reached"][name]["random"] == found["reached"][name]["tpe"] == 1
        assert 0 < found["share_of_the_grid"][name]["random"]["median"] <= 1
        assert f"default_over_random_{name}" in found["ratios"]
