import torch

from tune_robust.data import LabelledImages


def test_noisy_marks_the_wrong_labels():
    images = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    part = LabelledImages(images, torch.tensor([1, 2, 0]), torch.tensor([1, 0, 0]))
    assert part.noisy.tolist() == [False, True, False]
    assert len(part) == 3


def test_to_moves_every_tensor(part):
    moved = part.to("meta")
    assert {t.device.type for t in (moved.images, moved.labels, moved.true_labels)} == {"meta"}


def test_images_that_stay_on_the_host_leave_with_their_labels_only(part):
    moved = part.to("meta", on_host=True)
    assert {t.device.type for t in (moved.labels, moved.true_labels)} == {"meta"}
    assert moved.source is part.source
    assert moved.take(torch.tensor([1, 2])).on_host
