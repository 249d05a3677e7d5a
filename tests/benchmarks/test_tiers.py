"""The benchmark of where images are kept runs and says what it promises."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_prints_one_object(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tiers = pytest.importorskip("tiers")
    options = "--network small_cnn --batch 8 --steps 2 --rounds 2 --json"
    monkeypatch.setattr(sys, "argv", ["tiers.py", *options.split()])
    tiers.main()
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"ratios", "machine", "n"}
    assert found["ratios"]["host"] > 0
