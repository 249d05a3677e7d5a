import pytest

from analysis.figures.choices import _choices_info, choices, chosen_path
from tune_robust.errors import UserError

SEARCH = {
    "method": {"choice": ["sgd", "sam"]},
    "sam.rho_schedule": {"choice": ["constant", "step_decay", "step_increase"]},
    "sam.rho": {"log_uniform": [0.05, 2.0]},
}


@pytest.fixture
def run(build):
    trials = [
        build.trial(1, {"method": "sgd"}, good=0.2),
        build.trial(2, {"method": "sam", "sam.rho_schedule": "constant"}, good=0.5),
        build.trial(3, {"method": "sam", "sam.rho_schedule": "step_decay"}, good=0.9),
        build.trial(4, {"method": "sgd"}, good=0.9, status="stopped", epochs=14),
        build.trial(5, {"method": "sam"}, status="failed", epochs=2),
    ]
    return build.load(trials, space=build.space(search=SEARCH))


def test_the_method_is_shown_first(run):
    info = _choices_info(run)
    assert info.path == "method"
    assert list(info.best.index) == ["sam", "sgd"]
    assert info.trials["trial"].tolist() == ["t0001", "t0002", "t0003", "t0004"]


def test_the_best_is_the_best_finished(run):
    best = _choices_info(run).best["score"]
    scores = run.trials.set_index("trial")["objective"]
    assert best["sgd"] == scores["t0001"]
    assert best["sam"] == scores["t0003"]


def test_another_choice_can_be_asked_for(run):
    assert set(_choices_info(run, "sam.rho_schedule").trials["option"]) == {
        "constant",
        "step_decay",
    }


def test_a_number_is_no_choice(run):
    with pytest.raises(UserError, match=r"no searched choice 'sam\.rho'"):
        choices(run, "sam.rho")


def test_a_run_without_choices_says_so(search_run):
    assert chosen_path(search_run) is None
    assert "No choice was searched" in choices(search_run).layout.annotations[0].text
