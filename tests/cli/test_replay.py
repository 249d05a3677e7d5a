"""The real command, on a recorded run: offline, without Ray or PyTorch."""

import json
import subprocess
import sys

import pytest

from tests.cli.command import run
from tests.tuning.simulated import simulate, space

pytestmark = pytest.mark.e2e

GRID = {
    "sam.rho": {"grid": [0.03, 0.1, 0.3, 1.0]},
    "saner.alpha": {"grid": [0.0, 0.25, 0.5, 0.75, 1.0]},
}


@pytest.fixture
def grid(tmp_path):
    budget = {"trials": 20, "scheduler": "none"}
    simulate(space(search=GRID, budget=budget, searcher={"name": "grid"}), tmp_path / "grid")
    return tmp_path / "grid"


def test_combinations_side_by_side_in_a_table_json_and_a_figure(tmp_path, grid):
    arguments = ("replay", grid, "--scheduler", "asha", "--scheduler", "none", "--grace", 2)
    arguments += ("--searcher", "tpe", "--searcher", "random", "--seeds", 3, "--workers", 2)
    found = json.loads(run(*arguments, "--json", cwd=tmp_path).stdout)
    assert found["pool"]["trials"] == 20
    assert found["pool"]["compute"] == 240
    assert [c["name"] for c in found["combinations"]] == [
        *("asha 3 from 2 · tpe", "asha 3 from 2 · random", "none · tpe", "none · random")
    ]
    for combination in found["combinations"]:
        assert combination["n"] == 3
        assert combination["anytime"]

    shown = run(*arguments, "--out", "anytime.html", cwd=tmp_path).stdout
    assert "asha 3 from 2 · tpe" in shown
    assert "20 recorded trials, 240 gradient evaluations" in shown
    assert "Warning" not in shown
    page = (tmp_path / "anytime.html").read_text()
    assert "Plotly.newPlot" in page
    assert "none \\u00b7 random" in page

    run(*arguments, "--out", "anytime.json", cwd=tmp_path)
    assert json.loads((tmp_path / "anytime.json").read_text()) == found


def test_it_ends_by_compute_when_asked_to(tmp_path, grid):
    command = ("replay", grid, "--searcher", "random", "--compute", 0.2, "--seeds", 2, "--json")
    (found,) = json.loads(run(*command, cwd=tmp_path).stdout)["combinations"]
    assert found["compute"]["median"] == pytest.approx(0.2)


def test_survivors_are_no_fair_pool_and_the_user_is_told(tmp_path):
    simulate(space(), tmp_path / "stopped")
    shown = run("replay", tmp_path / "stopped", "--seeds", 2, cwd=tmp_path).stdout
    assert "stopped early" in shown
    assert "survivors" in shown


def test_neither_ray_nor_torch_is_loaded(tmp_path, grid):
    code = (
        "import sys\n"
        "from tune_robust.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print('LOADED', {'ray', 'torch'} & set(sys.modules))\n"
    )
    arguments = ["replay", str(grid), "--searcher", "tpe", "--seeds", "1", "--out", "a.html"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "LOADED set()" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "there is no run 'none'"),
        (["grid", "--searcher", "tpee"], "searcher.name"),
        (["grid", "--scheduler", "hyperband"], "budget.scheduler"),
        (["grid", "--space", "saner_digit"], "Did you mean 'saner_digits'?"),
        (["grid", "--space", "methods_digits"], "0 of 20 trials can be replayed"),
        (["grid", "--set", "train.epochs=9"], "epochs was 6, here 9"),
        (["grid", "--out", "figure.png"], "ends in .html"),
    ],
)
@pytest.mark.usefixtures("grid")
def test_a_mistake_is_explained(tmp_path, refused, arguments, message):
    assert message in refused("replay", *arguments, "--storage", tmp_path)
