import subprocess
import sys
from typing import get_args

import pytest
import torch

from tune_robust.config import DataConfig
from tune_robust.data import load_dataset
from tune_robust.data.sources import SOURCES


@pytest.fixture
def config(tmp_path, pixels, write_parquet):
    """A dataset of 12 and 4 images on disk."""
    images = list(pixels(16))
    write_parquet(tmp_path / "train-0.parquet", images[:12], [0, 1, 2] * 4)
    write_parquet(tmp_path / "test-0.parquet", images[12:], [0, 1, 2, 0])
    return DataConfig(dataset="parquet", dir=str(tmp_path))


@pytest.fixture
def decodings(monkeypatch):
    """The files of each decoding that took place."""
    calls = []
    source = SOURCES["parquet"]

    def index(config, files, folder):
        calls.append(files)
        return source.indexed(config, files, folder)

    monkeypatch.setitem(SOURCES, "parquet", source._replace(indexed=index))
    return calls


def test_every_configured_dataset_has_a_source():
    built_in, _ = get_args(DataConfig.model_fields["dataset"].annotation)
    assert set(SOURCES) == set(get_args(get_args(built_in)[0]))


def test_without_a_cache_every_call_decodes(config, decodings):
    load_dataset(config)
    load_dataset(config)
    assert len(decodings) == 2


def test_the_cache_gives_what_decoding_gave(config, decodings, tmp_path):
    first = load_dataset(config, tmp_path / "cache")
    again = load_dataset(config, tmp_path / "cache")
    assert len(decodings) == 1
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.test.labels, again.test.labels)
    assert first.classes == again.classes


def test_a_damaged_cache_is_decoded_again_and_mended(config, decodings, tmp_path):
    expected = load_dataset(config, tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.safetensors")
    images = expected.train.images.clone()
    file.write_bytes(file.read_bytes()[:-1])
    mended = load_dataset(config, tmp_path / "cache")
    load_dataset(config, tmp_path / "cache")
    assert len(decodings) == 2
    assert torch.equal(mended.train.images, images)


def test_changed_files_are_decoded_again(config, decodings, tmp_path, pixels, write_parquet):
    load_dataset(config, tmp_path / "cache")
    write_parquet(tmp_path / "test-0.parquet", list(pixels(3)), [0, 1, 2])
    assert len(load_dataset(config, tmp_path / "cache").test.labels) == 3
    assert len(decodings) == 2


def test_decoded_and_kept_images_have_the_same_standard_strides(tmp_path):
    # Convolutions choose their kernel, and so their last bits, by the strides.
    for dataset in (load_dataset(DataConfig(), tmp_path), load_dataset(DataConfig(), tmp_path)):
        for part in (dataset.train, dataset.test):
            assert part.images.stride() == torch.empty(part.images.shape).stride()


@pytest.mark.e2e
def test_digits_need_none_of_the_sources_libraries():
    # Trial processes import it; scikit-learn and torchvision take a second each.
    script = (
        "import sys; from tune_robust.config import DataConfig; from tune_robust.data import "
        "load_dataset; load_dataset(DataConfig()); "
        "print({'sklearn', 'torchvision'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "set()"
