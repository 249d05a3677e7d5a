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


@pytest.fixture(scope="module")
def recordings():
    """No grid is recorded."""
    import claims
    import record_claims

    return claims.Recordings(dict.fromkeys([*claims.GRIDS, *record_claims.CLAIMS]))


@pytest.fixture(scope="module")
def document(results, recordings):
    """``document(populations)``: the text about these populations, without any grid."""
    return lambda populations: results.document(populations, recordings)


def population(name, gains, *, confirmed=None):
    """A population of two trials a method: the test accuracy is 0.5 plus the method's gain, and the
    second trial, which noisy validation prefers, is worth a point less."""
    from populations import POPULATIONS, Recorded

    from tune_robust.runs.predictions import Labels

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
    given = np.arange(20) % 2
    # Images of two classes: one class predicted for all, or the right one for each.
    predicted = np.eye(2)[np.zeros_like(given)], np.eye(2)[given]
    predictions = {(n, 1.0): predicted[k] for n, (_, k) in zip(names, rows, strict=True)}
    labels = Labels(given, given)
    return Recorded(POPULATIONS[name], meta, trials, epochs, labels, predictions, confirmed)


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


def test_label_information_chooses_where_the_labels_are_noisy_and_accuracy_where_not(comparison):
    """The accuracies are made to prefer the first trial, the predictions the second."""
    noisy, clean = (population(name, {"sgd": 0.0}) for name in (NAMES[0], "digits_clean_0"))
    for one in (noisy, clean):
        one.epochs["val_accuracy"] = [0.9, 0.9, 0.4, 0.3]
    assert comparison.chosen(noisy)["trial"].to_dict() == {"sgd": "t0002"}
    assert comparison.chosen(clean)["trial"].to_dict() == {"sgd": "t0001"}
    assert comparison.chosen(noisy, "val_accuracy")["trial"].to_dict() == {"sgd": "t0001"}
    assert comparison.selection(noisy).lost == pytest.approx(1.0)
    assert comparison.selection(noisy, "val_accuracy").lost == 0


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
    accuracies = comparison.accuracies_of(same_everywhere())
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
    accuracies = comparison.accuracies_of(same_everywhere(NAMES[:1]))
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


def test_the_document_claims_no_more_than_the_data_decides(results, document):
    few = document(same_everywhere(NAMES[:2]))
    assert "None of the 2 comparisons of methods is decided" in few
    assert "So few populations (2) cannot decide any of them" in few
    assert "Missing so far: " in few
    many = document(same_everywhere([*results.POPULATIONS][:12]))
    assert "Decided at 5 %, corrected for 2 comparisons: SAM is above SGD." in many
    assert "cannot decide any" not in many


def test_intervals_need_three_populations(document):
    two, three = (document(same_everywhere(NAMES[:n])) for n in (2, 3))
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


def test_fresh_seeds_are_compared_seed_by_seed(comparison, document):
    seeds = (1000, 1001, 1002)
    accuracies = {("sam", "t0004"): (0.60, 0.61, 0.62), ("sgd", "t0002"): (0.50, 0.52, 0.51)}
    rows = [
        (*which, seed, 0.3, accuracy)
        for which, values in accuracies.items()
        for seed, accuracy in zip(seeds, values, strict=True)
    ]
    columns = ["method", "trial", "seed", "val_accuracy", "test_accuracy"]
    confirmed = pd.DataFrame(rows, columns=columns)
    one = population(NAMES[0], {"sgd": 0.0, "sam": 0.1}, confirmed=confirmed)
    text = document([one])
    assert "| SAM | 3 | 61.0 (58.5 to 63.5) | +10.0 (+7.5 to +12.5) | 0.003 | 59.0 |" in text
    assert "`digits_symmetric_0`, 3 fresh seeds" in text
    accuracies = comparison.accuracies_of([one])
    assert accuracies.loc[NAMES[0]].round(3).to_dict() == {"sam": 0.61, "sgd": 0.51}


def test_too_few_fresh_seeds_or_other_trials_do_not_replace_the_search(comparison):
    columns = ["method", "trial", "seed", "val_accuracy", "test_accuracy"]
    two = [
        (m, t, seed, 0.3, 0.9) for m, t in (("sgd", "t0002"), ("sam", "t0004")) for seed in (1, 2)
    ]
    others = [
        (m, t, seed, 0.3, 0.9)
        for m, t in (("sgd", "t0001"), ("sam", "t0004"))
        for seed in (1, 2, 3)
    ]
    for rows in (two, others):
        confirmed = pd.DataFrame(rows, columns=columns)
        one = population(NAMES[0], {"sgd": 0.0, "sam": 0.1}, confirmed=confirmed)
        assert comparison.on_fresh_seeds(one) is None
        assert comparison.accuracies_of([one]).max().max() == pytest.approx(0.59)


def cells(**columns):
    """A grid of two learning rates and two seeds; the columns are added."""
    table = pd.DataFrame({"optimizer.lr": [0.1, 0.1, 0.2, 0.2], "seed": [0, 1, 0, 1]})
    return pd.concat(
        [table.assign(method=method, test_accuracy=values) for method, values in columns.items()]
    )


def test_a_claim_is_tested_within_cells_that_differ_in_one_setting(recordings):

    grid = cells(sam=[0.5, 0.6, 0.7, 0.8], saner=[0.6, 0.8, 0.71, 0.95])
    there = recordings._replace(grids=recordings.grids | {"parts": grid})
    by = ("optimizer.lr", "seed")
    found = there.tested("SANER is above SAM", "parts", "method", "saner", "sam", by)
    assert (found.size.n, round(found.p, 3)) == (4, 0.066)
    assert found.size.mean == pytest.approx(0.115)
    assert found._replace(adjusted=0.04).verdict == "supported"
    assert found._replace(adjusted=0.06).verdict == "open"
    opposite = there.tested("SAM is above SANER", "parts", "method", "sam", "saner", by)
    assert opposite._replace(adjusted=0.04).verdict == "refuted"
    missing = recordings.tested("SANER is above SAM", "parts", "method", "saner", "sam", by)
    assert (missing.size, missing.verdict) == (None, "not recorded")


def test_the_tests_of_all_claims_are_corrected_together(recordings, comparison):
    import claims

    populations = same_everywhere([*NAMES, "digits_clean_0", "digits_clean_1"])
    rows = [
        (rho, seed, loss, 0.5 + 0.3 * (loss == "ce") + 0.01 * seed * (loss == "gce"))
        for rho in (0.2, 0.5)
        for seed in (0, 1, 2)
        for loss in ("ce", "gce")
    ]
    grid = pd.DataFrame(rows, columns=["sam.rho", "seed", "loss.name", "test_accuracy"])
    there = recordings._replace(grids=recordings.grids | {"sam_and_gce": grid})
    found = claims.tests(comparison.accuracies_of(populations), there)
    tested = [one for one in found if one.p is not None]
    assert [one.claim for one in tested] == ["SANER is above SAM", "GCE adds to SAM"]
    assert [one.adjusted for one in tested] == comparison.holm([one.p for one in tested])
    assert [one.verdict for one in tested] == ["refuted", "refuted"]


def test_the_best_rho_at_40_percent_is_judged_at_the_other_rates(recordings):
    import claims

    rows = [
        (rate, seed, rho, accuracy)
        for rate, by_rho in ((0.2, (0.9, 0.8)), (0.4, (0.8, 0.7)), (0.6, (0.5, 0.6)))
        for seed in (0, 1, 2)
        for rho, accuracy in zip((0.1, 1.0), by_rho, strict=True)
    ]
    columns = ["data.noise.rate", "seed", "sam.rho", "test_accuracy"]
    grids = recordings.grids | {"rho_and_noise": pd.DataFrame(rows, columns=columns)}
    found = claims.rho_by_rate(recordings._replace(grids=grids))
    assert [one.rate for one in found] == [0.2, 0.4, 0.6]
    assert [one.lost.mean for one in found] == pytest.approx([0, 0, 0.1])
    assert claims.rho_by_rate(recordings) == []


def test_a_start_is_chosen_on_one_half_and_checked_on_the_other():
    import starting_points

    develop = population("digits_symmetric_0", {"sgd": 0.0, "sam": 0.1, "law": 0.05})
    report = population("digits_symmetric_1", {"sgd": 0.0, "sam": -0.1, "law": 0.2})
    one, two = starting_points.starts([develop, report], [1, 2])[:2]
    assert (one.noise, one.trials, one.regret) == ("symmetric", ["t0003"], 0)
    assert (one.developed, one.checked) == (["digits_symmetric_0"], ["digits_symmetric_1"])
    assert (one.gains, one.regrets) == ([pytest.approx(-0.1)], [pytest.approx(30)])
    assert two.trials == ["t0003", "t0005"]
    (any_noise,) = starting_points.starts([develop, report], [1])[1:]
    assert (any_noise.noise, any_noise.trials) == ("any", ["t0003"])
    assert starting_points.starts([report]) == []


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


def test_the_picture_names_each_method_once(results, recordings, tmp_path):
    results.write(same_everywhere(), recordings, tmp_path)
    tags = Tags()
    tags.feed((tmp_path / results.PICTURE).read_text())
    assert tags.open == []
    assert {t.split(" (")[0] for t in tags.texts if "(" in t} == {"SGD", "SAM", "SANER"}
    assert results.PICTURE in (tmp_path / "results.md").read_text()


@pytest.fixture(scope="module")
def complete(results):
    return results.complete_populations()


def test_the_document_is_that_of_the_recordings_here(results, complete):
    """Whoever records more has to write the document again."""
    import claims

    grids = claims.Recordings.load(results.RECORDED.parent)
    assert (results.DOCS / "results.md").read_text() == results.document(complete, grids)


def test_robust_start_begins_with_what_the_recordings_chose(complete):
    import starting_points

    from tune_robust.spaces.space import load_space

    assert [*load_space("robust_start").known] == starting_points.known_points(complete)


def test_no_recording_says_where_it_lay():
    for path in (BENCHMARKS / "recorded" / "populations").glob("*/run.json"):
        meta = json.loads(path.read_text())
        assert "dir" not in meta["space"]["train"]["data"]
        assert not re.search(r'"/[a-z]+/', path.read_text())


def the_starts(document):
    return document.split("## Your noise")[1].split("## Each method")[0]


def test_a_population_with_fewer_configurations_chooses_and_checks_no_start(document):
    from dataclasses import replace

    gains = {"sgd": 0.0, "sam": 0.1, "saner": 0.2, "law": 0.05}
    names = ["digits_symmetric_0", "digits_symmetric_1", "cifar10_worse_0"]
    first, second, large = (population(name, gains) for name in names)
    trials = large.trials[:7]
    epochs = large.epochs[large.epochs["trial"].isin(trials["trial"])]
    few = replace(large, trials=trials, epochs=epochs)
    alone = document([first, second])
    text = document([first, second, few])
    assert the_starts(text) == the_starts(alone)
    assert "`cifar10_worse_0` has the first 7 configurations only" in " ".join(text.split())
