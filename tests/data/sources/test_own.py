"""Data that the user's own function loads."""

import pytest
import torch

from tests.own.fresh import forgotten
from tests.own.parts import write_modules
from tune_robust.config import parse_config
from tune_robust.data import Batches, evaluation_batches, load_dataset, make_splits
from tune_robust.errors import ConfigError, UserError
from tune_robust.own import collect_code, use_code


@pytest.fixture
def load(tmp_path):
    """The dataset that ``text``, the body of a function, returns; with other settings of data."""

    def load(text, **settings):
        module = f"import numpy as np\nimport torch\n\n\ndef load(**options):\n    {text}\n"
        use_code(collect_code(["my_data:load"], write_modules(tmp_path, my_data=module)))
        config = parse_config({"data": {"dataset": "my_data:load", **settings}}).data
        return config, load_dataset(config)

    with forgotten():
        yield load


def batches(splits, **settings):
    generator = torch.Generator().manual_seed(0)
    scale = {"mean": splits.mean, "std": splits.std}
    return Batches(splits.train, 8, augment="none", generator=generator, **scale, **settings)


def test_rows_of_a_table_are_standardised_by_the_training_part(load):
    text = "return np.random.default_rng(0).normal([5, 100], [1, 20], (80, 2)), np.arange(80) % 2"
    config, dataset = load(text, seed=3)
    splits = make_splits(config, dataset)
    rows = torch.cat([inputs for inputs, _, _ in batches(splits, drop_last=False)])
    assert rows.dtype == torch.float32
    assert torch.allclose(rows.mean(0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(rows.std(0, correction=0), torch.ones(2), atol=1e-5)


def test_evaluating_leaves_the_data_as_they_are(load):
    config, dataset = load("return np.full((40, 3), 7.0) + np.eye(40, 3), np.arange(40) % 2")
    splits = make_splits(config, dataset)
    before = dataset.train.images.clone()
    for _ in evaluation_batches(splits.test, 8, splits.mean, splits.std):
        pass
    assert torch.equal(dataset.train.images, before)


def test_token_ids_stay_what_they_are(load):
    config, dataset = load("return np.arange(400).reshape(40, 10), np.arange(40) % 2")
    splits = make_splits(config, dataset)
    tokens, _, indices = next(iter(batches(splits)))
    assert tokens.dtype == torch.int64
    assert torch.equal(tokens, splits.train.images[indices])


def test_images_are_treated_as_those_of_any_source(load):
    text = "return {'inputs': torch.zeros(40, 3, 8, 8, dtype=torch.uint8), "
    text += "'labels': np.arange(40) % 2, 'classes': ['cat', 'dog'], "
    text += "'test_inputs': torch.zeros(6, 3, 8, 8, dtype=torch.uint8), 'test_labels': [1] * 6}"
    _, dataset = load(text, image_size=16)
    assert dataset.train.images.shape == (40, 3, 16, 16)
    assert len(dataset.test.labels) == 6
    assert dataset.classes == ("cat", "dog")


def test_label_sets_are_chosen_by_their_key(load):
    text = "return {'inputs': np.ones((40, 2)), 'labels': np.arange(40) % 2, "
    text += "'noisy_labels': {'crowd': np.zeros(40, int)}}"
    config, dataset = load(text, noise={"kind": "given", "key": "crowd"})
    splits = make_splits(config, dataset)
    assert splits.train.labels.sum() == 0
    assert splits.train.true_labels.sum() > 0
    with pytest.raises(UserError, match=r"noisy_labels 'crown'. Did you mean 'crowd'"):
        load(text, noise={"kind": "given", "key": "crown"})


def test_options_are_the_keyword_arguments(load):
    _, dataset = load(
        "return np.ones((options['n'], 2)), np.arange(options['n']) % 2", options={"n": 30}
    )
    assert len(dataset.train.labels) == 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("return 3", r"returned int; expected \(inputs, labels\), or a dict"),
        ("return {'inputs': 1, 'lables': 2}", "the key 'lables'. Did you mean 'labels'"),
        ("return {'inputs': np.ones((4, 2))}", "a dict without labels"),
        ("return {'inputs': [[1.]], 'labels': [0], 'test_inputs': [[1.]]}", "together, or neither"),
        ("return np.ones((4, 2)), np.arange(5)", "returned 4 inputs and 5 labels"),
        ("return np.ones(4), np.arange(4)", r"inputs of torch.float64 \(4,\); expected \(N, ...\)"),
        ("return np.ones((4, 2)), np.ones(4)", "labels of torch.float64"),
        ("return np.ones((4, 2)) / 0 * 0, np.arange(4)", "8 values that are NaN or infinite"),
        ("return np.ones((4, 2)), np.array([0, 1, 3, 0])", "no training image has label 2"),
        ("return np.ones((4, 2)), np.array([0, 1, -1, 0])", r"labels\[2\]: label -1 is not one of"),
        (
            "return np.zeros((4, 8, 8, 3), np.uint8), np.arange(4)",
            r"images \(N, H, W, C\); ex",
        ),
        ("return [['a']], [0]", "inputs of type list; expected a tensor"),
        ("raise OSError('no such disk')", r"OSError: no such disk \(my_data.py, line 6\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_a_loader_returns_is_checked(load, text, said):
    with pytest.raises(UserError, match=said):
        load(text)


def test_rows_of_a_table_have_no_pixels(load):
    text = "return np.ones((40, 2)), np.arange(40) % 2"
    with pytest.raises(UserError, match=r"only images, uint8 .* can be resized"):
        load(text, image_size=8)
    config, dataset = load(text, noise={"kind": "instance", "rate": 0.2})
    with pytest.raises(UserError, match=r"instance noise is drawn from pixels"):
        make_splits(config, dataset)
    config, dataset = load(text)
    splits = make_splits(config, dataset)
    settings = {"mean": splits.mean, "std": splits.std, "generator": torch.Generator()}
    with pytest.raises(UserError, match=r"flip is for images"):
        Batches(splits.train, 8, augment="flip", **settings)


def test_data_sets_of_scikit_learn_go_by_their_name():
    config = parse_config({"data": {"dataset": "sklearn:load_breast_cancer"}}).data
    dataset = load_dataset(config)
    assert dataset.train.images.shape == (569, 30)
    assert dataset.classes == ("malignant", "benign")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sklearn:load_brest_cancer", "Did you mean 'load_breast_cancer'"),
        ("sklearn:load_diabetes", "is a regression data set: its target is float64"),
    ],
)
def test_a_wrong_data_set_of_scikit_learn_is_refused(name, said):
    with pytest.raises(UserError, match=said):
        load_dataset(parse_config({"data": {"dataset": name}}).data)


def test_options_belong_to_data_sets_from_elsewhere():
    with pytest.raises(ConfigError, match=r"options: digits takes none"):
        parse_config({"data": {"options": {"n": 3}}})


def test_equal_settings_have_equal_hashes():
    one, other = (
        parse_config({"data": {"dataset": "a:b", "options": {"n": [1, {"m": 2}]}}}).data
        for _ in range(2)
    )
    assert (one, hash(one)) == (other, hash(other))
