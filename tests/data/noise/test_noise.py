"""What every noise model promises."""

import numpy as np
import pytest
import torch

from tune_robust.config import DataConfig
from tune_robust.data import Images
from tune_robust.data.noise import MODELS, noisy_labels

K = 7
CLASSES = tuple("abcdefg")
TRUE = np.arange(100) % K
PARTS = [np.arange(0, 60, 2), np.arange(1, 60, 2)]
DRAWN = {"symmetric", "asymmetric", "instance"}
MATRIX = np.full((K, K), 1 / K).tolist()
SETTINGS = {
    "none": {"kind": "none"},
    "symmetric": {"kind": "symmetric", "rate": 0.5},
    "symmetric of all classes": {"kind": "symmetric", "rate": 1.0, "true_class": "included"},
    "asymmetric": {"kind": "asymmetric", "rate": 0.5, "class_map": {"a": "b", "c": "g"}},
    "asymmetric by matrix": {"kind": "asymmetric", "transition_matrix": MATRIX},
    "instance": {"kind": "instance", "rate": 0.5},
    "human": {"kind": "human", "file": "human.pt", "key": "worse_label"},
    "given by column": {"kind": "given", "key": "noisy"},
    "given by file": {"kind": "given", "file": "noisy.csv"},
    "given alone": {"kind": "given"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_human):
    """Files of labels, all of which are one class further than the true ones."""
    path = tmp_path_factory.mktemp("labels")
    write_human(path / "human.pt", clean_label=TRUE, worse_label=(TRUE + 1) % K)
    rows = [CLASSES[(label + 1) % K] for label in TRUE]
    (path / "noisy.csv").write_text("\n".join(["label", *rows]))
    return path


@pytest.fixture
def source(images_of):
    labels = images_of(TRUE)
    return labels._replace(given_labels=(labels.labels + 1) % K)


def test_every_model_is_tried():
    assert {settings["kind"] for settings in SETTINGS.values()} == set(MODELS)


@pytest.mark.parametrize("noise", SETTINGS.values(), ids=SETTINGS)
class TestEveryModel:
    @pytest.fixture
    def draw(self, noise, source, folder):
        def draw(parts=PARTS, seed=0, source=source):
            config = DataConfig(dataset="parquet", dir=str(folder), noise=noise, seed=seed)
            return noisy_labels(config, source, CLASSES, parts)

        return draw

    def test_labels_are_classes(self, draw):
        labels = draw()
        assert labels.dtype == np.int64
        assert labels.shape == (100,)
        assert labels.min() >= 0
        assert labels.max() < K

    def test_some_labels_are_wrong(self, noise, draw):
        changed = (draw() != TRUE).any()
        assert changed == (noise not in ({"kind": "none"}, {"kind": "given"}))

    def test_images_outside_the_parts_keep_their_labels(self, draw):
        assert (draw()[60:] == TRUE[60:]).all()

    def test_the_source_is_left_alone(self, draw, source):
        before = source.images.clone(), source.labels.clone()
        draw()
        assert torch.equal(before[0], source.images)
        assert torch.equal(before[1], source.labels)

    def test_one_part_does_not_move_another(self, draw):
        assert (draw()[PARTS[0]] == draw(PARTS[:1])[PARTS[0]]).all()

    def test_the_seed_decides(self, noise, draw):
        first, again, other = draw(seed=3), draw(seed=3), draw(seed=4)
        assert (first == again).all()
        assert (first != other).any() == (noise["kind"] in DRAWN)

    def test_global_random_numbers_play_no_part(self, draw):
        torch.manual_seed(1)
        np.random.seed(1)
        first = draw()
        torch.manual_seed(2)
        np.random.seed(2)
        assert (first == draw()).all()

    def test_strides_do_not_matter(self, draw, source):
        turned = source.images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        assert (draw() == draw(source=Images(turned, source.labels, source.given_labels))).all()
