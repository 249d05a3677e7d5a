"""What is said of data that are odd."""

from tune_robust.config import DataConfig
from tune_robust.data import Images, cautions, make_splits


def said(dataset, **settings):
    config = DataConfig(**{"validation": {"size": 0.2}, **settings})
    return cautions(config, dataset, make_splits(config, dataset))


def symmetric(rate):
    return {"kind": "symmetric", "rate": rate}


def test_of_ordinary_data_nothing(random_dataset):
    assert said(random_dataset(200, 5), noise=symmetric(0.8)) == []


def test_noise_beyond_one_minus_one_over_k(random_dataset):
    (caution,) = said(random_dataset(200, 5), noise=symmetric(0.9))
    assert "90.0% of the training labels are wrong" in caution
    assert "1 - 1/K = 80.0% with 5 classes" in caution


def test_classes_without_images(random_dataset):
    dataset = random_dataset(200, 5, test=40)
    known = dataset.test.labels < 4
    test = Images(dataset.test.images[known], dataset.test.labels[known])
    (caution,) = said(dataset._replace(test=test))
    assert caution.startswith("The test part has no image of the class 4:")
    (caution,) = said(dataset, validation={"size": 2})
    assert caution.startswith("The validation part has no image of 3 classes (")


def test_unknown_truth_is_judged_by_the_labels_there_are(random_dataset):
    assert said(random_dataset(200, 5), noise={"kind": "given"}) == []
    (caution,) = said(random_dataset(200, 5), noise={"kind": "given"}, validation={"size": 4})
    assert "validation part has no image of" in caution


def without_test(dataset):
    return dataset._replace(test=Images(dataset.test.images[:0], dataset.test.labels[:0]))


def test_no_test_set(random_dataset):
    dataset = without_test(random_dataset(200, 5))
    (caution,) = said(dataset, test_size=30)
    assert "no test set: 30 of the training images are held out" in caution
    assert "labels that may be wrong" in said(dataset, noise={"kind": "given"})[0]
    rows = dataset.train._replace(images=dataset.train.images.flatten(1).float())
    (caution,) = said(dataset._replace(train=rows), test_size=30)
    assert "30 of the training samples are held out" in caution
