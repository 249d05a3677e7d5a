"""mixup against its formula, its distribution, and its generator."""

import numpy as np
import pytest
import torch

from tune_robust.methods import LOSSES, mixed, mixed_batches, mixing_coefficients


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(size=6, classes=4):
    inputs = torch.randn(size, 1, 3, 3, generator=generator(1), dtype=torch.float64)
    return inputs, torch.randint(0, classes, (size,), generator=generator(2))


def test_blends_image_by_image_as_the_paper_writes_it():
    inputs, labels = batch()
    x, t = mixed(inputs, labels, torch.tensor(0.7), 4)
    share = float(torch.tensor(0.7))
    for i in range(6):
        partner = (i - 1) % 6
        expected = share * inputs[i] + (1 - share) * inputs[partner]
        target = [0.0] * 4
        target[labels[i]] += share
        target[labels[partner]] += 1 - share
        torch.testing.assert_close(x[i], expected)
        assert t[i].tolist() == pytest.approx(target)


def test_a_share_of_one_leaves_the_batch_alone():
    inputs, labels = batch()
    x, t = mixed(inputs, labels, torch.tensor(1.0), 4)
    assert torch.equal(x, inputs)
    assert torch.equal(t.argmax(1), labels)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_blend_is_the_blend_of_the_losses(name):
    _, labels = batch()
    log_p = torch.randn(6, 4, dtype=torch.float64).log_softmax(1)
    one_hot = torch.eye(4, dtype=torch.float64)
    _, targets = mixed(log_p, labels, torch.tensor(0.5), 4)
    ours, theirs = (LOSSES[name](log_p, one_hot[y]) for y in (labels, labels.roll(1)))
    torch.testing.assert_close(LOSSES[name](log_p, targets), 0.5 * ours + 0.5 * theirs)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_the_larger_parts_of_beta_draws(alpha):
    shares = mixing_coefficients(alpha, 20_000, generator())
    assert shares.dtype == torch.float32
    assert shares.min() >= 0.5
    assert shares.max() <= 1
    variance = 1 / (4 * (2 * alpha + 1))  # of Beta(alpha, alpha) around one half
    assert (shares - 0.5).square().mean().item() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("alpha", [1e-4, 1e6])
def test_extreme_alphas_give_finite_shares(alpha):
    assert mixing_coefficients(alpha, 100, generator()).isfinite().all()


def test_the_generator_alone_decides_the_blends():
    def epoch(source):
        inputs, labels = batch()
        batches = [(inputs, labels, torch.arange(6))] * 3
        return list(mixed_batches(batches, 3, alpha=1.0, classes=4, generator=source))

    np.random.seed(3)
    source = generator(5)
    first, second = epoch(source), epoch(source)
    np.random.seed(4)
    again = epoch(generator(5))
    for one, same, other in zip(first, again, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
        assert not torch.equal(one[0], other[0])
    assert not torch.equal(first[0][0], first[1][0])
