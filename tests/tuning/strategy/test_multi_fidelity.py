"""The multi-fidelity sampler: first design, choices and conditions, stopped and running trials."""

import numpy as np
import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.spaces.space import load_space
from tune_robust.spaces.unit_cube import from_unit
from tune_robust.tuning.strategy.encoding import Encoding
from tune_robust.tuning.strategy.multi_fidelity import MultiFidelity, Seen, _at_rungs

METHODS = load_space("methods_digits")
SEARCHER = {"name": "gp_mf"}


def settings(dimensions, unit):
    values = {}
    for dim, coordinate in zip(dimensions, unit, strict=True):
        if dim.active(values):
            values[dim.path] = from_unit(dim.distribution, float(coordinate))
    return values


def test_features_tell_apart_what_is_active_alone():
    encoding = Encoding(METHODS.dimensions)
    rng = np.random.default_rng(0)
    units = encoding.snapped(rng.random((50, encoding.dimensions)))
    found = [settings(METHODS.dimensions, unit) for unit in units]
    np.testing.assert_allclose(
        encoding.features(encoding.units(found)), encoding.features(units), atol=1e-9
    )
    assert encoding.features(units).shape == (50, len(encoding.groups))


def test_the_first_design_has_each_method_once_and_known_points_count(tmp_path):
    budget = {"trials": 7, "scheduler": "none"}
    document = METHODS.document() | {"budget": budget, "searcher": SEARCHER, "baselines": []}
    given = type(METHODS).from_document(document)
    conductor = simulate(given, tmp_path / "r", lambda t, e: 0.9 if t.origin == "known" else 0.5)
    tried = [trial.values["method"] for trial in conductor.trials.values()]
    known = [
        trial.values["method"] for trial in conductor.trials.values() if trial.origin == "known"
    ]
    assert len(known) == 4
    assert {*tried[:6]} == {"sgd", "sam", "asam", "saner", "slaw"}


def test_a_choice_of_many_values_leaves_trials_for_the_model():
    sizes = list(range(16, 66))
    encoding = Encoding(space(search={"batch_size": {"choice": sizes}}).dimensions)
    units = encoding.units([{"batch_size": size} for size in sizes[:20]])
    assert len(encoding.untried(units[:19], at_least=4, at_most=20)[0]) == len(sizes) - 19
    assert encoding.untried(units, at_least=4, at_most=20) is None


def with_known_points(score):
    """A space of five methods, two known points, and their score; others have 0.5."""
    budget = {"trials": 9, "scheduler": "asha"}
    known = [dict(values) for values in METHODS.known[:2]]
    document = METHODS.document() | {"budget": budget, "searcher": SEARCHER, "known": known}
    given = type(METHODS).from_document(document | {"baselines": []})
    return given, lambda trial, epoch: score if trial.origin == "known" else 0.5


@pytest.mark.parametrize(("score", "again"), [(0.1, True), (0.9, False)])
def test_the_method_of_a_bad_known_point_has_another_trial_in_the_first_design(
    tmp_path, score, again
):
    given, curve = with_known_points(score)
    trials = [*simulate(given, tmp_path / "r", curve).trials.values()]
    tried = {trial.values["method"] for trial in trials if trial.origin == "known"}
    proposed = [trial.values["method"] for trial in trials if trial.origin == "sampled"]
    assert len(tried) == 2
    designed = proposed[: 5 if again else 4]
    assert len(set(designed)) == len(designed)
    assert (tried <= set(designed)) is again
    assert tried | set(designed) == {"sgd", "sam", "asam", "saner", "slaw"}


def test_a_search_with_bad_known_points_resumes_with_the_same_proposals(tmp_path):
    given, curve = with_known_points(0.1)
    whole = simulate(given, tmp_path / "whole", curve).trials.values()
    for epochs in (3, 120, 70):
        simulate(given, tmp_path / "killed", curve, stop_after=epochs)
    killed = simulate(given, tmp_path / "killed", curve).trials.values()
    assert [(t.origin, t.values) for t in killed] == [(t.origin, t.values) for t in whole]


def test_it_learns_from_trials_that_were_all_stopped():
    """Of ten trials none has been seen to its end; the next is where the best ones were."""
    dimensions = space(search={"sam.rho": {"log_uniform": [0.01, 1.0]}}).dimensions
    places = [(n + 0.5) / 10 for n in range(10)]
    stopped = [
        Seen({"sam.rho": 10 ** (2 * p - 2)}, {1 / 3: -abs(p - 0.72)}, awaited=False) for p in places
    ]
    [proposal] = MultiFidelity(Encoding(dimensions), seed=0).propose(stopped)
    assert proposal == pytest.approx(0.72, abs=0.1)


def test_how_bad_a_bad_trial_is_does_not_count():
    """A diverged trial says as much about its neighbours as one that is just below the others."""
    dimensions = space(search={"sam.rho": {"log_uniform": [0.01, 1.0]}}).dimensions
    places = [0.05, 0.25, 0.45, 0.65, 0.85, 0.95]

    def proposal(worst):
        values = [worst, 0.4, 0.5, 0.7, 0.6, 0.55]
        trials = [
            Seen({"sam.rho": 10 ** (2 * p - 2)}, {1.0: value}, awaited=False)
            for p, value in zip(places, values, strict=True)
        ]
        return MultiFidelity(Encoding(dimensions), seed=0).propose(trials)

    assert proposal(-1000.0) == pytest.approx(proposal(0.3))


def test_a_space_of_few_points_is_gone_through(tmp_path):
    search = {"sam.rho_schedule": {"choice": ["constant", "linear", "cosine"]},
              "saner.k": {"int": [0, 2]}}  # fmt: skip
    budget = {"trials": 9, "scheduler": "none"}
    given = space(search=search, budget=budget, searcher=SEARCHER)
    conductor = simulate(given, tmp_path / "r", lambda t, e: float(t.values["saner.k"]))
    found = {tuple(trial.values.values()) for trial in conductor.trials.values()}
    assert len(found) >= 8  # the first design may meet one twice


def test_the_looks_are_at_the_rungs_that_were_reached():
    curve = [(0.25, 1.0), (0.5, 2.0), (0.75, 3.0), (1.0, 2.5)]
    assert _at_rungs(curve[:1], [1 / 3], complete=False, best=False) == {}
    assert _at_rungs(curve[:3], [1 / 3], complete=False, best=False) == {1 / 3: 2.0}
    assert _at_rungs(curve, [1 / 3], complete=True, best=False) == {1 / 3: 2.0, 1.0: 2.5}
    assert _at_rungs(curve, [1 / 3], complete=True, best=True) == {1 / 3: 2.0, 1.0: 3.0}
    fine = [(0.95, 1.0), (0.98, 2.0), (1.0, 3.0)]
    assert _at_rungs(fine, [], complete=True, best=False) == {1.0: 2.0}


def test_proposals_while_others_run_are_apart():
    """Eight trials are proposed before the first of them reports anything."""
    dimensions = space().dimensions
    rng = np.random.default_rng(0)
    begun = [
        Seen(settings(dimensions, unit), {1.0: -abs(unit[0] - 0.7) - abs(unit[1] - 0.3)}, False)
        for unit in rng.random((8, 2))
    ]
    proposed = []
    for _ in range(8):
        proposed.append(MultiFidelity(Encoding(dimensions), seed=0).propose(begun))
        begun.append(Seen(settings(dimensions, proposed[-1]), {}, awaited=True))
    places = np.array(proposed)
    apart = np.abs(places[:, None] - places).max(axis=2)
    assert apart[np.triu_indices(8, 1)].min() >= 0.03
    assert np.abs(places - [0.7, 0.3]).max() < 0.6


def surface(best, place):
    """Return the values of a trial with the setting ``place``, relative to that of the best."""
    return {1.0: best - abs(place - 0.7)}


def on_a_line(places, *, run=None, of=surface, level=0.0):
    """Return finished trials at ``places`` of one dimension."""
    return [Seen({"sam.rho": 10 ** (2 * p - 2)}, of(level, p), False, run) for p in places]


LINE = Encoding(space(search={"sam.rho": {"log_uniform": [0.01, 1.0]}}).dimensions)


def test_an_earlier_run_on_an_easier_data_set_shows_where_to_begin():
    """Its scores are far higher: it is its shape that counts."""
    earlier = on_a_line(np.linspace(0.05, 0.95, 10), run="pilot", level=20.0)
    [first] = MultiFidelity(LINE, seed=0).propose(earlier)
    assert first == pytest.approx(0.7, abs=0.1)
    [second] = MultiFidelity(LINE, seed=0).propose([*earlier, *on_a_line([first, 0.2])])
    assert second == pytest.approx(0.7, abs=0.12)


def test_an_earlier_run_that_contradicts_the_new_one_loses_its_weight():
    def opposite(level, place):
        return {1.0: level + abs(place - 0.7)}

    earlier = on_a_line(np.linspace(0.05, 0.95, 10), run="pilot", of=opposite)
    own = on_a_line([0.1, 0.3, 0.5, 0.75, 0.95])
    [proposal] = MultiFidelity(LINE, seed=0).propose([*earlier, *own])
    assert proposal == pytest.approx(0.7, abs=0.12)


def test_the_best_setting_of_an_earlier_run_can_be_tried_again():
    """In a space of three points, all of which the earlier run has tried."""
    dimensions = space(search={"saner.k": {"int": [0, 2]}}).dimensions
    earlier = [Seen({"saner.k": k}, {1.0: -abs(k - 1.0)}, False, "pilot") for k in [0, 1, 2, 1]]
    [proposal] = MultiFidelity(Encoding(dimensions), seed=0).propose(earlier)
    assert from_unit(dimensions[0].distribution, proposal) == 1


def test_after_twenty_trials_every_fourth_is_not_the_models():
    """The model proposes a place near the best one. Trials of earlier runs do not count."""

    def is_far(own, earlier=0):
        trials = on_a_line((np.arange(earlier) + 0.3) / max(earlier, 1), run="earlier")
        trials += on_a_line((np.arange(own) + 0.5) / own)
        [place] = MultiFidelity(LINE, seed=0).propose(trials)
        return abs(place - 0.7) > 0.1

    assert [own for own in range(16, 28) if is_far(own)] == [20, 24]
    assert not is_far(15, earlier=5)
    assert is_far(20, earlier=5)


def test_a_proposal_that_is_not_the_models_has_not_been_tried():
    search = {"sam.rho_schedule": {"choice": ["constant", "linear", "cosine"]},
              "saner.k": {"int": [0, 6]}}  # fmt: skip
    encoding = Encoding(space(search=search).dimensions)
    every = [
        {"sam.rho_schedule": schedule, "saner.k": k}
        for schedule in search["sam.rho_schedule"]["choice"]
        for k in range(7)
    ]
    [left] = encoding.units([every.pop(11)])
    tried = [Seen(values, {1.0: float(values["saner.k"])}, awaited=False) for values in every]
    for seed in range(3):
        proposal = MultiFidelity(encoding, seed=seed).propose(tried)
        np.testing.assert_allclose(encoding.snapped(proposal[None])[0], left)
