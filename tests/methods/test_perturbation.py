import math

import pytest
import torch

from tune_robust.methods import global_norm, moved_weights, weights_at
from tune_robust.methods.perturbation import overflowed

ADAPTIVE = [None, "asam_by_name", "asam_by_shape", "elementwise"]
NAMES = ["layer.weight", "norm.weight", "convolution.kernel", "weightless"]


def tensors(dtype=torch.float64):
    params = [torch.randn(s, dtype=dtype) for s in [(4, 3), (4,), (2, 1, 3, 3), ()]]
    return params, [torch.randn_like(p) for p in params]


def scale(weight, name, adaptive, eta):
    if adaptive == "elementwise":
        return weight.abs()
    if adaptive == "asam_by_name":
        return weight.abs() + eta if "weight" in name else torch.ones_like(weight)
    by_shape = adaptive == "asam_by_shape" and weight.ndim > 1
    return weight.abs() + eta if by_shape else torch.ones_like(weight)


def test_the_norm_is_over_all_tensors_as_one():
    one = torch.cat([t.flatten() for t in tensors()[0]])
    torch.manual_seed(0)
    torch.testing.assert_close(global_norm(tensors()[0]), one.norm())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_one_component_overflows_all(bad, dtype):
    params, _ = tensors(dtype)
    params.append(torch.randn(3, 2, 2, 2).contiguous(memory_format=torch.channels_last))
    copies = [p.clone() for p in params]
    assert overflowed(params).item() == 0
    assert all(torch.equal(p, c) for p, c in zip(params, copies, strict=True))
    params[2].view(-1)[3] = bad
    assert overflowed(params).item() == 1


@pytest.mark.parametrize("adaptive", ADAPTIVE)
def test_moves_by_the_formula(adaptive):
    params, grads = tensors()
    rho, eta = 0.7, 0.05
    moved, norm = moved_weights(params, grads, rho=rho, adaptive=adaptive, eta=eta, names=NAMES)
    scales = [scale(w, n, adaptive, eta) for w, n in zip(params, NAMES, strict=True)]
    length = math.sqrt(sum(float(((t * g) ** 2).sum()) for t, g in zip(scales, grads, strict=True)))
    for w, g, t, m in zip(params, grads, scales, moved, strict=True):
        torch.testing.assert_close(m, w + rho * t**2 * g / length)
    torch.testing.assert_close(norm, torch.cat([g.flatten() for g in grads]).norm())


@pytest.mark.parametrize("norm", [1.1, 1.5, 3.0, 10.0, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_in_another_norm_is_rho_long_and_climbs_furthest(norm, dtype):
    """By Hoelder's inequality nothing of p-length rho climbs more than rho * ||g||_q."""
    params, grads = tensors(dtype)
    moved, size = moved_weights(params, grads, rho=0.7, norm=norm)
    steps = [m - w for m, w in zip(moved, params, strict=True)]
    step, grad = (torch.cat([t.flatten() for t in list_]).double() for list_ in (steps, grads))
    dual = 1 / (1 - 1 / norm)
    assert step.norm(norm).item() == pytest.approx(0.7, rel=1e-5)
    assert (step @ grad).item() == pytest.approx(0.7 * grad.norm(dual).item(), rel=1e-5)
    assert size.item() == pytest.approx(grad.norm().item(), rel=1e-6)


def test_a_norm_near_one_does_not_underflow():
    """Its exponent is 100: relative to 1, all but the largest components are 0 in float32."""
    (moved,), _ = moved_weights(
        [torch.zeros(3)], [torch.tensor([0.1, 0.099, 0.0])], rho=1, norm=1.01
    )
    assert moved[0] > moved[1] > 0
    assert moved.norm(1.01).item() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("norm", [1.5, 3.0, math.inf])
def test_a_zero_gradient_moves_nothing_in_another_norm(norm):
    params, grads = tensors()
    moved, _ = moved_weights(params, [torch.zeros_like(g) for g in grads], rho=0.5, norm=norm)
    assert all(torch.equal(m, p) for m, p in zip(moved, params, strict=True))


@pytest.mark.parametrize("adaptive", ADAPTIVE)
def test_leaves_weights_and_gradients_as_they_are(adaptive):
    params, grads = tensors()
    copies = [t.clone() for t in params + grads]
    moved, _ = moved_weights(params, grads, rho=0.5, adaptive=adaptive, names=NAMES)
    assert all(torch.equal(t, c) for t, c in zip(params + grads, copies, strict=True))
    assert not {t.data_ptr() for t in moved} & {t.data_ptr() for t in params + grads}


@pytest.mark.parametrize("adaptive", ADAPTIVE)
def test_a_zero_gradient_moves_nothing(adaptive):
    params, grads = tensors()
    zeros = [torch.zeros_like(g) for g in grads]
    moved, norm = moved_weights(params, zeros, rho=0.5, adaptive=adaptive, names=NAMES)
    assert all(torch.equal(m, p) for m, p in zip(moved, params, strict=True))
    assert norm == 0


@pytest.mark.parametrize("adaptive", [None, "asam_by_shape"])
def test_keeps_the_memory_format(adaptive):
    weight = torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    (moved,), _ = moved_weights([weight], [weight * 2], rho=0.5, adaptive=adaptive)
    assert moved.stride() == weight.stride()


def test_weights_come_back_bit_for_bit():
    params = [torch.nn.Parameter(p) for p in tensors()[0]]
    moved = [torch.randn_like(p) for p in params]
    before = [(p.detach().clone(), p.data_ptr()) for p in params]
    with weights_at(params, moved):
        assert all(torch.equal(p, m) for p, m in zip(params, moved, strict=True))
    assert all(
        torch.equal(p, b) and p.data_ptr() == at for p, (b, at) in zip(params, before, strict=True)
    )


def test_weights_come_back_after_an_error():
    params = [torch.nn.Parameter(torch.ones(3))]

    def fail():
        with weights_at(params, [torch.zeros(3)]):
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert torch.equal(params[0], torch.ones(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("adaptive", ADAPTIVE)
def test_a_gpu_moves_as_the_cpu_does(adaptive):
    params, grads = tensors()
    settings = {"rho": 0.5, "adaptive": adaptive, "names": NAMES}
    here, _ = moved_weights(params, grads, **settings)
    there, _ = moved_weights([p.cuda() for p in params], [g.cuda() for g in grads], **settings)
    for a, b in zip(here, there, strict=True):
        torch.testing.assert_close(a, b.cpu())
