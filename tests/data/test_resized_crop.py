import math

import torch
import torch.nn.functional as F

from tune_robust.data.resized_crop import RATIO, SCALE, boxes, draw_crops, resized_crops


def drawn(count=20_000):
    return boxes(draw_crops(count, torch.Generator().manual_seed(0)))


def test_boxes_lie_in_the_image():
    x, y, width, height = drawn().unbind(1)
    for centre, half in ((x, width), (y, height)):
        assert (half > 0).all()
        assert (centre.abs() + half <= 1 + 1e-6).all()


def test_areas_and_ratios_are_spread_as_torchvisions():
    _, _, width, height = drawn().unbind(1)
    area, ratio = width * height, width / height
    assert SCALE[0] * 0.999 < area.min() < 0.1
    assert 0.95 < area.max() <= SCALE[1]
    assert RATIO[0] * 0.999 < ratio.min()
    assert ratio.max() < RATIO[1] * 1.001
    small = area < 0.7  # where no side was cut
    assert abs(ratio[small].log().mean()) < 0.02
    expected = (math.log(RATIO[1]) - math.log(RATIO[0])) / math.sqrt(12)
    assert abs(ratio[small].log().std() / expected - 1) < 0.05


def test_the_whole_image_comes_back_as_it_is():
    images = torch.randint(0, 256, (3, 3, 9, 13), dtype=torch.uint8)
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(3, 4)
    assert torch.equal(resized_crops(images, whole), images)


def test_a_quarter_of_the_image_is_what_enlarging_it_gives():
    images = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8)
    crop = resized_crops(images, torch.tensor([[-0.5, 0.5, 0.5, 0.5]]))
    quarter = images[:, :, 4:, :4].float()
    plain = F.interpolate(quarter, size=(8, 8), mode="bilinear", align_corners=False)
    # At the crop's inner edge the image goes on, where the enlarged quarter ends.
    assert (crop.float() - plain)[:, :, 1:, :7].abs().max() <= 0.5
