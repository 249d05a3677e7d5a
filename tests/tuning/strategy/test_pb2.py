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
    gains = 0.1 - ((values - best) ** 2).sum(axis=1)
    return np.vstack(
        [np.column_stack([np.full((len(values), 2), n), values, gains]) for n in range(decisions)]
    )


@pytest.mark.parametrize("best", [0.25, 0.7])
def test_settings_near_those_that_gained_most_are_selected(best):
    seen = rows(np.linspace(0, 1, 9)[:, None], best=best)
    found = _selected(seen, np.empty((0, 1)), seen[-1, :2] + 1, np.random.default_rng(0))
    assert found == pytest.approx([best], abs=0.1)


def test_settings_that_others_are_trying_are_tried_less():
    """Nothing is known of either end, and another trial goes to one of them."""
    seen = rows(np.array([[0.5]]), best=0.5)
    place = seen[-1, :2] + 1
    for taken in (0.0, 1.0):
        found = _selected(seen, np.array([[taken]]), place, np.random.default_rng(0))
        assert abs(found[0] - taken) > 0.5


@pytest.mark.parametrize("equal", [np.full((1, 2), 0.5), np.full((40, 2), 0.5)])
def test_equal_settings_and_gains_still_give_settings_within_their_ranges(equal):
    seen = rows(equal, best=0.5, decisions=1)
    found = _selected(seen, equal, np.array([1.0, 0.1]), np.random.default_rng(0))
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
