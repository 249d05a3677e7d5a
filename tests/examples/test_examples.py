"""The examples run as they are, in the order in which they are meant to be read."""

import shutil
from pathlib import Path

import pytest

from tests.cli import command

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script, cwd):
    return command.run(program=EXAMPLES / script, cwd=cwd).stdout


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
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = [o["data"]["text/plain"] for o in code[1].outputs if "text/html" in o.get("data", {})]
    (table,) = [text for text in shown if "t0004" in text]  # redrawn in place, not below
    assert "t0001" in table
    streams = [o for o in code[1].outputs if o.output_type == "stream"]
    assert {stream["name"] for stream in streams} <= {"stderr"}
