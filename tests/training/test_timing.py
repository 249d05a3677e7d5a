"""Epochs are timed on a part of the data, and scaled up to the whole."""

import torch

from tune_robust.config import TrainConfig
from tune_robust.data import LabelledImages, Splits
from tune_robust.training import timing
from tune_robust.training.timing import time_epoch

CONFIG = TrainConfig.model_validate(
    {"model": {"name": "small_cnn", "width": 0.25}, "batch_size": 16, "epochs": 3, "threads": 1}
)


def part(count):
    images = torch.randint(256, (count, 1, 8, 8), dtype=torch.uint8)
    labels = torch.randint(10, (count,))
    return LabelledImages(images, labels, labels)


def splits(train):
    names = tuple(map(str, range(10)))
    return Splits(part(train), part(train // 4), part(train // 4), names, (0.5,), (0.25,))


def test_a_checkpoint_has_its_size_and_an_epoch_its_seconds():
    found = time_epoch(CONFIG, splits(64), seconds=0.1)
    assert found.seconds > 0
    assert found.checkpoint_bytes > 1000


def test_a_large_data_set_is_timed_in_part_and_scaled(monkeypatch):
    sizes = []

    def timed(config, few, seconds):
        """An epoch that takes a second per training image."""
        sizes.append((len(few.train), len(few.validation), len(few.test)))
        return timing.EpochTime(float(len(few.train)), 1)

    monkeypatch.setattr(timing, "_run", timed)
    assert time_epoch(CONFIG, splits(1600), seconds=640).seconds == 1600
    # Two steps of 16 images first; then as many as a quarter of the time allows.
    assert sizes == [(32, 8, 8), (160, 40, 40)]


def test_whole_epochs_are_timed_where_they_fit(monkeypatch):
    def timed(config, few, seconds):
        return timing.EpochTime(0.001 * len(few.train), 1)

    monkeypatch.setattr(timing, "_run", timed)
    assert time_epoch(CONFIG, splits(64), seconds=100).seconds == 0.064
