"""The benchmark of start-up times runs and says what it promises."""

import pytest


@pytest.mark.e2e
def test_prints_one_object(measured_apart):
    found = measured_apart("start_up.py", "--quick")
    assert set(found) == {"ratios", "seconds", "stages", "limits", "machine", "n"}
    assert set(found["limits"]) < set(found["seconds"])
    stages = sum(stage["median"] for stage in found["stages"].values())
    assert stages == pytest.approx(found["seconds"]["first_trial"]["median"])
    assert all(ratio > 0 for ratio in found["ratios"].values())
