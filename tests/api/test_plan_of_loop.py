"""What plan says of a loop of the user's own: counts, and no time."""

import pytest
from typer.testing import CliRunner

import tune_robust as tr
from tests.own.fresh import forgotten
from tests.own.parts import write_modules
from tune_robust.cli import app
from tune_robust.errors import UserError

SPACE = {
    "name": "loop",
    "train": {"epochs": 8},
    "search": {"rate": {"log_uniform": [0.01, 1.0]}},
    "objective": {"metric": "distance", "mode": "min"},
    "budget": {"trials": 16, "grace": 2, "reduction": 2},
}


@pytest.fixture
def plan(tmp_path):
    """What plan says of the space with another budget."""
    loop = """
        def train(config, trial):
            raise AssertionError("plan does not run the loop")
    """
    write_modules(tmp_path, my_loop=loop)
    train = {"loop": "my_loop:train", **SPACE["train"]}

    def planned(**budget):
        space = {**SPACE, "train": train, "budget": SPACE["budget"] | budget}
        return tr.plan(space, code=tmp_path, progress=False)

    with forgotten():
        yield planned


def test_it_counts_trials_reports_and_rungs(plan):
    found = plan(sentinels=0)
    assert (found["trials"], found["reports"]) == (16, 8)
    assert found["without_stopping"] == {"reports": 16 * 8, "finished": 16}
    assert found["expected"]["reports"] < 16 * 8
    assert [rung["resource"] for rung in found["rungs"]] == [2, 4]
    assert found["rungs"][0]["reach"] == 16


def test_a_maximum_ends_the_trials(plan):
    assert plan(max=5, unit="epochs", scheduler="none")["without_stopping"]["reports"] == 16 * 5


def test_a_budget_in_seconds_is_the_loop_s_alone(plan):
    with pytest.raises(UserError, match="only the loop knows how long a report takes"):
        plan(unit="seconds", max=60)


def test_the_command_prints_it(tmp_path):
    (tmp_path / "my_planned.py").write_text("def train(config, trial): ...")
    (tmp_path / "loop.yaml").write_text(
        "name: loop\ntrain: {loop: 'my_planned:train', epochs: 8}\n"
        "search: {rate: {log_uniform: [0.01, 1.0]}}\nobjective: {metric: distance, mode: min}\n"
        "budget: {trials: 16, grace: 2, reduction: 2, repeats: auto}\n"
    )
    arguments = ["plan", "--space", str(tmp_path / "loop.yaml"), "--code", str(tmp_path)]
    with forgotten():
        result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "16 trials of the loop my_planned:train, each of up to 8 reports." in result.output
    assert "None stopped early: 128 reports." in result.output
    assert "at 2 gradient evaluations: 16 trials" in result.output
    assert "Repeats: some of the trials may train a leading setting again" in result.output
