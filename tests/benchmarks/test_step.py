"""The benchmark of the step runs and says what it promises."""

import pytest


@pytest.mark.e2e
def test_prints_one_object(measured_by, monkeypatch):
    import step

    monkeypatch.setattr(step, "RESNET20", step.RESNET20._replace(batch=2))
    found = measured_by(step, "--quick", "--rounds", "2")
    assert set(found) == {"ratios", "machine", "n"}
    assert found["n"] == 2
    names = ["sam_over_two_passes", "asam_over_two_passes", "saner_over_sam", "slaw_over_ce"]
    assert {n + suffix for n in names for suffix in ("", "_small")} <= set(found["ratios"])
    assert all(ratio > 0 for ratio in found["ratios"].values())
