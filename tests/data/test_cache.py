import os

import pytest
import torch

from tune_robust.config import DataConfig
from tune_robust.data import cache
from tune_robust.data.channels import image_moments


@pytest.fixture
def kept(tmp_path, random_dataset):
    """A dataset, and the file that keeps it."""
    dataset, path = random_dataset(), tmp_path / "cache" / "some.safetensors"
    cache.write(path, dataset)
    return dataset, path


def same(one, other):
    tensors = zip((*one.train[:2], *one.test[:2]), (*other.train[:2], *other.test[:2]), strict=True)
    return one.classes == other.classes and all(torch.equal(a, b) for a, b in tensors)


def test_what_is_written_is_read(kept):
    dataset, path = kept
    assert same(cache.read(path), dataset)
    assert [file.name for file in path.parent.iterdir()] == ["some.safetensors"]


def test_nothing_kept_is_none(tmp_path):
    assert cache.read(tmp_path / "absent.safetensors") is None


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_none(kept, caplog, share):
    _, path = kept
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert cache.read(path) is None
    assert "damaged" in caplog.text


def test_a_changed_byte_is_noticed(kept, caplog):
    _, path = kept
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    assert cache.read(path) is None
    assert "checksum" in caplog.text


def test_the_moments_of_the_images_are_kept(kept):
    dataset, path = kept
    found = cache.read(path).train
    assert torch.equal(found.moments, image_moments(dataset.train.images))


def test_a_large_file_is_verified_once_until_it_changes(kept, monkeypatch, caplog):
    dataset, path = kept
    verified = []
    original = cache._checksum
    monkeypatch.setattr(cache, "_checksum", lambda tensors: verified.append(1) or original(tensors))
    for expected in (1, 2):  # each time, while it counts as small
        assert same(cache.read(path), dataset)
        assert len(verified) == expected
    monkeypatch.setattr(cache, "_VERIFIED_ONCE", 1000)
    for _ in range(3):
        assert same(cache.read(path), dataset)
        assert len(verified) == 3
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    os.utime(path, (1, 1))
    assert cache.read(path) is None
    assert "checksum" in caplog.text


def test_a_file_of_another_kind_is_none(tmp_path, random_dataset):
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(3)}, tmp_path / "model.safetensors")
    assert cache.read(tmp_path / "model.safetensors") is None


def test_a_place_that_cannot_be_written_is_reported(tmp_path, random_dataset, caplog):
    (tmp_path / "file").write_text("in the way")
    cache.write(tmp_path / "file" / "some.safetensors", random_dataset())
    assert "could not be kept" in caplog.text


def test_a_failed_write_leaves_nothing(tmp_path, random_dataset, monkeypatch, caplog):
    def full(tensors, path, metadata):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "save_file", full)
    cache.write(tmp_path / "some.safetensors", random_dataset())
    assert not list(tmp_path.iterdir())
    assert "No space left" in caplog.text


def test_the_path_follows_settings_name_size_and_date(tmp_path):
    file = tmp_path / "data"
    file.write_bytes(b"one")
    os.utime(file, ns=(0, 1))

    def path(**settings):
        return cache.cache_path(tmp_path, DataConfig(**{"dataset": "parquet", **settings}), [file])

    first = path()
    assert first == path(seed=1, noise={"kind": "symmetric", "rate": 0.5})
    others = [path(dataset="cifar10"), path(image_size=8), path(label_column="coarse")]
    os.utime(file, ns=(0, 2))
    others.append(path())
    file.write_bytes(b"more")
    os.utime(file, ns=(0, 1))
    others.append(path())
    file = file.rename(tmp_path / "moved")
    others.append(path())
    assert len({first, *others}) == 7


@pytest.mark.parametrize(("modes", "expected"), [((0o644, 0o640), 0o640), ((0o600,), 0o600)])
def test_who_may_read_the_files_may_read_what_was_decoded_from_them(
    tmp_path, random_dataset, modes, expected
):
    files = [tmp_path / str(number) for number in range(len(modes))]
    for file, mode in zip(files, modes, strict=True):
        file.touch()
        file.chmod(mode)
    cache.write(tmp_path / "kept", random_dataset(), files)
    assert (tmp_path / "kept").stat().st_mode & 0o777 == expected
