"""What every preset keeps to, whatever its parts are."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F

from tests.methods.networks import assert_same, batches, groups
from tests.methods.recipes import SANER, TWO_PASSES, Recipe
from tune_robust.config import PRESETS, TrainConfig
from tune_robust.training import loop, network


def run(recipe, steps):
    return [recipe.step(x, y) for x, y in batches(steps, recipe.model.head.weight.dtype)]


@pytest.mark.parametrize("method", PRESETS)
class TestEveryPreset:
    def test_rho_zero_is_the_base_optimizer_bit_for_bit(self, method):
        recipe, plain = Recipe(method), Recipe(method)
        recipe.optimizer.rho = 0.0
        base = torch.optim.SGD(groups(plain.model), lr=0.1)
        for x, y in batches(20):
            loss = base.step(plain.closure(x, y)).detach()
            assert torch.equal(recipe.step(x, y), loss)
        assert_same(recipe.model, plain.model)

    def test_goes_on_from_a_file_bit_for_bit(self, method):
        recipe, resumed = Recipe(method), Recipe(method)
        run(recipe, 10)
        file = io.BytesIO()
        torch.save(recipe.state(), file)
        file.seek(0)
        resumed.load(torch.load(file, weights_only=True))
        assert run(recipe, 10) == run(resumed, 10)
        assert_same(recipe.model, resumed.model)

    def test_is_deterministic(self, method):
        one, other = Recipe(method), Recipe(method)
        assert run(one, 10) == run(other, 10)
        assert_same(one.model, other.model)

    @pytest.mark.parametrize("bad_pass", [1, 2])
    def test_a_non_finite_gradient_leaves_everything_and_is_counted(self, method, bad_pass):
        recipe = Recipe(method)
        if bad_pass == 2 and method not in TWO_PASSES:
            pytest.skip("there is no second pass")
        run(recipe, 3)
        recipe.optimizer.read_statistics()
        weights = [p.detach().clone() for p in recipe.model.parameters()]
        before = copy.deepcopy(recipe.optimizer.state_dict())
        first = recipe.optimizer.passes + 1
        ((x, y),) = batches(1)

        def spoil():
            if recipe.optimizer.passes + 1 == first + bad_pass - 1:
                recipe.model.head.bias.grad[0] = math.nan

        recipe.step(x, y, spoil)
        for p, weight in zip(recipe.model.parameters(), weights, strict=True):
            assert torch.equal(p, weight)
        after = recipe.optimizer.state_dict()
        after["sharpness_aware"]["passes"] = before["sharpness_aware"]["passes"]
        assert str(after) == str(before)
        assert recipe.optimizer.read_statistics()["skipped_steps"] == 1
        assert all(loss.isfinite() for loss in run(recipe, 3))

    def test_batch_norm_moves_once_a_step(self, method):
        recipe = Recipe(method)
        run(recipe, 4)
        assert recipe.model.norm.num_batches_tracked == 4
        assert recipe.model.hidden_norm.num_batches_tracked == 4

    def test_the_loop_opens_one_autocast_a_pass_and_each_sees_its_weights(
        self, method, monkeypatch
    ):
        seen, contexts = [], []
        build, autocast = network.build_network, loop.autocast

        def counted(*args):
            contexts.append(None)
            return autocast(*args)

        def watched(*args, **kwargs):
            model = build(*args, **kwargs)
            model.head.register_forward_hook(watch)
            return model

        def watch(head, inputs, output):
            if head.training:
                low = [t.detach().bfloat16() for t in (*inputs, head.weight, head.bias)]
                assert torch.equal(output, F.linear(*low))
                seen.append(head.weight.detach().clone())

        monkeypatch.setattr(network, "build_network", watched)
        monkeypatch.setattr(loop, "autocast", counted)
        data = {"dataset": "digits", "subset": 60, "validation": {"size": 0.2}}
        settings = {"model": {"width": 0.125}, "precision": "bfloat16", "batch_size": 16}
        config = TrainConfig(method=method, data=data, threads=1, **settings)
        run = loop._Run(config, torch.device("cpu"), None)
        inputs, labels, _ = next(iter(run._mixed_batches()))
        contexts.clear()
        run.model.train()
        run._step(inputs, labels)
        passes = config.passes_per_step
        assert len(seen) == len(contexts) == passes
        assert passes == 1 or not torch.equal(*seen)


@pytest.mark.parametrize("method", SANER)
def test_alpha_one_is_sam_bit_for_bit(method):
    one, sam = Recipe(method, saner={"alpha": 1.0}), Recipe(method)
    sam.optimizer.alpha = None
    assert run(one, 20) == run(sam, 20)
    assert_same(one.model, sam.model)


@pytest.fixture(scope="module")
def _compiled_once():
    """The presets share one compiled network; falling back to eager would be an error."""
    torch.compiler.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("_compiled_once")
@pytest.mark.parametrize("method", PRESETS)
def test_a_compiled_network_trains_the_same(method):
    eager, compiled = Recipe(method), Recipe(method)
    features = torch.compile(compiled.model.features, backend="aot_eager")

    def forward(x):
        inner = features(x)
        return compiled.model.head(inner), inner

    compiled.forward = forward
    torch.testing.assert_close(torch.stack(run(eager, 5)), torch.stack(run(compiled, 5)))
    for p, q in zip(eager.model.parameters(), compiled.model.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    assert compiled.model.norm.num_batches_tracked == 5
