import pytest

from analysis.surrogate.observations import read_trials


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


def test_each_trial_is_read_where_others_were_stopped_and_a_finished_one_at_its_end(run):
    seen = read_trials(run, "val_accuracy")
    budgets = seen.groupby("trial")["budget"].apply(sorted)
    assert budgets["t0001"] == [10 / 80, 28 / 80, 1.0]
    assert budgets["t0004"] == [10 / 80, 28 / 80]
    assert budgets["t0003"] == [10 / 80]
    early = seen[(seen["trial"] == "t0001") & (seen["budget"] == 10 / 80)].iloc[0]
    epochs = run.epochs[run.epochs["trial"] == "t0001"].set_index("epoch")
    assert early["value"] == epochs.loc[5, "val_accuracy"]


def test_budgets_that_hardly_differ_are_one(build):
    """A method with one pass a step ends an epoch where one with two passes is within it."""
    run = build.load(
        [
            build.trial(1, {"sam.rho": 0.5}),
            build.trial(2, {"sam.rho": 0.1}, status="stopped", epochs=5),
            build.trial(3, {"sam.rho": 0.2}, status="stopped", epochs=11, passes=1),
        ]
    )
    seen = read_trials(run, "val_accuracy")
    assert sorted(seen["budget"].unique()) == [11 / 80, 1.0]
    assert set(seen.loc[seen["budget"] < 1, "trial"]) == {"t0001", "t0002", "t0003"}


def test_of_a_search_without_a_finished_trial_the_longest_counts_as_one(build):
    run = build.load([build.trial(n, {"sam.rho": 0.1 * n}, status="running", epochs=5 * n)
                      for n in (1, 2)])  # fmt: skip
    seen = read_trials(run, "val_accuracy")
    assert seen.groupby("trial")["budget"].apply(sorted).to_dict() == {
        "t0001": [0.5], "t0002": [0.5, 1.0]
    }  # fmt: skip


def test_a_failed_trial_is_left_out(build):
    failed = build.trial(2, {"sam.rho": 0.1}, status="failed", epochs=3)
    run = build.load([build.trial(1, {"sam.rho": 0.5}), failed])
    assert set(read_trials(run, "val_accuracy")["trial"]) == {"t0001"}
