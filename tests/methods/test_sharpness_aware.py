import copy
import gc
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.methods.networks import assert_same, awkward, batches, closure_for, groups, train
from tests.references.sharpness_aware import ReferenceSharpnessAware
from tune_robust.errors import UserError
from tune_robust.methods import GroupRule, SharpnessAware, variants
from tune_robust.methods.variants import move_means_

STEPS = 24
METHODS = {
    "sgd": {"rho": 0.0},
    "sam": {"rho": 0.3},
    "asam_by_name": {"rho": 1.0, "adaptive": "asam_by_name", "eta": 0.02},
    "asam_by_shape": {"rho": 1.0, "adaptive": "asam_by_shape", "eta": 0.02},
    "elementwise": {"rho": 2.0, "adaptive": "elementwise"},
    "saner": {"rho": 0.3, "alpha": 0.4},
    "saner_without_b": {"rho": 0.3, "alpha": 0.0},
    "saner_above_one": {"rho": 0.3, "alpha": 1.5},
    "asam_saner": {"rho": 1.0, "adaptive": "asam_by_name", "alpha": 0.4},
    "elementwise_saner": {"rho": 2.0, "adaptive": "elementwise", "alpha": 0.4},
    "saner_last_layer": {"rho": 0.3, "alpha": 0.4, "last_layer": True},
    "saner_soft": {"rho": 0.3, "alpha": 0.4, "rule": GroupRule(soft=True, threshold=0.8)},
    "saner_threshold": {"rho": 0.3, "alpha": 0.4, "rule": GroupRule(threshold=0.9)},
    "saner_group_a": {"rho": 0.3, "alpha": 0.4, "rule": GroupRule(group="a")},
    "norm_near_one": {"rho": 0.3, "norm": 1.2},
    "norm_three_saner": {"rho": 0.3, "norm": 3.0, "alpha": 0.4},
    "norm_inf": {"rho": 0.02, "norm": math.inf},
    "gsam": {"rho": 0.3, "variant": "gsam", "g_alpha": 0.3},
    "gsam_saner": {"rho": 0.3, "variant": "gsam", "alpha": 0.4},
    "fsam": {"rho": 0.3, "variant": "fsam", "sigma": 0.8, "lmbda": 0.7},
    "fsam_saner": {"rho": 0.3, "variant": "fsam", "alpha": 0.4},
    "vasso": {"rho": 0.3, "variant": "vasso", "theta": 0.3},
    "vasso_asam_saner": {"rho": 0.3, "variant": "vasso", "adaptive": "asam_by_name", "alpha": 0.4},
    "fsam_norm_inf": {"rho": 0.02, "variant": "fsam", "norm": math.inf},
}


def sgd(model):
    return torch.optim.SGD(groups(model), lr=0.1)


def sharpness_aware(model, **settings):
    return SharpnessAware(sgd(model), model=model, **settings)


@pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)
def test_equals_the_reference_step_by_step(settings):
    model, twin = awkward(), awkward()
    fast = sharpness_aware(model, **settings)
    slow = ReferenceSharpnessAware(groups(twin), model=twin, **settings)
    for x, y in batches(STEPS):
        ours, theirs = fast.step(closure_for(model, x, y)), slow.step(closure_for(twin, x, y))
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)
        for (name, p), q in zip(
            model.state_dict().items(), twin.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9, msg=lambda m, n=name: f"{n} {m}")


class TestEveryMethod:
    """What holds for all of them."""

    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def settings(self, request):
        return request.param

    def test_rho_zero_is_the_base_optimizer_bit_for_bit(self, settings):
        model, plain = awkward(), awkward()
        losses = train(model, sharpness_aware(model, **{**settings, "rho": 0.0}), STEPS)
        assert losses == train(plain, sgd(plain), STEPS)
        assert_same(model, plain)

    def test_alpha_one_is_sam_bit_for_bit(self, settings):
        model, sam = awkward(), awkward()
        train(model, sharpness_aware(model, **{**settings, "alpha": 1.0}), STEPS)
        train(sam, sharpness_aware(sam, **{**settings, "alpha": None}), STEPS)
        assert_same(model, sam)

    def test_batch_norm_moves_once_a_step(self, settings):
        model = awkward()
        train(model, sharpness_aware(model, **settings), 5)
        assert model.norm.num_batches_tracked == 5
        assert model.norm.track_running_stats

    def test_goes_on_from_a_state_dict_bit_for_bit(self, settings):
        model = awkward()
        optimizer = sharpness_aware(model, **settings)
        train(model, optimizer, 7)
        resumed = awkward(seed=1)
        resumed.load_state_dict(model.state_dict())
        state = copy.deepcopy(optimizer.state_dict())
        again = sharpness_aware(resumed, **{**settings, "rho": 0.0, "alpha": None})
        again.load_state_dict(state)
        assert (again.rho, again.alpha, again.passes) == (
            optimizer.rho,
            optimizer.alpha,
            optimizer.passes,
        )
        assert train(model, optimizer, 7) == train(resumed, again, 7)
        assert_same(model, resumed)

    def test_is_deterministic(self, settings):
        model, again = awkward(), awkward()
        train(model, sharpness_aware(model, **settings), 5)
        train(again, sharpness_aware(again, **settings), 5)
        assert_same(model, again)

    @pytest.mark.parametrize("bad_pass", [1, 2])
    @pytest.mark.parametrize("bad", [math.inf, math.nan])
    @pytest.mark.parametrize("stepped", [0, 3], ids=["first_step", "later_step"])
    def test_a_non_finite_gradient_changes_nothing_and_is_counted(
        self, settings, bad_pass, bad, stepped
    ):
        if settings["rho"] == 0 and bad_pass == 2:
            pytest.skip("there is no second pass")
        model = awkward()
        optimizer = sharpness_aware(model, **settings)
        train(model, optimizer, stepped)
        weights = [p.detach().clone() for p in model.parameters()]
        pointers = [p.data_ptr() for p in model.parameters()]
        state = copy.deepcopy(optimizer.state_dict())
        ((x, y),) = batches(1)
        calls = 0

        def closure():
            nonlocal calls
            calls += 1
            loss = closure_for(model, x, y)()
            if calls == bad_pass:
                model.head.weight.grad[0, 0] = bad
            return loss

        optimizer.step(closure)
        for p, weight, pointer in zip(model.parameters(), weights, pointers, strict=True):
            assert torch.equal(p, weight)
            assert p.data_ptr() == pointer
        after = optimizer.state_dict()
        after["sharpness_aware"]["passes"] = state["sharpness_aware"]["passes"]
        assert str(after) == str(state)
        statistics = optimizer.read_statistics()
        assert statistics["skipped_steps"] == 1
        assert statistics["grad_norm"] > 0 or stepped == 0

    def test_an_error_in_either_pass_leaves_the_weights(self, settings):
        for bad_pass in (1, 2)[: 1 if settings["rho"] == 0 else 2]:
            model = awkward()
            optimizer = sharpness_aware(model, **settings)
            before = copy.deepcopy(model.state_dict())
            ((x, y),) = batches(1)

            def closure(model=model, optimizer=optimizer, x=x, y=y, bad_pass=bad_pass):
                if optimizer.passes == bad_pass - 1:
                    raise RuntimeError("out of memory")
                return closure_for(model, x, y)()

            with pytest.raises(RuntimeError, match="out of memory"):
                optimizer.step(closure)
            for name, parameter in model.named_parameters():
                assert torch.equal(parameter, before[name])
            assert model.norm.track_running_stats
            optimizer.step(closure_for(model, x, y))

    def test_learning_rate_schedulers_take_it_without_a_warning(self, settings):
        model, plain = awkward(), awkward()
        optimizer, base = sharpness_aware(model, **settings), sgd(plain)
        schedulers = [torch.optim.lr_scheduler.StepLR(o, 2, 0.1) for o in (optimizer, base)]
        for x, y in batches(5):
            optimizer.step(closure_for(model, x, y))
            base.step(closure_for(plain, x, y))
            for scheduler in schedulers:
                scheduler.step()
        rates = [group["lr"] for group in optimizer.base_optimizer.param_groups]
        assert rates == pytest.approx([0.05e-2, 0.02e-2, 0.1e-2])
        assert rates == [group["lr"] for group in base.param_groups]


def test_without_a_model_batch_norm_moves_in_both_passes():
    model = awkward()
    train(model, SharpnessAware(sgd(model), rho=0.1), 5)
    assert model.norm.num_batches_tracked == 10


@pytest.fixture
def only_new_objects():
    """The garbage collector lists those that a test makes, not all that were imported before."""
    gc.freeze()
    yield
    gc.unfreeze()


def _held():
    """Bytes of all tensors that Python sees, each storage once."""
    tensors = [o for o in gc.get_objects() if type(o) in (torch.Tensor, nn.Parameter)]
    return sum({t.data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


@pytest.mark.usefixtures("only_new_objects")
@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        ({"rho": 0.0}, 0),
        ({}, 1),
        ({"adaptive": "asam_by_shape"}, 1),
        ({"norm": 3}, 1),
        ({"alpha": 0.5}, 2),
        ({"variant": "gsam"}, 2),
        ({"variant": "fsam"}, 2),
        ({"variant": "vasso", "alpha": 0.5}, 2),
    ],
)
def test_copies_of_the_weights_held_during_the_last_pass(settings, copies):
    """Beside what lasts: the weights, the momentum and the running mean of the gradients."""
    model = nn.Linear(300, 300)
    optimizer = SharpnessAware(
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), **{"rho": 0.1, **settings}
    )
    x, held = torch.randn(2, 300), []

    def closure():
        optimizer.zero_grad()
        held.append(_held())
        loss = model(x).square().mean()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    optimizer.zero_grad()
    lasting = _held()
    weights = 4 * sum(p.numel() for p in model.parameters())
    assert held[-1] - lasting == pytest.approx(copies * weights, rel=0.01, abs=0.01 * weights)


def test_counts_passes():
    model = awkward()
    optimizer = sharpness_aware(model, rho=0.1)
    train(model, optimizer, 3)
    optimizer.rho = 0.0
    train(model, optimizer, 3)
    assert optimizer.passes == 3 * 2 + 3


def test_rho_and_alpha_act_from_the_next_step():
    model, other = awkward(), awkward()
    optimizer = sharpness_aware(model, rho=0.1)
    optimizer.rho, optimizer.alpha = 0.4, 0.25
    train(model, optimizer, 3)
    train(other, sharpness_aware(other, rho=0.4, alpha=0.25), 3)
    assert_same(model, other)


def test_returns_the_first_loss_detached():
    model = awkward()
    ((x, y),) = batches(1)
    expected = F.cross_entropy(copy.deepcopy(model)(x), y)
    loss = sharpness_aware(model, rho=0.5).step(closure_for(model, x, y))
    assert torch.equal(loss, expected)
    assert not loss.requires_grad


def test_a_closure_that_zeroes_in_place_works():
    model, other = awkward(), awkward()
    one = sharpness_aware(model, rho=0.3, alpha=0.5)
    two = sharpness_aware(other, rho=0.3, alpha=0.5)
    for x, y in batches(5):

        def closure(x=x, y=y):
            one.zero_grad(set_to_none=False)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        one.step(closure)
        two.step(closure_for(other, x, y))
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert p.equal(q)


def test_a_parameter_may_get_a_gradient_in_one_pass_only():
    model = awkward(dtype=torch.float32)
    optimizer = sharpness_aware(model, rho=0.1, alpha=0.5)
    for step, (x, y) in enumerate(batches(4, torch.float32)):

        def closure(x=x, y=y, step=step):
            optimizer.zero_grad()
            use = (optimizer.passes + step) % 2
            loss = F.cross_entropy(model(x), y) + use * (model.unused**2).sum()
            if not use:
                loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)
    assert optimizer.read_statistics()["skipped_steps"] == 0
    assert not torch.equal(model.unused, torch.ones(4))


def test_under_autocast_the_second_pass_sees_the_moved_weights():
    torch.manual_seed(0)
    model = nn.Linear(8, 3)
    optimizer = SharpnessAware(torch.optim.SGD(model.parameters(), lr=0.1), rho=1.0)
    x, y = torch.randn(16, 8), torch.randint(0, 3, (16,))
    seen = []

    def closure():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(x)
            expected = F.linear(x.bfloat16(), model.weight.bfloat16(), model.bias.bfloat16())
            seen.append((logits.detach(), expected.detach()))
            loss = F.cross_entropy(logits, y)
        loss.backward()
        return loss

    optimizer.step(closure)
    (logits, expected), (moved_logits, moved_expected) = seen
    assert logits.dtype == torch.bfloat16
    assert torch.equal(logits, expected)
    assert torch.equal(moved_logits, moved_expected)
    assert not torch.equal(logits, moved_logits)


def test_statistics_are_means_since_the_last_read():
    model = awkward()
    optimizer = sharpness_aware(model, rho=0.3)
    norms, rises = [], []
    for x, y in batches(70):
        losses = []

        def closure(x=x, y=y, losses=losses):
            loss = closure_for(model, x, y)()
            if not losses:
                grads = [p.grad for p in model.parameters() if p.grad is not None]
                norms.append(math.sqrt(sum(float((g**2).sum()) for g in grads)))
            losses.append(loss.item())
            return loss

        optimizer.step(closure)
        rises.append(losses[1] - losses[0])
    statistics = optimizer.read_statistics()
    assert statistics["grad_norm"] == pytest.approx(sum(norms) / 70, rel=1e-5)
    assert statistics["sharpness"] == pytest.approx(sum(rises) / 70, rel=1e-4)
    assert statistics["skipped_steps"] == 0
    assert all(
        math.isnan(v) for k, v in optimizer.read_statistics().items() if k != "skipped_steps"
    )


def test_group_fractions_are_those_of_the_first_step():
    model = awkward()
    optimizer = sharpness_aware(model, rho=0.3, alpha=0.5)
    ((x, y),) = batches(1)
    grads = []

    def closure():
        loss = closure_for(model, x, y)()
        with_gradient = [p.grad for p in model.parameters() if p.grad is not None]
        grads.append(torch.cat([g.flatten() for g in with_gradient]))
        return loss

    optimizer.step(closure)
    ratio = grads[1] / grads[0]
    statistics = optimizer.read_statistics()
    assert statistics["group_a"] == pytest.approx((ratio >= 1).double().mean().item())
    assert statistics["group_b"] == pytest.approx(
        ((ratio > 0) & (ratio < 1)).double().mean().item()
    )
    assert sum(statistics[f"group_{g}"] for g in "abc") == pytest.approx(1)


def test_one_pass_has_no_sharpness_and_no_groups():
    model = awkward()
    optimizer = sharpness_aware(model, rho=0.0)
    train(model, optimizer, 3)
    statistics = optimizer.read_statistics()
    assert statistics["grad_norm"] > 0
    assert all(math.isnan(statistics[k]) for k in ("sharpness", "group_a", "group_b", "group_c"))


@pytest.mark.parametrize(
    "base", [torch.optim.AdamW, torch.optim.RMSprop, torch.optim.SGD], ids=lambda b: b.__name__
)
def test_takes_any_base_optimizer(base):
    model = awkward()
    optimizer = SharpnessAware(base(model.parameters(), lr=0.01), rho=0.1, model=model)
    ((x, y),) = batches(1)
    losses = [optimizer.step(closure_for(model, x, y)).item() for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("stepped", [1, 3])
@pytest.mark.parametrize("base", [torch.optim.SGD, torch.optim.AdamW], ids=["sgd", "adamw"])
def test_a_fused_optimizer_skips_on_the_device(base, stepped, monkeypatch):
    """The accelerator's way, run with the CPU's fused kernels."""
    model = awkward(dtype=torch.float32)
    optimizer = SharpnessAware(base(model.parameters(), lr=0.01, fused=True), rho=0.1, model=model)
    train(model, optimizer, stepped)
    monkeypatch.setattr(optimizer, "_checks_on_device", lambda norms: optimizer._has_stepped)
    train(model, optimizer, 1)
    weights = [p.detach().clone() for p in model.parameters()]
    state = copy.deepcopy(optimizer.state_dict()["state"])
    ((x, y),) = batches(1, torch.float32)

    def closure():
        loss = closure_for(model, x, y)()
        model.head.bias.grad.fill_(math.nan)
        return loss

    optimizer.step(closure)
    for p, weight in zip(model.parameters(), weights, strict=True):
        assert torch.equal(p, weight)
    assert str(optimizer.state_dict()["state"]) == str(state)
    assert optimizer.read_statistics()["skipped_steps"] == 1
    assert not hasattr(optimizer.base_optimizer, "found_inf")
    train(model, optimizer, 1)
    assert not torch.equal(model.head.weight, weights[-3])


def test_is_a_shell_over_the_base_optimizer():
    model = awkward()
    base = sgd(model)
    optimizer = SharpnessAware(base, rho=0.1)
    assert optimizer.param_groups is base.param_groups
    assert optimizer.state is base.state
    assert isinstance(optimizer, torch.optim.Optimizer)
    calls = []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})
    train(model, optimizer, 2)
    assert calls == [1, 1]
    assert len(base.param_groups) == 4


def test_survives_pickling_and_copying():
    model = awkward()
    optimizer = sharpness_aware(model, rho=0.2, alpha=0.5)
    train(model, optimizer, 2)
    for copied_model, copied in (
        copy.deepcopy((model, optimizer)),
        pickle.loads(pickle.dumps((model, optimizer))),
    ):
        other = copy.deepcopy((model, optimizer))
        train(copied_model, copied, 3)
        train(*other, 3)
        assert_same(copied_model, other[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rho": -0.1}, "rho is -0.1; allowed: a number, at least 0"),
        ({"rho": math.nan}, "rho is nan"),
        ({"rho": "0.1"}, "rho is '0.1'"),
        ({"rho": 0.1, "eta": -1}, "eta is -1"),
        ({"rho": 0.1, "alpha": math.inf}, "alpha is inf"),
        ({"rho": 0.1, "norm": 1}, "norm is 1; allowed: a number, above 1"),
        ({"rho": 0.1, "norm": 3, "adaptive": "asam_by_name"}, "defined for norm 2"),
        ({"rho": 0.1, "variant": "gsm"}, "Did you mean 'gsam'"),
        ({"rho": 0.1, "theta": 0}, r"theta is 0; allowed: a number, in \(0, 1\]"),
        ({"rho": 0.1, "lmbda": 1}, "lmbda is 1"),
        ({"rho": 0.1, "sigma": -1}, "sigma is -1"),
        ({"rho": 0.1, "g_alpha": -1}, "g_alpha is -1"),
        ({"rho": 0.1, "adaptive": "asam_by_nme"}, "Did you mean 'asam_by_name'"),
        ({"rho": 0.1, "model": "resnet"}, "model is 'resnet'"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(UserError, match=message):
        SharpnessAware(sgd(awkward()), **settings)


def test_the_published_asam_scales_batch_norms_weights_too():
    """SamsungLabs/ASAM scales all parameters whose name has ``weight``; by shape, none of these."""
    model, by_shape = awkward(), awkward()
    train(model, sharpness_aware(model, rho=1.0, adaptive="asam_by_name"), 6)
    train(by_shape, sharpness_aware(by_shape, rho=1.0, adaptive="asam_by_shape"), 6)
    assert (model.norm.weight - by_shape.norm.weight).abs().max() > 1e-4


ABLATIONS = [
    GroupRule(action, group, 0.9)
    for action in ("without", "only")
    for group in ("a", "b", "c", "ab")
]


@pytest.mark.parametrize("rule", ABLATIONS, ids=str)
def test_sam_without_a_group_or_on_it_only_equals_the_reference(rule):
    """samwo and samonly of the official code take the plain gradient where SAM's is left out."""
    model, twin = awkward(), awkward()
    settings = {"rho": 0.3, "alpha": 1.0, "rule": rule}
    fast = sharpness_aware(model, **settings)
    slow = ReferenceSharpnessAware(groups(twin), model=twin, **settings)
    for x, y in batches(8):
        torch.testing.assert_close(
            fast.step(closure_for(model, x, y)), slow.step(closure_for(twin, x, y))
        )
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9)


def test_sam_on_all_groups_but_none_is_sgd_with_sams_statistics():
    model, plain = awkward(), awkward()
    everything = GroupRule("without", "ab")
    optimizer = sharpness_aware(model, rho=0.3, alpha=1.0, rule=everything)
    only_c = GroupRule("only", "c")
    other = sharpness_aware(plain, rho=0.3, alpha=1.0, rule=only_c)
    train(model, optimizer, 5)
    train(plain, other, 5)
    assert_same(model, plain)


def test_the_last_layer_needs_a_model_that_has_one():
    with pytest.raises(UserError, match="Give model="):
        SharpnessAware(sgd(awkward()), rho=0.1, alpha=0.5, last_layer=True)


def test_the_last_layer_may_be_named():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    x, before = torch.randn(8, 3), {k: v.clone() for k, v in model.state_dict().items()}

    def reweighted(last_layer):
        model.load_state_dict(before)
        base = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer = SharpnessAware(base, rho=0.5, alpha=0.0, last_layer=last_layer, model=model)

        def closure():
            optimizer.zero_grad()
            loss = (model(x).tanh() - x).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)
        return torch.cat([layer.weight.detach().flatten() for layer in model])

    assert torch.equal(reweighted("1"), reweighted(True))
    assert not torch.equal(reweighted("0"), reweighted(True))
    with pytest.raises(UserError, match=r"there is no torch\.nn\.Linear '2'"):
        reweighted("2")


def test_names_may_come_from_the_base_optimizer():
    model, twin = awkward(), awkward()
    named = torch.optim.SGD(model.named_parameters(), lr=0.1)
    plain = torch.optim.SGD(twin.parameters(), lr=0.1)
    settings = {"rho": 1.0, "adaptive": "asam_by_name"}
    train(model, SharpnessAware(named, **settings), 5)
    plain = SharpnessAware(plain, **settings, model=twin)
    plain._batch_norms = []  # the other one knows of no BatchNorm
    train(twin, plain, 5)
    assert_same(model, twin)


def test_asam_by_name_without_names_says_where_to_get_them():
    model = awkward()
    part = nn.ModuleList([model.convolution, model.frozen, model.norm])
    with pytest.raises(UserError, match=r"7 of 12 parameters.*Give model=\.\.\..*asam_by_shape"):
        SharpnessAware(sgd(model), rho=0.1, adaptive="asam_by_name", model=part)


def test_a_parameter_group_added_later_needs_names_too():
    model = awkward()
    optimizer = sharpness_aware(model, rho=0.1, adaptive="asam_by_name")
    extra = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer.add_param_group({"params": [extra]})

    def closure():
        loss = model(next(batches(1))[0]).sum() * extra.sum()
        loss.backward()
        return loss

    with pytest.raises(UserError, match="1 of 13 parameters have no name"):
        optimizer.step(closure)


def test_asam_is_the_earlier_name_of_asam_by_shape():
    model, renamed = awkward(), awkward()
    train(model, sharpness_aware(model, rho=1.0, adaptive="asam"), 3)
    train(renamed, sharpness_aware(renamed, rho=1.0, adaptive="asam_by_shape"), 3)
    assert_same(model, renamed)


@pytest.mark.parametrize("base", [torch.optim.SGD, None, "sgd"])
def test_refuses_what_is_no_optimizer(base):
    with pytest.raises(UserError, match="Build the base optimizer first"):
        SharpnessAware(base, rho=0.1)


def test_refuses_to_wrap_itself():
    with pytest.raises(UserError, match="already"):
        SharpnessAware(SharpnessAware(sgd(awkward()), rho=0.1), rho=0.1)


def test_refuses_lbfgs_and_says_what_to_wrap():
    with pytest.raises(UserError, match=r"LBFGS.*such as torch\.optim\.SGD"):
        SharpnessAware(torch.optim.LBFGS(awkward().parameters()), rho=0.1)


def test_a_gradient_scaler_is_refused_with_what_to_do_instead():
    model = awkward(dtype=torch.float32)
    optimizer, scaler = sharpness_aware(model, rho=0.1), torch.amp.GradScaler("cpu")
    ((x, y),) = batches(1, torch.float32)
    scaler.scale(F.cross_entropy(model(x), y)).backward()
    with pytest.raises(UserError, match=r"GradScaler.*bfloat16 autocast inside the closure"):
        scaler.step(optimizer)


def test_a_trainer_that_calls_step_by_itself_is_refused_with_what_to_do_instead():
    with pytest.raises(UserError, match=r"Hugging Face's Trainer.*has a subclass of the Trainer"):
        sharpness_aware(awkward(), rho=0.1).step()


class TestRhoOfAParameterGroup:
    """A group's own ``rho`` counts, and the norm stays that of all groups together."""

    @staticmethod
    def moves(groups, rho):
        """How far each of two parameters stands from its weights in the second pass."""
        params = [group["params"][0] for group in groups]
        optimizer = SharpnessAware(torch.optim.SGD(groups, lr=0.1), rho=rho)
        seen = []

        def closure():
            seen.append([p.detach().clone() for p in params])
            for p in params:
                p.grad = None
            loss = (params[0] * 3).sum() + (params[1] * 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return [[(a - b).item() for a, b in zip(pass_, seen[0], strict=True)] for pass_ in seen[1:]]

    @staticmethod
    def groups(*radii):
        return [
            {"params": [nn.Parameter(torch.ones(1))], **({} if rho is None else {"rho": rho})}
            for rho in radii
        ]

    def test_is_what_its_parameters_move_by(self):
        ((one, other),) = self.moves(self.groups(0.5, None), rho=0.1)
        assert one == pytest.approx(0.5 * 3 / 5)
        assert other == pytest.approx(0.1 * 4 / 5)

    def test_of_zero_leaves_its_parameters_where_they_are(self):
        ((one, other),) = self.moves(self.groups(0.0, None), rho=0.1)
        assert one == 0
        assert other == pytest.approx(0.1 * 4 / 5)

    def test_takes_a_second_pass_where_the_others_need_none(self):
        assert len(self.moves(self.groups(0.5, None), rho=0.0)) == 1

    def test_of_zero_everywhere_takes_one_pass(self):
        assert self.moves(self.groups(0.0, 0.0), rho=0.1) == []

    def test_equal_to_the_optimizers_is_the_same(self):
        own, shared = (
            self.moves(self.groups(0.1, 0.1), 0.5),
            self.moves(self.groups(None, None), 0.1),
        )
        assert own[0] == pytest.approx(shared[0], rel=1e-5)

    def test_out_of_range_is_refused(self):
        with pytest.raises(UserError, match="rho is -1; allowed: a number, at least 0"):
            self.moves(self.groups(-1, None), rho=0.1)


@pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)
def test_float64_as_the_default_type_changes_nothing(settings):
    model, plain = awkward(), awkward()
    torch.set_default_dtype(torch.float64)
    try:
        optimizer = sharpness_aware(model, **settings)
        train(model, optimizer, 3)
        assert optimizer.read_statistics()["skipped_steps"] == 0
    finally:
        torch.set_default_dtype(torch.float32)
    train(plain, sharpness_aware(plain, **settings), 3)
    assert_same(model, plain)


@pytest.mark.parametrize("closure", [None, lambda: None, lambda: torch.zeros(())])
@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_teaches_the_closure(closure, rho):
    model = awkward()
    with pytest.raises(UserError, match=r"optimizer\.step\(closure\)"):
        sharpness_aware(model, rho=rho).step(closure)


@pytest.mark.parametrize(
    "off",
    [
        {"variant": "gsam", "g_alpha": 0},
        {"variant": "fsam", "sigma": 0},
        {"variant": "vasso", "theta": 1},
    ],
    ids=["gsam", "fsam", "vasso"],
)
@pytest.mark.parametrize("saner", [{}, {"alpha": 0.4}], ids=["", "saner"])
def test_a_variant_turned_off_is_sam_bit_for_bit(off, saner):
    model, sam = awkward(), awkward()
    train(model, sharpness_aware(model, rho=0.3, **off, **saner), STEPS)
    train(sam, sharpness_aware(sam, rho=0.3, **saner), STEPS)
    assert_same(model, sam)


def test_the_mean_gradient_starts_after_a_bad_first_step():
    model, clean = awkward(), awkward()
    optimizer, other = (sharpness_aware(m, rho=0.3, variant="fsam") for m in (model, clean))
    ((x, y),) = batches(1)

    def overflow():
        loss = closure_for(model, x, y)()
        model.head.weight.grad[0, 0] = math.inf
        return loss

    statistics = copy.deepcopy(model.state_dict())
    optimizer.step(overflow)
    model.load_state_dict(statistics)  # its BatchNorm saw a batch that the other's did not
    train(model, optimizer, 4)
    train(clean, other, 4)
    assert_same(model, clean)


def test_refuses_the_state_of_another_variant():
    model = awkward()
    state = sharpness_aware(model, rho=0.1).state_dict()
    with pytest.raises(UserError, match="variant is vasso"):
        sharpness_aware(model, rho=0.1, variant="vasso").load_state_dict(state)


def test_refuses_the_state_of_a_plain_optimizer():
    model = awkward()
    with pytest.raises(UserError, match="base_optimizer"):
        sharpness_aware(model, rho=0.1).load_state_dict(sgd(model).state_dict())


@pytest.mark.parametrize("fits", [True, False])
def test_the_means_move_on_a_device_as_on_a_cpu(monkeypatch, fits):
    generator = torch.Generator().manual_seed(0)
    means, values = (
        [torch.randn(shape, generator=generator) for shape in ((3, 4), (7,))] for _ in range(2)
    )
    if not fits:
        values[0][0, 0] = math.nan
    norms = torch.tensor(1.0 if fits else math.inf)
    on_device = [mean.clone() for mean in means]
    expected = [
        mean + 0.3 * (v - mean) if fits else mean.clone()
        for mean, v in zip(means, values, strict=True)
    ]
    move_means_(means, values, 0.3, norms)
    monkeypatch.setattr(variants, "readable", lambda value: False)
    move_means_(on_device, values, 0.3, norms)
    for one, other, mean in zip(means, on_device, expected, strict=True):
        torch.testing.assert_close(one, mean)
        torch.testing.assert_close(other, mean)
