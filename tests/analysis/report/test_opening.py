import json

import pytest

from analysis import load_run
from analysis.report.opening import (
    headline,
    lead,
    next_steps,
    notes,
    provenance,
    subtitle,
    tiles,
    winners,
)
from analysis.report.summary import find_answer
from tune_robust.errors import UserError


def told(run):
    answer = find_answer(run)
    parts = [headline(run, answer), lead(run, answer), notes(run, answer)]
    return "\n".join(parts)


def test_the_answer_opens_with_the_winning_setting(search_run):
    answer = find_answer(search_run)
    text = told(search_run)
    rho = answer.winner.settings["sam.rho"]
    assert f"sam.rho {rho:.3g}" in headline(search_run, answer)
    assert "is the best setting found" in text
    assert "points better than the sgd baseline" in text
    assert "test images, which took no part in the choice" in text
    assert "a perfect model would score about 50%" in text
    assert "optimistic" in text
    assert "points of it are level with it" in text


def test_peak_and_plateau_stand_side_by_side(search_run):
    answer = find_answer(search_run)
    text = winners(search_run, answer)
    assert answer.region.peak.trial == answer.winner.trial
    assert text.index("Peak") < text.index("Plateau") < text.index("<code>sam.rho</code> from")
    assert f"{100 * answer.region.plateau.expected:.1f}%" in text
    assert "--winner plateau" in next_steps(answer)


def test_where_a_baseline_wins_there_is_no_plateau(build):
    weak = [
        build.trial(n, {"sam.rho": 0.05 + 0.003 * n, "saner.alpha": n / 20}, good=0.1)
        for n in range(2, 20)
    ]
    run = build.load([build.trial(1, {}, origin="baseline", good=1.0), *weak])
    assert find_answer(run).winner.is_baseline
    assert winners(run, find_answer(run)) == ""


def test_test_accuracy_is_marked_as_record_only(search_run):
    assert "for the record, chose nothing" in tiles(search_run, find_answer(search_run))


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
    assert "23 trials of 24 still to end" in text


def test_stopped_trials_are_no_full_answer(build):
    text = told(build.load([build.trial(1, {"sam.rho": 0.2}, status="stopped", epochs=5)]))
    assert "No trial ran to its end" in text
    assert "so far" in text


def test_a_stopped_trial_ahead_of_the_winner_is_named(build):
    trials = [
        build.trial(1, {}, good=0.1),
        build.trial(2, {}, good=0.9, status="stopped", epochs=30),
    ]
    assert "1 stopped trial stood higher than the winner when stopped</b> (t0002)" in told(
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
    assert "tune-robust resume" in next_steps(find_answer(run))


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
    answer = find_answer(run)
    assert headline(run, answer) == "Trials on 2 label sets, to be compared within each"
    assert "no overall winner" in lead(run, answer)


def confirm(path, trial, **changes):
    row = {
        "trial": trial,
        "origin": "sampled",
        "n": 5,
        "mean": 0.443,
        "low": 0.431,
        "high": 0.455,
        "probability_best": 0.87,
        "optimism": 0.021,
    }
    (path / "confirm").mkdir()
    document = {"format": 1, "conclusion": "t0002 leads.", "trials": [{**row, **changes}]}
    (path / "confirm" / "confirmation.json").write_text(json.dumps(document))


def test_a_confirmed_score_is_the_one_to_publish(build):
    path = build.write(build.search(24))
    confirm(path, find_answer(load_run(path)).winner.trial)
    run = load_run(path)
    answer = find_answer(run)
    text = told(run)
    assert "On 5 fresh seeds it gets <b>44.3%</b> in the mean (95% interval 43.1% to 45.5%)" in text
    assert "87% probability" in text
    assert "optimistic" not in text
    assert "2.1 points too high" in tiles(run, answer)
    assert "tune-robust confirm" not in next_steps(answer)


def test_another_confirmed_leader_is_named(build):
    path = build.write(build.search(24))
    confirm(path, "t0099", low=None, high=None, probability_best=None)
    assert "trial t0099 leads: it gets" in told(load_run(path))


def test_what_is_not_confirmed_is_to_be_confirmed(search_run):
    assert "tune-robust confirm" in next_steps(find_answer(search_run))


def test_a_damaged_confirmation_says_what_to_do(build):
    path = build.write(build.search(24))
    (path / "confirm").mkdir()
    (path / "confirm" / "confirmation.json").write_text("{")
    with pytest.raises(UserError, match=r"confirmation\.json is damaged.*tune-robust confirm"):
        find_answer(load_run(path))


def test_what_matters_is_said(search_run):
    assert "What matters:</b>" in told(search_run)
    assert "<code>sam.rho</code>" in told(search_run)


def test_a_confirmation_is_not_to_be_confirmed(build):
    path = build.write(build.search(24))
    meta = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(meta | {"confirms": {"run": "r0"}}))
    run = load_run(path)
    assert "This is a confirmation" in told(run)
    steps = next_steps(find_answer(run))
    assert "Confirm the best" not in steps
    assert "tune-robust confirm" not in steps
