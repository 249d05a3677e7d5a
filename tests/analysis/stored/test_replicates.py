"""A grid with seeds: settings are averaged first and chosen after, in every figure that chooses."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from analysis import (
    best_so_far_by_data,
    choices,
    choices_data,
    fitting_data,
    groups_data,
    importance_data,
    learning_curves_data,
    load_run,
    memorisation_data,
    parallel_data,
    ranking,
    reliability_data,
    selection_data,
    sensitivity_data,
    winner,
    write_report,
)
from analysis.figures.best_so_far import _best_so_far_info
from analysis.report.headline import headline, lead
from analysis.report.notes import notes
from analysis.report.summary import summarise
from analysis.report.tiles import tiles
from analysis.stored.replicates import averaged, is_repeated, replicates
from tests.tuning.simulated import simulate, space

SEEDS = (42, 43)
SCORES = {  # val_accuracy by setting, then seed: the luckiest trial belongs to the worse setting
    ("sam", 0.1): (0.70, 0.10),
    ("sam", 0.2): (0.50, 0.52),
    ("saner", 0.1): (0.40, 0.20),
    ("saner", 0.2): (0.30, 0.32),
}
SEARCH = {
    "seed": {"grid": list(SEEDS)},
    "method": {"choice": ["sam", "saner"]},
    "sam.rho": {"grid": [0.1, 0.2]},
}


def repeated(build, scores=SCORES, **options):
    """Every setting with each seed, seed by seed, as a grid goes through them."""
    trials = []
    for place, seed in enumerate(SEEDS):
        for (method, rho), values in scores.items():
            trials.append(
                build.trial(
                    len(trials) + 1,
                    {"seed": seed, "method": method, "sam.rho": rho},
                    method=method,
                    extra={
                        "val_accuracy": values[place],
                        "test_accuracy": values[place] + 0.1,
                        "noisy_fit": values[place],
                        "group_b": values[place],
                    },
                    **options,
                )
            )
    return build.load(trials, space=build.space(search=SEARCH, searcher={"name": "grid"}))


@pytest.fixture
def run(build):
    return repeated(build)


BEST = ("sam", 0.2)  # 0.51 in the mean; the best single trial is of ("sam", 0.1), 0.40 in the mean


def test_the_winner_is_the_setting_of_the_best_mean(run):
    best = winner(run)
    assert (best["method"], best["sam.rho"]) == BEST
    assert best["objective"] == pytest.approx(0.51)
    assert best["objective_sd"] == pytest.approx(0.02 / 2**0.5)
    assert best["seeds"] == 2
    assert ranking(run).table["objective"].tolist() == pytest.approx([0.51, 0.40, 0.31, 0.30])


def test_a_setting_goes_by_its_first_trial(run):
    assert replicates(run, "t0002") == ["t0002", "t0006"]
    assert replicates(run, "t0006") == ["t0002", "t0006"]
    assert averaged(run).trials["trial"].tolist() == ["t0001", "t0002", "t0003", "t0004"]
    assert averaged(averaged(run)) is averaged(run)
    assert not is_repeated(averaged(run))


def test_without_seeds_nothing_is_averaged(search_run):
    assert averaged(search_run) is search_run


def test_choices_mark_the_best_mean_of_each_option(run):
    assert len(choices_data(run)) == 8
    diamonds = choices(run).data[-1]
    assert list(diamonds.x) == pytest.approx([0.51, 0.31])
    assert list(diamonds.error_x.array) == pytest.approx([0.02 / 2**0.5] * 2)


@pytest.mark.parametrize("data", [fitting_data, groups_data])
def test_lines_are_of_the_means_and_chosen_by_them(run, data):
    points = data(run)
    shown = points[points["metric"].isin(["noisy_fit", "group_b"])].groupby("trial")
    assert shown["value"].last().max() == pytest.approx(0.51)
    assert shown["sd"].last()["t0002"] == pytest.approx(0.02 / 2**0.5)


def test_a_large_grid_is_led_by_the_best_mean(build):
    scores = {
        (method, 0.1 * n): (0.9, 0.1) if n == 1 else (0.5 + 0.01 * n,) * 2
        for method in ("sam", "saner")
        for n in range(1, 9)
    }
    points = fitting_data(repeated(build, scores))
    ends = points[points["metric"] == "noisy_fit"].groupby("name")["value"].last()
    assert ends.to_dict() == pytest.approx({"sam": 0.58, "saner": 0.58})


def test_memorisation_shows_the_mean(run):
    assert memorisation_data(run)["noisy_fit"].iloc[-1] == pytest.approx(0.51)


def test_reliability_pools_the_images_of_all_seeds(run):
    recorded = [json.dumps([[0.5, 0.2, 0.3], [0.5, 0.9, v]]) for v in run.trials["objective"]]
    bins = reliability_data(replace(run, trials=run.trials.assign(reliability=recorded)))
    best = bins[bins["trial"] == "t0002"]
    assert best["fraction"].tolist() == [0.5, 0.5]
    assert best["confidence"].tolist() == pytest.approx([0.2, 0.9])
    assert best["accuracy"].tolist() == pytest.approx([0.3, 0.51])


def test_the_seed_is_no_setting(run):
    assert "seed" not in importance_data(run).get("path", [])
    assert "seed" not in sensitivity_data(run)
    lines = parallel_data(run)
    assert "seed" not in lines
    assert lines["score"].tolist() == pytest.approx([0.40, 0.51, 0.30, 0.31])


def test_best_so_far_waits_for_the_last_seed(run):
    info = _best_so_far_info(run)
    assert len(info.ended) == 8
    assert list(info.best) == pytest.approx([0.40, 0.51, 0.51, 0.51, 0.51])
    steps = best_so_far_by_data(run)
    assert steps.groupby("option")["best"].last().to_dict() == pytest.approx(
        {"sam": 0.51, "saner": 0.31}
    )


def test_selection_chooses_among_means(run):
    chosen = selection_data(run).set_index("chosen_by")
    assert chosen.loc["val_accuracy", "trial"] == "t0002"
    assert chosen.loc["val_accuracy", "test_accuracy"] == pytest.approx(0.61)
    assert chosen.loc["val_accuracy", "trials"] == 4


def test_each_seed_of_the_winner_stands_out_among_the_curves(run):
    curves = learning_curves_data(run)
    assert set(curves.loc[curves["role"] == "winner", "trial"]) == {"t0002", "t0006"}


def test_the_report_speaks_of_means(run):
    summary = summarise(run)
    text = headline(run, summary)
    assert "sam.rho 0.2" in text
    assert "seed 4" not in text
    assert "found, in the mean of 2 seeds" in text
    assert "It reaches <b>51.0%</b> validation accuracy (mean of 2 seeds, standard" in lead(
        run, summary
    )
    assert summary.winner.test_accuracy == pytest.approx(0.61)
    assert "mean of 2 seeds, standard deviation 1.4 points" in tiles(run, summary)
    assert "the best of 4 settings" in notes(run, summary)


def test_a_seed_beside_choices_alone_is_no_number_to_draw(build):
    trials = [
        build.trial(n, {"seed": seed, "method": m}, method=m)
        for n, (seed, m) in enumerate([(42, "sam"), (43, "sam"), (42, "sgd"), (43, "sgd")], 1)
    ]
    search = {"seed": {"grid": [42, 43]}, "method": {"choice": ["sam", "sgd"]}}
    run = build.load(trials, space=build.space(search=search, searcher={"name": "grid"}))
    assert "Which settings work?" not in write_report(run).read_text(encoding="utf-8")


def test_what_the_seeds_do_not_tell_apart_is_level(build):
    scores = {("sam", 0.1): (0.50, 0.60), ("sam", 0.2): (0.49, 0.60), ("saner", 0.1): (0.1, 0.2)}
    assert summarise(repeated(build, scores)).level == ("t0002",)


def test_the_table_keeps_the_seeds_of_a_setting_together(run):
    page = write_report(run).read_text(encoding="utf-8")
    rows = page.split("The trials")[-1]
    places = [rows.index(f">{trial}<") for trial in ("t0006", "t0002", "t0001", "t0005")]
    assert places == sorted(places)
    assert "by the mean over their seeds, best first" in page


def test_a_setting_without_all_its_seeds_is_the_mean_of_those_that_finished(build):
    path = repeated(build).path
    trials = pd.read_parquet(path / "trials.parquet")
    trials.loc[trials["trial"] == "t0006", "status"] = "failed"
    trials.to_parquet(path / "trials.parquet")
    best = winner(load_run(path))
    assert best["trial"] == "t0002"
    assert best["objective"] == pytest.approx(0.50)
    assert best["seeds"] == 1


def test_a_score_at_the_best_epoch_is_the_mean_of_the_best_epochs(build):
    objective = {"metric": "val_accuracy", "mode": "max", "at": "best"}
    tops = {42: (3, 0.6, 0.9), 43: (5, 0.8, 0.7)}  # by seed the best epoch, its score and test
    trials = [
        build.trial(
            n,
            {"seed": seed, "sam.rho": 0.1},
            epochs=6,
            extra={
                "val_accuracy": [top if e == place else 0.1 for e in range(1, 7)],
                "test_accuracy": [test if e == place else 0.1 for e in range(1, 7)],
            },
        )
        for n, (seed, (place, top, test)) in enumerate(tops.items(), 1)
    ]
    search = {"seed": {"grid": [42, 43]}, "sam.rho": {"grid": [0.1, 0.2]}}
    run = build.load(trials, space=build.space(search=search, objective=objective))
    best = summarise(run).winner
    assert (best.score, best.test_accuracy) == pytest.approx((0.7, 0.8))


def test_a_confirmations_trials_are_averaged_over_its_seeds(build):
    trials = [
        build.trial(
            n, {"sam.rho": rho}, origin="confirmation", extra={"val_accuracy": value}, method="sam"
        )
        for n, (rho, value) in enumerate([(0.1, 0.7), (0.2, 0.5), (0.1, 0.1), (0.2, 0.52)], 1)
    ]
    path = build.write(trials, space=build.space(search={"sam.rho": {"grid": [0.1, 0.2]}}))
    meta = json.loads((path / "run.json").read_text())
    meta["confirms"] = {"run": "r0", "trials": ["t0001", "t0002"], "seeds": [1, 2]}
    (path / "run.json").write_text(json.dumps(meta))
    best = winner(load_run(path))
    assert (best["sam.rho"], best["seeds"]) == (0.2, 2)


def test_a_grid_with_seeds_as_the_search_stores_it(tmp_path):
    def curve(trial, epoch):
        lucky = {(0.1, 42): 0.7, (0.1, 43): 0.1, (0.2, 42): 0.5, (0.2, 43): 0.52}
        return lucky.get((trial.values.get("sam.rho"), trial.values.get("seed")), 0.2)

    search = {"seed": {"grid": [42, 43]}, "sam.rho": {"grid": [0.1, 0.2]}}
    baselines = [{"method": "sgd"}, {"method": "sgd", "batch_size": 64}]
    found = space(
        format=2,
        search=search,
        searcher={"name": "grid"},
        baselines=baselines,
        budget={"trials": "all", "scheduler": "none"},
    )
    simulate(found, tmp_path / "r1", curve)
    run = load_run(tmp_path / "r1")
    assert len(run.trials) == 8
    table = ranking(run).table
    assert table["seeds"].tolist() == [2, 2, 2, 2]  # two baselines, which stay two
    assert winner(run)["sam.rho"] == 0.2


def lucky_once(trial, epoch):
    """Another seed of the setting with the luckiest trial is worse than all others."""
    alpha, seed = trial.values["saner.alpha"], trial.config["seed"]
    return 0.5 + 0.1 * alpha + 0.15 * ((seed * 2654435761 % 1000) / 1000 - 0.5)


def test_a_search_with_repeats_is_ranked_by_its_settings(tmp_path):
    budget = {"trials": 24, "scheduler": "none", "repeats": "auto"}
    simulate(space(budget=budget, searcher={"name": "random"}), tmp_path / "r1", lucky_once)
    run = load_run(tmp_path / "r1")
    repeats = run.trials["repeats"].notna()
    assert repeats.any()
    assert is_repeated(run)
    table = ranking(run).table
    assert len(table) == (~repeats).sum()
    settings = run.trials["repeats"].fillna(run.trials["trial"])
    means = run.trials.groupby(settings)["objective"].mean()
    assert table["objective"].to_numpy() == pytest.approx(means[table["trial"]].to_numpy())
    best = summarise(run)
    assert (best.winner.trial, best.settings) == (means.idxmax(), len(means))
    assert f"<b>Repeats:</b> {repeats.sum()} trials" in notes(run, best)
    page = write_report(run).read_text()
    first = run.trials.loc[repeats, "repeats"].iloc[0]
    assert f"repeats {first}</span>" in page


def test_repeats_share_a_split_so_that_the_validation_images_still_limit_the_winner(build):
    scores = {1: 0.80, 2: 0.90, 3: 0.845, 4: 0.60}
    trials = [
        build.trial(n, {"sam.rho": 0.1 * n}, extra={"val_accuracy": score}, method="sam")
        for n, score in scores.items()
    ]
    trials.append(build.trial(5, {"sam.rho": 0.2}, extra={"val_accuracy": 0.84}, method="sam"))
    path = build.write(trials, space=build.space(search={"sam.rho": {"uniform": [0.1, 0.5]}}))
    run = load_run(path)
    table = run.trials.assign(repeats=[None] * 4 + ["t0002"], seed=[0, 1, 2, 3, 4])
    found = summarise(replace(run, trials=table, meta={**run.meta, "images": {"validation": 400}}))
    assert (found.winner.trial, found.winner.seeds) == ("t0002", 2)
    assert found.winner.score == pytest.approx(0.87)
    assert found.error == pytest.approx((0.87 * 0.13 / 400) ** 0.5)
    assert found.level == ("t0003",)
