import numpy as np
import pytest
import torch

from tune_robust.data import Batches, LabelledImages, evaluation_batches
from tune_robust.errors import UserError

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.25, 0.2)
AUGMENTATIONS = ["none", "flip", "crop_flip", "resized_crop_flip", "randaugment"]


def batches(part, size=8, augment="none", seed=0, **rest):
    generator = torch.Generator().manual_seed(seed)
    return Batches(part, size, augment=augment, mean=MEAN, std=STD, generator=generator, **rest)


def normalised(images):
    """The plain formula: pixels in [0, 1], minus the mean, over the deviation."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (images.float() / 255 - mean) / std


def shifted_and_flipped(image, padding):
    """Every image (C, H, W) that crop and flip may make of one."""
    size = image.shape[-1]
    padded = torch.zeros(image.shape[0], size + 2 * padding, size + 2 * padding, dtype=torch.uint8)
    padded[:, padding : padding + size, padding : padding + size] = image
    shifts = range(2 * padding + 1)
    crops = [padded[:, y : y + size, x : x + size] for y in shifts for x in shifts]
    return torch.stack([*crops, *(crop.flip(-1) for crop in crops)])


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_batches_hold_no_copy_of_the_images(part, augment):
    held = vars(batches(part, augment=augment)).values()
    tensors = [value for value in held if isinstance(value, torch.Tensor)]
    assert all(tensor.nbytes < part.source.nbytes // 100 for tensor in tensors)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_positions_give_the_batches_of_a_copy(part, augment):
    chosen = torch.tensor([30, 2, 17, 5, 9, 21, 33, 0, 12])
    view = part.take(chosen)
    copy = LabelledImages(view.images, view.labels, view.true_labels)
    for one, other in zip(*(batches(p, 3, augment) for p in (view, copy)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    ordered = (evaluation_batches(p, 4, MEAN, STD) for p in (view, copy))
    for one, other in zip(*ordered, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_images_on_the_host_give_the_batches_of_those_on_the_device(part, augment):
    view = part.take(torch.tensor([30, 2, 17, 5, 9, 21, 33, 0, 12]))
    for each in (part, view):
        host = each.to("cpu", on_host=True)
        pairs = [
            *zip(*(batches(p, 4, augment, drop_last=False) for p in (each, host)), strict=True),
            *zip(*(evaluation_batches(p, 4, MEAN, STD) for p in (each, host)), strict=True),
        ]
        assert len(pairs) == 2 * -(-len(each) // 4)
        for one, other in pairs:
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_epoch_has_every_image_at_most_once(part):
    epoch = list(batches(part))
    assert [len(labels) for _, labels, _ in epoch] == [8, 8, 8, 8]
    assert len(torch.cat([indices for *_, indices in epoch]).unique()) == 32


def test_without_drop_last_every_image_once(part):
    made = batches(part, drop_last=False)
    epoch = list(made)
    assert [len(labels) for _, labels, _ in epoch] == [8, 8, 8, 8, 5]
    assert len(made) == 5
    assert torch.cat([i for *_, i in epoch]).sort().values.tolist() == list(range(37))


@pytest.mark.parametrize("size", [1, 37])
def test_length_is_the_number_of_batches(part, size):
    for drop_last in (True, False):
        made = batches(part, size, drop_last=drop_last)
        assert len(list(made)) == len(made) == 37 // size


def test_plain_batches_are_the_normalised_images(part):
    for inputs, labels, indices in batches(part):
        assert inputs.dtype == torch.float32
        torch.testing.assert_close(inputs, normalised(part.images[indices]))
        assert (labels == part.labels[indices]).all()


@pytest.mark.parametrize(("augment", "padding"), [("flip", 0), ("crop_flip", 2)])
def test_augmented_images_are_shifts_and_mirrors(part, augment, padding):
    seen = set()
    made = batches(part, augment=augment)
    for _ in range(6):
        for inputs, _, indices in made:
            for image, index in zip(inputs, indices, strict=True):
                allowed = normalised(shifted_and_flipped(part.images[index], padding))
                distance = (allowed - image).abs().amax((1, 2, 3))
                assert distance.min() < 1e-5
                seen.add(int(distance.argmin()))
    # All 2 * (2p + 1)^2 of them turn up in 192 draws, or nearly so.
    assert len(seen) >= min(2 * (2 * padding + 1) ** 2, 44)


@pytest.mark.parametrize(("size", "padding"), [(8, 1), (32, 4)])
def test_crops_shift_by_an_eighth_of_the_side(size, padding, random_dataset):
    images = torch.full((400, 1, size, size), 255, dtype=torch.uint8)
    part = LabelledImages(images, torch.zeros(400).long(), torch.zeros(400).long())
    generator = torch.Generator().manual_seed(0)
    made = Batches(part, 400, augment="crop_flip", mean=[0], std=[1], generator=generator)
    ((inputs, _, _),) = made
    black = (inputs[:, 0] == 0).all(2).sum(1)
    assert black.max() == padding
    assert black.min() == 0


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_the_generators_state_makes_the_stream_resumable(part, augment):
    made = batches(part, augment=augment)
    list(made)
    state = made.generator.get_state()
    expected = list(made)
    resumed = batches(part, augment=augment, seed=99)
    resumed.generator.set_state(state)
    for ours, theirs in zip(resumed, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("augment", ["crop_flip", "randaugment"])
@pytest.mark.parametrize("drop_last", [True, False])
def test_how_many_images_are_gathered_at_once_does_not_matter(
    part, monkeypatch, drop_last, augment
):
    whole = list(batches(part, augment=augment, drop_last=drop_last))
    monkeypatch.setattr("tune_robust.data.batches._PIXELS_AT_ONCE", 1)
    monkeypatch.setattr("tune_robust.data.batches._PIXELS_AT_ONCE_IN_GROUPS", 1)
    one_by_one = list(batches(part, augment=augment, drop_last=drop_last))
    assert len(whole) == len(one_by_one) == (4 if drop_last else 5)
    for ours, theirs in zip(whole, one_by_one, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_the_layout_changes_no_number(part, augment):
    plain = batches(part, augment=augment)
    last = batches(part, augment=augment, memory_format=torch.channels_last)
    for (inputs, *rest), (same, *others) in zip(plain, last, strict=True):
        assert same.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(inputs, same)
        assert all(torch.equal(a, b) for a, b in zip(rest, others, strict=True))


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_global_random_numbers_are_left_alone(part, augment):
    before = torch.get_rng_state()
    list(batches(part, augment=augment))
    assert torch.equal(before, torch.get_rng_state())


def test_an_abandoned_epoch_leaves_the_same_next_one(part):
    whole, abandoned = batches(part, augment="crop_flip"), batches(part, augment="crop_flip")
    list(whole)
    next(iter(abandoned))
    assert torch.equal(next(iter(whole))[0], next(iter(abandoned))[0])


def test_epochs_differ(part):
    made = batches(part)
    assert not torch.equal(next(iter(made))[2], next(iter(made))[2])


def test_other_random_draws_do_not_matter(part):
    torch.manual_seed(1)
    first = torch.cat([i for *_, i in batches(part)])
    torch.manual_seed(2)
    np.random.seed(2)
    assert torch.equal(first, torch.cat([i for *_, i in batches(part)]))


def test_a_batch_larger_than_the_part_is_refused(part):
    with pytest.raises(UserError, match=r"batch_size: 38 is more than the 37 .* is 1 to 37"):
        batches(part, 38)


def test_evaluation_batches_are_all_images_in_order(part):
    made = list(evaluation_batches(part, 16, MEAN, STD))
    assert [len(labels) for _, labels in made] == [16, 16, 5]
    torch.testing.assert_close(torch.cat([x for x, _ in made]), normalised(part.images))
    assert torch.equal(torch.cat([y for _, y in made]), part.labels)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_the_parts_of_all_processes_are_the_batches_of_one(part, augment):
    shares = [batches(part, 8, augment, share=(rank, 2)) for rank in range(2)]
    whole = batches(part, 8, augment)
    assert len(shares[0]) == len(shares[1]) == len(whole)
    for both, expected in zip(zip(*shares, strict=True), whole, strict=True):
        for parts, one in zip(zip(*both, strict=True), expected, strict=True):
            assert torch.equal(torch.cat(parts), one)
