"""A replay is the search that it stands for, on recorded curves."""

import pytest

from tests.tuning.simulated import peak, simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import Trial
from tune_robust.spaces.space import Space
from tune_robust.tuning.simulation.recording import Pool, pool_of
from tune_robust.tuning.simulation.replay import Finish, Recorded, Replay, open_grid, replay
from tune_robust.tuning.simulation.replay_statistics import anytime_curve, spread, statistics

GRID = {
    "sam.rho": {"grid": [0.03, 0.1, 0.3, 1.0]},
    "saner.alpha": {"grid": [0.0, 0.25, 0.5, 0.75, 1.0]},
}
FULL = {"trials": 20, "scheduler": "none"}


@pytest.fixture
def folder(tmp_path):
    simulate(space(search=GRID, budget=FULL, searcher={"name": "grid"}), tmp_path / "grid")
    return RunFolder(tmp_path / "grid")


def opened(folder, **changes):
    return Space.from_document({**open_grid(folder.read_meta()["space"]), **changes})


def tpe(folder, **budget):
    searched = opened(folder, searcher={"name": "tpe", "startup": 5}, budget={**FULL, **budget})
    return pool_of(searched, folder), searched


@pytest.mark.parametrize("scheduler", ["asha", "median", "none"])
def test_it_does_what_the_real_search_did(tmp_path, scheduler):
    """A grid's order does not depend on results, so search and replay must agree exactly."""
    budget = {"trials": 20, "scheduler": scheduler, "grace": 2, "reduction": 2}
    grid = {"search": GRID, "searcher": {"name": "grid"}}
    simulate(space(**grid, budget=FULL), tmp_path / "full")
    simulate(space(**grid, budget=budget), tmp_path / "real")
    searched = space(**grid, budget=budget)
    pool = pool_of(space(**grid, budget=FULL), RunFolder(tmp_path / "full"))
    found = replay(pool, searched)
    real = read_trials(RunFolder(tmp_path / "real"))
    assert found.started == tuple(real)
    assert [finish.trial for finish in found.finished] == [
        name for name, trial in real.items() if trial.status == "done"
    ]
    spent = sum(trial.last["gradient_evaluations"] for trial in real.values())
    assert found.compute == spent


def test_a_recorded_epoch_without_the_objective_fails_as_in_the_real_search(folder):
    trials = read_trials(folder)
    trials["t0003"].epochs[2]["val_accuracy"] = None
    searched = Space.from_document(folder.read_meta()["space"])
    pool = Pool(searched, tuple(trials.values()), left_out=None, stopped=0)
    found = replay(pool, searched)
    assert found.started == tuple(trials)
    assert [finish.trial for finish in found.finished] == [
        name for name in trials if name != "t0003"
    ]
    assert found.compute == pool.cost("gradient_evaluations") - 4 * 2


def test_a_shorter_search_than_the_recorded_does_what_the_real_one_did(tmp_path, folder):
    """Trials end at its own epochs, and its rungs lie within them."""
    pool, _ = tpe(folder)
    budget = {"trials": 20, "scheduler": "asha", "reduction": 2}
    train = {"data": {"dataset": "digits"}, "method": "saner", "epochs": 4}
    shorter = space(search=GRID, searcher={"name": "grid"}, budget=budget, train=train)
    simulate(shorter, tmp_path / "real")
    real = read_trials(RunFolder(tmp_path / "real")).values()
    assert {trial.status for trial in real} == {"done", "stopped"}
    found = replay(pool, shorter)
    done = [trial.last["val_accuracy"] for trial in real if trial.status == "done"]
    assert [finish.value for finish in found.finished] == done
    assert found.compute == sum(trial.last["gradient_evaluations"] for trial in real)


def test_a_trial_whose_recording_is_shorter_than_the_search_is_done_at_its_end(folder):
    pool, _ = tpe(folder)
    train = {"data": {"dataset": "digits"}, "method": "saner", "epochs": 9}
    longer = space(search=GRID, searcher={"name": "grid"}, budget=FULL, train=train)
    found = replay(pool, longer)
    assert len(found.finished) == 20
    assert found.compute == pool.cost("gradient_evaluations")


def test_a_sampler_proposes_what_it_would_have_in_the_real_search(tmp_path):
    """When every proposal was recorded, the replay is the recorded search itself."""
    searched = space(budget={"trials": 16, "scheduler": "none"}, searcher={"startup": 4})
    simulate(searched, tmp_path / "r")
    folder = RunFolder(tmp_path / "r")
    found = replay(pool_of(searched, folder), searched, seed=0)
    assert found.started == tuple(read_trials(folder))


def test_seeds_differ_and_each_repeats_itself(folder):
    pool, searched = tpe(folder)
    first, again, other = (replay(pool, searched, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.started != other.started


def test_every_trial_is_used_once_and_the_pool_ends_it(folder):
    pool, searched = tpe(folder, trials=500)
    found = replay(pool, searched)
    assert sorted(found.started) == sorted(trial.name for trial in pool.trials)
    assert found.compute == pool.cost("gradient_evaluations")
    assert max(finish.value for finish in found.finished) == pool.best


@pytest.mark.slow
def test_a_sampler_that_learns_comes_nearer_the_peak_than_chance(tmp_path):
    steps = [0.01 * 1.4**step for step in range(14)]
    fine = {
        "sam.rho": {"grid": steps},
        "saner.alpha": {"grid": [i / 12 for i in range(13)]},
    }
    budget = {"trials": 182, "scheduler": "none"}
    simulate(space(search=fine, budget=budget, searcher={"name": "grid"}), tmp_path / "fine")
    folder = RunFolder(tmp_path / "fine")

    def regret(name):
        searched = opened(folder, searcher={"name": name}, budget={**budget, "trials": 30})
        pool = pool_of(searched, folder)
        replays = [replay(pool, searched, seed=seed) for seed in range(10)]
        clock = "gradient_evaluations"
        return statistics(pool, replays, clock=clock, tolerance=0).regret

    tpe, random = regret("tpe"), regret("random")
    assert tpe.high < random.median


def test_early_stopping_costs_less(folder):
    pool, searched = tpe(folder)
    _, asha = tpe(folder, scheduler="asha", grace=2, reduction=2)
    assert replay(pool, asha).compute < replay(pool, searched).compute


def test_it_ends_when_the_compute_is_spent(folder):
    pool, searched = tpe(folder)
    assert replay(pool, searched, compute=50).compute == 50


def test_it_ends_when_the_target_is_reached(folder):
    pool, searched = tpe(folder)
    whole = replay(pool, searched)
    target = whole.finished[3].value
    found = replay(pool, searched, target=target)
    reached = next(n for n, end in enumerate(whole.finished) if end.value >= target)
    assert found.finished == whole.finished[: reached + 1]


def test_a_promoted_trial_continues_where_it_paused(folder):
    budget = {**FULL, "scheduler": "promotion", "grace": 2, "reduction": 2}
    searched = opened(folder, searcher={"name": "random"}, budget=budget)
    pool = pool_of(searched, folder)
    found = replay(pool, searched)
    stopped = len(found.started) - len(found.finished)
    assert stopped > 5
    assert found.compute < 0.8 * pool.cost("gradient_evaluations")
    assert pool.best in {end.value for end in found.finished}


def test_workers_share_the_time_and_start_before_others_have_ended(folder):
    pool, searched = tpe(folder, scheduler="asha", grace=2, reduction=2)
    alone, four = (replay(pool, searched, workers=n) for n in (1, 4))
    assert len(alone.started) == len(four.started)
    assert alone.finished != four.finished
    first = replay(pool, searched, workers=4, compute=2)
    assert len(first.started) == 4


def test_the_clock_can_be_the_recorded_seconds(folder):
    trials = read_trials(folder)
    for trial in trials.values():
        for epoch, metrics in trial.epochs.items():
            metrics["seconds"] = 10.0 * epoch
    searched = opened(folder, searcher={"name": "tpe"}, budget=FULL)
    pool = Pool(searched, tuple(trials.values()), left_out=None, stopped=0)
    assert replay(pool, searched, clock="seconds").compute == 20 * 60


# --- the nearest recorded trial -------------------------------------------------------------------


def test_the_nearest_free_trial_stands_in():
    searched = space(
        search={
            "method": {"choice": ["sam", "saner"]},
            "sam.rho": {"log_uniform": [0.01, 1.0]},
            "saner.alpha": {"uniform": [0.0, 1.0], "when": {"method": "saner"}},
        }
    )
    points = [
        {"method": "sam", "sam.rho": 0.01},
        {"method": "sam", "sam.rho": 1.0},
        {"method": "saner", "sam.rho": 0.1, "saner.alpha": 0.0},
        {"method": "saner", "sam.rho": 0.1, "saner.alpha": 1.0},
    ]
    trials = [Trial(f"t{i:04d}", "sampled", values, {}) for i, values in enumerate(points, 1)]
    recorded = Recorded(searched.dimensions, trials)
    wanted = {"method": "sam", "sam.rho": 0.2}
    assert recorded.take_nearest(wanted).name == "t0002"
    assert recorded.take_nearest(wanted).name == "t0001"
    # No free one of its method is left: another method, at the nearest rho.
    assert recorded.take_nearest(wanted).name == "t0003"
    assert recorded.take_nearest({**points[2]}).name == "t0004"


def test_a_grid_of_numbers_opens_into_a_range():
    document = {
        "search": {
            "sam.rho": [
                {"grid": [0.03, 0.1, 0.3], "when": {"method": "sam"}},
                {"grid": [1.0], "when": {"method": "asam"}},
            ],
            "saner.alpha": {"grid": [0.0, 0.5, 1.0]},
            "saner.k": {"grid": [0, 10]},
            "method": {"choice": ["sam", "asam"]},
        }
    }
    assert open_grid(document)["search"] == {
        "sam.rho": [
            {"log_uniform": [0.03, 0.3], "when": {"method": "sam"}},
            {"grid": [1.0], "when": {"method": "asam"}},
        ],
        "saner.alpha": {"uniform": [0.0, 1.0]},
        "saner.k": {"int": [0, 10]},
        "method": {"choice": ["sam", "asam"]},
    }


# --- statistics -----------------------------------------------------------------------------------


def test_a_spread_has_observed_values_and_bears_what_never_came():
    assert spread([4, 1, 2, 3]) == (2, 1, 3)
    assert spread([1.0, float("inf"), float("inf")]) == (float("inf"), 1.0, float("inf"))


def finishes(pool, *places, every=12):
    """A replay that finishes trials of the pool, by place, one each ``every`` evaluations."""
    trials = [pool.trials[place] for place in places]
    finished = tuple(
        Finish(trial.name, trial.last["val_accuracy"], every * number)
        for number, trial in enumerate(trials, 1)
    )
    return Replay(0, tuple(t.name for t in trials), finished, every * len(trials))


def test_statistics_of_known_replays(folder):
    pool, _ = tpe(folder)
    ranked = sorted(range(20), key=lambda place: -pool.trials[place].last["val_accuracy"])
    best, second, *_, worst = ranked
    found = statistics(
        pool,
        [finishes(pool, worst, best), finishes(pool, worst, second, worst), finishes(pool, worst)],
        clock="gradient_evaluations",
        tolerance=0.0,
    )
    gap = pool.best - pool.trials[second].last["val_accuracy"]
    assert found.regret.median == pytest.approx(gap)
    assert (found.n, found.reached, found.winner_found) == (3, 1, 1)
    assert found.within.low == 24 / 240
    assert found.test_accuracy is None
    assert found.compute.median == 24 / 240


def test_the_anytime_curve_rises_from_the_first_finish_to_the_last(folder):
    pool, _ = tpe(folder)
    ranked = sorted(range(20), key=lambda place: pool.trials[place].last["val_accuracy"])
    rows = anytime_curve(pool, [finishes(pool, *ranked)])
    assert rows[0]["compute"] == pytest.approx(12, abs=240 / 199)
    assert rows[-1]["median"] == pytest.approx(pool.best)
    medians = [row["median"] for row in rows]
    assert medians == sorted(medians)
    assert all(row["low"] <= row["median"] <= row["high"] for row in rows)


def test_a_loss_is_best_when_least(tmp_path):
    def loss(trial, epoch):
        return -peak(trial, epoch)

    changes = {
        "search": GRID,
        "budget": FULL,
        "searcher": {"name": "grid"},
        "objective": {"metric": "val_accuracy", "mode": "min"},
    }
    simulate(space(**changes), tmp_path / "r", loss)
    pool = pool_of(space(**changes), RunFolder(tmp_path / "r"))
    assert pool.best == min(trial.last["val_accuracy"] for trial in pool.trials)
    rows = anytime_curve(pool, [replay(pool, space(**changes))])
    assert rows[0]["median"] > rows[-1]["median"] == pool.best


def with_seeds(folder, seeds):
    """Return the pool of a grid, each of whose settings was recorded with so many seeds."""
    pool, searched = tpe(folder, repeats="auto")
    trials = [
        Trial(
            f"t{1 + seed * len(pool.trials) + place:04d}",
            "sampled",
            trial.values,
            {**trial.config, "seed": seed},
            status="done",
            epochs={
                epoch: {**metrics, "val_accuracy": metrics["val_accuracy"] - 0.2 * (seed % 2)}
                for epoch, metrics in trial.epochs.items()
            },
        )
        for seed in range(seeds)
        for place, trial in enumerate(pool.trials)
    ]
    return Pool(searched, tuple(trials), pool.left_out, 0), searched


def test_a_repeat_is_another_recorded_seed_of_the_setting(folder):
    pool, searched = with_seeds(folder, 3)
    found = replay(pool, searched, seed=1)
    values = {trial.name: str(trial.values) for trial in pool.trials}
    used = [values[name] for name in found.started]
    assert len(set(found.started)) == len(found.started) == 20
    assert len(set(used)) < 20
    assert replay(pool, searched, seed=1) == found
    without = searched.model_copy(
        update={"budget": searched.budget.model_copy(update={"repeats": "off"})}
    )
    assert len({values[name] for name in replay(pool, without, seed=1).started}) == 20


def test_repeats_cannot_be_replayed_with_too_few_seeds(folder):
    pool, searched = with_seeds(folder, 2)
    with pytest.raises(UserError, match="fewer than 3 seeds"):
        replay(pool, searched)


def test_a_replay_by_seconds_ends_within_the_hours(folder):
    # A trial takes 6 * 0.6 s; 8 seconds have room for two, and more when they run side by side.
    pool, searched = tpe(folder, hours=8 / 3600)
    assert len(replay(pool, searched, clock="seconds").finished) == 2
    assert len(replay(pool, searched, clock="seconds", workers=3).finished) == 6
    with pytest.raises(UserError, match=r"--set budget\.hours=null"):
        replay(pool, searched)
