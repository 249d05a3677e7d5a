import pytest

from analysis import cost, cost_data


def test_parts_add_up_to_what_the_run_used(search_run):
    table = cost_data(search_run).set_index("part")["gradient_evaluations"]
    used = search_run.trials["gradient_evaluations"].sum()
    assert table.drop("saved").sum() == pytest.approx(used)


def test_a_stopped_trial_saves_the_rest_of_its_own_run(build):
    run = build.load([build.trial(1, {}), build.trial(2, {}, status="stopped", epochs=10)])
    table = cost_data(run).set_index("part")["gradient_evaluations"]
    assert table["done"] == 80
    assert table["stopped"] == 20
    assert table["saved"] == 60


def test_only_what_was_used_is_drawn(build):
    assert [bar.name for bar in cost(build.load([build.trial(1, {})])).data] == [
        "finished trials: 80"
    ]
