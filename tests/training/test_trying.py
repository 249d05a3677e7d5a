"""Own parts that do not do what they should: found by the command, one clear message each."""

import importlib

import pytest
import torch

from tests.own.fresh import forgotten
from tests.own.parts import CONFIG, DATA, write_modules
from tune_robust.config import own_parts, parse_config
from tune_robust.data import Batches, load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.own import collect_code, import_seconds, use_code
from tune_robust.training import check_fits, slow_imports, train


@pytest.fixture
def config_of(tmp_path):
    """The configuration with ``changes``, ``modules`` in the place of the usual ones."""

    def config_of(changes=None, **modules):
        config = parse_config(CONFIG | (changes or {}))
        folder = write_modules(tmp_path, **modules)
        use_code(collect_code(own_parts(config).values(), folder))
        return config

    with forgotten():
        yield config_of


def check(config):
    check_fits(config, make_splits(config.data, load_dataset(config.data)))


def test_parts_that_fit_pass_and_leave_the_random_numbers_alone(config_of):
    config = config_of()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check(config)
    assert torch.equal(torch.rand(3), expected)


def test_a_run_of_own_parts_learns_and_resumes_to_the_bit(config_of, tmp_path):
    optimizer = {"name": "torch.optim:RAdam", "lr": 0.1}
    config = config_of({"epochs": 4, "method": "sam", "optimizer": optimizer})
    whole = list(train(config, device="cpu"))
    assert whole[-1].metrics["train_loss"] < whole[0].metrics["train_loss"]
    first = next(train(config, device="cpu"))
    first.save(tmp_path / "last.pt")
    *_, last = train(config, device="cpu", resume=tmp_path / "last.pt")
    for ours, theirs in zip(last.model.parameters(), whole[-1].model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_keep_the_names_that_the_network_gives_them(config_of):
    state = next(train(config_of(), device="cpu")).model.state_dict()
    assert {"classifier.weight", "blocks.0.0.weight"} <= state.keys()


TWO_HEADS = """
    from torch import nn


    class Tiny(nn.Module):
        def __init__(self, classes, depth):
            super().__init__()
            self.head = nn.Linear(64, classes)
            self.gate = nn.Linear(64, classes)

        def forward(self, images):
            flat = images.flatten(1)
            return self.head(flat) * self.gate(flat)
"""


def test_saner_on_the_last_layer_alone_takes_the_one_that_is_named(config_of):
    def trained(name):
        model = {"name": "my_nets:Tiny", "depth": 1, "last_layer": name}
        saner = {"layers": "last", "alpha": 0.0, "k": 1}
        loss, optimizer = {"name": "ce"}, {"name": "sgd", "lr": 0.1}
        changes = {"model": model, "saner": saner, "method": "saner", "epochs": 3}
        config = config_of(changes | {"loss": loss, "optimizer": optimizer}, my_nets=TWO_HEADS)
        *_, last = train(config, device="cpu")
        return last.model.state_dict()["head.weight"].clone()

    assert torch.equal(trained("gate"), trained(None))
    assert not torch.equal(trained("gate"), trained("head"))


NAN = """
    from torch import nn


    class Tiny(nn.Linear):
        def __init__(self, classes, input_shape, depth):
            super().__init__(64, classes)

        def forward(self, images):
            return super().forward(images.flatten(1)) * float("nan")
"""
DETACHED = NAN.replace('* float("nan")', ".detach()")
ASKS = "def Tiny(vocabulary): ..."
SUM = "def focal(logits, targets, gamma): return (logits * targets).sum()"
INDICES = "def focal(logits, targets, gamma): return logits.gather(1, targets[:, None])[:, 0]"
NAN_LOSS = "def focal(logits, targets, gamma): return (logits * targets).sum(1) / 0 * 0"
NAN_GRADIENT = """
    def focal(logits, targets, gamma):
        return (logits - logits.detach()).abs().sum(1).sqrt()
"""
CONSTANT = "def focal(logits, targets, gamma): return (logits * targets).detach().sum(1)"
LAMBDA = """
    import torch


    class Own(torch.optim.SGD):
        def step(self, closure=None):
            super().step()
            self.param_groups[0]["later"] = lambda: 0
"""


@pytest.mark.parametrize(
    ("changes", "modules", "said"),
    [
        (
            {"model": {"name": "my_nets:Tiny", "depth": "two"}},
            {},
            r"model.name: .* \(my_nets.py, l",
        ),
        ({}, {"my_nets": "def Tiny(depth): return 3"}, "returned int; expected a torch.nn.Module"),
        ({}, {"my_nets": NAN}, "32 of 32 are NaN or infinite, on the very first batch"),
        ({}, {"my_nets": DETACHED}, "returned logits without a gradient. Register layers"),
        ({}, {"my_nets": NAN.replace("(64,", "(65,")}, r"forward pass of one batch, torch.float32"),
        ({}, {"my_losses": SUM}, r"returned \(\) for logits \(8, 4\); expected .* each sample"),
        ({}, {"my_losses": INDICES}, r"targets.argmax\(1\) are the labels"),
        ({}, {"my_losses": CONSTANT}, "losses without a gradient"),
        ({}, {"my_losses": NAN_LOSS}, "my_losses:focal returned losses of which 8 of 8 are NaN"),
        (
            {},
            {"my_losses": NAN_GRADIENT},
            "of the loss my_losses:focal, the gradient of block",
        ),
        (
            {"model": {"name": "my_nets:Tiny"}},
            {"my_nets": ASKS},
            "to those who ask for it: class",
        ),
        ({"optimizer": {"name": "my_own:Own", "lr": 0.1}}, {"my_own": LAMBDA}, "cannot be saved"),
        ({"optimizer": {"name": "torch.nn:Linear"}}, {}, "optimizer.name: torch.nn:Linear"),
        ({"optimizer": {"name": "builtins:list"}}, {}, "expected a torch.optim.Optimizer"),
    ],
)
def test_what_is_wrong_with_a_part_is_said(config_of, changes, modules, said):
    with pytest.raises(UserError, match=said):
        check(config_of(changes, **modules))


def test_the_number_of_logits_is_that_of_the_classes(config_of):
    wrong = NAN.replace(", classes)\n", ", 7)\n").replace('* float("nan")', "")
    with pytest.raises(UserError, match=r"returned \(8, 7\) for a batch of 8; expected \(8, 4\)"):
        check(config_of(my_nets=wrong))


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("images.float()", r"torch.float32 \(8, 1, 8, 8\); expected .* torch.uint8"),
        ("images[1:]", r"torch.uint8 \(7, 1, 8, 8\)"),
        ("None", "returned NoneType"),
        ("images.nothing()", "data.augment: my_data:flip: a batch has failed: AttributeError"),
    ],
)
def test_an_augmentation_returns_what_it_was_given(config_of, returned, said):
    with pytest.raises(UserError, match=said):
        check(config_of(my_data=DATA.replace("images.flip(-1)", returned)))


def test_a_transform_of_torchvision_draws_for_each_image(config_of):
    augment = {"name": "torchvision.transforms.v2:RandomHorizontalFlip", "p": 0.5}
    config = config_of({"data": {**CONFIG["data"], "augment": augment}})
    splits = make_splits(config.data, load_dataset(config.data))
    torch.manual_seed(0)
    settings = {"mean": splits.mean, "std": splits.std, "generator": torch.Generator()}
    plain = next(iter(Batches(splits.train, 16, augment="none", **settings)))[0]
    settings["generator"] = torch.Generator()
    turned = next(iter(Batches(splits.train, 16, augment=config.data.augment, **settings)))[0]
    flipped = [bool((t == p.flip(-1)).all()) for t, p in zip(turned, plain, strict=True)]
    assert 0 < sum(flipped) < 16


def test_sals_looks_at_the_last_linear_layer_of_any_network(config_of):
    config = config_of({"loss": "ce", "method": "sals"})
    assert 0 < next(train(config, device="cpu")).metrics["sals_sharpness"] < 100
    named = {"name": "my_nets:Tiny", "depth": 2, "last_layer": "clasifier"}
    with pytest.raises(UserError, match=r"last_layer: .* Did you mean 'classifier'"):
        next(train(config_of({"loss": "ce", "method": "sals", "model": named}), device="cpu"))


def test_an_optimizer_with_two_sets_of_weights_is_told_when_it_evaluates(config_of):
    two = """
        import torch

        calls = []


        class Free(torch.optim.SGD):
            def train(self):
                calls.append("train")

            def eval(self):
                calls.append("eval")
    """
    config = config_of({"optimizer": {"name": "my_own:Free", "lr": 0.1}, "epochs": 2}, my_own=two)
    list(train(config, device="cpu"))
    assert importlib.import_module("my_own").calls == ["train", "eval"] * 2


def test_a_slow_import_is_mentioned(config_of):
    config = config_of()
    check(config)
    import_seconds["my_nets"] = 12.0
    assert [text[:32] for text in slow_imports(config)] == ["Importing my_nets took 12 s, and"]
