from contextlib import closing
from itertools import pairwise

import pytest

from tests.tuning.simulated import simulate, space, store_at, study_of
from tune_robust.errors import ConfigError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.from_tables import record_of_tables
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import Trial, name_of
from tune_robust.spaces.objective import Objective
from tune_robust.tuning.strategy.repeats import MOST, setting_to_repeat
from tune_robust.tuning.winners.export import ranked

ACCURACY = Objective("val_accuracy", "max", "last")


def racing(**changes):
    budget = {"trials": 20, "scheduler": "none", "grace": 2, "reduction": 2, "repeats": "auto"}
    budget |= changes.pop("budget", {})
    return space(**{"budget": budget, "searcher": {"name": "random"}, **changes})


def luck(trial, epoch):
    """The settings differ by less than their seeds do."""
    noise = 0.1 * ((trial.config["seed"] * 2654435761 % 1000) / 1000 - 0.5)
    return 0.5 + 0.05 * trial.values.get("saner.alpha", 0.0) + 0.01 * epoch + noise


def clear(trial, epoch):
    """Each setting has its own score, and the seed does not change it."""
    return 0.5 + 0.3 * trial.values.get("saner.alpha", 0.0) + 0.01 * epoch


def finished(*scores, repeats=None, cost=10.0):
    """Return finished trials with these scores; ``repeats`` maps places to those they repeat."""
    found = []
    for number, score in enumerate(scores):
        of = (repeats or {}).get(number)
        metrics = {"val_accuracy": score, "gradient_evaluations": cost}
        found.append(
            Trial(
                name_of(number),
                "sampled",
                {},
                {"seed": number, "epochs": 1},
                status="done",
                epochs={1: metrics},
                repeats=None if of is None else name_of(of),
            )
        )
    return found


LEVEL = (0.50, 0.52, 0.54, 0.56, 0.58, 0.60, 0.62, 0.799, 0.80)


def test_one_of_two_leaders_that_are_level_is_trained_again():
    assert setting_to_repeat(finished(*LEVEL), ACCURACY).name in ("t0008", "t0009")


def test_a_leader_far_ahead_is_not():
    ahead = (*LEVEL[:7], 0.62, 0.95)
    known = finished(*ahead, 0.9501, 0.9499, 0.6201, repeats={9: 8, 10: 8, 11: 7})
    assert setting_to_repeat(known, ACCURACY) is None


def test_nothing_is_repeated_before_eight_settings_were_tried_nor_without_differences():
    assert setting_to_repeat(finished(*LEVEL[2:]), ACCURACY) is None
    assert setting_to_repeat(finished(*[0.5] * 12), ACCURACY) is None


def test_a_setting_has_at_most_three_seeds_also_counting_those_that_run():
    trials = finished(*LEVEL, 0.80, 0.80, 0.799, 0.799, repeats={9: 8, 10: 8, 11: 7, 12: 7})
    assert setting_to_repeat(trials, ACCURACY) not in trials[7:9]
    for running in trials[9:]:
        running.status, running.epochs = "running", {}
    assert setting_to_repeat(trials, ACCURACY) not in trials[7:9]


def test_where_lower_is_better_the_lowest_are_repeated():
    loss = Objective("val_accuracy", "min", "last")
    upside_down = [1 - score for score in LEVEL]
    assert setting_to_repeat(finished(*upside_down), loss).name in ("t0008", "t0009")


def test_stopped_and_failed_trials_and_baselines_are_not_repeated():
    trials = finished(*LEVEL, *LEVEL[:2])
    trials[8].status, trials[7].origin = "stopped", "baseline"
    assert setting_to_repeat(trials, ACCURACY) not in trials[7:9]


@pytest.mark.parametrize("searcher", ["random", "tpe", "gp_mf", "qmc", "cmaes"])
def test_repeats_have_the_values_of_their_setting_and_another_seed(tmp_path, searcher):
    searched = racing(searcher={"name": searcher})
    trials = simulate(searched, tmp_path / "r", luck).trials
    repeats = [trial for trial in trials.values() if trial.repeats]
    assert len(trials) == 20
    assert repeats
    for trial in repeats:
        first = trials[trial.repeats]
        assert (trial.values, trial.origin) == (first.values, first.origin)
        assert first.repeats is None
    seeds = {}
    for trial in trials.values():
        seeds.setdefault(trial.repeats or trial.name, []).append(trial.config["seed"])
    assert all(len(set(own)) == len(own) <= MOST for own in seeds.values())
    told = study_of(tmp_path / "r").trials
    assert [t.user_attrs.get("repeats") for t in told] == [t.repeats for t in trials.values()]
    assert all(t.params["sam.rho"] == trials[name_of(t.number)].values["sam.rho"] for t in told)


def test_a_search_whose_settings_differ_clearly_repeats_less(tmp_path):
    def repeats(name, curve):
        trials = simulate(racing(), tmp_path / name, curve).trials.values()
        return sum(trial.repeats is not None for trial in trials)

    assert repeats("clear", clear) < repeats("luck", luck)


@pytest.mark.parametrize(
    ("searcher", "scheduler", "trials"),
    [
        ("tpe", "none", 24),
        ("gp_mf", "median", 20),
        ("random", "promotion", 40),
        ("qmc", "none", 24),
    ],
)
def test_a_killed_search_goes_on_as_an_uninterrupted_one(tmp_path, searcher, scheduler, trials):
    changes = {
        "searcher": {"name": searcher},
        "budget": {"scheduler": scheduler, "trials": trials},
        "known": [{"sam.rho": 0.3, "saner.alpha": 0.5}],
        "baselines": [{"method": "sgd"}],
    }
    searched = racing(**changes)
    whole = simulate(searched, tmp_path / "whole", luck).trials
    for epochs in (30, 31, 17):
        simulate(searched, tmp_path / "killed", luck, stop_after=epochs)
    killed = simulate(searched, tmp_path / "killed", luck).trials
    assert any(trial.repeats for trial in whole.values())
    assert [(t.values, t.repeats, t.status, t.config["seed"]) for t in killed.values()] == [
        (t.values, t.repeats, t.status, t.config["seed"]) for t in whole.values()
    ]


@pytest.mark.parametrize("scheduler", ["asha", "median", "promotion"])
def test_a_repeat_runs_to_its_end_and_known_points_come_first(tmp_path, scheduler):
    changes = {"known": [{"sam.rho": r, "saner.alpha": 0.5} for r in (0.1, 0.2, 0.3, 0.4)]}
    searched = racing(budget={"scheduler": scheduler, "trials": 30, "sentinels": 3}, **changes)
    trials = [*simulate(searched, tmp_path / "r", luck).trials.values()]
    assert [trial.origin for trial in trials[:5]] == ["known"] * 4 + ["sampled"]
    assert {trial.status for trial in trials if trial.repeats} == {"done"}
    assert sum(trial.sentinel for trial in trials) == 3
    assert not any(trial.sentinel and trial.repeats for trial in trials)


def test_settings_that_share_their_seeds_share_those_of_their_repeats(tmp_path):
    searched = racing(searcher={"name": "random", "seeds": "shared"})
    trials = simulate(searched, tmp_path / "r", luck_by_setting).trials.values()
    seeds = {}
    for trial in trials:
        seeds.setdefault(trial.repeats or trial.name, []).append(trial.config["seed"])
    assert {len(own) for own in seeds.values()} > {1}
    assert all(own == list(range(len(own))) for own in seeds.values())


def luck_by_setting(trial, epoch):
    number = int(1e6 * trial.values["sam.rho"]) + trial.config["seed"]
    return 0.5 + 0.1 * (number * 2654435761 % 1000) / 1000


def test_the_winner_is_the_setting_with_the_best_mean(tmp_path):
    simulate(racing(budget={"trials": 30}), tmp_path / "r", luck)
    trials = read_trials(RunFolder(tmp_path / "r"))
    scores = {}
    for trial in trials.values():
        scores.setdefault(trial.repeats or trial.name, []).append(trial.last["val_accuracy"])
    means = {name: sum(own) / len(own) for name, own in scores.items()}
    order = [means[trial.name] for trial in ranked(trials.values(), ACCURACY)]
    assert len(order) == len(means) < 30
    assert all(better >= worse for better, worse in pairwise(order))


def test_a_run_that_was_searched_without_repeats_is_read_as_before(tmp_path):
    with closing(store_at(tmp_path / "r", space())) as store:
        store.add_trial("sampled", {"sam.rho": 0.1}, {"seed": 0, "epochs": 1})
    assert '"repeats"' not in (tmp_path / "r" / "events.jsonl").read_text()
    assert read_trials(RunFolder(tmp_path / "r"))["t0001"].repeats is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"searcher": {"name": "grid"}, "search": {"sam.rho": {"grid": [0.1]}}}, "search.seed"),
        (
            {
                "searcher": {"name": "nsga2"},
                "objective": {"metric": "val_accuracy", "against": ["gradient_evaluations"]},
            },
            "no single leader",
        ),
    ],
)
def test_repeats_are_refused_where_they_make_no_sense(changes, reason):
    with pytest.raises(ConfigError, match=reason):
        racing(**changes)


def test_the_tables_keep_which_trials_are_repeats(tmp_path):
    trials = simulate(racing(), tmp_path / "r", luck).trials
    found = record_of_tables(RunFolder(tmp_path / "r")).trials
    assert any(trial.repeats for trial in found.values())
    assert [t.repeats for t in found.values()] == [t.repeats for t in trials.values()]
