import numpy as np
import pytest

from analysis.surrogate.observations import credited, read_trials


@pytest.fixture
def run(build):
    return build.load(
        [
            build.trial(1, {"sam.rho": 0.5}, good=0.9),
            build.trial(2, {"sam.rho": 0.6}, good=0.8),
            build.trial(3, {"sam.rho": 0.1}, good=0.1, status="stopped", epochs=5),
            build.trial(4, {"sam.rho": 0.2}, good=0.1, status="stopped", epochs=14),
        ]
    )


def test_each_trial_is_read_at_its_end_and_at_the_rungs_before(run):
    readings = read_trials(run, "val_accuracy")
    rungs = readings.groupby("trial")["rung"].apply(sorted)
    assert rungs["t0001"] == [10, 28, np.inf]
    assert rungs["t0004"] == [10, np.inf]
    assert rungs["t0003"] == [np.inf]
    early = readings[(readings["trial"] == "t0001") & (readings["rung"] == 10)].iloc[0]
    epochs = run.epochs[run.epochs["trial"] == "t0001"].set_index("epoch")
    assert early["value"] == epochs.loc[5, "val_accuracy"]
    assert early["spent"] == 10


def test_a_stopped_trial_is_credited_with_what_the_finished_ones_gained(run):
    readings = read_trials(run, "val_accuracy")
    values = readings["value"].to_numpy()
    done = readings[readings["status"] == "done"].groupby("rung")["value"].mean()
    keys = readings["trial"] + readings["rung"].astype(str)
    given = dict(zip(keys, credited(values, readings), strict=True))
    stopped = readings[readings["trial"] == "t0003"].iloc[0]
    assert given["t0003inf"] == pytest.approx(stopped["value"] + done[np.inf] - done[10])
    end = readings[(readings["trial"] == "t0001") & (readings["rung"] == np.inf)].iloc[0]
    assert given["t0001inf"] == end["value"]


def test_nothing_is_credited_before_a_trial_has_finished(build):
    run = build.load([build.trial(1, {"sam.rho": 0.1}, status="stopped", epochs=5)])
    readings = read_trials(run, "val_accuracy")
    values = readings["value"].to_numpy()
    np.testing.assert_array_equal(credited(values, readings), values)
