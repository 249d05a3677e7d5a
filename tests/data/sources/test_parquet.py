import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.data.conftest import encode
from tune_robust.config import DataConfig
from tune_robust.data import load_dataset, make_splits
from tune_robust.data.noise import noisy_labels
from tune_robust.errors import UserError


@pytest.fixture
def write(tmp_path, pixels, write_parquet):
    """Writes a whole dataset, 6 training images and 3 test images, or as asked."""

    def whole(train=(0, 1, 2, 0, 1, 2), test=(0, 1, 2), **settings):
        for name, labels in (("train", train), ("test", test)):
            path = tmp_path / "data" / f"{name}-00000-of-00001.parquet"
            path.parent.mkdir(exist_ok=True)
            write_parquet(path, pixels(len(labels)), labels, **settings)
        return tmp_path / "data"

    return whole


def load(directory):
    return load_dataset(DataConfig(dataset="parquet", dir=str(directory)))


def test_images_and_labels_in_order(write, pixels):
    dataset = load(write())
    expected = torch.from_numpy(pixels(6)).permute(0, 3, 1, 2)
    assert torch.equal(dataset.train.images, expected)
    assert dataset.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.test.images.shape == (3, 3, 8, 10)
    assert dataset.classes == ("0", "1", "2")
    assert dataset.train.labels.dtype == torch.int64


def test_several_files_are_read_by_name(tmp_path, pixels, write_parquet):
    images = list(pixels(5))
    write_parquet(tmp_path / "train-00001-of-00002.parquet", images[2:4], [1, 0])
    write_parquet(tmp_path / "train-00000-of-00002.parquet", images[:2], [0, 1])
    write_parquet(tmp_path / "test-00000-of-00001.parquet", images[4:], [0])
    dataset = load(tmp_path)
    assert dataset.train.labels.tolist() == [0, 1, 1, 0]
    assert (dataset.train.images[2].permute(1, 2, 0).numpy() == images[2]).all()


def test_validation_files_stand_in_for_test_files(write):
    directory = write()
    test = directory / "test-00000-of-00001.parquet"
    test.rename(directory / "validation-00000-of-00001.parquet")
    assert len(load(directory).test.labels) == 3


@pytest.mark.parametrize("label_type", ["int8", "uint8", "int32", "uint64"])
def test_columns_are_found_by_type(write, label_type):
    dataset = load(write(columns=("picture", "digit"), label_type=label_type))
    assert dataset.train.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_class_names_come_from_the_metadata(write):
    # A class without images is in order when it has a name.
    assert load(write(names=["cat", "dog", "owl", "yak"])).classes == ("cat", "dog", "owl", "yak")


def test_a_column_with_the_usual_name_wins(write):
    directory = write(columns=("img", "fine_label"))
    for path in directory.glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.append_column("coarse_label", table["fine_label"]), path)
    assert load(directory).train.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_columns_that_cannot_be_told_apart_are_named(write):
    directory = write(columns=("img", "a"))
    path = directory / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("b", table["a"]), path)
    with pytest.raises(
        UserError,
        match=r"several columns .*a \(int64\), b .*name it label or .*data\.label_column",
    ):
        load(directory)


@pytest.mark.parametrize(("column", "found"), [("image", "bytes"), ("label", "integers")])
def test_a_missing_column_is_named(write, column, found):
    directory = write()
    path = directory / "train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).drop_columns(column), path)
    with pytest.raises(UserError, match=f"train-.* has no column of the kind: .*{found}"):
        load(directory)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"train": (0, 1, -1, 2)}, "train-.*, row 2: label -1 is not one of the 3"),
        ({"test": (0, 3)}, "test-.*, row 1: label 3 is not one of the 3 .* 0 to 2"),
        ({"train": (0, 1, 7)}, "train-.*, row 2: label 7, but no training image has label 2"),
        ({"train": (1, 2, 3)}, "train-.*, row 0: label 1, but no training image has label 0"),
        ({"train": (0, 9), "names": ["cat", "dog"]}, "row 1: label 9 is not one of the 2"),
    ],
)
def test_labels_that_are_no_classes_are_named(write, labels, found):
    with pytest.raises(UserError, match=found):
        load(write(**labels))


@pytest.mark.parametrize(
    ("image", "label", "found"),
    [(None, 0, "image.bytes is empty"), (b"x", None, "label is empty"), (b"x", 0, "decoded")],
)
def test_an_empty_or_damaged_row_is_named(write, pixels, write_parquet, image, label, found):
    directory = write()
    path = directory / "train-00000-of-00001.parquet"
    write_parquet(path, [*pixels(2), image, *pixels(1)], [1, 2, label, 0])
    with pytest.raises(UserError, match=f"train-.*, row 2: .*{found}"):
        load(directory)


def test_another_size_is_named(write, pixels, write_parquet):
    directory = write()
    write_parquet(directory / "test-00000-of-00001.parquet", [pixels(1)[0][:7]], [0])
    with pytest.raises(UserError, match=r"test-.*, row 0: the image has 10x7 pixels.*10x8"):
        load(directory)


def test_other_class_names_in_the_test_file_are_refused(write, pixels, write_parquet):
    directory = write(names=["cat", "dog", "owl"])
    test = directory / "test-00000-of-00001.parquet"
    write_parquet(test, pixels(1), [0], names=["dog", "cat", "owl"])
    with pytest.raises(UserError, match=r"names the classes dog, cat, owl, but .* cat, dog, owl"):
        load(directory)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_named(write, share):
    directory = write()
    path = directory / "test-00000-of-00001.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"test-.* cannot be read as Parquet .*copy it again"):
        load(directory)


def test_a_file_without_rows_is_named(write, write_parquet):
    directory = write()
    write_parquet(directory / "test-00000-of-00001.parquet", [], [])
    with pytest.raises(UserError, match=r"test-.* has no rows"):
        load(directory)


def test_no_directory_given():
    with pytest.raises(UserError, match="--data-dir"):
        load_dataset(DataConfig(dataset="parquet"))


def test_no_such_directory(tmp_path):
    with pytest.raises(UserError, match=r"absent is not a directory; .*--data-dir"):
        load(tmp_path / "absent")


def test_an_empty_directory(tmp_path):
    with pytest.raises(UserError, match=r"has no train-\*.parquet. It has: nothing"):
        load(tmp_path)


def test_there_may_be_no_test_files(write):
    directory = write()
    before = load(directory)
    (directory / "test-00000-of-00001.parquet").unlink()
    dataset = load(directory)
    assert torch.equal(dataset.train.images, before.train.images)
    assert len(dataset.test.labels) == 0


def test_a_csv_may_name_the_paths_of_the_images(tmp_path, pixels):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": encode(image), "path": f"{k}.png"} for k, image in enumerate(pixels(3))]
    table = pa.table({"image": pa.array(rows, kind), "label": pa.array([0, 1, 2])})
    pq.write_table(table, tmp_path / "train-0.parquet")
    (tmp_path / "labels.csv").write_text("file,seen\n2.png,0\n0.png,2\n1.png,1\n")
    noise = {"kind": "given", "file": str(tmp_path / "labels.csv")}
    config = DataConfig(dataset="parquet", dir=str(tmp_path), noise=noise)
    dataset = load_dataset(config)
    labels = noisy_labels(config, dataset.train, dataset.classes, [np.arange(3)])
    assert labels.tolist() == [2, 1, 0]


def test_the_directory_above_points_down(write):
    directory = write()
    with pytest.raises(UserError, match=f"Did you mean --data-dir {directory}"):
        load(directory.parent)


def test_other_struct_columns_are_no_images(write):
    directory = write()
    path = directory / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    extra = pa.array([{"bytes": "text"}] * len(table))
    pq.write_table(table.append_column("note", extra), path)
    assert len(load(directory).train.labels) == 6


def test_real_images(real_cifar10):
    assert real_cifar10.train.images.shape == (10_000, 3, 32, 32)
    assert real_cifar10.train.labels.bincount().tolist() == [1000] * 10


def with_column(directory, name, values):
    """The training file with another column of integers."""
    path = directory / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column(name, pa.array(values)), path)
    return path


def given(directory, column):
    config = DataConfig(
        dataset="parquet",
        dir=str(directory),
        noise={"kind": "given", "key": column},
        validation={"size": 2},
    )
    return make_splits(config, load_dataset(config))


def test_the_label_column_may_be_named(write):
    directory = write()
    for path in directory.glob("*.parquet"):
        table = pq.read_table(path)
        coarse = pa.array([label % 2 for label in table["label"].to_pylist()])
        pq.write_table(table.append_column("coarse", coarse), path)
    config = DataConfig(dataset="parquet", dir=str(directory), label_column="coarse")
    dataset = load_dataset(config)
    assert dataset.train.labels.tolist() == [0, 1, 0, 0, 1, 0]
    assert dataset.classes == ("0", "1")
    config = config.model_copy(update={"label_column": "coarsest"})
    with pytest.raises(UserError, match=r"no column of integers 'coarsest'. Did you mean 'coarse'"):
        load_dataset(config)


def test_a_column_of_given_labels_beside_the_true_ones(write):
    directory = write()
    with_column(directory, "seen", [0, 2, 2, 1, 1, 2])
    splits = given(directory, "seen")
    wrong = splits.train.noisy.sum() + splits.validation.noisy.sum()
    assert wrong == 2
    assert len(splits.test.labels) == 3


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0, 1, 2, 0, 1, 3], "label 3 of image 5 is not one of the 3 classes"),
        ([0, 1, None, 0, 1, 2], "row 2: seen is empty"),
    ],
)
def test_given_labels_that_do_not_fit_are_named(write, values, found):
    directory = write()
    with_column(directory, "seen", values)
    with pytest.raises(UserError, match=found):
        given(directory, "seen")


def test_a_missing_column_of_given_labels_is_named(write):
    directory = write()
    with_column(directory, "seen", [0] * 6)
    with pytest.raises(UserError, match=r"no column of integers 'sean'. Did you mean 'seen'"):
        given(directory, "sean")


def test_images_of_several_sizes_are_fitted_when_asked(write, pixels, write_parquet):
    directory = write()
    write_parquet(directory / "test-00000-of-00001.parquet", [pixels(1)[0][:7]], [0])
    config = DataConfig(dataset="parquet", dir=str(directory), image_size=6)
    dataset = load_dataset(config)
    assert dataset.train.images.shape == (6, 3, 6, 6)
    assert dataset.test.images.shape == (1, 3, 6, 6)
