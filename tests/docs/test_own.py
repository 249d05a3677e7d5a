"""The pages on own parts and loops: their code runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from tests.own.fresh import forgotten
from tune_robust.api.own_code import new_code
from tune_robust.config import own_parts, parse_config
from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.loops import run_loop
from tune_robust.own import collect_code, use_code
from tune_robust.spaces.space import load_space
from tune_robust.training import check_fits, train
from tune_robust.tuning.engine.preparing import prepare_space

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def write_modules(page, folder):
    """The blocks that begin with the name of a file, in that file."""
    for block in [*blocks(page, "python"), *blocks(page, "yaml")]:
        if named := re.match(r"# (\w+\.(py|yaml))", block):
            (folder / named[1]).write_text(block)


def test_the_own_parts_of_the_page_fit_together(tmp_path, monkeypatch):
    write_modules("own-parts.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    space = load_space("own.yaml")
    with forgotten():
        code = new_code(space, None)
        assert [*code.files] == ["my_data.py", "my_losses.py", "my_nets.py"]
        found = prepare_space(space, str(tmp_path))
    assert found["images"]["train"] == 1620


@pytest.mark.parametrize("block", blocks("own-parts.md", "yaml"))
def test_every_example_of_a_configuration_is_yaml(block):
    assert yaml.safe_load(re.sub(r"\n(model: .*timm.*)", "", block))


def test_the_loop_of_the_page_runs(tmp_path, monkeypatch):
    write_modules("own-loop.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    space = load_space("loop.yaml")
    with forgotten():
        new_code(space, None)
        prepare_space(space, str(tmp_path))
        *_, last = run_loop(space.config_for({"loop.rate": 0.5}))
    assert last.epoch == 20
    assert last.metrics["distance"] < 1e-5


LIBRARIES = ("schedulefree", "lightning", "accelerate", "transformers")


def imports(block):
    """The library that a block needs and that may be missing."""
    found = re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE)
    return next((name for name in found if name in LIBRARIES), None)


def sharpness_aware(library=None):
    """What the first block of the page defines, and the others of a library, executed."""
    first, *others = blocks("sharpness-aware.md", "python")
    names = {}
    exec(first, names)
    names["before"] = {k: v.clone() for k, v in names["model"].state_dict().items()}
    for block in others:
        if imports(block) == library:
            exec(block, names)
    return names


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def plain(names, steps, lr=lambda step: 0.1, **options):
    """The weights after steps of SAM around plain SGD from where the first block began."""
    from tune_robust import SharpnessAware

    names["model"].load_state_dict(names["before"])
    base = torch.optim.SGD(names["model"].parameters(), lr=0.1, **options)
    names["optimizer"] = SharpnessAware(base, rho=0.1, model=names["model"])
    for step in range(steps):
        base.param_groups[0]["lr"] = lr(step)
        names["optimizer"].step(names["closure"])
    return weights(names["model"])


def test_sharpness_aware_in_other_loops():
    """What each closure of the page ends with is what plain SAM would give."""
    names = sharpness_aware()
    names["model"].load_state_dict(names["before"])
    start = weights(names["model"])
    expected = plain(names, 1)

    def stepped(closure):
        names["model"].load_state_dict(names["before"])
        names["optimizer"].step(names[closure])
        return weights(names["model"])

    assert not torch.equal(expected, start)
    assert torch.allclose(stepped("accumulated"), expected, atol=1e-6)
    assert torch.allclose(stepped("unscaled"), expected, atol=1e-6)
    low = stepped("in_bfloat16") - expected
    assert low.norm() < 0.1 * (expected - start).norm()
    for clipped in ("clipped", "accumulated_and_clipped"):
        assert (stepped(clipped) - start).norm() <= 0.1 * 1.0001


def missing(library):
    pytest.importorskip(library, reason=f"{library} is not installed: pip install {library}")


def test_sharpness_aware_around_a_schedule_free_optimizer():
    missing("schedulefree")
    names = sharpness_aware("schedulefree")
    model, data = names["model"], names["inputs"]
    evaluated = weights(model)
    trained = names["cross_entropy"](model(data), names["labels"])
    names["optimizer"].train()
    assert not torch.equal(weights(model), evaluated)
    model.load_state_dict(names["before"])
    assert trained < names["cross_entropy"](model(data), names["labels"])


def trained_under(library):
    """The names and the trained weights after the page's block that imports ``library``."""
    missing(library)
    names = sharpness_aware()
    names["model"].load_state_dict(names["before"])
    (block,) = [b for b in blocks("sharpness-aware.md", "python") if imports(b) == library]
    exec(block, names)
    return names, weights(names["model"])


@pytest.mark.filterwarnings("ignore")  # Lightning's, on workers and the like
def test_sharpness_aware_under_lightning():
    names, found = trained_under("lightning")
    assert names["trainer"].global_step == 2
    expected = plain(names, 2, lr=lambda step: (0.1, 0.05)[step])
    assert torch.allclose(found, expected, atol=1e-6)


def test_sharpness_aware_under_accelerate():
    names, found = trained_under("accelerate")
    assert torch.allclose(found, plain(names, 1), atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # transformers' own
def test_sharpness_aware_under_the_hugging_face_trainer(tmp_path):
    missing("transformers")
    import transformers

    names = sharpness_aware("transformers")
    names["model"].load_state_dict(names["before"])

    class WithLoss(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, inputs, labels):
            logits = self.network(inputs)
            return {"loss": names["cross_entropy"](logits, labels), "logits": logits}

    data = [
        {"inputs": x, "labels": y} for x, y in zip(names["inputs"], names["labels"], strict=True)
    ]
    settings = transformers.TrainingArguments(
        str(tmp_path), num_train_epochs=3, per_device_train_batch_size=len(data), use_cpu=True,
        max_grad_norm=0, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    base = torch.optim.SGD(names["model"].parameters(), lr=0.1)
    constant = torch.optim.lr_scheduler.ConstantLR(base, 1.0)
    trainer = names["SharpnessAwareTrainer"](
        WithLoss(names["model"]), settings, rho=0.1, train_dataset=data, optimizers=(base, constant)
    )
    trainer.train()
    found = weights(names["model"])
    assert torch.allclose(found, plain(names, 3), atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "saner", "probe_every": 1, "saner": {"layers": "last", "probe_every": 1}},
        {"method": "slaw", "average": {"kind": "ema"}, "data": {"augment": "my_several:augment"}},
    ],
    ids=["saner", "slaw"],
)
def test_the_network_of_several_inputs_learns_and_resumes(tmp_path, changes):
    """Through both passes, SALS and SANER on the last layer, probing, averages and evaluation."""
    write_modules("own-parts.md", tmp_path)
    document = {
        "model": {"name": "my_several:Both"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "epochs": 3,
        "batch_size": 32,
        **changes,
        "data": {
            "dataset": "my_several:load",
            "noise": {"kind": "symmetric", "rate": 0.2},
            **changes.get("data", {}),
        },
    }
    config = parse_config(document)
    with forgotten():
        use_code(collect_code(own_parts(config).values(), tmp_path))
        check_fits(config, make_splits(config.data, load_dataset(config.data)))
        first, *_, last = train(config, device="cpu")
        assert last.metrics["train_loss"] < first.metrics["train_loss"]
        first = next(train(config, device="cpu"))
        first.save(tmp_path / "first.pt")
        *_, again = train(config, device="cpu", resume=tmp_path / "first.pt")
        with pytest.raises(UserError, match="mixup mixes one tensor"):
            next(train(parse_config(document | {"mixup": {"alpha": 1.0}}), device="cpu"))
        with pytest.raises(UserError, match=r"small_cnn takes one input.*image, age, words"):
            next(train(parse_config(document | {"model": "small_cnn"}), device="cpu"))
    assert again.metrics["val_loss"] == last.metrics["val_loss"]
    if changes["method"] == "saner":
        assert last.metrics["gradient_cosine"] == last.metrics["gradient_cosine"]
