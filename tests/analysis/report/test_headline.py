import json

import pandas as pd
import pytest

from analysis import load_run
from analysis.report.headline import headline, lead
from analysis.report.next_steps import next_steps
from analysis.report.notes import notes
from analysis.report.peak_and_plateau import peak_and_plateau
from analysis.report.provenance import provenance, subtitle
from analysis.report.summary import summarise
from analysis.report.tiles import tiles
from analysis.surrogate.importance import importance_info


def told(run):
    summary = summarise(run)
    parts = [headline(run, summary), lead(run, summary), notes(run, summary)]
    return "\n".join(parts)


def test_the_answer_opens_with_the_winning_setting(search_run):
    summary = summarise(search_run)
    text = told(search_run)
    rho = summary.winner.settings["sam.rho"]
    assert f"sam.rho {rho:.3g}" in headline(search_run, summary)
    assert "is the best setting found, level with 3 other trials" in text
    assert "points better than the sgd baseline" in text
    assert "test images, which are not used for selection" in text
    assert "a perfect model would score about 50%" in text
    assert "optimistic" in text
    assert "Differences below about 5 points are within the sampling noise of the 360" in text


def test_peak_and_plateau_stand_side_by_side(search_run):
    summary = summarise(search_run)
    text = peak_and_plateau(search_run, summary)
    assert summary.region.peak.trial == summary.winner.trial
    assert text.index("Peak") < text.index("Plateau") < text.index("<code>sam.rho</code> from")
    assert f"{100 * summary.region.plateau.expected:.1f}%" in text
    assert "--winner plateau" in next_steps(search_run, summary)


def test_where_a_baseline_wins_there_is_no_plateau(build):
    weak = [
        build.trial(n, {"sam.rho": 0.05 + 0.003 * n, "saner.alpha": n / 20}, good=0.1)
        for n in range(2, 20)
    ]
    run = build.load([build.trial(1, {}, origin="baseline", good=1.0), *weak])
    assert summarise(run).winner.is_baseline
    assert peak_and_plateau(run, summarise(run)) == ""


def test_test_accuracy_is_marked_as_record_only(search_run):
    assert "not used for selection" in tiles(search_run, summarise(search_run))


def test_clean_validation_labels_need_no_warning(build):
    noise = {"kind": "symmetric", "rate": 0.5}
    data = {"noise": noise, "validation": {"size": 100, "labels": "clean"}}
    run = build.load(build.search(6), space=build.space(train={"data": data}))
    assert "perfect model" not in told(run)


def test_what_is_odd_about_the_data_is_said(build):
    run = build.load(build.search(6))
    run.meta["cautions"] = ["The data have no test set: 9 of <the> training images are held out."]
    assert "The data have no test set: 9 of &lt;the&gt; training images" in told(run)


def test_a_baseline_that_wins_is_said(build):
    trials = [build.trial(1, {}, origin="baseline", good=1.0), build.trial(2, {"sam.rho": 0.06})]
    assert "Nothing searched beats the sgd baseline" in told(build.load(trials))


def test_a_lone_baseline_is_no_answer_yet(build):
    trials = [build.trial(1, {}, origin="baseline"), build.trial(2, {}, status="running")]
    text = told(build.load(trials))
    assert "Only the baseline has ended so far" in text
    assert "23 trials of 24 have not ended yet" in text


def test_stopped_trials_are_no_full_answer(build):
    text = told(build.load([build.trial(1, {"sam.rho": 0.2}, status="stopped", epochs=5)]))
    assert "No trial ran to its end" in text
    assert "so far" in text


def test_a_stopped_trial_ahead_of_the_winner_is_named(build):
    trials = [
        build.trial(1, {}, good=0.1),
        build.trial(2, {}, good=0.9, status="stopped", epochs=30),
    ]
    assert "1 stopped trial scored higher than the winner when stopped</b> (t0002)" in told(
        build.load(trials)
    )


def test_all_failed_names_the_commonest_error(build):
    errors = ["out of memory", "loss is <NaN>", "loss is <NaN>"]
    trials = [
        build.trial(i, {}, status="failed", epochs=1, error=error)
        for i, error in enumerate(errors, 1)
    ]
    run = build.load(trials)
    assert "All 3 trials failed" in told(run)
    assert "loss is &lt;NaN&gt;" in told(run)
    assert "tune-robust resume" in next_steps(run, summarise(run))


@pytest.mark.parametrize("part", [subtitle, provenance])
def test_names_are_escaped(build, part):
    space = build.space(name="<script>alert(1)</script>")
    run = build.load([build.trial(1, {})], name="évil <b>&名", space=space)
    text = part(run)
    assert "<script>" not in text
    assert "évil &lt;b&gt;&amp;名" in text


def test_no_overall_winner_across_label_sets(build):
    search = {"data.noise.rate": {"grid": [0.2, 0.4]}}
    trials = [build.trial(n, {"data.noise.rate": rate}) for n, rate in enumerate((0.2, 0.4), 1)]
    run = build.load(trials, space=build.space(search=search))
    summary = summarise(run)
    assert headline(run, summary) == "Trials on 2 label sets, to be compared within each"
    assert "no overall winner" in lead(run, summary)


def row(trial, **changes):
    given = {
        "trial": trial,
        "origin": "sampled",
        "n": 5,
        "mean": 0.443,
        "sd": 0.01,
        "low": 0.431,
        "high": 0.455,
        "behind_leader": {"n": 5, "mean": 0.01, "sd": 0.01, "low": -0.002, "high": 0.022},
        "probability_best": 0.87,
        "optimism": 0.021,
    }
    return {**given, **changes}


def confirmed(build, *rows):
    """A search of 24 trials, the given rows its confirmation."""
    path = build.write(build.search(24))
    (path / "confirm").mkdir()
    document = {"format": 1, "conclusion": "t0002 leads.", "trials": [*rows]}
    (path / "confirm" / "confirmation.json").write_text(json.dumps(document))
    return load_run(path)


def test_a_confirmed_score_is_the_one_to_publish(build):
    best = summarise(build.load(build.search(24), name="before")).winner
    run = confirmed(build, row(best.trial, behind_leader=None))
    summary = summarise(run)
    text = told(run)
    assert "is the best on 5 fresh seeds" in headline(run, summary)
    assert f"{best.trial} gets <b>44.3%</b> validation accuracy in the mean" in text
    assert "(95% interval 43.1% to 45.5%)" in text
    assert "87% probability" in text
    assert "optimistic" not in text
    assert "2.1 points too high" in tiles(run, summary)
    assert "tune-robust confirm" not in next_steps(run, summary)


def test_the_headline_is_the_confirmations_not_the_searchs(build):
    best = summarise(build.load(build.search(24), name="before")).winner
    run = confirmed(build, row("t0002", behind_leader=None), row(best.trial, mean=0.43))
    text = headline(run, summarise(run))
    assert "sam.rho 0.1" in text  # t0002's, though the search ranked another first
    assert f"leads on 5 fresh seeds, level with {best.trial}" in text
    assert f"statistically indistinguishable from {best.trial}" in lead(run, summarise(run))


def test_a_baseline_that_leads_on_fresh_seeds_is_the_headline(build):
    apart = {"n": 5, "mean": 0.03, "sd": 0.01, "low": 0.02, "high": 0.04}
    leader = row("t0001", origin="baseline", behind_leader=None)
    run = confirmed(build, leader, row("t0005", mean=0.41, behind_leader=apart))
    assert (
        headline(run, summarise(run)) == "Nothing searched beats the sgd baseline on 5 fresh seeds"
    )
    assert "the baseline t0001 gets <b>44.3%</b>" in lead(run, summarise(run))
    assert "The best searched trial, t0005, gets 41.0%" in lead(run, summarise(run))
    assert "the baseline t0001, mean of 5 fresh seeds" in tiles(run, summarise(run))


def test_a_baseline_level_with_the_search_is_said(build):
    leader = row("t0001", origin="baseline", behind_leader=None)
    run = confirmed(build, leader, row("t0005", mean=0.44))
    text = headline(run, summarise(run))
    assert text == "The sgd baseline leads on 5 fresh seeds, level with t0005"


def test_one_fresh_seed_names_no_spread(build):
    run = confirmed(build, row("t0099", n=1, low=None, high=None, probability_best=None))
    assert headline(run, summarise(run)) == "Trial t0099 scores best on 1 fresh seed"
    assert "one seed does not show the spread" in lead(run, summarise(run))


def test_a_baseline_is_named_by_its_optimizer(build):
    path = build.write(
        [build.trial(1, {}, origin="baseline", good=1.0), build.trial(2, {}, good=0)]
    )
    trials = pd.read_parquet(path / "trials.parquet")
    config = {"method": "sgd", "epochs": 40, "optimizer": {"name": "adamw"}}
    trials.loc[trials["origin"] == "baseline", "config"] = json.dumps(config)
    trials.to_parquet(path / "trials.parquet")
    assert "Nothing searched beats the adamw baseline" in told(load_run(path))


def test_scores_within_the_noise_are_level(build):
    close = [build.trial(1, {}, origin="baseline", good=0.85, passes=2)]
    close += [build.trial(n, {"sam.rho": 0.5, "saner.alpha": 0.1}, good=1.0) for n in (2, 3)]
    far = [build.trial(4, {"sam.rho": 0.1}, good=0.1)]
    run = build.load([*close, *far])
    assert "level with the sgd baseline and 1 other trial" in headline(run, summarise(run))
    run.meta["images"]["validation"] = 1_000_000
    assert "t0004" not in summarise(run).level
    del run.meta["images"]
    assert "level" not in headline(run, summarise(run))


def test_unknown_truth_is_said(build):
    run = build.load(build.search(6))
    run.meta["wrong_labels"] = {"train": None, "validation": None}
    assert "validation labels may be wrong too" in told(run)


def test_what_is_not_confirmed_is_to_be_confirmed(search_run):
    assert "tune-robust confirm" in next_steps(search_run, summarise(search_run))


def test_what_matters_is_said(search_run):
    assert "What matters:</b>" in told(search_run)
    assert "<code>sam.rho</code>" in told(search_run)


def test_a_confirmation_is_not_to_be_confirmed(build):
    path = build.write(build.search(24))
    meta = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(
        json.dumps(meta | {"confirms": {"run": "r0", "trials": ["t0001"], "seeds": [1]}})
    )
    run = load_run(path)
    assert "This is a confirmation" in told(run)
    steps = next_steps(run, summarise(run))
    assert "Confirm the best" not in steps
    assert "tune-robust confirm" not in steps


def test_what_hardly_matters_is_not_listed(build, monkeypatch):
    run = build.load(build.search(24))
    table = pd.DataFrame(
        {"path": ["sam.rho", "saner.alpha"], "trials": [23, 12], "overall": [0.98, 0.001]}
    )
    told = importance_info(run)._replace(table=table)
    monkeypatch.setattr("analysis.report.notes.importance_info", lambda run: told)
    text = notes(run, summarise(run))
    assert "explains by itself is <code>sam.rho</code> 98%." in text
    assert "saner.alpha" not in text


def test_importance_among_some_of_the_trials_is_said(build, monkeypatch):
    run = build.load(build.search(24))
    table = pd.DataFrame(
        {"path": ["sam.rho", "saner.alpha"], "trials": [23, 12], "overall": [0.6, 0.5]}
    )
    told = importance_info(run)._replace(table=table)
    monkeypatch.setattr("analysis.report.notes.importance_info", lambda run: told)
    assert "by itself, among the trials that it applies to, is" in notes(run, summarise(run))


def test_after_a_confirmation_the_searchs_own_score_names_its_trial(build):
    best = summarise(build.load(build.search(24), name="before")).winner
    run = confirmed(build, row("t0002", behind_leader=None), row(best.trial, mean=0.43))
    text = tiles(run, summarise(run))
    assert "<dt>Best validation accuracy</dt>" in text
    assert f"{best.trial} in the search" in text
