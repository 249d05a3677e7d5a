"""Small datasets on disk and in memory."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tune_robust.config import DataConfig
from tune_robust.data import Dataset, Images, LabelledImages, load_dataset


def encode(pixels, kind="PNG"):
    """An array (H, W) or (H, W, 3) as an encoded image."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def pixels():
    """``pixels(n)``: the same n random colour images each time, uint8 (n, 8, 10, 3)."""
    return lambda n: np.random.default_rng(0).integers(0, 256, (n, 8, 10, 3), dtype=np.uint8)


@pytest.fixture
def write_parquet():
    """Writes images (arrays, or bytes as they are) and labels in the Hugging Face layout."""

    def write(path, images, labels, *, names=None, columns=("image", "label"), label_type="int64"):
        encoded = [image if isinstance(image, bytes | None) else encode(image) for image in images]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        rows = pa.array([{"bytes": image, "path": None} for image in encoded], kind)
        table = pa.table({columns[0]: rows, columns[1]: pa.array(labels, label_type)})
        if names is not None:
            features = {columns[1]: {"names": names, "_type": "ClassLabel"}}
            described = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": described})
        pq.write_table(table, path)
        return Path(path)

    return write


def random_dataset(count=200, classes=5, test=40, size=8, channels=1, seed=0):
    """A dataset of noise pixels with every class in it."""
    generator = torch.Generator().manual_seed(seed)

    def part(n):
        shape = (n, channels, size, size)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return Images(images, torch.arange(n) % classes)

    return Dataset(part(count), part(test), tuple(str(k) for k in range(classes)))


@pytest.fixture(name="random_dataset", scope="session")
def _random_dataset():
    return random_dataset


@pytest.fixture
def part():
    """37 images of 3x16x16, each filled with different pixels, labels 0 to 4."""
    images = random_dataset(37, channels=3, size=16).train
    return LabelledImages(images.images, images.labels, images.labels)


@pytest.fixture(scope="session")
def real_data():
    """Where real data may be, which is not part of the repository."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    return Path(os.environ.get("TUNE_ROBUST_TEST_DATA", beside))


@pytest.fixture(scope="session")
def real_cifar10(real_data, tmp_path_factory):
    """CIFAR-10's 10,000 test images as both parts."""
    file = real_data / "cifar10" / "test-00000-of-00001.parquet"
    if not file.is_file():
        pytest.skip(f"there is no {file} (set TUNE_ROBUST_TEST_DATA)")
    links = tmp_path_factory.mktemp("cifar10")
    (links / "train-0.parquet").symlink_to(file)
    (links / "test-0.parquet").symlink_to(file)
    return load_dataset(DataConfig(dataset="parquet", dir=str(links)))
