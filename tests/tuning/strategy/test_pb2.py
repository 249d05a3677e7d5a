"""PB2's selection: settings of the next interval from what members have gained in earlier ones."""

import numpy as np
import pytest

from tests.schedulers.test_population import Members, searched
from tune_robust.schedulers.population import Population
from tune_robust.tuning.strategy.pb2 import _selected, next_continuation

LR = {"optimizer.lr": {"log_uniform": [0.01, 0.1]}}
SEARCH = {"sam.rho": {"log_uniform": [0.01, 1.0]}, **LR, "saner.k": {"int": [0, 9]}}
TRAIN = {"data": {"dataset": "digits"}, "method": "saner", "optimizer": {"name": "sgd"}}


def rows(values, *, best, decisions=3):
    """What members at ``values`` (n, d) gain in each interval: the more, the nearer to ``best``."""
    scores = 0.01 * np.arange(len(values))
    gains = (0.1 - ((values - best) ** 2).sum(axis=1)).round(3)
    return np.vstack(
        [
            np.column_stack([np.full(len(values), n), 0.1 * n + scores, values, gains])
            for n in range(decisions)
        ]
    )


def selected(seen, current, seed=0):
    return _selected(seen, current, np.array([3, 0.3]), np.random.default_rng(seed))


# Of Ray 2.60, from the same members and the same starts of the search for the largest bound.
RAYS = {1: [0.293, 0.608], 3: [0.295, 0.598], 5: [0.43, 0.97], 11: [0.359, 0.612]}


@pytest.mark.parametrize(("members", "rays"), RAYS.items())
def test_the_selection_is_that_of_rays_pb2(members, rays):
    values = np.random.default_rng(members).random((8, 2)).round(2)
    found = selected(rows(values, best=[0.3, 0.6]), values[:5], seed=7)
    assert found == pytest.approx(rays, abs=0.03)


def test_settings_that_others_are_trying_are_tried_less():
    """Nothing is known of either end, and another trial goes to one of them."""
    seen = rows(np.array([[0.5]]), best=0.5)
    for taken in (0.0, 1.0):
        assert abs(selected(seen, np.array([[taken]]))[0] - taken) > 0.5


def test_the_first_decision_selects_settings_far_from_the_others():
    values = np.random.default_rng(0).random((8, 2))
    found = selected(rows(values, best=0.5, decisions=1), values)
    assert np.linalg.norm(values - found, axis=1).min() > 0.2


@pytest.mark.parametrize("equal", [np.full((1, 2), 0.5), np.full((40, 2), 0.5)])
def test_equal_settings_and_gains_still_give_settings_within_their_ranges(equal):
    seen = rows(equal, best=0.5, decisions=1)
    found = selected(seen, equal)
    assert found.shape == (2,)
    assert ((found >= 0) & (found <= 1)).all()


def population_of(scores):
    members = Members()
    for number, score in enumerate(scores):
        values = {"sam.rho": 0.02 * (number + 1), "optimizer.lr": 0.03, "saner.k": number}
        trial = members.add(score, 2, values=values)
        space = searched(len(scores), search=SEARCH, train={**TRAIN, "epochs": 6})
        trial.config = space.config_for(values, number=number).model_dump(mode="json")
    return Population(space, members)


def test_a_trial_continues_a_network_of_the_best_quarter_with_its_seed_and_its_other_settings():
    population = population_of([0.1, 0.2, 0.9, 0.3])
    found = next_continuation(population, 0, number=4, seed=0)
    assert (found.parent.name, found.epoch) == ("t0003", 2)
    assert found.values["saner.k"] == 2
    assert found.changed.keys() == {"sam.rho", "optimizer.lr"}
    assert 0.01 <= found.changed["sam.rho"] <= 1
    assert 0.01 <= found.changed["optimizer.lr"] <= 0.1
    expected = {**found.parent.config, "knots": [{"epoch": 2, "set": found.changed}]}
    assert found.config() == expected


def test_the_selection_depends_on_the_seed_and_the_number_alone():
    one, other = (population_of([0.1, 0.2, 0.9, 0.3]) for _ in range(2))
    found = next_continuation(one, 0, number=4, seed=0)
    assert next_continuation(other, 0, number=4, seed=0).changed == found.changed
    state = np.random.get_state()[1].tolist()
    assert next_continuation(other, 0, number=5, seed=0).changed != found.changed
    assert next_continuation(other, 0, number=4, seed=1).changed != found.changed
    assert np.random.get_state()[1].tolist() == state
