"""A search that needs no PyTorch and lasts as long as a test wants.

For what happens to a search, whatever it trains: its processes start in half the time.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

LOOP = """
    import json
    import random
    import time


    def train(config, trial):
        state = {"x": 0.0, "epoch": 0}
        if trial.checkpoint is not None:
            state = json.loads((trial.checkpoint / "state.json").read_text())

        def save(folder):
            (folder / "state.json").write_text(json.dumps(state))

        while state["epoch"] < config["epochs"]:
            time.sleep(config["pause"])
            state["epoch"] += 1
            noise = random.Random(config["seed"] + state["epoch"]).gauss(0, 0.001)
            state["x"] += config["rate"] * (1 - state["x"]) + noise
            metrics = {"val_accuracy": state["x"], "gradient_evaluations": state["epoch"]}
            trial.report(metrics, checkpoint=save)
"""


def write_space(folder: Path, epochs: int, pause: float = 0.1, **sections: Any) -> Path:
    """Write a space, and the loop beside it, whose epochs last ``pause`` seconds each.

    Of three trials one after the other, none of which is stopped, unless ``sections`` differ.
    """
    space = {
        "name": "paced",
        "train": {"loop": "my_loop:train", "epochs": epochs, "pause": pause},
        "search": {"rate": {"log_uniform": [0.01, 0.1]}},
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "budget": {"trials": 3, "scheduler": "none"},
        "resources": {"concurrency": 1},
    }
    (folder / "my_loop.py").write_text(dedent(LOOP))
    path = folder / "paced.yaml"
    path.write_text(yaml.safe_dump(space | sections))
    return path
