import pytest
import torch

from tune_robust.config import AdamWConfig, SgdConfig, parse_config
from tune_robust.errors import ConfigError
from tune_robust.methods import build_optimizer

CPU = torch.device("cpu")


def parameters():
    return [torch.nn.Parameter(torch.ones(3))]


def test_builds_sgd_with_its_settings():
    settings = SgdConfig(lr=0.3, momentum=0.7, weight_decay=0.01, nesterov=True)
    optimizer = build_optimizer(settings, parameters(), CPU)
    assert isinstance(optimizer, torch.optim.SGD)
    names = ("lr", "momentum", "weight_decay", "nesterov")
    assert {name: optimizer.defaults[name] for name in names} == settings.model_dump(
        exclude={"name"}
    )


def test_builds_adamw_with_its_settings():
    settings = AdamWConfig(lr=0.02, beta1=0.8, beta2=0.95, weight_decay=0.1)
    optimizer = build_optimizer(settings, parameters(), CPU)
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["betas"] == (0.8, 0.95)
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.02, 0.1)


@pytest.mark.parametrize("settings", [SgdConfig(), AdamWConfig()], ids=["sgd", "adamw"])
def test_the_fused_form_steps_as_the_plain_one(settings):
    fused = parameters()
    plain = parameters()
    one = build_optimizer(settings, fused, CPU)
    other = build_optimizer(settings, plain, torch.device("meta"))  # for which nothing is fused
    for step in range(5):
        for (p,) in (fused, plain):
            p.grad = torch.full((3,), 0.1 * (step + 1))
        one.step()
        other.step()
    assert (one.param_groups[0]["fused"], other.param_groups[0]["fused"]) == (True, False)
    torch.testing.assert_close(fused[0], plain[0])


def test_nesterov_looks_ahead_along_the_momentum():
    settings = SgdConfig(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    ours = parameters()
    optimizer = build_optimizer(settings, ours, CPU)
    w, velocity = [1.0], 0.0
    for step in range(20):
        gradient = 0.1 * (step - 8)
        ours[0].grad = torch.full((3,), gradient)
        optimizer.step()
        d = gradient + 0.01 * w[-1]
        velocity = 0.9 * velocity + d
        w.append(w[-1] - 0.1 * (d + 0.9 * velocity))
    assert ours[0].tolist() == pytest.approx([w[-1]] * 3, rel=1e-5)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ConfigError, match="raise momentum"):
        parse_config({"optimizer": {"name": "sgd", "momentum": 0.0, "nesterov": True}})


def test_takes_parameter_groups():
    groups = [{"params": parameters(), "lr": 0.5}, {"params": parameters()}]
    optimizer = build_optimizer(SgdConfig(lr=0.1), groups, CPU)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("gradients", [torch.contiguous_format, torch.channels_last])
def test_sgd_on_a_cpu_is_torchs_own_in_any_memory_layout(layout, momentum, gradients):
    settings = {"lr": 0.1, "momentum": momentum, "weight_decay": 0.01}
    start = [torch.randn(4, 1, 3, 3), torch.randn(5, 4, 3, 3), torch.randn(5)]
    given = [[torch.randn_like(w) for w in start] for _ in range(4)]

    def laid_out(tensor, layout):
        return tensor.clone(memory_format=layout if tensor.ndim == 4 else torch.preserve_format)

    def trained(build, layout, gradients, steps, weights=start, state=None):
        params = [torch.nn.Parameter(laid_out(w, layout)) for w in weights]
        optimizer = build(params)
        if state is not None:
            optimizer.load_state_dict(state)
        for grads in steps:
            for param, grad in zip(params, grads, strict=True):
                param.grad = laid_out(grad, gradients)
            optimizer.step()
        return [p.detach() for p in params], optimizer

    def ours(params):
        return build_optimizer(SgdConfig(**settings), params, torch.device("cpu"))

    def theirs(params):
        return torch.optim.SGD(params, **settings, fused=True)

    # torch's own is right where a gradient lies as its weight does.
    expected, _ = trained(theirs, layout, layout, given)
    found, _ = trained(ours, layout, gradients, given)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    half, optimizer = trained(theirs, layout, layout, given[:2])
    rest, _ = trained(ours, layout, gradients, given[2:], half, optimizer.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(rest, expected, strict=True))
