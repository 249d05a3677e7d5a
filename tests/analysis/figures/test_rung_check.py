import pytest

from analysis import rung_check, rung_check_data

TRAIN = {
    "data": {"dataset": "digits", "validation": {"size": 0.2}},
    "model": {"name": "small_cnn"},
    "optimizer": {"name": "sgd", "lr": 0.05},
    "method": "saner",
    "epochs": 40,
}
BUDGET = {
    "trials": 12,
    "unit": "gradient_evaluations",
    "scheduler": "asha",
    "grace": 10,
    "reduction": 2,
}


def with_sentinels(build, count):
    trials = [
        build.trial(i, {"sam.rho": 0.05 * i, "saner.alpha": 0.5}, sentinel=i <= count)
        for i in range(1, 13)
    ]
    space = build.space(train=TRAIN, budget=BUDGET)
    return build.load(trials, space=space)


def test_every_rung_has_its_correlation(build):
    table = rung_check_data(with_sentinels(build, 8))
    assert table["resource"].tolist() == [10, 20, 40]
    assert table["n"].eq(8).all()
    assert (table["low"] <= table["correlation"]).all()
    assert table["correlation"].iloc[-1] > 0.5


def test_without_early_stopping_all_trials_are_left_alone(build):
    trials = [build.trial(i, {"sam.rho": 0.05 * i, "saner.alpha": 0.5}) for i in range(1, 10)]
    budget = {**BUDGET, "scheduler": "none"}
    run = build.load(trials, space=build.space(train=TRAIN, budget=budget))
    assert rung_check_data(run)["n"].eq(9).all()


def test_a_best_that_would_be_dropped_is_marked(build):
    def late(rises):
        return [0.1 + 0.01 * e if not rises else (0.0 if e < 30 else 0.9) for e in range(40)]

    trials = [
        build.trial(
            i,
            {"sam.rho": 0.05 * i, "saner.alpha": 0.5},
            sentinel=True,
            extra={"val_accuracy": late(rises=i == 12)},
        )
        for i in range(1, 13)
    ]
    run = build.load(trials, space=build.space(train=TRAIN, budget=BUDGET))
    assert rung_check_data(run)["drops_best"].any()
    assert "would drop the best" in {trace.name for trace in rung_check(run).data}


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_are_said(build, count):
    figure = rung_check(with_sentinels(build, count))
    assert "Too few trials" in figure.layout.annotations[0].text.replace("<br>", " ")
