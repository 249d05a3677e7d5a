import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
import torchvision.datasets.cifar as archives

from tune_robust.config import DataConfig
from tune_robust.data import download as downloads
from tune_robust.data import load_dataset
from tune_robust.data.cifar_classes import CIFAR100
from tune_robust.errors import UserError

LABELS = {"cifar10": "labels", "cifar100": "fine_labels"}


def pickled(content):
    """As the published files were pickled, by a NumPy that wrote dtype's flags as numbers.

    They have (0, 1), about which only NumPy 2.4.0 to 2.4.4 warn; about (0, 2) all later ones do.
    """
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=2)
    pickler.dispatch_table = {type(np.dtype("u1")): lambda dtype: (np.dtype, (dtype.str[1:], 0, 2))}
    pickler.dump(content)
    return stream.getvalue()


class Archive:
    """A tiny archive in the published layout, whose checksums torchvision is told to expect."""

    def __init__(self, name, monkeypatch):
        self.torchvision = archives.CIFAR10 if name == "cifar10" else archives.CIFAR100
        self.name, self.files, self._patch = name, {}, monkeypatch.setattr
        classes = [f"class {k}" for k in range(10)]
        generator = np.random.default_rng(0)
        self.pixels = {}
        for files in ("train_list", "test_list"):
            sums = []
            for file, _ in getattr(self.torchvision, files):
                self.pixels[file] = generator.integers(0, 256, (4, 3072), dtype=np.uint8)
                batch = {"data": self.pixels[file], LABELS[name]: [3, 1, 4, 1]}
                sums.append([file, self._add(file, batch)])
            monkeypatch.setattr(self.torchvision, files, sums)
        if name == "cifar100":
            classes = list(CIFAR100)
        meta = self.torchvision.meta
        md5 = self._add(meta["filename"], {meta["key"]: classes})
        monkeypatch.setattr(self.torchvision, "meta", {**meta, "md5": md5})

    def _add(self, file, content):
        self.files[file] = pickled(content)
        return hashlib.md5(self.files[file]).hexdigest()

    def unpack(self, directory):
        folder = directory / self.torchvision.base_folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder

    def pack(self, path):
        """As the one file that is downloaded, which torchvision is told to expect."""
        with tarfile.open(path, "w:gz") as packed:
            for name, content in self.files.items():
                entry = tarfile.TarInfo(f"{self.torchvision.base_folder}/{name}")
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))
        self._patch(self.torchvision, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())
        self._patch(self.torchvision, "url", path.as_uri())
        return path

    def load(self, directory=None, **settings):
        where = None if directory is None else str(directory)
        return load_dataset(DataConfig(dataset=self.name, dir=where, **settings))


@pytest.fixture(params=["cifar10", "cifar100"])
def archive(request, monkeypatch):
    """An archive that can be had from nowhere unless a test packs it."""
    monkeypatch.setattr(downloads, "_PAUSE_S", 0)
    archive = Archive(request.param, monkeypatch)
    monkeypatch.setattr(archive.torchvision, "url", "https://nowhere.invalid/cifar.tar.gz")
    return archive


def test_images_labels_and_names(archive, tmp_path):
    archive.unpack(tmp_path)
    dataset = archive.load(tmp_path, download=False)
    batches = len(archive.torchvision.train_list)
    assert dataset.train.images.shape == (4 * batches, 3, 32, 32)
    assert dataset.test.images.shape == (4, 3, 32, 32)
    assert dataset.train.images.dtype == torch.uint8
    assert dataset.train.images.is_contiguous()
    assert dataset.train.labels.tolist() == [3, 1, 4, 1] * batches
    assert dataset.classes[4] in ("class 4", "beaver")
    last = torch.from_numpy(archive.pixels[archive.torchvision.test_list[0][0]])
    assert torch.equal(dataset.test.images.flatten(1), last)


def test_missing_files_are_named_when_downloading_is_off(archive, tmp_path):
    folder = archive.unpack(tmp_path)
    absent = folder / archive.torchvision.test_list[0][0]
    absent.unlink()
    with pytest.raises(UserError) as error:
        archive.load(tmp_path, download=False)
    message = str(error.value)
    assert f"there is no {absent.name} in {folder}" in message
    assert "downloading is off" in message
    assert all(name in message for name in archive.files)
    assert "--data-dir" in message


def test_missing_files_are_named_without_network(archive, tmp_path):
    found = r"downloading https://nowhere.* failed 3 times: .*Put .*packed or unpacked.*--data-dir"
    with pytest.raises(UserError, match=found):
        archive.load(tmp_path)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]


def test_missing_files_are_downloaded(archive, tmp_path):
    packed = archive.pack(tmp_path / "elsewhere.tar.gz")
    assert len(archive.load(tmp_path / "data").test.labels) == 4
    packed.unlink()
    assert len(archive.load(tmp_path / "data").test.labels) == 4


def test_an_archive_that_is_there_is_unpacked(archive, tmp_path):
    archive.pack(tmp_path / archive.torchvision.filename)
    assert len(archive.load(tmp_path, download=False).test.labels) == 4


def test_a_truncated_archive_is_named_or_downloaded_again(archive, tmp_path):
    archive.pack(tmp_path / "elsewhere.tar.gz")
    data = tmp_path / "data"
    data.mkdir()
    truncated = data / archive.torchvision.filename
    truncated.write_bytes((tmp_path / "elsewhere.tar.gz").read_bytes()[:100])
    with pytest.raises(UserError, match=f"{truncated} is damaged or truncated .*--no-download"):
        archive.load(data, download=False)
    assert len(archive.load(data).test.labels) == 4


def test_a_wrong_download_is_refused(archive, tmp_path, monkeypatch):
    archive.pack(tmp_path / "elsewhere.tar.gz")
    monkeypatch.setattr(archive.torchvision, "tgz_md5", "0" * 32)
    with pytest.raises(UserError, match=r"failed 3 times: the download has the MD5 sum .*not 0000"):
        archive.load(tmp_path / "data")


def test_a_place_that_cannot_be_written_is_named(archive, tmp_path):
    archive.pack(tmp_path / "elsewhere.tar.gz")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="File exists"):
        archive.load(tmp_path / "file")


def test_the_superclasses_of_cifar100(monkeypatch, tmp_path):
    archive = Archive("cifar100", monkeypatch)
    archive.unpack(tmp_path)
    dataset = archive.load(tmp_path, label_column="coarse_label")
    assert len(dataset.classes) == 20
    # Classes 3, 1, 4, 1: bear, aquarium_fish, beaver.
    names = [dataset.classes[k] for k in dataset.test.labels]
    assert names == ["large_carnivores", "fish", "aquatic_mammals", "fish"]


def test_a_changed_file_is_named_and_not_opened(archive, tmp_path):
    folder = archive.unpack(tmp_path)
    changed = folder / archive.torchvision.test_list[0][0]
    changed.write_bytes(pickle.dumps(_Explosive()))
    with pytest.raises(UserError, match=f"{changed} does not have the published checksum"):
        archive.load(tmp_path, download=False)


def test_changed_class_names_are_named(archive, tmp_path):
    folder = archive.unpack(tmp_path)
    changed = folder / archive.torchvision.meta["filename"]
    changed.write_bytes(pickle.dumps(_Explosive()))
    with pytest.raises(UserError, match=f"{changed} does not have the published checksum"):
        archive.load(tmp_path, download=False)


class _Explosive:
    def __reduce__(self):
        return (pytest.fail, ("a file with a wrong checksum was unpickled",))


def test_the_default_directory_is_data_at_home(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    archive.unpack(tmp_path / "data")
    assert len(archive.load(download=False).test.labels) == 4
