import math

import pytest

from analysis.stored.noise import ceiling, is_truth_known, limits, noise_rate


def space(build, **data):
    return build.space(train={"data": {"dataset": "digits", **data}})


@pytest.mark.parametrize(
    ("data", "rate", "perfect"),
    [
        ({"noise": {"kind": "symmetric", "rate": 0.4}}, 0.4, 0.6),
        (
            {"noise": {"kind": "symmetric", "rate": 0.4}, "validation": {"labels": "clean"}},
            0.4,
            None,
        ),
        ({"noise": {"kind": "none"}}, 0.0, None),
    ],
)
def test_noise_lowers_what_a_perfect_model_scores(build, data, rate, perfect):
    run = build.load([build.trial(1, {})], space=space(build, **data))
    assert noise_rate(run) == rate
    assert ceiling(run) == (None if perfect is None else pytest.approx(perfect))


def test_scores_clearly_above_the_ceiling_lift_it(build):
    build_space = space(build, noise={"kind": "symmetric", "rate": 0.4})
    run = build.load([build.trial(1, {}, good=1.0)], space=build_space)
    assert limits(run, "val_accuracy") == (0, 0.6, 360, 0)
    assert limits(run, "test_accuracy") == (0, 1, 400, 0)
    run.epochs.loc[:, "val_accuracy"] = 0.64  # within two standard errors of 60 %
    assert limits(run, "val_accuracy").high == 0.6
    run.epochs.loc[:, "val_accuracy"] = 0.7
    assert limits(run, "val_accuracy").high == 1


def test_the_sampling_error_is_binomial(build):
    found = limits(build.load([build.trial(1, {})]), "val_accuracy")
    assert found.error(0.5) == pytest.approx((0.25 / 360) ** 0.5)
    assert found._replace(images=None).error(0.5) == 0


def test_a_loss_is_bounded_by_nothing(build):
    found = limits(build.load([build.trial(1, {})]), "val_loss")
    assert (found.low, found.high, found.error(2.0)) == (-math.inf, math.inf, 0)


def test_a_loss_has_no_such_ceiling(build):
    objective = {"metric": "val_loss", "mode": "min", "at": "last"}
    assert ceiling(build.load([build.trial(1, {})], space=build.space(objective=objective))) is None


def test_nothing_is_claimed_where_nobody_knows(build):
    run = build.load([build.trial(1, {})])
    run.meta["wrong_labels"] = {"train": None, "validation": None}
    assert noise_rate(run) is None
    assert ceiling(run) is None
    assert not is_truth_known(run)
    del run.meta["wrong_labels"]
    assert noise_rate(run) is None


def test_other_metrics_have_the_error_that_their_trials_recorded(build):
    extra = {"val_information": 0.5, "val_information_error": 0.03}
    run = build.load([build.trial(1, {}, extra=extra)])
    assert limits(run, "val_information").error([0.4, 0.5]).tolist() == [0.03, 0.03]
    assert limits(run, "val_loss").error(0.5) == 0
