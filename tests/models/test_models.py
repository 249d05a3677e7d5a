"""What every network promises."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tune_robust.config import ModelConfig
from tune_robust.errors import UserError
from tune_robust.models import NETWORKS, SMALLEST_IMAGE, build_model
from tune_robust.models.wide_resnet import PreActivation

OWN = [name for name in NETWORKS if name != "inception_resnet_v2"]  # which is timm's


def build(name, *, seed=0, width=1.0, channels=3, image_size=8, classes=10):
    torch.manual_seed(seed)
    config = ModelConfig(name=name, width=width)
    return build_model(config, channels=channels, image_size=image_size, classes=classes)


def test_every_configured_name_has_a_network():
    assert list(NETWORKS) == list(ModelConfig.model_fields["name"].annotation.__args__)
    assert set(SMALLEST_IMAGE) == set(NETWORKS)


def test_every_network_is_described():
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
    assert [name for name in NETWORKS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("name", OWN)
def test_the_parameters_of_the_documentation_are_counted(name):
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    count = sum(weight.numel() for weight in build(name, image_size=32).parameters())
    assert f"| {count:,} |" in row


@pytest.mark.parametrize("name", OWN)
class TestEveryNetwork:
    @pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (3, (9, 13)), (3, (32, 32))])
    def test_shapes(self, name, channels, size):
        model = build(name, channels=channels, image_size=min(size), classes=7, width=0.25)
        images = torch.randn(2, channels, *size)
        features = model.features(images)
        assert features.shape == (2, model.head.in_features)
        assert isinstance(model.head, nn.Linear)
        assert model(images).shape == (2, 7)

    def test_forward_is_head_of_features(self, name):
        model = build(name, width=0.25).eval()
        images = torch.randn(2, 3, 8, 8)
        assert torch.equal(model(images), model.head(model.features(images)))

    def test_width_multiplies_channels(self, name):
        base, double = build(name, width=0.5), build(name, width=1.0)
        assert double.head.in_features == 2 * base.head.in_features
        pairs = zip(base.features.modules(), double.features.modules(), strict=True)
        for one, other in pairs:
            if isinstance(one, nn.Conv2d):
                assert other.out_channels == 2 * one.out_channels

    def test_the_smallest_width_still_runs(self, name):
        assert build(name, width=0.001)(torch.randn(2, 3, 8, 8)).isfinite().all()

    def test_the_seed_decides_the_weights(self, name):
        first, again, other = (build(name, seed=seed, width=0.25) for seed in (0, 0, 1))
        pairs = zip(first.state_dict().values(), again.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        assert not torch.equal(first.head.weight, other.head.weight)

    def test_convolutions_start_with_he_normal_fan_out(self, name):
        for module in build(name, width=0.5).modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is None
                fan_out = module.out_channels * module.kernel_size[0] ** 2
                count = module.weight.numel()
                expected = (2 / fan_out) ** 0.5
                error = 5 * expected / (2 * count) ** 0.5
                assert module.weight.std().item() == pytest.approx(expected, abs=error)

    def test_gradients_reach_every_parameter(self, name):
        model = build(name, width=0.25)
        F.cross_entropy(model(torch.randn(8, 3, 16, 16)), torch.arange(8)).backward()
        for parameter in model.parameters():
            assert parameter.grad.isfinite().all()
            assert parameter.grad.abs().max() > 0

    def test_every_convolution_is_normalised(self, name):
        if name == "vit_tiny":
            pytest.skip("its patches are not normalised before its blocks do it")
        modules = list(build(name, width=0.25).modules())
        convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
        # A wide ResNet's block normalises its input, for the shortcut's convolution as well.
        shared = [m for m in modules if isinstance(m, PreActivation) and m.shortcut is not None]
        norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
        assert len(convolutions) == len(norms) + len(shared)

    def test_there_is_no_dropout(self, name):
        assert not [m for m in build(name, width=0.25).modules() if "Dropout" in type(m).__name__]

    def test_images_that_are_too_small_are_refused(self, name):
        with pytest.raises(UserError, match=f"{name} needs images of at least 8x8 .* side of 7"):
            build(name, image_size=7)


def problem(**settings):
    with pytest.raises(ValueError, match="ModelConfig") as refused:
        ModelConfig(**settings)
    return str(refused.value)


@pytest.mark.parametrize("settings", [{"stem": "imagenet"}, {"weights": "imagenet"}])
def test_a_network_without_imagenets_stem_and_weights_says_who_has_them(settings):
    message = problem(name="resnet32", **settings)
    assert "resnet32 has neither" in message
    assert "resnet18, resnet34" in message


def test_width_is_refused_where_it_cannot_be_honoured():
    assert "width is 0.5" in problem(name="resnet18", weights="imagenet", width=0.5)
    assert "available only with width 1" in problem(name="inception_resnet_v2", width=2)


@pytest.mark.parametrize("name", ["mlp", "vit_tiny"])
def test_a_network_that_is_no_cnn_sees_where_pixels_are(name):
    """A permutation of the pixels is another image to it, and it has no running statistics."""
    model = build(name, width=0.25, image_size=16).eval()
    image = torch.randn(1, 3, 16, 16)
    shuffled = image.flatten(2)[:, :, torch.randperm(256)].view_as(image)
    assert not torch.allclose(model(image), model(shuffled))
    assert not list(model.buffers())


def test_the_vision_transformer_has_patches_of_an_eighth_of_the_image():
    features = build("vit_tiny", image_size=32).features
    assert features.patches.kernel_size == (4, 4)
    assert features.positions.shape == (1, 65, 192)
