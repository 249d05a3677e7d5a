"""What training says when nobody knows which labels are right."""

import math

from tune_robust.config import parse_config
from tune_robust.metrics import DIAGNOSTIC
from tune_robust.training import train

OF_THE_TEST_SET = {"test_accuracy", "test_loss", "test_ece", "generalization_gap"}


def metrics(noise):
    config = parse_config(
        {
            "data": {"noise": noise, "subset": 300},
            "model": {"width": 0.125},
            "method": "saner_slaw",
            "saner": {"probe_every": 1},
        }
    )
    (result,) = train(config, device="cpu")
    return result.metrics


def test_what_needs_the_truth_is_nan_and_nothing_else_is():
    unknown, known = metrics("given"), metrics({"kind": "symmetric", "rate": 0.5})
    absent = {name for name in unknown if math.isnan(unknown[name])}
    assert absent == DIAGNOSTIC - OF_THE_TEST_SET
    assert not any(math.isnan(known[name]) for name in absent)


def test_training_itself_is_the_same():
    unknown, clean = metrics("given"), metrics("none")
    for name in ("train_loss", "val_accuracy", "val_loss", "test_accuracy", "test_ece"):
        assert unknown[name] == clean[name]
