"""The statistics of a confirmation against theory, and its words against what they may claim."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tune_robust.metrics import metric
from tune_robust.statistics import estimate, gain, probability_best
from tune_robust.tuning.winners.confirmation import Retrained, conclusion, judge

SCORE = st.floats(0, 1).map(lambda x: round(x, 6))
SCORES = st.lists(SCORE, min_size=2, max_size=8)
TABLES = st.tuples(st.integers(2, 4), st.integers(2, 6)).flatmap(
    lambda shape: st.lists(
        st.lists(SCORE, min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)
FEWER = settings(max_examples=30)  # each integrates over many draws


def by_seed(values, first=1000):
    return dict(enumerate(values, first))


def retrained(trial, values, **changes):
    fields = {"origin": "sampled", "values": {}, "labels": "{}", "search_score": 0.9}
    return Retrained(**{**fields, "trial": trial, "scores": by_seed(values), **changes})


@given(SCORES)
def test_the_interval_is_students(values):
    found = estimate(values)
    assert found.low <= found.mean <= found.high
    if found.sd > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, found.mean, stats.sem(values))
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_one_seed_has_a_mean_and_nothing_more():
    assert estimate([0.5]) == (1, 0.5, None, None, None)
    assert not estimate([0.5]).excludes_zero
    assert estimate([]) is None


@given(SCORES)
def test_the_interval_of_a_fraction_is_clipped_to_what_is_possible(values):
    found, whole = estimate(values, metric("val_accuracy").bounds), estimate(values)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert (found.low, found.high) == (max(0, whole.low), min(1, whole.high))
    behind = gain(by_seed(values), by_seed(values[::-1]), "min", metric("val_accuracy").bounds)
    assert -1 <= behind.low <= behind.high <= 1
    assert estimate(values, metric("val_loss").bounds).high == whole.high


def test_a_clipped_interval_is_written_by_its_ends():
    clipped = estimate([0.30, 0.404], metric("val_accuracy").bounds)
    assert clipped.half_width is None
    assert clipped.as_text("{:.3f}".format) == "0.352 (0.000 to 1.000)"
    whole = estimate([0.350, 0.354], metric("val_accuracy").bounds)
    assert whole.as_text("{:.3f}".format) == "0.352 ±0.025"
    assert estimate([0.5]).as_text("{:.3f}".format) == "0.500"


def test_a_mean_outside_of_its_bounds_stays_in_its_interval():
    percent = estimate([85.0, 86.0], metric("val_accuracy").bounds)
    assert percent.low < percent.mean == percent.high


def test_two_seeds_of_an_accuracy_claim_nothing_impossible():
    far_apart = retrained("t0001", [0.30, 0.404], test_accuracies=by_seed([0.2, 0.9]))
    near_none = retrained("t0002", [0.05, 0.30], origin="baseline")
    judged = judge([far_apart, near_none], "val_accuracy", "max")
    for found in (judged[0].score, judged[0].test_accuracy, judged[1].score):
        assert (found.low, found.high) == (0, 1)
    assert (judged[1].behind.low, judged[1].behind.high) == (pytest.approx(-0.75, abs=0.01), 1)
    assert "0.352, 95 % interval 0.000 to 1.000 over 2" in conclusion(judged, "val_accuracy")
    assert judge([far_apart], "val_information", "max")[0].score.low < 0


def test_the_interval_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(0.7, 0.02, (2000, 5))
    held = [e.low <= 0.7 <= e.high for e in map(estimate, draws)]
    assert 0.935 < np.mean(held) < 0.965


@given(SCORES, SCORES, SCORES)
def test_what_a_seed_does_to_both_cancels_in_a_gain(a, b, effects):
    n = min(len(a), len(b), len(effects))
    moved = [[x + e for x, e in zip(s, effects, strict=False)] for s in (a, b)]
    plain = gain(by_seed(a[:n]), by_seed(b[:n]), "max")
    shifted = gain(by_seed(moved[0][:n]), by_seed(moved[1][:n]), "max")
    assert shifted.mean == pytest.approx(plain.mean, abs=1e-9)
    assert shifted.high == pytest.approx(plain.high, abs=1e-6)
    opposite = gain(by_seed(a[:n]), by_seed(b[:n]), "min")
    assert opposite.mean == pytest.approx(-plain.mean, abs=1e-12)


def test_a_gain_counts_only_seeds_that_both_have():
    found = gain({1: 0.5, 2: 0.7, 3: 0.9}, {2: 0.6, 3: 0.7, 4: 0.1}, "max")
    assert (found.n, found.mean) == (2, pytest.approx(0.15))
    assert gain({1: 0.5}, {2: 0.5}, "max") is None


@FEWER
@given(TABLES)
def test_probabilities_add_up_and_follow_the_means(table):
    chances = probability_best([by_seed(row) for row in table], "max")
    assert sum(chances) == pytest.approx(1)
    means = np.mean(table, axis=1)
    if np.ptp(means) > 1e-3:
        assert chances[np.argmax(means)] >= max(chances) - 0.02


@FEWER
@given(TABLES, st.lists(SCORE, min_size=6, max_size=6))
def test_probabilities_do_not_see_what_a_seed_does_to_all(table, effects):
    moved = [[x + e for x, e in zip(row, effects, strict=False)] for row in table]
    if min(np.ptp(np.subtract(a, b)) for a in table for b in table if a is not b) < 1e-3:
        return  # ties are decided by the last bit
    plain = probability_best([by_seed(row) for row in table], "max")
    assert probability_best([by_seed(r) for r in moved], "max") == pytest.approx(plain, abs=1e-3)


@FEWER
@given(SCORES, st.data())
def test_of_two_the_probability_is_the_paired_t_tests(a, data):
    b = data.draw(st.lists(SCORE, min_size=len(a), max_size=len(a)))
    differences = np.subtract(a, b)
    if np.std(differences) < 1e-3:
        return
    t = differences.mean() / stats.sem(differences)
    expected = stats.t.cdf(t, len(a) - 1)
    found = probability_best([by_seed(a), by_seed(b)], "max")
    assert found[0] == pytest.approx(expected, abs=0.01)
    flipped = probability_best([by_seed(a), by_seed(b)], "min")
    assert flipped[0] == pytest.approx(1 - expected, abs=0.01)


def test_five_seeds_ahead_are_not_certainty():
    a, b = by_seed([0.51, 0.62, 0.53, 0.56, 0.54]), by_seed([0.50, 0.52, 0.52, 0.53, 0.53])
    assert 0.8 < probability_best([a, b], "max")[0] < 0.97


def test_equals_share_and_too_little_says_nothing():
    same = by_seed([0.5, 0.5, 0.5])
    assert probability_best([same, same], "max") == [0.5, 0.5]
    assert probability_best([same], "max") is None
    assert probability_best([{1: 0.5}, {1: 0.6}], "max") is None
    assert probability_best([], "max") is None


def test_optimism_is_positive_when_the_search_flattered_whichever_the_mode():
    higher = judge([retrained("t0001", [0.7, 0.8], search_score=0.9)], "val_accuracy", "max")[0]
    lower = judge([retrained("t0001", [0.7, 0.8], search_score=0.5)], "val_accuracy", "min")[0]
    assert higher.optimism == pytest.approx(0.15)
    assert lower.optimism == pytest.approx(0.25)


def test_a_trial_that_fails_on_a_seed_does_not_lead():
    shaky = retrained("t0001", [0.99, 0.98], failed=(1002,))
    steady = retrained("t0002", [0.5, 0.51, 0.52])
    judged = judge([shaky, steady], "val_accuracy", "max")
    assert [j.of.trial for j in judged] == ["t0002", "t0001"]
    assert "Fresh seeds that failed are left out: t0001 on 1." in conclusion(judged, "val_accuracy")


def test_label_sets_do_not_compare():
    sets = [retrained(f"t000{i}", [i / 10, i / 10 + 0.01], labels=str(i)) for i in (1, 2)]
    judged = judge(sets, "val_accuracy", "max")
    assert [j.leads for j in judged] == [True, True]
    assert {j.probability_best for j in judged} == {None}
    assert len(conclusion(judged, "val_accuracy").splitlines()) == 2


def test_a_clear_lead_is_said_and_a_doubtful_one_is_not():
    best = retrained("t0001", [0.80, 0.81, 0.82], search_score=0.85)
    clear = judge(
        [best, retrained("t0002", [0.50, 0.52, 0.51], origin="baseline")], "val_accuracy", "max"
    )
    words = conclusion(clear, "val_accuracy")
    assert "It is better than the other, seed by seed" in words
    assert "gain over the baseline t0002 is 0.300" in words
    assert "scored it 0.850, 0.040 better than this mean" in words
    doubtful = judge([best, retrained("t0003", [0.79, 0.82, 0.80])], "val_accuracy", "max")
    words = conclusion(doubtful, "val_accuracy")
    assert "statistically indistinguishable from t0003" in words
    assert "better than the other" not in words


def test_one_seed_claims_nothing():
    judged = judge([retrained("t0001", [0.8]), retrained("t0002", [0.1])], "val_accuracy", "max")
    words = conclusion(judged, "val_accuracy")
    assert "does not show the spread" in words
    assert "better than" not in words.replace("better than this mean", "")
    assert math.isclose(judged[1].behind.mean, 0.7)


def test_nothing_left_is_said():
    judged = judge([retrained("t0001", [], failed=(1000, 1001))], "val_accuracy", "max")
    assert conclusion(judged, "val_accuracy").startswith("t0001 failed on every fresh seed")
