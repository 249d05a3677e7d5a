from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, truncnorm

from tune_robust.config import InstanceNoise, parse_config
from tune_robust.data.drawing import stream
from tune_robust.data.noise.instance import instance
from tune_robust.errors import ConfigError, UserError

module = import_module("tune_robust.data.noise.instance")


def reference(rate, source, classes, generator):
    """Algorithm 2 of Xia et al. 2020, image by image, on the same random numbers."""
    count = len(source.labels)
    flip_keys, class_keys = generator.random((2, count))
    bounds = (0 - rate) / 0.1, (1 - rate) / 0.1
    labels = source.labels.numpy().copy()
    for label in range(classes):
        weights = generator.standard_normal((source.images[0].numel(), classes), dtype=np.float32)
        for i in np.flatnonzero(source.labels == label):
            q = truncnorm.ppf(flip_keys[i], *bounds, loc=rate, scale=0.1)
            scores = (source.images[i].flatten().double() / 255).numpy() @ weights
            scores[label] = -np.inf
            p = q * np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            p[label] = 1 - q
            # Wrong classes first, as the cumulated probabilities stand there.
            order = [*(k for k in range(classes) if k != label), label]
            drawn = np.searchsorted(np.cumsum(p[order]), class_keys[i], side="right")
            labels[i] = order[min(drawn, classes - 1)]
    return labels


@given(st.integers(2, 6), st.floats(0.05, 1), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_equals_the_algorithm_image_by_image(images_of, classes, rate, seed):
    source = images_of(np.arange(60) % classes, size=4)
    names = tuple(map(str, range(classes)))
    ours = instance(InstanceNoise(rate=rate), source, names, [np.arange(60)], stream(seed, "noise"))
    assert (ours == reference(rate, source, classes, stream(seed, "noise"))).all()


@given(st.integers(1, 199), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_labels_are_the_same_in_every_split(draw, cut, seed):
    true, noise = np.arange(200) % 10, {"kind": "instance", "rate": 0.5}
    whole = draw(true, noise, seed=seed)
    parts = [np.arange(cut), np.arange(cut, 200)]
    assert (draw(true, noise, parts=parts, seed=seed) == whole).all()


def test_chunks_do_not_matter(draw, monkeypatch):
    true, noise = np.arange(500) % 10, {"kind": "instance", "rate": 0.5}
    whole = draw(true, noise)
    monkeypatch.setattr(module, "_PIXELS_AT_ONCE", 700)
    assert (draw(true, noise) == whole).all()


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6])
def test_the_rate_is_met_on_average(draw, rate):
    true = np.arange(20_000) % 10
    labels = draw(true, {"kind": "instance", "rate": rate}, source=None)
    assert np.mean(labels != true) == pytest.approx(rate, abs=6 * 0.5 / np.sqrt(20_000) + 0.005)


@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0])
def test_flip_rates_are_truncated_normal(rate):
    rates = module._flip_rates(rate, stream(0, "test").random(5000))
    bounds = (0 - rate) / 0.1, (1 - rate) / 0.1
    assert kstest(rates, truncnorm(*bounds, loc=rate, scale=0.1).cdf).pvalue > 1e-4


def test_equal_images_get_the_class_that_looks_most_alike(draw, images_of):
    # The scores of a few hundred pixels differ by so much that the softmax takes the largest.
    source = images_of(np.zeros(300), size=16)
    same = source._replace(images=source.images[:1].expand(300, -1, -1, -1))
    labels = draw(np.zeros(300, int), {"kind": "instance", "rate": 0.5}, source=same)
    wrong = labels[labels != 0]
    assert len(wrong) > 100
    assert np.bincount(wrong).max() > 0.9 * len(wrong)


def test_labels_depend_on_the_image(draw, images_of):
    source = images_of(np.zeros(300), size=8)
    labels = draw(np.zeros(300, int), {"kind": "instance", "rate": 0.5}, source=source)
    assert len(np.unique(labels)) > 4


def test_real_images_keep_the_rate(real_cifar10, draw):
    true = real_cifar10.train.labels.numpy()
    noise = {"kind": "instance", "rate": 0.4}
    labels = draw(true, noise, real_cifar10.classes, source=real_cifar10.train)
    assert np.mean(labels != true) == pytest.approx(0.4, abs=0.03)
    by_class = [np.mean(labels[true == k] != k) for k in range(10)]
    assert max(by_class) - min(by_class) < 0.1


def test_one_class_is_refused(draw):
    with pytest.raises(UserError, match="at least 2 classes; the dataset has 1"):
        draw([0, 0], {"kind": "instance", "rate": 0.5}, ("only",))


@pytest.mark.parametrize("rate", [0, 1.1, -0.1])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(ConfigError, match=r"data\.noise.*rate"):
        parse_config({"data": {"noise": {"kind": "instance", "rate": rate}}})


def saner_reference(rate, source, classes, part, generator):
    """The labels of one part, image by image, on the same random numbers, as SANER's code does."""
    count = len(source.labels)
    flip_keys, class_keys = generator.random((2, count))
    pixels = source.images.double() / 255
    mean = pixels.mean((0, 2, 3), keepdim=True)
    pixels = (pixels - mean) / pixels.std((0, 2, 3), keepdim=True, correction=0)
    matrices = [
        generator.standard_normal((source.images[0].numel(), classes), dtype=np.float32)
        for _ in range(classes)
    ]
    labels = source.labels.numpy().copy()
    for i in sorted(part, key=lambda i: flip_keys[i])[: int(rate * len(part))]:
        label = labels[i]
        scores = pixels[i].flatten().numpy() @ matrices[label]
        scores[label] = -np.inf
        p = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        labels[i] = np.searchsorted(np.cumsum(p), class_keys[i], side="right")
    return labels


@given(st.integers(2, 6), st.floats(0.05, 1), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_saners_variant_equals_its_code_image_by_image(images_of, classes, rate, seed):
    source, part = images_of(np.arange(60) % classes, size=4), np.arange(5, 60)
    names = tuple(map(str, range(classes)))
    noise = InstanceNoise(rate=rate, variant="saner")
    ours = instance(noise, source, names, [part], stream(seed, "noise"))
    assert (ours == saner_reference(rate, source, classes, part, stream(seed, "noise"))).all()


@given(st.floats(0.01, 1), st.integers(1, 199), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_saners_variant_has_exactly_the_rate_in_each_part(draw, rate, cut, seed):
    true, noise = np.arange(200) % 10, {"kind": "instance", "rate": rate, "variant": "saner"}
    parts = [np.arange(cut), np.arange(cut, 200)]
    labels = draw(true, noise, parts=parts, seed=seed)
    assert [(labels[p] != true[p]).sum() for p in parts] == [int(rate * len(p)) for p in parts]


def test_saners_variant_spreads_wrong_labels_over_more_classes(real_cifar10, draw):
    """docs/data.md: the fraction of a class's wrong labels that its most frequent target takes."""
    true = real_cifar10.train.labels.numpy()
    largest = {}
    for variant in ("xia", "saner"):
        noise = {"kind": "instance", "rate": 0.4, "variant": variant}
        labels = draw(true, noise, real_cifar10.classes, source=real_cifar10.train)
        wrong = [labels[(true == k) & (labels != k)] for k in range(10)]
        largest[variant] = [np.bincount(w, minlength=10).max() / len(w) for w in wrong]
    assert np.mean(largest["xia"]) > 0.5
    assert np.mean(largest["saner"]) < 0.33
