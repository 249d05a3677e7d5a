import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tune_robust.config import DataConfig
from tune_robust.data import Dataset, Images, make_splits
from tune_robust.data.channels import channel_statistics, image_moments
from tune_robust.errors import UserError

N, K = 200, 5


@pytest.fixture(scope="module")
def dataset(random_dataset):
    """Images that carry their position in the source, so that a part can be traced back."""
    drawn = random_dataset(N, K)
    images = drawn.train.images.clone()
    images[:, 0, 0, 0] = torch.arange(N, dtype=torch.uint8)
    return Dataset(Images(images, drawn.train.labels), drawn.test, drawn.classes)


def positions(part):
    return part.images[:, 0, 0, 0].tolist()


def split(dataset, rate=0.5, true_class="excluded", labels="noisy", size=0.2, **rest):
    noise = {"kind": "symmetric", "rate": rate, "true_class": true_class}
    validation = {"size": size, "labels": labels}
    return make_splits(DataConfig(noise=noise, validation=validation, **rest), dataset)


sizes = st.one_of(st.integers(1, N // 2 - 1), st.floats(0.02, 0.9))
subsets = st.one_of(st.none(), st.integers(N // 2, N), st.floats(0.5, 0.99))


@given(size=sizes, subset=subsets, seed=st.integers(0, 2**70))
def test_parts_are_disjoint_and_cover_the_subset(dataset, size, subset, seed):
    splits = split(dataset, size=size, subset=subset, seed=seed)
    total = N if subset is None else subset if isinstance(subset, int) else int(subset * N)
    held_out = size if isinstance(size, int) else int(size * total)
    train, validation = positions(splits.train), positions(splits.validation)
    assert len(validation) == held_out
    assert len(train) + len(validation) == len({*train, *validation}) == total
    labels = torch.cat([splits.train.true_labels, splits.validation.true_labels])
    assert (labels.bincount(minlength=K) - total / K).abs().max() < 1


@given(rate=st.floats(0, 1), size=sizes, seed=st.integers(0, 5))
def test_noise_counts_are_exact_in_each_part(dataset, rate, size, seed):
    splits = split(dataset, rate, size=size, seed=seed)
    for part in (splits.train, splits.validation):
        assert part.noisy.sum() == int(rate * len(part))
        assert (part.labels >= 0).all()
        assert (part.labels < K).all()


@given(one=sizes, other=sizes, subset=subsets, true_class=st.sampled_from(["excluded", "included"]))
def test_wrong_label_is_the_same_in_every_split(dataset, one, other, subset, true_class):
    given_labels = []
    for size, chosen in ((one, subset), (other, None)):
        splits = split(dataset, 1.0, true_class, size=size, subset=chosen)
        parts = (splits.train, splits.validation)
        pairs = [p for q in parts for p in zip(positions(q), q.labels.tolist(), strict=True)]
        given_labels.append(dict(pairs))
    common = given_labels[0].keys() & given_labels[1].keys()
    assert common
    assert all(given_labels[0][p] == given_labels[1][p] for p in common)


@given(one=sizes, other=sizes, subset=subsets)
def test_images_are_wrong_in_the_same_order_in_every_split(dataset, one, other, subset):
    first, second = split(dataset, size=one, subset=subset), split(dataset, size=other)
    common = {*positions(first.train)} & {*positions(second.train)}
    wrong = [
        {p for p, n in zip(positions(s.train), s.train.noisy.tolist(), strict=True) if n} & common
        for s in (first, second)
    ]
    assert wrong[0] <= wrong[1] or wrong[1] <= wrong[0]


@given(one=sizes, other=sizes, subset=subsets)
def test_images_are_held_out_in_the_same_order_from_every_subset(dataset, one, other, subset):
    first, second = split(dataset, size=one, subset=subset), split(dataset, size=other)
    common = {*positions(first.train), *positions(first.validation)}
    held_out = [{*positions(s.validation)} & common for s in (first, second)]
    assert held_out[0] <= held_out[1] or held_out[1] <= held_out[0]


def test_images_keep_their_true_labels(dataset):
    splits = split(dataset)
    for part in (splits.train, splits.validation):
        assert (dataset.train.labels[positions(part)] == part.true_labels).all()


def test_split_and_noise_do_not_move_each_other(dataset):
    by_rate = [split(dataset, rate) for rate in (0.1, 0.6)]
    assert positions(by_rate[0].validation) == positions(by_rate[1].validation)
    # More noise only adds wrong labels.
    assert (by_rate[1].train.noisy | ~by_rate[0].train.noisy).all()


def test_test_set_and_clean_validation_have_no_noise(dataset):
    splits = split(dataset, labels="clean")
    assert not splits.test.noisy.any()
    assert not splits.validation.noisy.any()
    assert splits.train.noisy.sum() == 80
    assert (splits.train.labels == split(dataset).train.labels).all()


def test_the_test_subset_is_the_same_under_any_seed_and_leaves_the_rest(dataset):
    whole, some, other = (split(dataset), *(split(dataset, test_subset=10, seed=s) for s in (0, 1)))
    assert some.test.labels.bincount().tolist() == [2] * K
    assert (some.test.images == other.test.images).all()
    assert (some.train.labels == whole.train.labels).all()
    assert len(whole.test) == 40


def test_seed_decides_everything(dataset):
    first, again, other = (split(dataset, subset=0.5, seed=seed) for seed in (0, 0, 1))
    assert (first.train.images == again.train.images).all()
    assert (first.train.labels == again.train.labels).all()
    assert positions(first.train) != positions(other.train)


def test_training_draws_do_not_reach_the_split(dataset):
    torch.manual_seed(1)
    np.random.seed(1)
    first = split(dataset)
    torch.manual_seed(2)
    np.random.seed(2)
    assert (first.train.labels == split(dataset).train.labels).all()


def test_no_noise_by_default(dataset):
    splits = make_splits(DataConfig(), dataset)
    assert not splits.train.noisy.any()
    assert len(splits.validation) == 20


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"subset": 201}, "data.subset: 201 comes to 201 of the 200 training images"),
        ({"subset": 0.001}, "data.subset: 0.001 comes to 0 of the 200"),
        ({"test_subset": 41}, "data.test_subset: 41 comes to 41 of the 40 test images"),
        ({"validation": {"size": 200}}, "allowed are 1 to 199"),
        ({"validation": {"size": 0.001}}, "data.validation.size: 0.001 comes to 0"),
        ({"subset": 50, "validation": {"size": 50}}, "of the 50 training images; .* 1 to 49"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(dataset, settings, found):
    with pytest.raises(UserError, match=found):
        make_splits(DataConfig(**settings), dataset)


def test_statistics_are_those_of_the_training_part_alone(random_dataset):
    dataset = random_dataset(N, K, channels=3)
    splits = split(dataset)
    pixels = splits.train.images.double() / 255
    torch.testing.assert_close(torch.tensor(splits.mean), pixels.mean((0, 2, 3)), check_dtype=False)
    torch.testing.assert_close(
        torch.tensor(splits.std),
        pixels.std((0, 2, 3), correction=0),
        check_dtype=False,
    )


class TestWithoutTestImages:
    """A part of the training images takes their place."""

    @pytest.fixture
    def untested(self, dataset):
        return dataset._replace(test=Images(dataset.test.images[:0], dataset.test.labels[:0]))

    def test_each_class_by_its_fraction_and_the_same_under_any_seed(self, untested):
        one, other = (split(untested, seed=seed) for seed in (0, 1))
        assert len(one.test) == int(0.1 * N)
        counts = torch.bincount(one.test.labels, minlength=K)
        assert counts.max() - counts.min() <= 1
        assert positions(one.test) == positions(other.test)

    def test_in_no_other_part_and_with_true_labels(self, untested):
        parts = split(untested, test_size=40, subset=100)
        places = [set(positions(part)) for part in (parts.train, parts.validation, parts.test)]
        assert len(places[2]) == 40
        assert len(set.union(*places)) == sum(map(len, places)) == 140
        assert not parts.test.noisy.any()

    def test_nothing_is_held_out_where_there_are_some(self, dataset):
        with pytest.raises(UserError, match=r"data\.test_size: the dataset has"):
            split(dataset, test_size=0.1)


def test_the_parts_share_the_images_of_the_dataset(random_dataset):
    dataset = random_dataset(N, K)
    splits = split(dataset, subset=100, test_subset=20)
    for part, whole in (
        (splits.train, dataset.train),
        (splits.validation, dataset.train),
        (splits.test, dataset.test),
    ):
        assert part.source.data_ptr() == whole.images.data_ptr()
        assert len(part.images) == len(part)


def test_statistics_do_not_depend_on_chunks_or_order(monkeypatch):
    images = torch.randint(0, 256, (500, 2, 9, 7), dtype=torch.uint8)
    whole = channel_statistics(images)
    monkeypatch.setattr("tune_robust.data.channels._PIXELS_AT_ONCE", 1000)
    assert channel_statistics(images.flip(0)) == whole


def test_a_constant_channel_has_deviation_one():
    assert channel_statistics(torch.full((3, 1, 4, 4), 51, dtype=torch.uint8)) == ((0.2,), (1.0,))


@pytest.mark.parametrize("shape", [(9, 3, 5, 4), (9, 7), (9, 2, 3)])
def test_stored_moments_give_the_same_statistics_without_reading_the_images(shape):
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    chosen = torch.tensor([3, 1, 8])
    unread, moments = images.to("meta"), image_moments(images)
    assert channel_statistics(unread, moments=moments) == channel_statistics(images)
    assert channel_statistics(unread, chosen, moments) == channel_statistics(images[chosen])
    values = images[chosen].double().transpose(0, 1).flatten(1) / 255
    mean, std = channel_statistics(unread, chosen, moments)
    assert mean == pytest.approx(values.mean(1).tolist())
    assert std == pytest.approx(values.std(1, correction=0).tolist())


def test_real_images(real_cifar10):
    splits = split(real_cifar10, 0.4, size=500, subset=2000)
    assert splits.train.images.shape == (1500, 3, 32, 32)
    assert splits.train.noisy.sum() == 600
    assert splits.validation.noisy.sum() == 200
    # The channel statistics that are in general use for CIFAR-10.
    assert splits.mean == pytest.approx((0.491, 0.482, 0.447), abs=0.02)
    assert splits.std == pytest.approx((0.247, 0.243, 0.262), abs=0.02)


@pytest.mark.parametrize("labels", ["noisy", "clean"])
@given(of=st.integers(2, 9), seed=st.integers(0, 5))
def test_folds_hold_out_each_image_once_and_leave_the_labels(dataset, labels, of, seed):
    whole = split(dataset, labels=labels, seed=seed)
    pool = [whole.train, whole.validation] if labels == "noisy" else [whole.train]
    labelled = {
        i: n for part in pool for i, n in zip(positions(part), part.labels.tolist(), strict=True)
    }
    seen = []
    for index in range(1, of + 1):
        fold = split(dataset, labels=labels, seed=seed, fold={"index": index, "of": of})
        held_out, rest = positions(fold.validation), positions(fold.train)
        assert sorted([*held_out, *rest]) == sorted(labelled)
        for part in (fold.train, fold.validation):
            assert part.labels.tolist() == [labelled[i] for i in positions(part)]
        assert abs(len(held_out) - len(labelled) / of) < 1
        seen += held_out
    assert sorted(seen) == sorted(labelled)


def test_a_fold_that_does_not_exist_is_explained(dataset):
    with pytest.raises(ValidationError, match="6 is not one of 5 folds, 1 to 5"):
        DataConfig(fold={"index": 6, "of": 5})
    with pytest.raises(UserError, match="201 folds of 200 images"):
        split(dataset, fold={"index": 1, "of": 201})
