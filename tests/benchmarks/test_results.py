"""The comparison of methods: its statistics against published values, and the document's claims."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
METHODS = ["sgd", "sam", "saner", "law"]


@pytest.fixture(scope="module")
def comparison():
    import method_comparison

    return method_comparison


@pytest.fixture(scope="module")
def results(comparison):
    import results

    return results


def population(name, gains, *, confirmed=None):
    """A population of two trials a method: the test accuracy is 0.5 plus the method's gain, and the
    second trial, which noisy validation prefers, is worth a point less."""
    from populations import POPULATIONS, Recorded

    rows = [(m, k) for m in gains for k in (0, 1)]
    names = [f"t{n + 1:04d}" for n in range(len(rows))]
    trials = pd.DataFrame(
        {
            "trial": names,
            "method": [m for m, _ in rows],
            "status": "done",
            "law.shape": ["band" if k else "suppress_high" for _, k in rows],
        }
    )
    epochs = pd.DataFrame(
        {
            "trial": names * 2,
            "epoch": [1] * len(rows) + [2] * len(rows),
            "val_accuracy": [0.9] * len(rows) + [0.3 + 0.1 * k for _, k in rows],
            "test_accuracy": [0.0] * len(rows) + [0.5 + gains[m] - 0.01 * k for m, k in rows],
        }
    )
    meta = {"space": {"budget": {"trials": len(rows)}}}
    return Recorded(POPULATIONS[name], meta, trials, epochs, None, {}, confirmed)


NAMES = [f"digits_{noise}_{draw}" for draw in (0, 1, 2) for noise in ("symmetric", "asymmetric")]


def same_everywhere(names=NAMES):
    """SAM is always ahead, by another distance each time; the others are level with SGD."""
    return [
        population(name, {"sgd": 0.0, "sam": 0.1 + 0.01 * n, "saner": 0.001 * (-1) ** n})
        for n, name in enumerate(names)
    ]


def test_a_method_stands_for_its_best_by_noisy_validation_at_the_end(comparison):
    chosen = comparison.chosen(population(NAMES[0], {"sgd": 0.0, "sam": 0.1}))
    assert chosen["trial"].to_dict() == {"sam": "t0004", "sgd": "t0002"}
    assert chosen["test_accuracy"].round(3).to_dict() == {"sam": 0.59, "sgd": 0.49}


@pytest.mark.parametrize(
    ("methods", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728), (8, 3.031), (10, 3.164)]
)
def test_the_critical_difference_is_demsars(comparison, methods, quantile):
    """Table 5 of Demsar 2006."""
    expected = quantile * np.sqrt(methods * (methods + 1) / (6 * 14))
    assert comparison.critical_difference(methods, 14) == pytest.approx(expected, rel=1e-3)


def test_ranks_are_means_and_equal_values_share_theirs(comparison):
    accuracies = pd.DataFrame({"a": [0.9, 0.9], "b": [0.9, 0.8], "c": [0.1, 0.7]})
    ranked = comparison.ranking(accuracies)
    assert ranked.ranks.to_dict() == {"a": 1.25, "b": 1.75, "c": 3.0}


def test_cliques_are_the_largest_groups_within_the_critical_difference(comparison):
    ranks = pd.Series({"a": 1.0, "b": 2.0, "c": 2.5, "d": 4.0, "e": 6.0})
    assert comparison.cliques(ranks, 1.5) == (("a", "b", "c"), ("c", "d"))
    assert comparison.cliques(ranks, 0.1) == ()
    assert comparison.cliques(ranks, 9.0) == (tuple("abcde"),)


def test_holms_correction_of_a_known_example(comparison):
    """Example of Holm 1979 as worked out by R's p.adjust(method = "holm")."""
    assert comparison.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_a_correction_lowers_no_p_value_and_keeps_their_order(comparison, p_values):
    adjusted = comparison.holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert max(adjusted) <= 1


def test_a_difference_is_paired_over_the_populations(comparison):
    accuracies = comparison.test_accuracies(same_everywhere())
    sam, saner = comparison.differences(accuracies, [("sam", "sgd"), ("saner", "sgd")])
    assert sam.size.mean == pytest.approx(0.125)
    assert sam.p == pytest.approx(2 / 2**6)
    assert sam.adjusted == pytest.approx(2 * sam.p)
    assert (sam.verdict, saner.verdict) == ("open", "open")
    (alone,) = comparison.differences(accuracies, [("sam", "sgd"), ("gce", "sgd")])
    assert alone.verdict == "above"
    (other_way,) = comparison.differences(accuracies, [("sgd", "sam")])
    assert other_way.verdict == "below"


def test_one_population_decides_nothing(comparison):
    accuracies = comparison.test_accuracies(same_everywhere(NAMES[:1]))
    (found,) = comparison.differences(accuracies, [("sam", "sgd")])
    assert (found.p, found.adjusted, found.verdict) == (None, None, "open")
    assert comparison.ranking(accuracies).p is None


def test_how_many_populations_a_decision_takes(comparison):
    for comparisons in (1, 2, 17):
        needed = comparison.fewest_populations(comparisons)
        assert comparisons * 2 / 2**needed <= comparison.LEVEL < comparisons * 2 / 2 ** (needed - 1)


def test_what_choosing_by_noisy_labels_costs(comparison):
    found = comparison.selection(population(NAMES[0], {"sgd": 0.0, "sam": 0.1}))
    assert (found.trial, found.method) == ("t0002", "sgd")
    assert found.best - found.accuracy == pytest.approx(0.11)


def test_the_document_claims_no_more_than_the_data_decides(results):
    few = results.document(same_everywhere(NAMES[:2]))
    assert "None of the 3 comparisons below is decided" in few
    assert "So few populations (2) cannot decide any of them" in few
    assert "Missing so far: " in few
    many = results.document(same_everywhere([*results.POPULATIONS][:12]))
    assert (
        "Decided at 5 %, corrected for 3 comparisons: SAM is above SGD; SANER is below SAM." in many
    )
    assert "cannot decide any" not in many


def test_intervals_need_three_populations(results):
    two, three = (results.document(same_everywhere(NAMES[:n])) for n in (2, 3))
    assert "| SAM over SGD | 2 | +10.5 |" in two
    assert re.search(r"\| SAM over SGD \| 3 \| \+11\.0 \(\+8\.5 to \+13\.5\) \|", three)


def test_only_complete_populations_compare(comparison):
    from dataclasses import replace

    one = population(NAMES[0], {"sgd": 0.0, "sam": 0.1})
    assert one.complete
    assert not replace(one, trials=one.trials.iloc[:-1]).complete
    failed = one.trials.assign(status=["done"] * 3 + ["failed"])
    assert replace(one, trials=failed).complete
    assert "t0004" not in replace(one, trials=failed).last.index


def test_fresh_seeds_are_compared_seed_by_seed(results):
    rows = [("sam", "t0004", seed, 0.3, 0.6 + seed / 1000) for seed in (1000, 1001, 1002)]
    rows += [("sgd", "t0002", seed, 0.3, 0.5 + seed / 1000) for seed in (1000, 1001, 1002)]
    columns = ["method", "trial", "seed", "val_accuracy", "test_accuracy"]
    confirmed = pd.DataFrame(rows, columns=columns)
    one = population(NAMES[0], {"sgd": 0.0, "sam": 0.1, "saner": 0.2}, confirmed=confirmed)
    assert "| SAM | 3 | 160.1" in results.document([one])
    assert "| +10.0 (+10.0 to +10.0) |" in results.document([one])


class Tags(HTMLParser):
    """The texts of a picture, and that each element is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "text":
            self.texts.append(data)


def test_the_picture_names_each_method_once(results, tmp_path):
    results.write(same_everywhere(), tmp_path)
    tags = Tags()
    tags.feed((tmp_path / results.PICTURE).read_text())
    assert tags.open == []
    assert {t.split(" (")[0] for t in tags.texts if "(" in t} == {"SGD", "SAM", "SANER"}
    assert results.PICTURE in (tmp_path / "results.md").read_text()


def test_the_document_is_that_of_the_recordings_here(results, tmp_path):
    """Whoever records more has to write the document again."""
    complete = results.complete_populations()
    written = results.DOCS / "results.md"
    assert written.exists() == bool(complete)
    if complete:
        assert written.read_text() == results.document(complete)


def test_no_recording_says_where_it_lay():
    for path in (BENCHMARKS / "recorded" / "populations").glob("*/run.json"):
        meta = json.loads(path.read_text())
        assert "dir" not in meta["space"]["train"]["data"]
        assert not re.search(r'"/[a-z]+/', path.read_text())
