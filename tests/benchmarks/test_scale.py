"""The scale benchmark runs, and what it prints holds together."""

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def assert_whole(found, trials):
    assert [run["trials"] for run in found["runs"]] == [trials]
    assert set(found["ratios"]) == {f"proposal_{trials}", f"decision_{trials}"}
    for run in found["runs"]:
        assert run["trials"] <= run["epochs"] <= 40 * run["trials"]
        assert min(run["reopen_s"], run["status_s"], run["report_s"], run["disk_kb_per_trial"]) > 0


def test_it_compares_late_with_early(measured_apart):
    assert_whole(measured_apart("scale.py", "--quick", "--trials", "64"), 64)


def test_it_measures_the_same_through_ray(measured_apart):
    options = ["--trials", "8", "--at-a-time", "1"]  # each of Ray's processes takes seconds
    assert_whole(measured_apart("scale.py", "--quick", "--ray", *options), 8)
