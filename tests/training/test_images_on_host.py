"""A trial whose images stay in the host's memory trains as one that has them on its device."""

import pytest

from tests.methods.networks import assert_same
from tests.training.test_presets import config, lasting, splits  # noqa: F401
from tune_robust.cli.plan import images_line
from tune_robust.training import device, fits_images, loop, train
from tune_robust.training.device import choose_device


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "saner_slaw", "probe_every": 1},
        {"method": "swa", "mixup": {"alpha": 1.0}},
        {"method": "sgd", "bootstrap_rounds": 1, "epochs": 1},
    ],
    ids=lambda changes: changes["method"],
)
def test_it_trains_the_same_bit_for_bit(splits, changes, monkeypatch):  # noqa: F811
    settings = config(**changes)

    def trained():
        return [(lasting(each), each.model) for each in train(settings, splits=splits)][-1]

    kept = trained()
    asked = []
    monkeypatch.setattr(loop, "fits_images", lambda device, size: asked.append(size))
    gathered = trained()
    assert asked == [splits.image_bytes]
    assert gathered[0] == kept[0]
    assert_same(gathered[1], kept[1])


def test_images_may_take_half_of_the_memory(monkeypatch):
    monkeypatch.setattr(device, "_memory_bytes", lambda device: 100.0)
    assert fits_images(choose_device("cpu"), 50)
    assert not fits_images(choose_device("cpu"), 51)


@pytest.mark.parametrize(("limit", "fits"), [("1000\n", False), ("max\n", True), (None, True)])
def test_a_containers_memory_counts(tmp_path, monkeypatch, limit, fits):
    path = tmp_path / "memory.max"
    if limit is not None:
        path.write_text(limit)
    monkeypatch.setattr(device, "_CONTAINER_LIMIT", path)
    assert fits_images(choose_device("cpu"), 501) == fits


@pytest.mark.parametrize(
    ("gpus", "promised"),
    [(0.0, "more than half of this machine's memory"), (0.5, "its part of the GPU's memory")],
)
def test_plan_says_that_images_are_read_in_batches(gpus, promised):
    found = {"images": {"bytes": 190e9, "tier": "host"}, "slots": {"gpus": gpus}}
    text = images_line(found)
    assert text.startswith("Images: 190 GB in each trial, more than half of ")
    assert promised in text


def test_plan_says_that_images_stay_compressed():
    found = {"images": {"bytes": 190e9, "tier": "compressed"}, "slots": {"cpus": 4, "gpus": 1}}
    assert images_line(found).startswith("Images: 190 GB in each trial once decoded. They stay ")
    assert "by 4 threads of the trial (resources.cpus)" in images_line(found)
