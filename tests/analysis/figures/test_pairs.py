import pytest

from analysis import by_option, by_option_data, important_pairs
from tune_robust.errors import UserError

THREE = {
    "saner.k": {"int": [0, 20]},
    "saner.alpha": {"uniform": [0.0, 1.0]},
    "sam.rho": {"log_uniform": [0.05, 2.0]},
}
CHOICE = {
    "sam.rho": {"log_uniform": [0.05, 2.0]},
    "sam.rho_schedule": {"choice": ["constant", "cosine"]},
}


def three_numbers(build):
    trials = build.search(20)
    for number, trial in enumerate(trials[1:]):
        trial["values"]["saner.k"] = (7 * number) % 20
    return build.load(trials, space=build.space(search=THREE))


def with_choice(build, count=24):
    trials = [
        build.trial(
            i,
            {"sam.rho": 0.08 * i, "sam.rho_schedule": ["constant", "cosine"][i % 2]},
            good=0.8 - 0.5 * (i % 2),
        )
        for i in range(1, count + 1)
    ]
    return build.load(trials, space=build.space(search=CHOICE))


def test_pairs_start_with_the_main_one_and_then_rhos(build):
    pairs = important_pairs(three_numbers(build))
    assert pairs[0] == ("sam.rho", "saner.alpha")
    assert pairs[1] == ("sam.rho", "saner.k")
    assert {frozenset(pair) for pair in pairs} == {
        frozenset(("sam.rho", "saner.alpha")),
        frozenset(("sam.rho", "saner.k")),
        frozenset(("saner.alpha", "saner.k")),
    }


def test_one_number_makes_no_pair(build):
    search = {"sam.rho": {"log_uniform": [0.05, 2.0]}}
    trials = [build.trial(i, {"sam.rho": 0.1 * i}) for i in range(1, 9)]
    assert important_pairs(build.load(trials, space=build.space(search=search))) == []


def test_what_another_method_searches_makes_no_pair(build):
    search = {
        "method": {"choice": ["sam", "slaw"]},
        "sam.rho": {"log_uniform": [0.05, 2.0], "when": {"method": "sam"}},
        "optimizer.lr": {"log_uniform": [0.01, 0.2]},
        "optimizer.weight_decay": {"log_uniform": [1e-4, 1e-2]},
        "law.gamma": {"uniform": [0.0, 1.0], "when": {"method": "slaw"}},
    }
    trials = [
        build.trial(
            i,
            {
                "method": "sam",
                "sam.rho": 0.1 * i,
                "optimizer.lr": 0.01 * i,
                "optimizer.weight_decay": 1e-3 / i,
                "law.gamma": 0.05 * i,
            },
        )
        for i in range(1, 13)
    ]
    run = build.load(trials, space=build.space(search=search))
    assert "law.gamma" not in {path for pair in important_pairs(run) for path in pair}


def test_every_option_has_its_curve(build):
    curves = by_option_data(with_choice(build)).groupby("option")["expected"].mean()
    assert curves["cosine"] < curves["constant"] - 0.05


def test_an_option_with_too_few_trials_shows_them_alone(build):
    run = with_choice(build, count=6)
    assert by_option_data(run).empty
    assert sum(len(trace.x) for trace in by_option(run).data) == 6


def test_no_choice_is_said(search_run):
    assert "No choice" in by_option(search_run).layout.annotations[0].text


def test_wrong_names_are_refused(search_run):
    with pytest.raises(UserError, match=r"sam\.rho"):
        by_option(search_run, path="sam.rho")
