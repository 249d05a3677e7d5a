import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tune_robust.config import DataConfig
from tune_robust.data import load_dataset, make_splits, summarise
from tune_robust.data.noise import noisy_labels
from tune_robust.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Two classes of 3 and 2 training images, one test image each, every one of another gray."""
    for gray, name in enumerate(
        [
            *("train/owl/b.png", "train/owl/a.JPG", "train/owl/deep/er/c.png"),
            *("train/cat/1.png", "train/cat/2.png", "test/cat/x.png", "test/owl/y.png"),
        ]
    ):
        save(tmp_path / name, 20 * gray)
    (tmp_path / "train" / "owl" / "notes.txt").write_text("no image")
    (tmp_path / "train" / "owl" / ".hidden.png").write_text("no image")
    (tmp_path / "train" / "list.txt").write_text("no class")
    return tmp_path


def save(path, gray, size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, gray).save(path)


def load(directory, **settings):
    return load_dataset(DataConfig(dataset="folder", dir=str(directory), **settings))


def test_classes_and_images_by_name(folder):
    dataset = load(folder)
    assert dataset.classes == ("cat", "owl")
    assert dataset.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert dataset.train.images.shape == (5, 1, 5, 6)
    assert dataset.train.images[:, 0, 0, 0].tolist() == [60, 80, 20, 0, 40]
    assert dataset.test.images[:, 0, 0, 0].tolist() == [100, 120]
    assert dataset.test.labels.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["val", "validation"])
def test_other_names_of_the_test_folder(folder, name):
    (folder / "test").rename(folder / name)
    assert len(load(folder).test.labels) == 2


def test_linked_classes_and_images_count(folder, tmp_path_factory):
    away = tmp_path_factory.mktemp("away")
    (folder / "train" / "owl").rename(away / "owl")
    (folder / "train" / "owl").symlink_to(away / "owl")
    assert len(load(folder).train.labels) == 5


def test_the_cache_follows_the_files(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    config = DataConfig(dataset="folder", dir=str(folder))
    assert len(load_dataset(config, cache).train.labels) == 5
    save(folder / "train" / "cat" / "3.png", 7)
    assert len(load_dataset(config, cache).train.labels) == 6


def test_images_of_several_sizes_are_fitted_when_asked(folder):
    save(folder / "test" / "cat" / "z.png", 1, (9, 12))
    with pytest.raises(UserError, match=r"z\.png: the image has 9x12 .*set data\.image_size"):
        load(folder)
    assert load(folder, image_size=4).test.images.shape == (3, 1, 4, 4)


def test_a_damaged_image_is_named(folder):
    (folder / "train" / "cat" / "1.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"train/cat/1\.png: the image cannot be decoded"):
        load(folder)


def test_a_link_to_nothing_is_named(folder):
    (folder / "train" / "cat" / "link.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(UserError, match=r"link\.png is a broken link"):
        load(folder)


def test_an_empty_class_is_named(folder):
    (folder / "train" / "yak").mkdir()
    with pytest.raises(UserError, match=r"train/yak has no images \(\.bmp"):
        load(folder)


def test_a_class_that_is_only_tested_is_named(folder):
    (folder / "test" / "cat").rename(folder / "test" / "cats")
    with pytest.raises(UserError, match=r"test/cats: .*'cats'\. Did you mean 'cat'"):
        load(folder)


def test_a_missing_part_is_named(folder):
    (folder / "train").rename(folder / "trian")
    with pytest.raises(UserError, match=r"no folder train/.*it has test and trian\. Expected"):
        load(folder)


def test_no_classes(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match="train has no folders"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "cause"), [(".", "it is empty"), ("absent", "there is no folder")]
)
def test_no_data(tmp_path, name, cause):
    with pytest.raises(UserError, match=f"{cause}.*--data-dir"):
        load(tmp_path / name)


def test_no_directory_given():
    with pytest.raises(UserError, match="--data-dir"):
        load_dataset(DataConfig(dataset="folder"))


class TestACsvThatNamesFiles:
    """Its rows are joined by the names, in whatever order they are."""

    ROWS = ("owl/deep/er/c.png,cat", "cat/2.png,owl", "owl/b.png,owl", "cat/1.png,cat")
    LAST = "owl/a.JPG,cat"
    LABELS = (0, 1, 0, 1, 0)  # of cat/1, cat/2, owl/a, owl/b, owl/deep/er/c

    @staticmethod
    def labels(folder, *rows, heading="file,seen"):
        (folder / "labels.csv").write_text("\n".join([heading, *rows]))
        noise = {"kind": "given", "file": str(folder / "labels.csv")}
        config = DataConfig(dataset="folder", dir=str(folder), noise=noise)
        dataset = load_dataset(config)
        every = [np.arange(len(dataset.train.labels))]
        return tuple(noisy_labels(config, dataset.train, dataset.classes, every).tolist())

    def test_in_any_order(self, folder):
        assert self.labels(folder, *self.ROWS, self.LAST) == self.LABELS
        assert self.labels(folder, self.LAST, *self.ROWS[::-1]) == self.LABELS

    def test_from_further_up_or_by_the_name_alone(self, folder):
        rows = [str(folder / "train" / row) for row in self.ROWS]
        assert self.labels(folder, "train/" + self.LAST, *rows) == self.LABELS
        assert self.labels(folder, "a.JPG,cat", *rows, heading="filename,seen") == self.LABELS

    @pytest.mark.parametrize(
        ("row", "found"),
        [
            ("owl/A.JPG,cat", "line 6: there is no training image 'owl/A.JPG'. Did you mean"),
            ("cat/1.png,cat", "line 6: .* which line 5 is about already"),
            ("owl/a.JPG,cow", "line 6: there is no class 'cow'"),
            ("", "has no row for 1 of the 5 training images .the first is 'owl/a.JPG'"),
        ],
    )
    def test_what_does_not_fit_is_named(self, folder, row, found):
        with pytest.raises(UserError, match=found):
            self.labels(folder, *self.ROWS, *filter(None, [row]))


def test_without_test_images_a_part_of_the_training_images_takes_their_place(folder):
    shutil.rmtree(folder / "test")
    for number in range(40):
        save(folder / f"train/owl/more{number}.png", number)
    config = DataConfig(dataset="folder", dir=str(folder), noise="none", test_size=0.2)
    dataset = load_dataset(config)
    assert dataset.test.images.shape == (0, 1, 5, 6)
    assert len(make_splits(config, dataset).test) == 9


def test_labels_of_a_csv_fit_the_order(folder):
    (folder / "seen.csv").write_text("label\ncat\nowl\nowl\ncat\nowl\n")
    noise = {"kind": "given", "file": "seen.csv"}
    config = DataConfig(dataset="folder", dir=str(folder), noise=noise)
    summary = summarise(config, load_dataset(config))
    assert summary.noise_rate == pytest.approx(0.4)
    np.testing.assert_allclose(summary.transition_matrix, [[0.5, 0.5], [1 / 3, 2 / 3]])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("target", [".", "..", "../cat"])
def test_a_link_that_never_ends_is_named(folder, target):
    (folder / "train" / "owl" / "again").symlink_to(target, target_is_directory=True)
    (folder / "train" / "cat" / "owl").symlink_to("../owl", target_is_directory=True)
    with pytest.raises(UserError, match="is a link to a folder that it lies in"):
        load(folder)


@pytest.mark.timeout(60)
def test_a_pipe_is_no_image(folder):
    os.mkfifo(folder / "train" / "owl" / "pipe.png")
    with pytest.raises(UserError, match=r"pipe.png is not a regular file"):
        load(folder)


def test_an_image_of_too_many_pixels_is_named(folder):
    Image.new("1", (12_000, 12_000)).save(folder / "train" / "cat" / "1.png")
    with pytest.raises(UserError, match=r"1\.png.*(12000x12000|144000000) pixels"):
        load(folder)
