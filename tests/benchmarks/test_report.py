"""The benchmark of the report runs and says what it promises."""

import pytest


@pytest.mark.e2e
def test_prints_one_object(measured):
    found = measured("report.py", "--quick", "--trials", "40", "--epochs", "10")
    assert set(found) == {"ratios", "measured", "machine", "n"}
    assert set(found["ratios"]) == {"seconds", "megabytes"}
    assert 0 < found["ratios"]["megabytes"] < 1
