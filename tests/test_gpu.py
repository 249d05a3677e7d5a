"""What verifies a GPU runs, in its reduced form, on a CPU."""

import ast
import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from tests.test_layers import imported, part_of

GPU = Path(__file__).parents[1] / "gpu"


@pytest.fixture(scope="module")
def verify():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(GPU), *sys.path])
        yield importlib.import_module("verify")


@pytest.mark.slow
def test_every_check_passes_or_does_not_apply_on_a_cpu(verify, tmp_path):
    threads = torch.get_num_threads()
    path = tmp_path / "found.json"
    status = verify.main(
        ["correctness", "epoch", "packs", "--device", "cpu", "--quick", "--json", str(path)]
    )
    torch.set_num_threads(threads)
    document = json.loads(path.read_text())
    assert {row["part"] for row in document["rows"]} == {"correctness", "epoch", "packs"}
    assert [row for row in document["rows"] if row["passed"] is False] == []
    assert status == 0
    assert document["machine"]["device"] == "cpu"


def test_a_check_that_raises_fails_its_own_row_alone(verify, monkeypatch, capsys):
    def broken(bench):
        yield verify.checked("packs", "one", "", lambda: 1 / 0)
        yield verify.checked("packs", "two", "", lambda: ("well", True))

    monkeypatch.setitem(verify.PARTS, "packs", broken)
    assert verify.main(["packs", "--device", "cpu"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED packs: one: ZeroDivisionError" in printed
    assert "ok     packs: two: well" in printed


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(verify, capsys):
    with pytest.raises(SystemExit):
        verify.main(["packs"])
    assert "no GPU here" in capsys.readouterr().err


def test_needs_neither_ray_nor_optuna():
    """The checks rest on parts of the library that a machine without a search has."""
    rests_on = {"config", "data", "methods", "models", "training"}
    folder = GPU.parent / "tune_robust"
    files = [*GPU.glob("*.py"), folder / "config.py"]
    files += [path for part in rests_on for path in (folder / part).rglob("*.py")]
    found = {name.partition(".")[0] for path in files for name in imported(parsed(path))}
    assert not found & {"ray", "optuna"}
    used = {part_of(name) for path in GPU.glob("*.py") for name in imported(parsed(path))}
    assert used - {None} == rests_on


def parsed(path):
    return ast.parse(path.read_text())
