"""Comparisons of simulated runs: what is a repeat, what compares, and what may be said of it."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from analysis.comparison.figures import band, bands, colours, finals, noise_map
from analysis.comparison.page import render
from analysis.comparison.scenes import Curve, compare_runs, noise_axis
from analysis.comparison.text import conclusion, document, headline, rows
from analysis.stored.run import load_run
from tests.tuning.simulated import open_confirming, peak, simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.objective import Objective
from tune_robust.spaces.space import Space
from tune_robust.tuning.winners.retraining import confirmation_of, write_summary

ACCURACY = Objective("val_accuracy", "max", "last")


def search(path, seed=0, curve=peak, rate=None, **changes):
    """A simulated run at ``path``."""
    noise = {} if rate is None else {"noise": {"kind": "symmetric", "rate": rate}}
    train = {"data": {"dataset": "digits", **noise}, "method": "saner", "epochs": 6}
    train |= changes.pop("train", {})
    simulate(
        space(train=train | {"seed": 100 * seed}, searcher={"seed": seed}, **changes), path, curve
    )
    return path


def test_searches_on_clean_and_on_noisy_labels_compare_by_accuracy(tmp_path):
    """Their objectives differ by default: the accuracy, and the label information."""
    found = compare_runs([search(tmp_path / "clean"), search(tmp_path / "noisy", rate=0.4)])
    assert found.objective == ACCURACY


def worse(trial, epoch):
    return peak(trial, epoch) - 0.5


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three repeats each of a good and of a worse search, which differ in their batch size."""
    folder = tmp_path_factory.mktemp("runs")
    good = [search(folder / f"good-{seed}", seed) for seed in range(3)]
    poor = [
        search(folder / f"poor-{seed}", seed, worse, train={"batch_size": 32}) for seed in range(3)
    ]
    return good, poor


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """One search at three noise rates, whose best rho falls with the noise."""
    folder = tmp_path_factory.mktemp("noisy")

    def at(best):
        return lambda t, e: 1 - abs(math.log(t.values["sam.rho"] / best)) + 0.01 * e

    rates = {0.2: 0.5, 0.4: 0.2, 0.6: 0.05}
    return [search(folder / f"n{r}", curve=at(best), rate=r) for r, best in rates.items()]


def test_runs_that_differ_in_seeds_alone_are_repeats(runs):
    good, poor = runs
    (scene,) = compare_runs([*good, *poor]).scenes
    assert [len(entry.repeats) for entry in scene.entries] == [3, 3]
    assert {e.label for e in scene.entries} == {"simulated", "simulated (batch_size 32)"}
    assert scene.ranked[0].label == "simulated"


def test_a_run_of_an_earlier_version_has_the_same_labels_by_their_earlier_name(
    tmp_path, monkeypatch
):
    noise = {"kind": "given", "file": "labels.csv", "key": "seen"}
    train = {"data": {"dataset": "cifar10", "noise": noise}}
    paths = [search(tmp_path / f"r{seed}", seed, train=train) for seed in range(2)]

    def loaded(path):
        run = load_run(path)
        trials = run.trials.copy()
        if path == paths[0]:
            trials["config"] = [text.replace('"key":', '"column":') for text in trials["config"]]
            assert '"column": "seen"' in trials["config"].iloc[0]
        return replace(run, trials=trials)

    monkeypatch.setattr("analysis.comparison.scenes.load_run", loaded)
    (scene,) = compare_runs(paths).scenes
    assert [len(entry.repeats) for entry in scene.entries] == [2]


def test_scores_are_taken_where_all_have_spent_as_much(runs, tmp_path):
    good, _ = runs
    short = search(tmp_path / "short", budget={"trials": 4, "scheduler": "none"})
    (scene,) = compare_runs([good[0], short]).scenes
    assert scene.compute == min(e.end for e in scene.entries) == 4 * 12
    for entry in scene.entries:
        curve = entry.repeats[0].curve
        assert entry.scores(scene.compute) == [curve.best[curve.spent <= scene.compute][-1]]


def test_baselines_cost_and_are_shown_but_do_not_lead(tmp_path):
    flattered = search(
        tmp_path / "r",
        curve=lambda t, e: 9.0 if t.origin == "baseline" else peak(t, e),
        baselines=[{"method": "sgd"}],
    )
    other = search(tmp_path / "other", seed=1)
    entries = compare_runs([flattered, other]).scenes[0].entries
    assert max(score for entry in entries for score in entry.final) < 2
    assert entries[0].repeats[0].winner["origin"] != "baseline"
    run = entries[0].repeats[0].run
    assert entries[0].end == run.trials["gradient_evaluations"].sum()
    assert (entries[0].baseline.mean, entries[1].baseline) == (9.0, None)
    found = compare_runs([flattered, other])
    assert "A baseline of its own is better than" in conclusion(found)[0]
    assert "and 1 baseline" in render(found)


def test_a_curve_steps_up_where_trials_end():
    curve = Curve(np.array([10.0, 20.0]), np.array([0.5, 0.7]), 30.0)
    assert math.isnan(curve.at(9.9))
    assert (curve.at(10), curve.at(19.9), curve.at(99)) == (0.5, 0.5, 0.7)
    assert curve.reaches(0.6, ACCURACY) == 20
    assert curve.reaches(0.8, ACCURACY) is None
    assert curve.reaches(0.55, Objective("val_loss", "min", "last")) == 10


def test_a_band_lies_around_its_mean_while_all_repeats_last(runs):
    good, poor = runs
    for entry in compare_runs([*good, *poor]).scenes[0].entries:
        spent, low, mean, high = band(entry)
        assert (low <= mean).all()
        assert (mean <= high).all()
        assert (np.diff(mean) >= 0).all()
        assert spent[-1] == entry.end
        assert not np.isnan(mean).any()


def test_a_clear_lead_is_claimed_and_one_run_each_claims_nothing(runs):
    good, poor = runs
    found = compare_runs([*good, *poor])
    assert "better than simulated (batch_size 32), with 95% confidence" in conclusion(found)[0]
    assert headline(found) == "simulated is ahead at equal compute"
    found = compare_runs([good[0], poor[0]])
    assert "too few runs to compare" in conclusion(found)[0]
    assert "single runs do not show the noise" in headline(found)


def test_what_cannot_be_told_apart_is_said(runs, tmp_path):
    good, _ = runs
    alike = [search(tmp_path / f"r{s}", s, train={"batch_size": 64}) for s in range(3)]
    assert "statistically indistinguishable from" in conclusion(compare_runs([*good, *alike]))[0]


def test_the_cost_of_a_score_counts_those_that_reach_it(runs):
    good, poor = runs
    (scene,) = compare_runs([*good, *poor], reach=0.8).scenes
    ours, theirs = rows(scene)
    assert ours.cost[1] == 3
    assert ours.cost[0] == np.median(
        [r.curve.reaches(0.8, ACCURACY) for r in scene.ranked[0].repeats]
    )
    assert theirs.cost == (None, 0)
    (scene,) = compare_runs([*good, *poor]).scenes
    assert [row.cost[1] for row in rows(scene)] == [3, 3]


def test_confirmed_scores_are_shown(tmp_path):
    paths = [search(tmp_path / f"r{seed}", seed) for seed in range(2)]
    open_confirming(RunFolder(paths[0]), ["t0001"], 3).close()
    folder = confirmation_of(RunFolder(paths[0]))
    simulate(Space.from_document(folder.read_meta()["space"]), folder.path)
    expected = write_summary(folder)["trials"][0]
    (entry,) = compare_runs(paths).scenes[0].entries
    assert (entry.confirmed.mean, entry.confirmed.n) == (expected["mean"], 3)
    summary = folder.path / "confirmation.json"
    summary.write_text(summary.read_text().replace('"mean"', '"meen"'))
    with pytest.raises(UserError, match=r"confirmation\.json is damaged.*writes a new one"):
        compare_runs(paths)
    with pytest.raises(UserError, match="is a confirmation: give the run itself"):
        compare_runs([paths[0], folder.path])


def test_across_noise_the_best_setting_is_followed(noisy):
    found = compare_runs(noisy[::-1])
    assert noise_axis(found.scenes) == [0.2, 0.4, 0.6]
    best = [place.best for place in found.places["sam.rho"]]
    assert best == sorted(best, reverse=True)
    for place in found.places["sam.rho"]:
        assert place.low is None or place.low <= place.high
    assert "the best sam.rho is" in conclusion(found)[0]
    assert "20% wrong labels" in conclusion(found)[0]
    assert headline(found) == "How the best sam.rho moves with the noise"


def test_another_network_is_another_place_on_the_map(noisy, tmp_path):
    other = search(tmp_path / "wide", rate=0.2, train={"model": {"width": 2.0}})
    found = compare_runs([noisy[0], other])
    assert noise_axis(found.scenes) is None
    assert {s.label for s in found.scenes} == {
        "digits, 20% symmetric noise, width 1",
        "digits, 20% symmetric noise, width 2",
    }


def test_what_does_not_compare_is_refused_with_the_reason(runs, noisy, tmp_path):
    good, _ = runs
    with pytest.raises(UserError, match="two runs or more"):
        compare_runs(good[:1])
    with pytest.raises(UserError, match="given twice"):
        compare_runs([good[0], good[0].parent / ".." / good[0].parent.name / good[0].name])
    loss = search(tmp_path / "loss", objective={"metric": "val_accuracy", "at": "best"})
    with pytest.raises(UserError, match=r"good-0: val_accuracy \(max, last epoch\); loss"):
        compare_runs([good[0], loss])
    other = search(tmp_path / "lr", rate=0.3, search={"label_smoothing": {"uniform": [0.0, 0.3]}})
    with pytest.raises(UserError, match=r"these runs are not comparable.*30% symmetric noise"):
        compare_runs([noisy[0], other])
    empty = search(tmp_path / "failed", curve=lambda t, e: None if e > 1 else 0.5)
    with pytest.raises(UserError, match="no finished trial to compare"):
        compare_runs([good[0], empty])


def test_the_page_holds_every_figure_and_asks_for_nothing(runs, noisy):
    good, poor = runs
    for found in (compare_runs([*good, *poor]), compare_runs(noisy)):
        html = render(found)
        assert html.count("<h1>") == 1
        for place, scene in enumerate(found.scenes):
            assert f'data-plot="plot-bands-{place}"' in html
            runs_of = sum(len(entry.repeats) for entry in scene.entries)
            # One run is not set beside anything.
            assert (f'data-plot="plot-finals-{place}"' in html) == (runs_of > 1)
        assert "<code>tune-robust confirm</code>" in html
        assert html.count('data-plot="plot-map-') == len(found.places)
        assert "default-src 'none'" in html


def test_lines_that_cover_each_other_differ_in_their_dashes(runs):
    good, poor = runs
    found = compare_runs([*good, *poor])
    lines = [line for line in bands(found.scenes[0], colours(found)).data if line.mode == "lines"]
    assert len({line.line.dash for line in lines}) == 2


def test_an_entry_keeps_its_colour(runs):
    good, poor = runs
    found = compare_runs([*good, *poor])
    colour, (scene,) = colours(found), found.scenes
    lines = {t.name: t.line.color for t in bands(scene, colour).data if t.mode == "lines"}
    assert lines == colour
    assert {t.marker.color for t in finals(scene, colour).data} == set(colour.values())


def test_the_map_spans_its_dimension(noisy):
    found = compare_runs(noisy)
    figure = noise_map(found, "sam.rho", colours(found))
    assert figure.layout.yaxis.type == "log"
    assert list(figure.layout.xaxis.tickvals) == [0.2, 0.4, 0.6]


def test_the_document_is_plain_json(runs, noisy):
    good, poor = runs
    found = document(compare_runs([*good, *poor]))
    assert found == json.loads(json.dumps(found))
    assert found["scenes"][0]["searches"][0]["runs"] == [path.name for path in good]
    assert set(document(compare_runs(noisy))["best_settings"]) == {"sam.rho", "saner.alpha"}


@pytest.mark.e2e
def test_comparing_needs_neither_torch_nor_ray(runs):
    code = (
        "import sys; from analysis.comparison import page, scenes;"
        "page.render(scenes.compare_runs(sys.argv[1:])); print({'torch', 'ray'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, *map(str, runs[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"
