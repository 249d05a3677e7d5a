import numpy as np
import pytest

from analysis import importance, importance_data

MEASURES = ["overall", "to_the_top", "at_the_top"]


def varied(build, count=40, **options):
    """Trials that rho decides and alpha does not."""
    draw = np.random.default_rng(0)
    trials = []
    for number in range(1, count + 1):
        rho, alpha = float(np.exp(draw.uniform(np.log(0.05), np.log(1.1)))), draw.uniform()
        good = float(np.exp(-(np.log(rho / 0.5) ** 2)))
        trials.append(build.trial(number, {"sam.rho": rho, "saner.alpha": alpha}, good=good))
    return build.load(trials, **options)


def test_what_decides_the_score_comes_first(build):
    table = importance_data(varied(build))
    assert list(table["path"]) == ["sam.rho", "saner.alpha"]
    assert (table[MEASURES].iloc[0] > 3 * table[MEASURES].iloc[1]).all()


def test_shares_to_the_top_add_up(build):
    table = importance_data(varied(build))
    assert table["to_the_top"].sum() == pytest.approx(1)
    assert table["at_the_top"].sum() == pytest.approx(1)


def test_a_loss_is_judged_from_its_low_end(build):
    space = build.space(objective={"metric": "val_loss", "mode": "min", "at": "last"})
    assert importance_data(varied(build, space=space))["path"].iloc[0] == "sam.rho"


def test_a_conditional_setting_counts_among_the_trials_it_applies_to(build):
    search = {
        "method": {"choice": ["sgd", "sam"]},
        "sam.rho": {"log_uniform": [0.05, 2.0], "when": {"method": "sam"}},
    }
    trials = [
        build.trial(i, {"method": "sam", "sam.rho": 0.05 * i}, good=1 - 0.05 * i)
        if i % 2
        else build.trial(i, {"method": "sgd"}, good=0.3)
        for i in range(1, 37)
    ]
    run = build.load(trials, space=build.space(search=search))
    table = importance_data(run).set_index("path")
    assert table.loc["sam.rho", "trials"] == 18
    assert table.loc["sam.rho", "overall"] > 0.8


def test_a_setting_that_few_trials_have_is_not_judged(build):
    search = {"sam.rho": {"log_uniform": [0.05, 2.0]}, "saner.alpha": {"uniform": [0, 1]}}
    trials = [build.trial(i, {"sam.rho": 0.05 * i}) for i in range(1, 20)]
    trials += [build.trial(i, {"sam.rho": 0.05 * i, "saner.alpha": 0.02 * i}) for i in (20, 21)]
    table = importance_data(build.load(trials, space=build.space(search=search)))
    assert np.isnan(table.set_index("path").loc["saner.alpha", "overall"])


@pytest.mark.parametrize(
    ("count", "words"), [(3, "3 trials with a score so far"), (0, "No searched setting was varied")]
)
def test_too_little_to_judge_is_said(build, count, words):
    trials = [build.trial(i, {"sam.rho": 0.1 * i}) for i in range(1, count + 1)]
    run = build.load(trials or [build.trial(1, {"sam.rho": 0.1})])
    assert words in importance(run).layout.annotations[0].text.replace("<br>", " ")
    assert importance_data(run).empty


def test_bars_carry_every_measure(build):
    figure = importance(varied(build))
    assert [len(bar.x) for bar in figure.data] == [2, 2, 2]


def test_scores_that_differ_by_chance_alone_make_no_setting_important(build):
    draw = np.random.default_rng(1)
    trials = [
        build.trial(n, {"sam.rho": float(rho), "saner.alpha": draw.uniform()},
                    good=float(0.8 + 0.05 * draw.normal()))
        for n, rho in enumerate(np.exp(draw.uniform(-3, 0, 30)), 1)
    ]  # fmt: skip
    assert importance_data(build.load(trials))["overall"].max() < 0.5


def test_a_choice_with_settings_of_its_own_is_compared_with_them(build):
    """A method's rho is that of its trials also where another method was drawn."""
    search = {
        "method": {"choice": ["sgd", "sam"]},
        "sam.rho": {"log_uniform": [0.05, 2.0], "when": {"method": "sam"}},
        "optimizer.lr": {"log_uniform": [0.01, 1.0]},
    }
    trials = []
    for n in range(1, 41):
        values = {"method": ["sgd", "sam"][n % 2], "optimizer.lr": 0.011 * (1 + n * 17 % 40)}
        values |= {"sam.rho": 0.05 * n} if n % 2 else {}
        trials.append(build.trial(n, values, good=[0.2, 0.8][n % 2]))
    table = importance_data(build.load(trials, space=build.space(search=search)))
    assert table["path"].iloc[0] == "method"
    assert table["overall"].iloc[0] > 0.7
