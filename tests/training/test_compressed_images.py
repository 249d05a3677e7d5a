"""Trials whose images stay compressed train as others do, and go on as if never interrupted."""

import pytest
import torch

from tests.data.test_compressed import folder, pictures  # noqa: F401
from tests.methods.networks import assert_same
from tests.training.test_presets import lasting
from tune_robust.config import parse_config
from tune_robust.data import LabelledImages, Splits, load_dataset, make_splits
from tune_robust.training import train
from tune_robust.training.loop import _evaluation_batch


@pytest.fixture
def config(folder):  # noqa: F811
    """``config(**data)``: SAM for two epochs on images of a folder, at 16x16."""

    def made(**data):
        given = {"dataset": "folder", "dir": str(folder), "image_size": 16}
        noise = {"noise": {"kind": "symmetric", "rate": 0.4}, "validation": {"size": 6}}
        return parse_config(
            {
                "data": given | noise | data,
                "model": {"name": "small_cnn", "width": 0.25},
                "method": "sam",
                "epochs": 2,
                "batch_size": 4,
                "threads": 1,
            }
        )

    return made


def trained(config, **options):
    splits = make_splits(config.data, load_dataset(config.data))
    return [(lasting(each), each.model) for each in train(config, splits=splits, **options)][-1]


def test_they_train_the_same_bit_for_bit(config):
    found, expected = (
        trained(config(images=images, augment="crop_flip")) for images in ("compressed", "decoded")
    )
    assert found[0] == expected[0]
    assert_same(found[1], expected[1])


def test_a_resumed_run_draws_the_same_crops(config, tmp_path):
    whole = config(images="compressed", augment="resized_crop_flip")
    results = train(whole)
    next(results).save(tmp_path / "one.pt")
    results.close()
    found, expected = trained(whole, resume=tmp_path / "one.pt"), trained(whole)
    assert found[0] == expected[0]
    assert_same(found[1], expected[1])


@pytest.mark.parametrize(
    ("side", "batch_size", "expected"), [(32, 64, 1024), (224, 64, 111), (224, 256, 256)]
)
def test_large_images_are_evaluated_a_few_at_a_time(config, side, batch_size, expected):
    images = torch.zeros(1, dtype=torch.uint8).expand(2000, 3, side, side)
    part = LabelledImages(images, *torch.zeros(2, 2000, dtype=torch.int64))
    splits = Splits(part, part, part, ("a",), (), ())
    changed = config().model_copy(update={"batch_size": batch_size})
    assert _evaluation_batch(changed, splits) == expected
