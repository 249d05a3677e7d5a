"""A confirmation as a run: which trials, which seeds, what is added, what survives a crash."""

import json

import pandas as pd
import pytest

from tests.tuning.simulated import open_confirming, peak, simulate, space
from tune_robust.config import DataConfig
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.spaces.objective import objective_of
from tune_robust.spaces.space import Space
from tune_robust.tuning.winners.export import ranked
from tune_robust.tuning.winners.retraining import (
    choose,
    confirmation_of,
    discard_empty,
    extension_of,
    open_confirmation,
    read_summary,
    what_varies,
    write_summary,
)

BASELINE = [{"method": "sgd"}]


def seeded(trial, epoch):
    """As a peak, with what the seed does."""
    return peak(trial, epoch) + 0.001 * (trial.config["data"]["seed"] % 7)


@pytest.fixture
def searched(tmp_path):
    simulate(space(baselines=BASELINE), tmp_path / "r")
    return RunFolder(tmp_path / "r")


def winners(folder, **options):
    trials = read_trials(folder)
    objective = objective_of(Space.from_document(folder.read_meta()["space"]))
    return [t.name for t in choose(trials, objective, **{"top": 2, **options})]


def prepared(folder, names, seeds):
    """The confirmation with all its trials recorded and none started."""
    open_confirming(folder, names, seeds).close()
    return confirmation_of(folder)


def go_on(folder, curve=seeded, **options):
    confirmed = Space.from_document(folder.read_meta()["space"])
    return simulate(confirmed, folder.path, curve, **options)


def test_the_best_are_chosen_with_the_baselines_beside_them(searched):
    trials = read_trials(searched)
    objective = objective_of(Space.from_document(searched.read_meta()["space"]))
    best = [t.name for t in ranked(trials.values(), objective) if t.origin != "baseline"]
    assert winners(searched) == [*best[:2], "t0001"]
    assert winners(searched, baselines=False) == best[:2]
    assert winners(searched, top=0, named=["t0004"]) == ["t0004", "t0001"]
    with pytest.raises(UserError, match="no trial 't0099'"):
        winners(searched, named=["t0099"])


def test_all_train_the_same_fresh_seeds_at_full_budget_and_are_never_stopped(searched):
    names = winners(searched)
    folder = prepared(searched, names, 3)
    done = go_on(folder, lambda t, e: -e if t.number else float(e))
    assert done.complete
    table = pd.read_parquet(folder.trials)
    assert set(table["status"]) == {"done"}
    assert set(table["origin"]) == {"confirmation"}
    pairs = list(zip(table["seed"], table["confirms"], strict=True))
    assert pairs == [(seed, name) for seed in (1000, 1001, 1002) for name in names]
    before = read_trials(searched)
    for trial in read_trials(folder).values():
        expected = before[trial.confirms].config
        seed = trial.config["seed"]
        assert trial.config["data"]["seed"] == seed
        data = {**trial.config["data"], "seed": expected["data"]["seed"]}
        assert {**trial.config, "seed": expected["seed"], "data": data} == expected
        assert trial.values == before[trial.confirms].values
        assert max(trial.epochs) == trial.total_epochs


def test_seeds_that_the_search_used_are_not_fresh(tmp_path):
    train = {"data": {"dataset": "digits", "seed": 2000}, "method": "saner", "epochs": 6}
    simulate(space(train=train), tmp_path / "r")
    source = RunFolder(tmp_path / "r")
    folder = prepared(source, winners(source, top=1), 2)
    assert folder.read_meta()["confirms"]["seeds"] == [2001, 2002]


def test_a_confirmation_that_no_longer_says_what_it_confirms_is_refused(searched):
    prepared(searched, ["t0001"], 1)
    folder = confirmation_of(searched)
    meta = folder.read_meta()
    del meta["confirms"]
    folder.write_meta(meta)
    with pytest.raises(UserError, match="does not say which trials it confirms"):
        open_confirmation(searched)


def test_more_seeds_and_more_trials_add_only_what_is_missing(searched):
    names = winners(searched)
    folder = prepared(searched, names[:1], 2)
    go_on(folder)
    before = folder.events.read_bytes()
    prepared(searched, names[:1], 2)
    assert folder.events.read_bytes() == before
    prepared(searched, names[1:2], 3)
    trials = read_trials(folder)
    assert len(trials) == 6
    assert folder.read_meta()["confirms"]["seeds"] == [1000, 1001, 1002]
    assert [t.status for t in trials.values()].count("pending") == 4
    assert go_on(folder).complete
    # Fewer than before takes nothing away.
    prepared(searched, names[:1], 1)
    assert len(read_trials(folder)) == 6


@pytest.mark.parametrize("stop_after", [0, 1, 7, 20])
def test_a_crash_changes_nothing_in_the_end(searched, tmp_path, stop_after):
    names = winners(searched)
    whole = prepared(searched, names, 2)
    go_on(whole)
    simulate(space(baselines=BASELINE), tmp_path / "other")
    crashed = prepared(RunFolder(tmp_path / "other"), names, 2)
    go_on(crashed, stop_after=stop_after)
    go_on(crashed)
    left = [pd.read_parquet(f.trials).drop(columns="checkpoint") for f in (whole, crashed)]
    pd.testing.assert_frame_equal(*left)


def test_a_crash_before_all_trials_were_recorded_is_made_good(searched):
    names = winners(searched)
    folder = prepared(searched, names, 3)
    lines = folder.events.read_bytes().splitlines(keepends=True)
    folder.events.write_bytes(b"".join(lines[:4]) + lines[4][:10])
    store = RunStore(folder)
    extension_of(store).record(store)
    store.close()
    assert folder.events.read_bytes().count(b'"trial"') == len(lines) * 2
    pairs = {(t.confirms, t.config["seed"]) for t in read_trials(folder).values()}
    assert len(pairs) == 9


def test_a_crash_before_anything_was_recorded_is_made_good(searched):
    folder = confirmation_of(searched)
    folder.path.mkdir()
    folder.lock.touch()
    prepared(searched, winners(searched), 1)
    assert len(read_trials(folder)) == 3


def test_only_a_confirmation_that_never_began_is_discarded(searched):
    open_confirmation(searched).close()
    discard_empty(searched)
    assert not confirmation_of(searched).path.exists()
    prepared(searched, ["t0001"], 1)
    discard_empty(searched)
    assert len(read_trials(confirmation_of(searched))) == 1


def test_the_summary_says_who_leads_and_how_flattering_the_search_was(searched):
    names = winners(searched)
    folder = prepared(searched, names, 4)
    go_on(folder)
    found = write_summary(folder)
    assert read_summary(searched) == found == json.loads(json.dumps(found))
    assert [row["trial"] for row in found["trials"]] == names
    first = found["trials"][0]
    assert first["leads"]
    assert first["n"] == 4
    assert first["low"] < first["mean"] < first["high"]
    assert sum(row["probability_best"] for row in found["trials"]) == pytest.approx(1)
    score = peak(read_trials(searched)[names[0]], 6)
    assert first["search_score"] == pytest.approx(score)
    assert first["optimism"] == pytest.approx(score - first["mean"])
    assert found["varies"] == ["network", "split"]
    assert found["seeds"] == [1000, 1001, 1002, 1003]


@pytest.mark.parametrize(("scale", "highest"), [(0.4, 0.5), (1.0, 1.0)])
def test_no_interval_extends_above_what_a_perfect_model_scores(searched, scale, highest):
    """Unless a trial does: then the wrong labels can be predicted."""
    facts = {"images": {"validation": 100}, "wrong_labels": {"validation": 0.5}}
    searched.write_meta({**searched.read_meta(), **facts})
    folder = prepared(searched, winners(searched), 2)

    def unsure(trial, epoch):
        return scale * peak(trial, epoch) * (0.6 if trial.config["seed"] % 2 else 1.0)

    go_on(folder, unsure)
    rows = write_summary(folder)["trials"]
    assert rows[0]["high"] == highest
    assert all(row["high"] <= highest for row in rows)


def test_a_trial_that_the_search_stopped_has_no_score_to_compare(searched):
    trials = read_trials(searched)
    stopped = next(t.name for t in trials.values() if t.status == "stopped")
    folder = prepared(searched, [stopped], 2)
    go_on(folder)
    row = write_summary(folder)["trials"][0]
    assert (row["search_score"], row["optimism"]) == (None, None)
    assert row["n"] == 2


def test_failed_seeds_are_listed_and_left_out(searched):
    names = winners(searched)
    folder = prepared(searched, names, 3)
    go_on(folder, lambda t, e: None if t.number == 0 else seeded(t, e))
    rows = {row["trial"]: row for row in write_summary(folder)["trials"]}
    assert rows[names[0]]["failed_seeds"] == [1000]
    assert rows[names[0]]["n"] == 2
    assert not rows[names[0]]["leads"]


def test_a_grid_over_label_sets_confirms_the_best_of_each(tmp_path):
    noise = {"kind": "symmetric", "rate": 0.2}
    gridded = space(
        train={"data": {"dataset": "digits", "noise": noise}, "method": "sam", "epochs": 2},
        search={"data.noise.rate": {"grid": [0.2, 0.4]}, "sam.rho": {"grid": [0.1, 0.3]}},
        searcher={"name": "grid"},
        budget={"trials": 9, "scheduler": "none"},
    )
    simulate(gridded, tmp_path / "r")
    source = RunFolder(tmp_path / "r")
    names = winners(source, top=1)
    rates = [read_trials(source)[name].values["data.noise.rate"] for name in names]
    assert sorted(rates) == [0.2, 0.4]
    # More trainings than the grid has points.
    folder = prepared(source, names, 4)
    assert go_on(folder).complete
    assert len(read_trials(folder)) == 8
    found = write_summary(folder)
    assert [row["leads"] for row in found["trials"]] == [True, True]


def test_a_confirmed_trial_that_the_run_has_lost_is_named(searched, tmp_path):
    folder = prepared(searched, ["t0012"], 1)
    go_on(folder)
    lines = searched.events.read_bytes().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if b'"trial": "t0012"' in line)
    searched.events.write_bytes(b"".join(lines[:first]))
    searched.trials.unlink()
    searched.epochs.unlink()
    with pytest.raises(UserError, match=r"confirms t0012 of the run 'r', which no longer contains"):
        write_summary(folder)


def test_a_confirmation_away_from_its_run_is_explained(searched, tmp_path):
    folder = prepared(searched, winners(searched), 1)
    meta = folder.read_meta()
    meta["confirms"]["seeds"].append(1001)
    folder.write_meta(meta)
    moved = RunFolder(folder.path.rename(tmp_path / "alone"))
    store = RunStore(moved)
    with pytest.raises(UserError, match="belongs in the folder of its run"):
        extension_of(store)
    store.close()


@pytest.mark.parametrize(
    ("changes", "varies"),
    [
        ({"noise": {"kind": "symmetric", "rate": 0.2}}, ["network", "split", "noise draw"]),
        ({"noise": {"kind": "given"}}, ["network", "split"]),
        ({"subset": 100}, ["network", "split", "subset"]),
    ],
)
def test_what_a_fresh_seed_draws(changes, varies):
    assert what_varies(DataConfig(**changes)) == varies
