"""The benchmark of time to quality runs and says what it promises."""

from dataclasses import replace

import pytest

RECORDINGS = {"digits", "cifar10n"}


@pytest.mark.e2e
def test_prints_one_object(measured_by, monkeypatch):
    """On every third trial of each recording: searches of them all would take many seconds."""
    import time_to_quality

    monkeypatch.setattr(time_to_quality, "pool_of", third(time_to_quality.pool_of))
    found = measured_by(time_to_quality, "--seeds", "1")
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


def third(pool_of):
    def pool(space, folder):
        whole = pool_of(space, folder)
        return replace(whole, trials=whole.trials[::3])

    return pool
