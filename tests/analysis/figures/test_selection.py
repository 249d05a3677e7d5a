import pytest

from analysis import selection, selection_data
from analysis.figures.selection import selectors


def trials(build, validation, truth):
    """Trials that show ``validation`` accuracies and have ``truth`` on the test set."""
    return [
        build.trial(
            i,
            {"sam.rho": 0.1 * i},
            extra={
                "val_accuracy": seen,
                "val_loss": -seen,
                "val_accuracy_clean": true,
                "test_accuracy": true,
            },
        )
        for i, (seen, true) in enumerate(zip(validation, truth, strict=True), 1)
    ]


def test_a_choice_that_noise_misleads_gives_something_away(build):
    run = build.load(trials(build, [0.30, 0.31, 0.45, 0.44], [0.5, 0.6, 0.8, 0.9]))
    table = selection_data(run).set_index("chosen_by")
    assert table.loc["val_accuracy", "trial"] == "t0003"
    assert table.loc["val_accuracy", "regret"] == pytest.approx(0.1)
    assert table.loc["val_accuracy", "rank_correlation"] == pytest.approx(0.8)
    assert table.loc["val_loss", "trial"] == "t0003"
    assert table.loc["val_accuracy_clean", "regret"] == 0
    assert table.loc["test_accuracy", "rank_correlation"] == pytest.approx(1)


def test_each_selector_has_its_panel(build):
    run = build.load(trials(build, [0.3, 0.31, 0.45, 0.44], [0.5, 0.6, 0.8, 0.9]))
    assert [trace.name for trace in selection(run).data].count("chosen by it") == 3


def test_label_information_is_a_selector_where_it_was_recorded(build):
    rows = [
        build.trial(i, {}, extra={"val_information": seen, "test_accuracy": seen})
        for i, seen in enumerate([0.1, 0.2, 0.4, 0.3], 1)
    ]
    table = selection_data(build.load(rows)).set_index("chosen_by")
    assert table.loc["val_information", "trial"] == "t0003"
    assert table.loc["val_information", "regret"] == 0


def test_stopped_trials_take_no_part(build):
    rows = trials(build, [0.3, 0.31, 0.45, 0.44, 0.9], [0.5, 0.6, 0.8, 0.9, 0.1])
    rows[-1]["status"] = "stopped"
    assert selection_data(build.load(rows))["trials"].eq(4).all()


def test_too_few_trials_compare_nothing(build):
    run = build.load(trials(build, [0.3, 0.4], [0.5, 0.6]))
    assert selection_data(run).empty
    assert "Four finished trials" in selection(run).layout.annotations[0].text


def test_each_selector_may_be_drawn_by_itself(build):
    run = build.load(trials(build, [0.30, 0.31, 0.45, 0.44], [0.5, 0.6, 0.8, 0.9]))
    assert selectors(run) == ["val_accuracy", "val_loss", "val_accuracy_clean"]
    alone = selection(run, "val_loss")
    assert len(alone.data) == 2
    assert "gives away 10.0 points<br>rank correlation" in alone.layout.xaxis.title.text
