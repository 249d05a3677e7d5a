import gzip
import tarfile

import pytest
import torch

from tests.data.test_compressed import add, as_webdataset, data, picture
from tune_robust.config import parse_config
from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError


@pytest.fixture
def rows():
    """(part, class, file name, bytes) of 6 training images and 2 test images."""
    names = [("train", f"{k}.jpg", "dog" if k % 2 else "cat") for k in range(6)]
    names += [("test", f"{k}.jpg", "dog" if k % 2 else "cat") for k in range(2)]
    return [(part, label, name, picture(int(name[0]))) for part, name, label in names]


def load(directory, **settings):
    return load_dataset(data(directory, "webdataset", "auto", **settings))


def test_names_are_classes_and_numbers_too(tmp_path, rows):
    as_webdataset(tmp_path, rows)
    by_name = load(tmp_path)
    assert by_name.classes == ("cat", "dog")
    assert by_name.train.labels.tolist() == [0, 1] * 3
    as_webdataset(tmp_path, rows, label=lambda name: f"{int(name == 'dog')}\n")
    by_number = load(tmp_path)
    assert by_number.classes == ("0", "1")
    assert torch.equal(by_name.train.labels, by_number.train.labels)
    assert torch.equal(by_name.test.images, by_number.test.images)


def test_validation_files_stand_in_for_test_files_and_other_files_are_skipped(tmp_path, rows):
    as_webdataset(tmp_path, rows)
    for path in tmp_path.glob("test-*"):
        path.rename(tmp_path / path.name.replace("test", "val"))
    with tarfile.open(tmp_path / "train-000000.tar", "a") as archive:
        for name, content in [("9.json", b"{}"), ("9.cls", b"cat"), ("9.jpg", rows[0][3])]:
            add(archive, name, content)
    found = load(tmp_path)
    assert (len(found.train.labels), len(found.test.labels)) == (7, 2)


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ([("1.jpg", b"x")], r"train-0\.tar: 1\.jpg has no label.*there must be 1\.cls"),
        ([("1.jpg", b"x"), ("2.cls", b"0"), ("2.jpg", b"x")], r"1\.jpg has no label"),
        ([("1.cls", b"0")], r"train-0\.tar has no images"),
        ([("1.jpg", b"x"), ("1.cls", b"1")], r"train-0\.tar, image 0: label 1, but no .* label 0"),
        ([("1.jpg", b"x"), ("1.cls", b"0")], r"train-0\.tar, image 0: the image cannot be decoded"),
    ],
)
def test_what_is_no_sample_is_named(tmp_path, members, found):
    with tarfile.open(tmp_path / "train-0.tar", "w") as archive:
        for name, content in members:
            add(archive, name, content)
    with pytest.raises(UserError, match=found):
        load(tmp_path)


def test_a_class_of_the_test_images_alone_is_named(tmp_path, rows):
    as_webdataset(tmp_path, [*rows[:6], ("test", "dogs", "7.jpg", rows[0][3]), rows[6]])
    with pytest.raises(UserError, match=r"test-000000\.tar, image 0: .*'dogs'.*[dD]id you mean"):
        load(tmp_path)


def test_truncated_and_compressed_files_are_named(tmp_path, rows):
    as_webdataset(tmp_path, rows)
    shard = tmp_path / "train-000001.tar"
    content = shard.read_bytes()
    shard.write_bytes(content[:700])
    with pytest.raises(UserError, match=r"train-000001\.tar"):
        load(tmp_path)
    shard.write_bytes(gzip.compress(content))
    with pytest.raises(UserError, match=r"train-000001\.tar cannot be read as a tar file"):
        load(tmp_path)
    for path in tmp_path.glob("*.tar"):
        path.rename(f"{path}.gz")
    with pytest.raises(UserError, match=r"no \*train\*\.tar\. test-000000\.tar\.gz is compressed"):
        load(tmp_path)


def test_no_such_directory(tmp_path):
    with pytest.raises(UserError, match="not a directory"):
        load(tmp_path / "absent")
    with pytest.raises(UserError, match="needs the directory of its tar files"):
        load_dataset(parse_config({"data": {"dataset": "webdataset"}}).data)


def test_a_csv_may_name_the_images(tmp_path, rows):
    as_webdataset(tmp_path, rows)
    lines = "".join(f"{k}.jpg,cat\n" for k in reversed(range(6)))
    (tmp_path / "labels.csv").write_text(f"file,label\n{lines}")
    noise = {"kind": "given", "file": str(tmp_path / "labels.csv")}
    config = data(tmp_path, "webdataset", noise=noise, validation={"size": 2})
    assert make_splits(config, load_dataset(config)).train.labels.tolist() == [0, 0, 0, 0]
