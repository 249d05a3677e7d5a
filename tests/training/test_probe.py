"""p_r: which group of components fits the wrong labels."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.methods.networks import awkward
from tune_robust.data import LabelledImages
from tune_robust.methods import SharpnessAware
from tune_robust.training.probe import NOISE_RATIOS, PROBED, probe, probe_part


def part():
    """300 right labels and 200 wrong ones; every image is another."""
    labels = torch.arange(500) % 3
    wrong = (torch.arange(500) % 5 < 2).long()
    images = torch.arange(500).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    return LabelledImages(images, (labels + wrong) % 3, labels)


def sgd(model, **settings):
    return SharpnessAware(torch.optim.SGD(model.parameters(), lr=0.1), model=model, **settings)


def samples(count=8):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(2 * count, 1, 4, 4, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(0, 3, (2 * count,), generator=generator)


def test_takes_as_many_of_each_kind():
    probe = probe_part(part(), seed=1)
    assert probe.noisy.tolist() == [False] * 128 + [True] * 128
    assert len(probe.images.unique(dim=0)) == len(probe)
    few = probe_part(replace_labels(part(), wrong=3), seed=1)
    assert few.noisy.tolist() == [False] * 3 + [True] * 3


def replace_labels(full, wrong):
    labels = full.true_labels.clone()
    labels[:wrong] = (labels[:wrong] + 1) % 3
    return replace(full, labels=labels)


def test_the_seed_alone_decides():
    state = torch.get_rng_state()
    one, again, other = (probe_part(part(), seed).images for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("wrong", [0, 500])
def test_without_one_kind_there_is_nothing_to_compare(wrong):
    empty = probe_part(replace_labels(part(), wrong), seed=0)
    assert len(empty) == 0
    model = awkward()
    inputs = torch.empty(0, 1, 4, 4, dtype=torch.float64)
    ratios = probe(model, sgd(model, rho=0.1), model, inputs, empty.labels, 0.0)
    assert all(math.isnan(ratios[name]) for name in PROBED)


def test_one_pass_has_no_groups():
    model = awkward()
    ratios = probe(model, sgd(model, rho=0.0), model, *samples(), 0.5)
    assert all(math.isnan(ratios[name]) for name in NOISE_RATIOS)


@pytest.mark.parametrize("settings", [{"rho": 0.3}, {"rho": 1.0, "adaptive": "asam_by_name"}])
def test_equals_the_losses_that_removing_a_group_leaves(settings):
    """The reference walks a little along the step, with and without the group, component-wise."""
    inputs, labels = samples()
    model = awkward()
    ratios = probe(model, sgd(model, **settings), model, inputs, labels, 0.3)

    params = [p for p in model.parameters() if p.requires_grad]

    def losses():
        each = F.cross_entropy(model(inputs), labels, reduction="none")
        return each[:8].mean(), each[8:].mean()

    def mixed_gradient():
        clean, noisy = losses()
        grads = torch.autograd.grad(0.7 * clean + 0.3 * noisy, params, materialize_grads=True)
        return [g.detach() for g in grads]

    own = [p.detach().clone() for p in params]
    sgd_grads = mixed_gradient()
    moved, _ = sgd(model, **settings).moved(params, sgd_grads)
    _set(params, moved)
    sam_grads = mixed_gradient()
    _set(params, own)
    pairs = list(zip(sam_grads, sgd_grads, strict=True))
    in_b = [(s * g > 0) & (s.abs() < g.abs()) for s, g in pairs]
    in_a = [(s * g > 0) & (s.abs() >= g.abs()) for s, g in pairs]
    in_c = [~(a | b) for a, b in zip(in_a, in_b, strict=True)]
    for name, group in zip(NOISE_RATIOS, (in_a, in_b, in_c), strict=True):
        slower = []
        for sign in (1, -1):
            steps = [sign * 1e-6 * s * m for s, m in zip(sam_grads, group, strict=True)]
            _set(params, [w - step for w, step in zip(own, steps, strict=True)])
            slower.append(torch.stack(losses()).detach())
            _set(params, own)
        clean, noisy = slower[1] - slower[0]
        assert ratios[name] == pytest.approx((noisy / clean).item(), rel=1e-3)


def _set(params, values):
    for param, value in zip(params, values, strict=True):
        param.data = value.clone()


def test_leaves_everything_as_it_was():
    model = awkward()
    optimizer = sgd(model, rho=0.3, variant="fsam")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = str(optimizer.state_dict())
    probe(model, optimizer, model, *samples(), 0.3)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert str(optimizer.state_dict()) == state


@pytest.mark.parametrize("settings", [{"rho": 0.0}, {"rho": 0.3}])
def test_alignment_equals_the_gradients_of_the_two_halves_apart(settings):
    inputs, labels = samples()
    model = awkward()
    found = probe(model, sgd(model, **settings), model, inputs, labels, 0.3)
    params = [p for p in model.parameters() if p.requires_grad]

    def gradient(part):
        loss = F.cross_entropy(model(inputs), labels, reduction="none")[part].mean()
        grads = torch.autograd.grad(loss, params, materialize_grads=True)
        return torch.cat([g.flatten() for g in grads])

    clean, noisy = gradient(slice(8)), gradient(slice(8, None))
    assert found["gradient_cosine"] == pytest.approx(F.cosine_similarity(clean, noisy, 0).item())
    pairs = [(c, n) for c, n in zip(clean.tolist(), noisy.tolist(), strict=True) if c and n]
    agree = sum((c > 0) == (n > 0) for c, n in pairs) / len(pairs)
    assert found["gradient_sign_agreement"] == pytest.approx(agree)
    assert set(found) == set(PROBED)


def test_losses_of_low_precision_logits_are_taken_in_float32(monkeypatch):
    seen, real = [], F.cross_entropy

    def recorded(logits, *arguments, **options):
        seen.append(logits.dtype)
        return real(logits, *arguments, **options)

    monkeypatch.setattr(F, "cross_entropy", recorded)
    model = awkward()
    probe(model, sgd(model, rho=0.3), lambda x: model(x).bfloat16(), *samples(), 0.3)
    assert set(seen) == {torch.float32}
