"""Networks from elsewhere: what they are offered, timm's and torchvision's, the last layer."""

import pytest
import torch
from torch import nn

from tests.own.fresh import forgotten
from tests.own.parts import write_modules
from tune_robust.config import parse_config
from tune_robust.errors import UserError
from tune_robust.models import WithFeatures, build_network, last_linear
from tune_robust.own import collect_code, use_code

IMAGES = torch.zeros(4, 1, 32, 32, dtype=torch.uint8)


def built(inputs=IMAGES, classes=5, **model):
    config = parse_config({"model": model}).model
    return build_network(config, inputs=inputs, classes=classes, download=False)


@pytest.mark.parametrize(
    ("inputs", "offered"),
    [
        (IMAGES, {"classes": 5, "in_chans": 1, "image_size": 32, "input_shape": (1, 32, 32)}),
        (torch.zeros(4, 30), {"classes": 5, "in_chans": 30, "input_shape": (30,)}),
    ],
)
def test_a_constructor_gets_what_it_asks_for(tmp_path, inputs, offered):
    text = """
        from torch import nn


        class Asking(nn.Linear):
            def __init__(self, classes, in_chans, input_shape, image_size=None):
                super().__init__(2, classes)
                self.given = {
                    "classes": classes, "in_chans": in_chans, "input_shape": input_shape
                } | ({} if image_size is None else {"image_size": image_size})
    """
    with forgotten():
        use_code(collect_code(["my_nets:Asking"], write_modules(tmp_path, my_nets=text)))
        assert built(inputs, name="my_nets:Asking").given == offered


def test_an_mlp_takes_the_rows_of_a_table():
    network = built(torch.zeros(4, 30), name="mlp", width=0.25)
    assert network(torch.zeros(2, 30)).shape == (2, 5)


@pytest.mark.parametrize("inputs", [torch.zeros(4, 30), torch.zeros(4, 30, dtype=torch.int64)])
def test_networks_of_images_refuse_other_inputs(inputs):
    with pytest.raises(UserError, match=r"small_cnn takes images .* \(30,\) each"):
        built(inputs, name="small_cnn")
    with pytest.raises(UserError, match=r"torchvision:resnet18 takes images \(C, H, W\)"):
        built(inputs, name="torchvision:resnet18")


def test_a_classifier_of_torchvision_fits_the_data():
    network = built(name="torchvision:squeezenet1_1", dropout=0.1)
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 5)


def test_pretrained_weights_of_torchvision_keep_all_but_what_does_not_fit(tmp_path, monkeypatch):
    from torchvision.models import get_model_weights, mnasnet0_5

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    published = mnasnet0_5()
    known = type(get_model_weights("mnasnet0_5")["IMAGENET1K_V1"])
    cached = tmp_path / "checkpoints" / get_model_weights("mnasnet0_5")["IMAGENET1K_V1"].url[-1:]
    settings = {"name": "torchvision:mnasnet0_5", "weights": "IMAGENET1K_V1"}
    with pytest.raises(UserError, match=r"downloading is off.*put it at"):
        built(**settings)
    cached.parent.mkdir()
    monkeypatch.setattr(known, "get_state_dict", lambda *_, **__: published.state_dict())
    config = parse_config({"model": settings}).model
    network = build_network(config, inputs=IMAGES, classes=5)
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 5)
    kept = network.layers[3].weight
    assert torch.equal(kept, published.layers[3].weight)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "torchvision:resnet81"}, "no classifier of torchvision 'resnet81'. Did you mean"),
        ({"name": "torchvision:resnet18", "weights": "V3"}, "no set of weights of resnet18 'V3'"),
        ({"name": "torchvision:resnet18", "widht": 2}, "widht"),
    ],
)
def test_what_torchvision_lacks_is_said(model, said):
    with pytest.raises(UserError, match=said):
        built(**model)


def test_a_network_of_timm_is_made_for_the_size_of_the_images():
    pytest.importorskip("timm")
    network = built(name="timm:vit_tiny_patch16_224", patch_size=8, depth=1)
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 5)
    assert network.patch_embed.num_patches == 16
    assert built(name="timm:resnet10t")(torch.zeros(2, 1, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "timm:vit_tini_patch16_224"}, "Did you mean 'vit_t.*_patch16_224"),
        ({"name": "timm:resnet10t", "pretrained": True}, "downloading is off"),
        ({"name": "timm:resnet10t", "nonsense": 3}, "model.name: timm:resnet10t.* has failed"),
    ],
)
def test_what_timm_lacks_is_said(model, said):
    pytest.importorskip("timm")
    with pytest.raises(UserError, match=said):
        built(**model)


class _Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head, self.unused = nn.Linear(3, 4), nn.Linear(4, 5), nn.Linear(4, 7)

    def forward(self, inputs):
        return self.head(self.first(inputs).relu())


def test_the_features_are_what_the_last_layer_was_given():
    network = _Two()
    inputs = torch.rand(2, 3)
    logits, features = WithFeatures(network, last_linear(network, "head"), network)(inputs)
    assert torch.equal(features, network.first(inputs).relu())
    assert torch.equal(logits, network.head(features))


def test_a_last_layer_that_does_not_give_the_logits_is_refused():
    network = _Two()
    with pytest.raises(UserError, match=r"Name it with model.last_layer"):
        WithFeatures(network, last_linear(network), network)(torch.rand(2, 3))
    with pytest.raises(UserError, match=r"Did you mean 'head'"):
        last_linear(network, "haed")
    with pytest.raises(UserError, match=r"Use sals.scope: full"):
        last_linear(nn.ReLU())
