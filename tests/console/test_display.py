"""What a search shows in a file, and in a notebook."""

from io import StringIO

from rich.console import Console

from tests.tuning.simulated import simulate, space
from tune_robust.console.display import Display
from tune_robust.console.notebook import NotebookOutput
from tune_robust.console.overview import Clock, overview
from tune_robust.console.trial_table import trial_table
from tune_robust.tuning.engine.slots import Slots

SLOTS = Slots(cpus=1, gpus=0.0, concurrency=2)


def test_a_file_has_a_line_for_each_trial_that_ended(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    display = Display(Console(file=StringIO(), width=40))
    display.note("Starting Ray ...")
    with display.running(conductor.progress, SLOTS, "http://127.0.0.1:8265"):
        for trial in conductor.trials.values():
            display.update(trial)
    lines = display._console.file.getvalue().splitlines()
    assert lines[0] == "Starting Ray ..."
    assert lines[1].endswith("stops the search cleanly. Dashboard: http://127.0.0.1:8265")
    assert len(lines) == 2 + 12
    assert "val_accuracy" in lines[2]


def test_known_points_are_marked(tmp_path):
    conductor = simulate(space(known=[{"sam.rho": 0.1}], budget={"trials": 2}), tmp_path / "r")
    display = Display(Console(file=StringIO(), width=120))
    with display.running(conductor.progress, SLOTS, None):
        for trial in conductor.trials.values():
            display.update(trial)
    known, other = display._console.file.getvalue().splitlines()[1:]
    assert "t0001 (known point) done" in known
    assert "known" not in other
    table = trial_table(list(conductor.trials.values()), conductor.space, None)
    assert [*table.columns[0].cells] == ["t0001 known", "t0002"]


def test_a_terminal_has_a_table(tmp_path):
    conductor = simulate(space(), tmp_path / "r")
    display = Display(Console(file=StringIO(), width=120, force_terminal=True))
    with display.running(conductor.progress, SLOTS, None):
        display.update(conductor.trials["t0001"])
    assert "best so far" in display._console.file.getvalue()


def test_a_notebook_has_one_output_that_is_replaced(tmp_path, monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    def display(bundle, raw, display_id):
        shown.append(bundle)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    conductor = simulate(space(), tmp_path / "r")
    drawing = overview(conductor.progress, Clock(conductor.progress))
    with NotebookOutput(drawing) as output:
        output.update(drawing)
    assert len(shown) == 2
    assert "<pre" in shown[1]["text/html"]
    assert "t0001" in shown[1]["text/plain"]
