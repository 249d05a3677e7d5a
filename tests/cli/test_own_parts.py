"""The real command with own parts: killed, resumed, exported, trained again and confirmed.

The code is changed after the kill, and gone before the run is read: neither makes a difference.
"""

import json

import pandas as pd
import pytest
import yaml

from tests.cli.command import Started, read_table, run
from tests.own.parts import CONFIG, MODULES, write_modules

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SPACE = {
    "name": "own",
    "train": {
        **CONFIG,
        "data": {**CONFIG["data"], "options": {"n": 160}, "noise": "none"},
        "model": {"name": "my_nets:Tiny"},
        "method": "sam",
        "epochs": 20,
    },
    "search": {"model.depth": {"int": [1, 2]}, "loss.gamma": {"uniform": [0.0, 3.0]}},
    "budget": {"trials": 4, "scheduler": "none"},
    "resources": {"concurrency": 1},
}


def test_a_search_of_own_parts_survives_its_killing_and_the_loss_of_its_code(tmp_path):
    folder, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    write_modules(folder)
    elsewhere.mkdir()
    (folder / "own.yaml").write_text(yaml.safe_dump(SPACE))
    arguments = ("search", "--space", "own.yaml", "--name", "r1", "--no-dashboard")
    started = Started(*arguments, cwd=folder)
    place = folder / "runs" / "r1"

    def ended():
        table = place / "trials.parquet"
        return table.exists() and (read_table(table)["status"] == "done").any()

    started.wait_until(ended)
    started.kill_tree()
    stored = json.loads((place / "run.json").read_text())["code"]
    assert sorted(stored["files"]) == sorted(f"{name}.py" for name in MODULES)

    write_modules(folder, my_losses="focal = None  # under way to something else")
    resumed = run("resume", "r1", "--no-dashboard", cwd=folder)
    assert "my_losses.py has changed since the run began" in " ".join(resumed.stdout.split())
    trials = pd.read_parquet(place / "trials.parquet")
    assert list(trials["status"]) == ["done"] * 4
    for module in MODULES:
        (folder / f"{module}.py").unlink()

    assert "Winner:" in resumed.stdout
    run("report", "r1", cwd=folder)
    run("export", "r1", "--top", 1, "--out", elsewhere / "winner", cwd=folder)
    (exported,) = (elsewhere / "winner").glob("*.yaml")
    again = run("train", "--config", exported, cwd=elsewhere)
    assert "Reproduced: every metric equals the exported one exactly." in again.stdout

    confirmed = run(
        *("confirm", "r1", "--top", 1, "--seeds", 1, "--no-dashboard", "--json"), cwd=folder
    )
    (winner,) = json.loads(confirmed.stdout)["trials"]
    assert winner["n"] == 1
