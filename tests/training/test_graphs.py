"""Recorded steps are the ordinary ones, on a tape that stands in for CUDA graphs on a CPU."""

import importlib
from functools import partial

import pytest
import torch

from tests.docs.test_own import write_modules
from tests.methods.networks import assert_same
from tests.own.fresh import forgotten
from tests.training.tape import TapedGraphs
from tests.training.test_loop import config, metrics_of, same
from tests.training.test_loop import splits as splits  # a fixture
from tune_robust.config import own_parts
from tune_robust.data import load_dataset, make_splits
from tune_robust.methods import optimizers
from tune_robust.own import collect_code, use_code
from tune_robust.training import loop, read_checkpoint, train

SETTINGS = {"cuda_graphs": True, "channels_last": False, "lr_schedule": {"kind": "constant"}}
"""Numbers that float32, in which recorded steps read them, represents."""
RHO = {"rho": 0.125, "rho_schedule": {"kind": "step_decay", "boundaries": [0.5], "factor": 0.5}}
CASES = {
    "sgd": {"method": "sgd"},
    "sam": {"method": "sam", "sam": RHO},
    "saner": {"method": "saner", "saner": {"alpha": 0.5, "k": 2}},
    "soft": {"method": "saner", "saner": {"alpha": 0.5, "k": 0, "soft": True}},
    "asam_by_name": {"method": "asam"},
    "norm inf": {"method": "sam", "sam": {"rho": 0.0078125, "norm": "inf"}},
    "gsam": {"method": "sam", "sam": RHO | {"variant": "gsam"}},
    "fsam": {"method": "sam", "sam": RHO | {"variant": "fsam"}},
    "vasso": {"method": "sam", "sam": RHO | {"variant": "vasso"}},
    "slaw": {"method": "slaw"},
    "sals full": {"method": "slaw", "sals": {"scope": "full"}},
    "mixup": {"method": "sam", "mixup": {"alpha": 0.4}},
    "average": {"method": "sam", "average": {"kind": "ema"}},
    "adamw": {"method": "sam", "optimizer": {"name": "adamw", "lr": 0.0078125}},
    "rounds": {"method": "sam", "epochs": 2, "bootstrap_rounds": 2},
    "knots": {
        "method": "saner",
        "saner": {"alpha": 1.0, "k": 0},
        "knots": [
            {"epoch": 1, "set": {"saner.alpha": 0.5, "optimizer.lr": 0.125}},
            {"epoch": 2, "set": {"sam.rho": 0.0}},
        ],
    },
}


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """Steps as on a device whose numbers must not be read, with torch's own optimizer."""
    for name in ("numbers", "perturbation", "sharpness_aware", "variants"):
        module = importlib.import_module(f"tune_robust.methods.{name}")
        monkeypatch.setattr(module, "readable", lambda value: False)
    monkeypatch.setattr(optimizers, "CpuSGD", torch.optim.SGD)


def graphed(monkeypatch, settings, splits, **options):
    graphs = []

    def taped(device):
        graphs.append(TapedGraphs())
        return graphs[-1]

    monkeypatch.setattr(loop, "cuda_graphs", taped)
    return [*train(settings, splits=splits, **options)], graphs


def settings_of(case):
    return config(**{"epochs": 4, "optimizer": {"name": "sgd", "lr": 0.0625}} | SETTINGS | case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_replayed_steps_equal_the_ordinary_ones_bit_for_bit(monkeypatch, splits, case):
    settings = settings_of(case)
    plain = [*train(settings, splits=splits)]
    replayed, graphs = graphed(monkeypatch, settings, splits)
    assert all(g.recorded for g in graphs)
    assert same(metrics_of(replayed), metrics_of(plain))
    assert_same(plain[-1].model, replayed[-1].model)


@pytest.fixture
def several(tmp_path):
    """A configuration of own parts with several inputs, and its data."""
    write_modules("own-parts.md", tmp_path)
    data = {"dataset": "my_several:load", "noise": {"kind": "symmetric", "rate": 0.25}}
    document = {"data": data, "model": {"name": "my_several:Both"}, "epochs": 2}
    with forgotten():
        settings = settings_of({"method": "saner_slaw", "saner": {"layers": "last"}} | document)
        use_code(collect_code(own_parts(settings).values(), tmp_path))
        yield settings, make_splits(settings.data, load_dataset(settings.data))


def test_own_parts_with_several_inputs_are_recorded_too(monkeypatch, several):
    settings, splits = several
    plain = [*train(settings, splits=splits)]
    replayed, graphs = graphed(monkeypatch, settings, splits)
    assert all(g.recorded for g in graphs)
    assert same(metrics_of(replayed), metrics_of(plain))


def test_own_parts_with_several_inputs_are_compiled_too(monkeypatch, several):
    settings, splits = several
    settings = settings.model_copy(update={"cuda_graphs": False})
    plain = [*train(settings, splits=splits)]
    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    compiled = [*train(settings.model_copy(update={"compile": True}), splits=splits)]
    torch.compiler.reset()
    for name in ("train_loss", "val_loss", "sals_sharpness"):
        for ours, theirs in zip(compiled, plain, strict=True):
            assert ours.metrics[name] == pytest.approx(theirs.metrics[name], rel=1e-4), name


def test_each_kind_of_step_is_recorded_once(monkeypatch, splits):
    settings = settings_of({"method": "saner", "saner": {"alpha": 0.5, "k": 2}, "epochs": 6})
    _, (graphs,) = graphed(monkeypatch, settings, splits)
    # Two passes, without and with reweighting, and the first of an epoch measures the groups.
    assert graphs.recorded == 3


def test_the_learning_rate_is_read_anew_in_each_step(monkeypatch, splits):
    settings = settings_of({"method": "sam", "lr_schedule": {"kind": "cosine"}})
    plain = [*train(settings, splits=splits)]
    replayed, _ = graphed(monkeypatch, settings, splits)
    ours, theirs = (results[-1].model.state_dict() for results in (replayed, plain))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_goes_on_from_a_checkpoint_bit_for_bit(monkeypatch, splits, tmp_path):
    settings = settings_of({"method": "saner_slaw"})
    whole, _ = graphed(monkeypatch, settings, splits)
    next(train(settings, splits=splits)).save(tmp_path / "first.pt")
    resumed, _ = graphed(monkeypatch, settings, splits, resume=tmp_path / "first.pt")
    assert same(metrics_of(resumed), metrics_of(whole[1:]))


def test_a_checkpoint_holds_numbers_as_that_of_ordinary_steps_does(monkeypatch, splits, tmp_path):
    settings = settings_of({"method": "sam", "epochs": 1})
    (result,), _ = graphed(monkeypatch, settings, splits)
    result.save(tmp_path / "last.pt")
    state = read_checkpoint(tmp_path / "last.pt").state["optimizer"]
    assert [type(group["lr"]) for group in state["param_groups"]] == [float]
    assert isinstance(state["sharpness_aware"]["rho"], float)
