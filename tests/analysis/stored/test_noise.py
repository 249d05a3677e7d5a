import pytest

from analysis.stored.noise import ceiling, noise_rate


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


def test_a_loss_has_no_such_ceiling(build):
    objective = {"metric": "val_loss", "mode": "min", "at": "last"}
    assert ceiling(build.load([build.trial(1, {})], space=build.space(objective=objective))) is None


def test_nothing_is_claimed_where_nobody_knows(build):
    run = build.load([build.trial(1, {})])
    run.meta["wrong_labels"] = {"train": None, "validation": None}
    assert noise_rate(run) is None
    assert ceiling(run) is None
    del run.meta["wrong_labels"]
    assert noise_rate(run) is None
