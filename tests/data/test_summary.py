import json

import numpy as np

from tune_robust.config import DataConfig
from tune_robust.data import summarise


def test_counts_and_shares(random_dataset):
    dataset = random_dataset(100, 5, test=20)
    noise = {"kind": "asymmetric", "rate": 0.5, "class_map": {0: 1}}
    summary = summarise(DataConfig(noise=noise), dataset)
    assert (summary.train_images, summary.test_images) == (100, 20)
    assert summary.class_counts.tolist() == [20] * 5
    assert summary.image_shape == (1, 8, 8)
    assert summary.noise_rate == 0.1
    expected = np.eye(5)
    expected[0, :2] = 0.5
    assert (summary.transition_matrix == expected).all()


def test_unknown_truth_has_no_rate(random_dataset):
    summary = summarise(DataConfig(noise="given"), random_dataset())
    assert summary.noise_rate is None
    assert summary.transition_matrix is None
    assert summary.confusions(most=3) == []
    assert summary.document()["transition_matrix"] is None


def test_a_class_without_images_has_no_shares(random_dataset):
    dataset = random_dataset(100, 5)
    summary = summarise(DataConfig(), dataset._replace(classes=(*dataset.classes, "rare")))
    assert np.isnan(summary.transition_matrix[5]).all()
    assert summary.class_counts[5] == 0
    assert summary.confusions(most=9) == []
    document = json.loads(json.dumps(summary.document(), allow_nan=False))
    assert document["transition_matrix"][5] == [None] * 6
    assert document["transition_matrix"][0] == [1, 0, 0, 0, 0, 0]
    assert document["class_counts"] == [20] * 5 + [0]


def test_the_most_frequent_confusions_come_first(random_dataset):
    dataset = random_dataset(100, 5)
    matrix = np.eye(5)
    matrix[0, :3] = 0.5, 0.2, 0.3
    matrix[4, 3:] = 0.6, 0.4
    summary = summarise(DataConfig(), dataset)._replace(transition_matrix=matrix)
    names = dataset.classes
    found = summary.confusions(most=9)
    assert [(c.true, c.given) for c in found] == [
        (names[4], names[3]),
        (names[0], names[2]),
        (names[0], names[1]),
    ]
    assert [c.fraction for c in found] == [0.6, 0.3, 0.2]
    assert summary.confusions(most=2) == found[:2]
