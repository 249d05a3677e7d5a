"""The examples run, in the order in which they are meant to be read.

They are as they stand there, but that Ray starts no process for a dashboard, which nobody opens.
"""

import shutil
from pathlib import Path

import pytest

from tests.cli import command
from tests.cli.forked import EVERYTHING, can_be_forked, forking_python

EXAMPLES = Path(__file__).parents[2] / "examples"


WITHOUT_DASHBOARD = {
    "trials=4": "trials=4, dashboard=False",
    'trials="+1"': 'trials="+1", dashboard=False',
    "seeds=2": "seeds=2, dashboard=False",
}


def changed(text):
    for long, short in WITHOUT_DASHBOARD.items():
        text = text.replace(long, short)
    return text


def run(script, cwd):
    program = cwd / script
    program.write_text(changed((EXAMPLES / script).read_text()))
    return command.run(program=program, cwd=cwd).stdout


@pytest.mark.e2e
def test_an_own_loop_learns_through_the_wrong_labels(tmp_path):
    last = run("own_loop.py", tmp_path).splitlines()[-1]
    assert float(last.split()[-1]) > 0.7


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_search_and_look_then_resume_and_confirm(tmp_path):
    printed = run("search_and_look.py", tmp_path)
    assert "runs/first/report.html" in printed
    assert (tmp_path / "sensitivity.html").exists()
    assert "over 2 fresh seeds" in run("resume_and_confirm.py", tmp_path)


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_notebook_runs_and_is_stored_without_outputs(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    notebook = nbformat.read(shutil.copy(EXAMPLES / "search_and_look.ipynb", tmp_path), 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)
    code[1].source = changed(code[1].source)
    if can_be_forked():  # the processes of the trials
        code[0].source += f"; import sys; sys.executable = {forking_python(EVERYTHING)!r}"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = [o["data"]["text/plain"] for o in code[1].outputs if "text/html" in o.get("data", {})]
    (table,) = [text for text in shown if "t0004" in text]  # redrawn in place, not below
    assert "t0001" in table
    streams = [o for o in code[1].outputs if o.output_type == "stream"]
    assert {stream["name"] for stream in streams} <= {"stderr"}
