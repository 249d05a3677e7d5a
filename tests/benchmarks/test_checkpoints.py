"""The benchmark of the checkpoints runs and says what it promises."""

import importlib
import json
import sys
from pathlib import Path

import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_prints_one_object(monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    arguments = "--network small_cnn --batch 16 --steps 2 --epochs 2 --rounds 2 --json"
    monkeypatch.setattr(sys, "argv", ["checkpoints.py", *arguments.split()])
    threads = torch.get_num_threads()
    importlib.import_module("checkpoints").main()
    torch.set_num_threads(threads)
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"ratios", "machine", "n"}
    assert found["n"] == 2
    assert set(found["ratios"]) == {"background", "waiting"}
    assert all(ratio > 0 for ratio in found["ratios"].values())
