import pickle

import numpy as np
import pytest
import torch

from tune_robust.config import parse_config
from tune_robust.data import Images
from tune_robust.data.noise.human import read_labels
from tune_robust.errors import ConfigError, UserError

TRUE = np.arange(50) % 10
RATES = {
    "aggre_label": 0.0901,
    "random_label1": 0.1723,
    "random_label2": 0.1812,
    "random_label3": 0.1764,
    "worse_label": 0.4021,
}


def human(file, key="worse_label"):
    return {"kind": "human", "file": str(file), "key": key}


@pytest.fixture
def file(tmp_path, write_human):
    return write_human(tmp_path / "human.pt", clean_label=TRUE, worse_label=9 - TRUE)


def images(true):
    """As many images as labels, of no pixels worth mention."""
    true = torch.from_numpy(np.asarray(true))
    return Images(torch.zeros(len(true), 1, 1, 1, dtype=torch.uint8), true)


def test_the_labels_of_the_key(file, draw):
    assert (draw(TRUE, human(file)) == 9 - TRUE).all()


@pytest.mark.parametrize(("key", "rate"), RATES.items())
def test_rates_of_cifar10(real_labels, draw, key, rate):
    path = real_labels("CIFAR-10_human.pt")
    true = read_labels(path)["clean_label"]
    labels = draw(true, human(path, key), source=images(true))
    assert round(np.mean(labels != true), 4) == rate


@pytest.mark.parametrize(
    ("key", "true_key", "classes", "rate"),
    [
        ("noisy_label", "clean_label", 100, 0.4020),
        ("noisy_coarse_label", "clean_coarse_label", 20, 0.2640),
    ],
)
def test_rates_of_cifar100(real_labels, draw, key, true_key, classes, rate):
    path = real_labels("CIFAR-100_human.pt")
    true = read_labels(path)[true_key].astype(np.int64)
    names = tuple(map(str, range(classes)))
    labels = draw(true, human(path, key), names, source=images(true))
    assert round(np.mean(labels != true), 4) == rate


def test_the_real_images_are_in_the_order_of_the_labels(real_data, real_labels, draw):
    parquet = pytest.importorskip("pyarrow.parquet")
    images_file = real_data / "cifar10" / "train-00000-of-00001.parquet"
    if not images_file.is_file():
        pytest.skip(f"there is no {images_file} (set TUNE_ROBUST_TEST_DATA)")
    true = parquet.read_table(images_file, columns=["label"])["label"].to_numpy().copy()
    labels = draw(true, human(real_labels("CIFAR-10_human.pt")), source=images(true))
    assert round(np.mean(labels != true), 4) == 0.4021


def test_another_order_is_refused(file, draw):
    with pytest.raises(UserError, match=r"2 of its 50 are not the dataset's .*image 0: 0, here 1"):
        draw([1, 0, *TRUE[2:]], human(file))


def test_another_length_is_refused(file, draw):
    with pytest.raises(UserError, match="50 labels, but the dataset has 49 training images"):
        draw(TRUE[:49], human(file))


def test_fewer_classes_are_refused(file, draw):
    with pytest.raises(UserError, match="label 9 of image 0 is not one of the 5 classes"):
        draw(TRUE % 5, human(file), tuple("abcde"))


def test_a_key_that_is_not_there_is_named(file, draw):
    with pytest.raises(UserError, match=r"no label set 'noisy_label'.*Allowed: clean_label, worse"):
        draw(TRUE, human(file, "noisy_label"))


def test_a_missing_file_says_where_it_comes_from(tmp_path, draw):
    with pytest.raises(UserError, match=r"there is no .*absent\.pt.*cifar-10-100n"):
        draw(TRUE, human(tmp_path / "absent.pt"))


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_named(file, draw, share):
    with open(file, "rb+") as opened:
        opened.truncate(int(share * opened.seek(0, 2)))
    with pytest.raises(UserError, match=r"human\.pt is not a file of CIFAR-N labels"):
        draw(TRUE, human(file))


class _Explosive:
    def __reduce__(self):
        return (pytest.fail, ("code in a file of labels was run",))


@pytest.mark.parametrize("content", [_Explosive(), [1, 2], {"clean_label": _Explosive()}])
def test_nothing_but_labels_is_let_in(tmp_path, draw, content):
    path = tmp_path / "human.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match="is not a file of CIFAR-N labels"):
        draw(TRUE, human(path))
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="is not a file of CIFAR-N labels"):
        draw(TRUE, human(path))


@pytest.mark.parametrize(
    ("noise", "found"),
    [
        ({"file": "CIFAR-10_human_ordered.npy", "key": "worse_label"}, "are in another order"),
        ({"file": "CIFAR-10_human.pt", "key": "worst_label"}, "Did you mean 'worse_label'"),
        ({"key": "worse_label"}, r"data\.noise\S*file: is required"),
        ({"file": "", "key": "worse_label"}, r"data\.noise\S*file"),
    ],
)
def test_settings_are_checked(noise, found):
    with pytest.raises(ConfigError, match=found):
        parse_config({"data": {"noise": {"kind": "human", **noise}}})
