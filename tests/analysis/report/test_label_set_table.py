import pytest

from analysis import results_table, write_report
from analysis.report.label_set_table import label_set_table

GRID = {
    "data.noise.rate": {"grid": [0.2, 0.4]},
    "method": {"choice": ["sam", "sgd"]},
}


@pytest.fixture
def run(build):
    values = [(rate, method) for rate in (0.2, 0.4) for method in ("sam", "sgd")]
    trials = [
        build.trial(
            i,
            {"data.noise.rate": rate, "method": method},
            extra={"val_accuracy": 0.5 + 0.1 * (method == "sam") - rate, "test_accuracy": 0.9},
        )
        for i, (rate, method) in enumerate(values, 1)
    ]
    return build.load(trials, space=build.space(search=GRID))


def test_a_row_per_setting_and_label_set(run):
    table = results_table(run)
    assert len(table) == 4
    sam = table[(table["method"] == "sam") & (table["data.noise.rate"] == 0.4)].iloc[0]
    assert sam["val_accuracy"] == pytest.approx(0.2)
    assert sam["trials"] == 1
    assert sam["seconds_per_epoch"] == pytest.approx(0.8)


def test_the_best_of_each_label_set_is_bold(run):
    html = label_set_table(run)
    assert "<b>40.0%</b> / 90.0%" in html
    assert "<b>20.0%</b> / 90.0%" in html
    assert html.count("<b>") == 2
    assert "noise.rate 0.2" in html


def test_the_report_shows_it(run):
    html = write_report(run.path).read_text(encoding="utf-8")
    assert "Every setting on every label set" in html


def test_a_search_on_one_label_set_has_no_such_table(search_run):
    assert label_set_table(search_run) == ""


def test_nothing_finished_is_an_empty_table(build):
    run = build.load([build.trial(1, {}, status="stopped")])
    assert results_table(run).empty


def repeated(build, rates):
    search = {"seed": {"grid": [1, 2]}, "method": {"choice": ["sam", "sgd"]}}
    if len(rates) > 1:
        search["data.noise.rate"] = {"grid": list(rates)}
    values = [(r, m, s) for r in rates for m in ("sam", "sgd") for s in (1, 2)]
    trials = [
        build.trial(
            i,
            {"method": method, "seed": seed} | ({"data.noise.rate": r} if len(rates) > 1 else {}),
            extra={
                "val_accuracy": 0.4 + 0.1 * seed - 0.2 * (method == "sgd"),
                "test_accuracy": 0.9,
            },
        )
        for i, (r, method, seed) in enumerate(values, 1)
    ]
    return build.load(trials, space=build.space(search=search))


@pytest.mark.parametrize("rates", [(0.2, 0.4), (0.5,)])
def test_seeds_are_averaged_with_their_spread(build, rates):
    run = repeated(build, rates)
    table = results_table(run)
    assert "seed" not in table
    assert table["trials"].tolist() == [2] * 2 * len(rates)
    sam = table[table["method"] == "sam"].iloc[0]
    assert sam["val_accuracy"] == pytest.approx(0.55)
    assert sam["val_accuracy_sd"] == pytest.approx(0.1 / 2**0.5)
    assert "<b>55.0% ± 7.1 points</b> / 90.0%" in label_set_table(run)


def test_a_baseline_is_a_row_of_its_own(build):
    trials = [
        build.trial(1, {"method": "sgd"}, method="sgd", extra={"val_accuracy": 0.5}),
        build.trial(2, {}, origin="baseline", extra={"val_accuracy": 0.3}),
    ]
    search = {"method": {"choice": ["sam", "sgd"]}}
    table = results_table(build.load(trials, space=build.space(search=search)))
    assert dict(zip(table["method"], table["val_accuracy"], strict=True)) == pytest.approx(
        {"sgd": 0.5, "sgd baseline": 0.3}
    )
