"""The README's Python runs as it stands there, on fewer trials and epochs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import run

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
SMALLER = {
    "trials=12": "trials=2, dashboard=False",
    '"train.epochs": 10': (
        '"train.epochs": 2, "train.data.subset": 300, "budget.sentinels": 0, '
        '"resources.concurrency": 1'
    ),
    'trials="+4"': 'trials="+1", dashboard=False',
    "top=3, seeds=5": "top=1, seeds=1, baselines=False, dashboard=False",
    ".show()": "",
}
GIVEN = """
import torch
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
images, labels = torch.rand(8, 1, 8, 8), torch.arange(8)
"""


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_python_of_the_readme_runs_in_a_plain_script(tmp_path):
    """Without ``if __name__ == "__main__"``, and in one process, as in a notebook."""
    text = "\n".join(BLOCKS)
    for long, short in SMALLER.items():
        assert long in text
        text = text.replace(long, short)
    (tmp_path / "script.py").write_text(GIVEN + text)
    assert run(program=tmp_path / "script.py", cwd=tmp_path).stdout == ""
    for file in ("first/report.html", "first/confirm/confirmation.json", "other/run.json"):
        assert (tmp_path / "runs" / file).exists()
    assert (tmp_path / "compare.html").exists()


def test_every_block_is_formatted_as_the_code_is(tmp_path):
    for block in BLOCKS:
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--line-length", "100", "-"],
            input=block,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == block
