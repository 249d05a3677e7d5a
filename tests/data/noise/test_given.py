import numpy as np
import pytest

from tune_robust.config import DataConfig, parse_config
from tune_robust.data import UNKNOWN, make_splits
from tune_robust.errors import ConfigError, UserError

TRUE = [0, 1, 2, 0, 1, 2]
NOISY = [0, 2, 2, 1, 1, 0]
CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def given(tmp_path, draw):
    """The labels that a CSV of these lines gives."""

    def given(*lines, **noise):
        (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
        noise = {"kind": "given", "file": str(tmp_path / "labels.csv"), **noise}
        return draw(TRUE, noise, CLASSES).tolist()

    return given


def test_names_and_indices(given):
    assert given("label", *map(str, NOISY)) == NOISY
    assert given("label", *(CLASSES[k] for k in NOISY)) == NOISY
    assert given("label", "cat", "2", "owl", "dog", "1", "0") == NOISY


def test_one_of_several_columns(given):
    rows = [f"{i}, {CLASSES[k]}" for i, k in enumerate(NOISY)]
    assert given("id, seen", *rows, key="seen") == NOISY
    with pytest.raises(UserError, match=r"has the columns id, seen: say which .*noise\.key"):
        given("id, seen", *rows)
    with pytest.raises(UserError, match=r"no column 'sean'. Did you mean 'seen'"):
        given("id, seen", *rows, key="sean")


def test_names_of_files_need_images_that_have_them(given):
    rows = [f"{i}.png, {CLASSES[k]}" for i, k in enumerate(NOISY)]
    with pytest.raises(UserError, match=r"its column file, but the images .* have no file names"):
        given("file, seen", *rows)


def test_a_column_of_true_labels_proves_the_order(given):
    rows = [f"{CLASSES[k]},{CLASSES[t]}" for k, t in zip(NOISY, TRUE, strict=True)]
    assert given("label,true_label", *rows) == NOISY
    with pytest.raises(UserError, match=r"4 of its 6 are not the dataset's .*image 0: 2, here 0"):
        given("label,true_label", *reversed(rows))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["label", "cat"], "1 labels, but the dataset has 6 training images"),
        (["label", "cat", "cow"], r"labels.csv, line 3: there is no class 'cow'.*Allowed: cat"),
        (["label", "cat", "3"], "line 3: there is no class '3'"),
        (["label", "cat", "-1"], "line 3: there is no class '-1'"),
        ([""], "cannot be read as CSV"),
        (["a,b", "1,2,3,4", '"'], "cannot be read as CSV"),
    ],
)
def test_what_does_not_fit_is_named(given, lines, found):
    with pytest.raises(UserError, match=found):
        given(*lines)


def test_a_missing_file_is_named(draw):
    with pytest.raises(UserError, match=r"there is no nowhere\.csv"):
        draw(TRUE, {"kind": "given", "file": "nowhere.csv"}, CLASSES)


def test_a_dataset_loaded_without_its_column_is_refused(random_dataset):
    config = DataConfig(dataset="npz", noise={"kind": "given", "key": "seen"})
    with pytest.raises(UserError, match="loaded without its column seen"):
        make_splits(config, random_dataset())


def test_a_files_name_is_relative_to_the_data(tmp_path, random_dataset):
    dataset = random_dataset(30, 3, test=9)
    (tmp_path / "labels.csv").write_text("\n".join(["label", *["2"] * 30]))
    config = DataConfig(dir=str(tmp_path), noise={"kind": "given", "file": "labels.csv"})
    splits = make_splits(config, dataset)
    assert (splits.train.labels == 2).all()
    assert splits.train.noisy.sum() == (splits.train.true_labels != 2).sum() > 0


def test_without_a_file_or_column_the_truth_is_unknown(random_dataset):
    dataset = random_dataset(30, 3, test=9)
    splits = make_splits(DataConfig(noise="given"), dataset)
    for part in (splits.train, splits.validation):
        assert (part.true_labels == UNKNOWN).all()
        assert not part.noisy.any()
        assert not part.clean.any()
    seen = np.concatenate([splits.train.labels, splits.validation.labels])
    assert sorted(seen) == sorted(dataset.train.labels.tolist())
    assert (splits.test.true_labels == dataset.test.labels).all()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"noise": "given", "validation": {"labels": "clean"}}, "clean needs true labels"),
        ({"noise": {"kind": "given", "key": "seen"}}, "digits has no columns"),
    ],
)
def test_settings_that_contradict_are_refused(data, found):
    with pytest.raises(ConfigError, match=found):
        parse_config({"data": data})
