"""A population alone: who waits, who ends, who is continued, and what the members have gained."""

import pytest

from tests.tuning.simulated import space
from tune_robust.runs.trial import Continued, Trial
from tune_robust.schedulers.population import Population

SEARCH = {"sam.rho": {"log_uniform": [0.01, 1.0]}}
COST = 2
"""The gradient evaluations of an epoch."""


def searched(members=4, **changes):
    budget = {"trials": members, "scheduler": "pb2", "interval": 2 * COST}
    return space(**{"search": SEARCH, "budget": budget, "searcher": {"name": "qmc"}, **changes})


class Members(dict):
    """Trials by name, each of which scores the same in all its epochs."""

    def add(self, score, epochs, status="paused", continues=None, **changes):
        begins = 0 if continues is None else continues[1]
        metrics = {
            e: {"val_accuracy": score, "gradient_evaluations": COST * e, "seconds": float(e)}
            for e in range(begins + 1, epochs + 1)
        }
        name = f"t{len(self) + 1:04d}"
        given = {"values": {"sam.rho": 0.1}, "origin": "sampled", **changes}
        trial = Trial(name, config={"epochs": 6}, status=status, epochs=metrics, **given)
        if continues is not None:
            trial.continues = Continued(*continues, COST * begins, float(begins))
        self[name] = trial
        return trial


def names(trials):
    return [trial.name for trial in trials]


@pytest.fixture
def members():
    return Members()


def test_a_member_waits_at_a_decision_until_all_are_there_and_it_is_made(members):
    first, *_ = (members.add(score, 2) for score in (0.1, 0.2, 0.3, 0.4))
    late = members["t0004"]
    late.status, late.epochs = "running", {1: late.epochs[1]}
    population = Population(searched(), members)
    assert not population.pauses(first, 1)
    assert population.pauses(first, 2)
    assert (population.due, population.released({"t0001", "t0002"})) == (None, None)
    late.epochs[2] = members["t0003"].epochs[2]
    assert population.due == 0
    members.add(0.0, 2, "pending", ("t0003", 2))
    first.status = "stopped"
    assert population.due is None
    assert population.released({"t0002", "t0003"}) == "t0002"


def test_a_decision_waits_for_members_that_are_not_proposed_yet(members):
    for score in (0.1, 0.2, 0.3):
        members.add(score, 2)
    assert Population(searched(), members).due is None


def test_the_population_goes_on_without_those_that_failed_and_without_baselines(members):
    members.add(0.9, 6, "done", origin="baseline")
    for score in (0.1, 0.2, 0.3):
        members.add(score, 2)
    members.add(0.0, 1, "failed")
    population = Population(searched(baselines=[{"method": "sgd"}]), members)
    assert population.due == 0
    division = population.division(0)
    assert names(division.ending) == ["t0002"]
    assert names(division.parents) == ["t0004"]
    assert names(division.staying) == ["t0004", "t0003"]


@pytest.mark.parametrize(("number", "quarter"), [(1, 0), (2, 1), (3, 1), (8, 2), (9, 3)])
def test_the_worst_quarter_ends_and_the_best_is_continued(members, number, quarter):
    for score in range(number):
        members.add(score / 10, 2)
    division = Population(searched(max(2, number)), members).division(0)
    ordered = names(members.values())
    assert names(division.ending) == ordered[:quarter][::-1]
    assert names(division.parents) == ordered[number - quarter :][::-1]


def test_of_equal_members_the_first_is_the_best_whoever_came_first(members):
    for _ in range(4):
        members.add(0.5, 2)
    assert names(Population(searched(), members).ranked(0)) == ["t0001", "t0002", "t0003", "t0004"]


def test_only_members_with_settings_that_can_change_are_continued(members):
    method = {"choice": ["sgd", "sam"]}
    search = {"method": method, "sam.rho": {**SEARCH["sam.rho"], "when": {"method": "sam"}}}
    for score, name in ((0.9, "sgd"), (0.8, "sgd"), (0.5, "sam"), (0.1, "sgd")):
        members.add(score, 2, values={"method": name} | ({"sam.rho": 0.1} if name == "sam" else {}))
    population = Population(searched(search=search), members)
    assert names(population.division(0).parents) == ["t0003"]
    members["t0003"].status = "failed"
    members["t0003"].epochs.clear()
    assert population.division(0).ending == []
    assert population.due is None  # nothing is to be decided
    assert population.released(members) == "t0001"


def test_a_continued_network_has_gained_over_where_it_began(members):
    for score in (0.1, 0.2, 0.3, 0.4):
        members.add(score, 4)
    members.add(0.6, 4, continues=("t0004", 2))
    gains = [*Population(searched(), members).gains(1)]
    assert [(g.trial.name, g.decision) for g in gains] == [
        *((f"t000{n}", 0) for n in (1, 2, 3, 4)),
        *((f"t000{n}", 1) for n in (1, 2, 3, 4, 5)),
    ]
    # Those of the first interval over the worst network there.
    assert [(g.before, g.after) for g in gains[:4]] == [(0.1, n / 10) for n in (1, 2, 3, 4)]
    assert [(g.before, g.after) for g in gains[-2:]] == [(0.4, 0.4), (0.4, 0.6)]


def test_a_member_that_is_late_after_a_failure_does_not_wait_for_what_is_decided(members):
    for score in (0.1, 0.2, 0.3):
        members.add(score, 4)
    late = members.add(0.4, 2, "running")
    population = Population(searched(), members)
    assert not population.pauses(late, 2)
    assert population.due is None  # until it has reached the second decision, too
    assert population.released({"t0001", "t0002", "t0003"}) is None


def test_a_trial_that_trains_what_it_should_have_inherited_waits_only_at_the_next_decision(members):
    for score in (0.1, 0.2, 0.3):
        members.add(score, 2)
    members.add(0.1, 2, "stopped")
    again = members.add(0.3, 2, "running", continues=("t0003", 2))
    again.epochs = dict(members["t0003"].epochs)
    population = Population(searched(), members)
    assert again.inherited is None
    assert not population.pauses(again, 2)
    again.epochs |= {3: again.epochs[2], 4: {**again.epochs[2], "gradient_evaluations": 8}}
    assert population.pauses(again, 4)


def test_intervals_are_an_eighth_of_a_trial_and_at_least_an_epoch():
    def decisions(epochs, **budget):
        given = {"trials": 8, "scheduler": "pb2", **budget}
        train = {"data": {"dataset": "digits"}, "method": "sam", "epochs": epochs}
        found = searched(train=train, budget=given)
        return found.decisions, found.total_trials

    assert decisions(16) == ([4, 8, 12, 16, 20, 24, 28], 8 + 7 * 2)
    assert decisions(3) == ([2, 4], 8 + 2 * 2)
    assert decisions(16, unit="epochs", interval=5) == ([5, 10, 15], 8 + 3 * 2)
    assert decisions(16, max=20)[0] == [2.5 * n for n in range(1, 8)]
