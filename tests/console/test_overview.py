"""The table of trials fits a terminal, however many settings a space searches."""

from rich.console import Console

from tests.tuning.simulated import simulate, space
from tune_robust.console.overview import Clock, overview
from tune_robust.console.trial_table import trial_table

METHODS = {
    "method": {"choice": ["sgd", "sam", "saner", "slaw"]},
    "optimizer.lr": {"log_uniform": [0.01, 0.2]},
    "sam.rho": {"log_uniform": [0.01, 1.0], "when": {"method": ["sam", "saner"]}},
    "saner.alpha": {"uniform": [0.0, 1.0], "when": {"method": "saner"}},
    "sals.alpha": {"uniform": [0.0, 1.0], "when": {"method": "slaw"}},
}


def drawn(renderable, width):
    console = Console(width=width, record=True, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_many_settings_are_folded_and_nothing_is_cut(tmp_path):
    train = {"data": {"dataset": "digits"}, "optimizer": {"name": "sgd"}, "epochs": 6}
    conductor = simulate(space(search=METHODS, train=train), tmp_path / "r")
    trials = list(conductor.trials.values())
    text = drawn(trial_table(trials, conductor.space, trials[0]), 80)
    assert "…" not in text
    assert "val_accuracy" in text
    saner = next(t for t in trials if t.values["method"] == "saner")
    alpha = f"saner.alpha {saner.values['saner.alpha']:.4g}"
    assert alpha.replace(" ", "") in text.replace("\n", "").replace(" ", "")


def test_few_settings_have_a_column_each(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    text = drawn(trial_table(list(conductor.trials.values()), conductor.space, None), 80)
    assert text.splitlines()[0].split()[-2:] == ["rho", "alpha"]


def test_the_bar_is_full_when_all_is_over(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    text = drawn(overview(conductor.progress, Clock(conductor.progress)), 100)
    assert "100%" in text
    assert "left" not in text
