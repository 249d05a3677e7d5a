import numpy as np
import pytest
import torch

from tune_robust.config import DataConfig
from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError


@pytest.fixture
def write(tmp_path, pixels):
    """Writes an archive of 6 and 3 colour images, with the arrays given in place of its own."""

    def write(name="data.npz", **arrays):
        own = {
            "train_images": pixels(6),
            "train_labels": np.array([0, 1, 2, 0, 1, 2], np.uint8),
            "test_images": pixels(3),
            "test_labels": np.array([0, 1, 2]),
        }
        np.savez(tmp_path / name, **{k: a for k, a in (own | arrays).items() if a is not None})
        return tmp_path / name

    return write


def load(path, **settings):
    return load_dataset(DataConfig(dataset="npz", dir=str(path), **settings))


def test_images_and_labels_in_order(write, pixels):
    dataset = load(write())
    assert torch.equal(dataset.train.images, torch.from_numpy(pixels(6)).permute(0, 3, 1, 2))
    assert dataset.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.train.labels.dtype == torch.int64
    assert dataset.classes == ("0", "1", "2")
    assert dataset.test.images.shape == (3, 3, 8, 10)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((8, 9), (1, 8, 9)), ((8, 9, 1), (1, 8, 9)), ((1, 8, 9), (1, 8, 9)), ((3, 8, 9), (3, 8, 9))],
)
def test_channels_may_be_first_last_or_absent(write, shape, expected):
    arrays = {f"{part}_images": np.zeros((n, *shape), np.uint8) for part, n in PARTS.items()}
    assert load(write(**arrays)).train.images.shape[1:] == expected


PARTS = {"train": 6, "test": 3}


def test_keras_names_columns_of_labels_and_class_names(write, pixels):
    arrays = dict.fromkeys(("train_images", "train_labels", "test_images", "test_labels"))
    arrays |= {"x_train": pixels(2), "y_train": np.array([[1], [0]])}
    arrays |= {"x_test": pixels(1), "y_test": np.array([[1]]), "classes": np.array(["cat", "dog"])}
    dataset = load(write(**arrays))
    assert dataset.train.labels.tolist() == [1, 0]
    assert dataset.classes == ("cat", "dog")


def test_the_directory_of_one_archive_will_do(write):
    assert len(load(write().parent).train.labels) == 6
    with pytest.raises(UserError, match=r"expected one .npz file \(data.npz, more.npz\)"):
        load(write("more.npz").parent)


def test_given_labels_are_an_array(write):
    path = write(train_seen=np.array([0, 1, 2, 1, 1, 0]))
    config = DataConfig(
        dataset="npz",
        dir=str(path),
        noise={"kind": "given", "key": "train_seen"},
        validation={"size": 2},
    )
    splits = make_splits(config, load_dataset(config))
    assert splits.train.noisy.sum() + splits.validation.noisy.sum() == 2
    with pytest.raises(UserError, match=r"no array 'seen'. Did you mean 'train_seen'"):
        load(path, noise={"kind": "given", "key": "seen"})


def test_images_are_fitted_when_asked(write):
    assert load(write(), image_size=4).train.images.shape == (6, 3, 4, 4)


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"test_labels": None}, "has the arrays train_images, .*expected train_images, .*x_train"),
        ({"train_images": np.zeros((6, 8, 8), np.float32)}, "train_images is float32 .*uint8"),
        ({"train_images": np.zeros((6, 8, 8, 4), np.uint8)}, "is uint8 .6, 8, 8, 4.; expected"),
        ({"train_labels": np.zeros(6)}, "train_labels is float64 .*one integer or class name"),
        ({"train_labels": np.zeros((6, 2), int)}, "one integer or class name"),
        ({"train_labels": np.zeros(5, int)}, "6 images and train_labels 5 labels"),
        ({"train_labels": np.array([0, 1, 3, 0, 1, 3])}, r"train_labels\[2\]: label 3, but no"),
        ({"test_labels": np.array([0, 1, 3])}, r"test_labels\[2\]: label 3 is not one of the 3"),
        ({"train_labels": np.array([0, 1, -1, 0, 1, 2])}, r"\[2\]: label -1 is not one of"),
        ({"test_images": np.zeros((3, 9, 9, 3), np.uint8)}, r"\(3, 8, 10\), test .*\(3, 9, 9\)"),
        ({"train_labels": np.array([object()] * 6)}, "cannot be read as npz .*pickle"),
    ],
)
def test_what_does_not_fit_is_named(write, arrays, found):
    path = write(**arrays)
    with pytest.raises(UserError, match=rf"{path}.*{found}"):
        load(path)


@pytest.mark.parametrize("share", [0, 0.2, 0.9])
def test_a_truncated_archive_is_named(write, share):
    path = write()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"data\.npz cannot be read as npz .*copy it again"):
        load(path)


def test_a_damaged_array_is_named(write):
    path = write()
    content = bytearray(path.read_bytes())
    content[300] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"data\.npz cannot be read as npz"):
        load(path)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_that_are_names_are_classes(write, kind):
    train = np.array(["owl", "cat", "dog", "owl", "cat", "dog"]).astype(kind)
    dataset = load(write(train_labels=train, test_labels=np.array(["dog", "cat", "owl"])))
    assert dataset.classes == ("cat", "dog", "owl")
    assert dataset.train.labels.tolist() == [2, 0, 1, 2, 0, 1]
    assert dataset.test.labels.tolist() == [1, 0, 2]


def test_names_given_as_noisy_labels_are_looked_up(write):
    true = np.array(["owl", "cat", "dog", "owl", "cat", "dog"])
    path = write(train_labels=true, test_labels=true[:3], seen=np.roll(true, 1))
    given = load(path, noise={"kind": "given", "key": "seen"}).train.given_labels
    assert given.tolist() == [1, 2, 0, 1, 2, 0]


def test_a_name_that_is_no_class_is_named(write):
    train = np.array(["owl", "cat", "dog", "owl", "cat", "dog"])
    path = write(train_labels=train, test_labels=np.array(["dog", "cow", "owl"]))
    with pytest.raises(UserError, match=r"test_labels: there is no class 'cow'"):
        load(path)


def test_there_may_be_no_test_images_but_not_half_of_them(write, tmp_path):
    path = write(test_images=None, test_labels=None)
    dataset = load(path)
    assert dataset.test.images.shape == (0, 3, 8, 10)
    again = load_dataset(DataConfig(dataset="npz", dir=str(path), image_size=4), tmp_path / "c")
    assert again.test.images.shape == (0, 3, 4, 4)
    with pytest.raises(UserError, match="The last two are optional"):
        load(write(test_labels=None))


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"absent: expected one .npz file \(no such file\)"):
        load(tmp_path / "absent")
    with pytest.raises(UserError, match="--data-dir"):
        load_dataset(DataConfig(dataset="npz"))


@pytest.mark.parametrize("name", ["train_images", "train_labels", "classes"])
def test_a_single_number_is_no_array_of_them(write, name):
    with pytest.raises(UserError, match=name):
        load(write(**{name: np.array(7)}))


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused(write, monkeypatch):
    sizes = {"SC_PHYS_PAGES": 1, "SC_PAGE_SIZE": 512}
    path = write()
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    with pytest.raises(UserError, match="more than this machine's memory"):
        load(path)
