"""Every preset trains: finite metrics, the cost it announces, and resuming bit for bit."""

import math

import pytest
import torch

from tune_robust.config import PRESETS, parse_config
from tune_robust.data import load_dataset, make_splits
from tune_robust.metrics import METRICS, TIMINGS
from tune_robust.training import train
from tune_robust.training.probe import PROBED

PARTS = {
    "sam": {"sharpness", "group_a", "group_b", "group_c"},
    "saner": {"alpha"},
    "sals": {"sals_epsilon", "sals_sharpness", "sals_mean_sharpness"},
    "law": {"law_weight_clean", "law_weight_noisy"},
}
"""The metrics that are NaN where a method lacks the part."""


def config(method, **changes):
    document = {
        "data": {
            "dataset": "digits",
            "subset": 160,
            "noise": {"kind": "symmetric", "rate": 0.5},
            "validation": {"size": 0.2},
            "augment": "flip",
        },
        "model": {"name": "small_cnn", "width": 0.125},
        "method": method,
        "optimizer": {"name": "sgd", "lr": 0.05},
        "lr_schedule": {"kind": "cosine", "warmup": 0.2},
        "epochs": 2,
        "batch_size": 32,
        "threads": 1,
    }
    return parse_config(document | changes)


@pytest.fixture(scope="module")
def splits():
    data = config("sgd").data
    return make_splits(data, load_dataset(data))


def lasting(result):
    return str({k: v for k, v in result.metrics.items() if k not in TIMINGS})


def assert_goes_on_the_same(settings, splits, path):
    """After a save at the end of any epoch, the rest is what it would have been, to the bit."""
    whole = []
    for result in train(settings, splits=splits):
        result.save(path / f"{result.epoch}.pt")
        whole.append((lasting(result), _copied(result.model)))
    for epoch in range(1, len(whole)):
        torch.manual_seed(epoch)
        rest = train(settings, splits=splits, resume=path / f"{epoch}.pt")
        for result, (metrics, weights) in zip(rest, whole[epoch:], strict=True):
            assert lasting(result) == metrics
            ours = result.model.state_dict()
            assert all(torch.equal(ours[name], weights[name]) for name in weights)
    return whole


def _copied(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("method", PRESETS)
def test_a_preset_trains_at_its_cost_and_resumes_bit_for_bit(method, splits, tmp_path):
    settings = config(method)
    assert_goes_on_the_same(settings, splits, tmp_path)
    *_, last = train(settings, splits=splits)
    assert set(last.metrics) == set(METRICS)
    lacking = [metrics for part, metrics in PARTS.items() if getattr(settings, part) is None]
    absent = {name for name, value in last.metrics.items() if not math.isfinite(value)}
    assert absent == set(PROBED).union(*lacking)
    assert last.epoch == settings.total_epochs
    assert last.metrics["gradient_evaluations"] == settings.gradient_evaluations


def test_everything_at_once_resumes_bit_for_bit(splits, tmp_path):
    settings = config(
        "saner_slaw",
        mixup={"alpha": 8.0},
        average={"kind": "ema", "decay": 0.5},
        bootstrap_rounds=2,
        lr_schedule="onecycle",
    )
    assert_goes_on_the_same(settings, splits, tmp_path)


@pytest.mark.parametrize("loss", ["bootstrap_hard", "bootstrap_soft", "gce", "sce"])
def test_losses_compose_with_sam_law_and_smoothing(loss, splits):
    settings = config("sam", loss=loss, law={}, label_smoothing=0.1, epochs=1)
    metrics = next(train(settings, splits=splits)).metrics
    assert math.isfinite(metrics["train_loss"])
    assert metrics["law_weight_clean"] < 1


def test_presets_differ_in_what_they_train(splits):
    losses = {m: next(train(config(m, epochs=1), splits=splits)).metrics for m in PRESETS}
    same = ["sgd", "swa", "bootstrap_sgd"]  # they part after the first round or the last epoch
    assert len({losses[m]["train_loss"] for m in same}) == 1
    assert (
        losses["mixup"]["train_loss"] != losses["sgd"]["train_loss"] != losses["gce"]["train_loss"]
    )
