"""A loop of the user's own, in plain Python, and a space of it."""

LOOP = """
    import json
    import random


    def train(config, trial):
        state = {"x": 0.0, "epoch": 0}
        if trial.checkpoint is not None:
            state = json.loads((trial.checkpoint / "state.json").read_text())

        def save(folder):
            (folder / "state.json").write_text(json.dumps(state))

        while state["epoch"] < config["epochs"]:
            state["epoch"] += 1
            noise = random.Random(config["seed"] + state["epoch"]).gauss(0, 0.001)
            state["x"] += config["rate"] * (1 - state["x"]) + noise
            metrics = {"distance": abs(1 - state["x"]), "gradient_evaluations": 2 * state["epoch"]}
            trial.report(metrics, checkpoint=save)
"""

SPACE = {
    "name": "loop",
    "train": {"loop": "my_loop:train", "epochs": 8},
    "search": {"rate": {"log_uniform": [0.01, 1.0]}},
    "objective": {"metric": "distance", "mode": "min"},
    "budget": {"trials": 6, "max": 16, "grace": 4, "reduction": 2},
}
