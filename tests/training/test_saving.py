"""What a finished epoch leaves in a folder."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

from tune_robust.config import parse_config
from tune_robust.training import read_checkpoint, save_epoch, train

CONFIG = {
    "data": {"dataset": "digits", "subset": 100, "noise": {"kind": "symmetric", "rate": 0.5}},
    "model": {"name": "small_cnn", "width": 0.25},
    "method": "sgd",
    "batch_size": 32,
    "epochs": 2,
    "threads": 1,
}


def test_an_epoch_leaves_its_checkpoint_network_and_metrics(tmp_path):
    folder = tmp_path / "made" / "out"
    for result in train(parse_config(CONFIG), device="cpu"):
        save_epoch(result, folder)
        weights = {name: t.clone() for name, t in result.model.state_dict().items()}
    names = ["last.pt", "metrics.json", "model.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert read_checkpoint(folder / "last.pt", torch.device("cpu")).epoch == 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics.pop("epoch") == 2
    assert None in metrics.values()
    read = {name: math.nan if value is None else value for name, value in metrics.items()}
    assert read == pytest.approx(result.metrics, rel=0, abs=0, nan_ok=True)
    written = load_file(folder / "model.safetensors")
    assert written.keys() == weights.keys()
    assert all(torch.equal(written[name], weights[name]) for name in weights)
