"""Large arrays are mapped from a file that has no name."""

import numpy as np
import pytest

from tests.data.test_decoding import decode, encode, picture
from tune_robust.config import DataConfig
from tune_robust.data import decoding, load_dataset, scratch
from tune_robust.data.scratch import large_arrays_in, new_array
from tune_robust.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Arrays of more than 100 bytes are large."""
    monkeypatch.setattr(scratch, "_IN_MEMORY", 100)
    return tmp_path / "large"


def test_only_large_arrays_are_mapped_from_a_file_of_the_folder(folder):
    assert not isinstance(new_array((1000,)), np.memmap), "where no folder is given"
    with large_arrays_in(folder):
        assert not isinstance(new_array((100,)), np.memmap)
        array = new_array((10, 20))
        assert isinstance(array, np.memmap)
        array[:] = 7
    assert (array == 7).all()
    assert not list(folder.iterdir())
    assert not isinstance(new_array((1000,)), np.memmap)


def test_without_space_it_is_in_memory(folder, monkeypatch, caplog):
    def full(file, begin, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with large_arrays_in(folder):
        assert not isinstance(new_array((1000,)), np.memmap)
    assert "1 kB of images are decoded in memory" in caplog.text
    assert not list(folder.iterdir())


@pytest.mark.parametrize("modes", [("RGB", "RGB", "L"), ("L", "L", "RGB")])
def test_images_are_decoded_into_it(folder, modes):
    images = [encode(picture(mode, (30, 20))) for mode in modes]
    expected = decode(*images)
    with large_arrays_in(folder):
        found = decode(*images)
    assert isinstance(found, np.memmap)
    assert (found == expected).all()


def test_what_a_killed_process_has_decoded_is_not_decoded_again(folder, monkeypatch):
    monkeypatch.setattr(decoding, "_CHUNK", 2)
    images = [encode(picture(mode, (30, 20))) for mode in ("L", "RGB", "L", "RGB", "L", "L")]
    expected = decode(*images)
    with large_arrays_in(folder):
        with pytest.raises(UserError, match="place 4"):
            decode(*images[:4], b"broken", images[5])
        # Those before are no longer needed, but for the size of the first one.
        found = decode(images[0], b"", b"", b"", *images[4:])
    assert (found == expected).all()


def test_a_data_set_is_decoded_without_holding_it_in_memory(folder, tmp_path, monkeypatch):
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            (tmp_path / part / label).mkdir(parents=True)
            (tmp_path / part / label / "1.png").write_bytes(encode(picture("RGB", (30, 20))))
    made = []
    original = scratch._mapped
    monkeypatch.setattr(scratch, "_mapped", lambda *args: made.append(1) or original(*args))
    config = DataConfig(dataset="folder", dir=str(tmp_path))
    mapped = load_dataset(config, folder)
    assert made == [1]
    assert sorted(path.suffix for path in folder.iterdir()) == [".lock", ".safetensors"]
    assert (mapped.train.images == load_dataset(config).train.images).all()
