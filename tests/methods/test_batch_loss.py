import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.references.slaw import ReferenceSlaw
from tune_robust.config import LawConfig, SalsConfig
from tune_robust.errors import UserError
from tune_robust.methods import (
    LOSSES,
    BatchLoss,
    Plan,
    SharpnessAware,
    sample_weights,
    smoothed_targets,
)
from tune_robust.methods.weighting import SHAPES

SALS = SalsConfig(alpha=0.4, eps_min=0.01, eps_max=0.15, ema_decay=0.8)
LAWS = [LawConfig(gamma=0.8, tau=0.7, beta=1.5, shape=shape) for shape in SHAPES]
PARTS = list(itertools.product([None, SALS], [None, *LAWS]))


def batch(size=16, features=6, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(size, features, generator=generator, dtype=torch.float64)
    return h, torch.randint(0, classes, (size,), generator=generator)


@pytest.mark.parametrize(("sals", "law"), PARTS)
def test_trains_as_the_reference_does(sals, law):
    head, twin = (nn.Linear(6, 4, dtype=torch.float64) for _ in range(2))
    twin.load_state_dict(head.state_dict())
    batch_loss = BatchLoss(sals=sals, law=law)
    reference = ReferenceSlaw(twin, sals=sals and sals.model_dump(), law=law and law.model_dump())
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.5, momentum=0.9) for m in (head, twin)]
    for step in range(20):
        h, labels = batch(seed=step)
        loss, plan = batch_loss(head(h), h, labels)
        expected, epsilons, weights = reference(h, labels)
        for optimizer, one in zip(optimizers, (loss, expected), strict=True):
            optimizer.zero_grad()
            one.backward()
            optimizer.step()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
        if sals:
            assert plan.epsilon.tolist() == pytest.approx(epsilons, rel=1e-9)
        if law:
            assert plan.weights.tolist() == pytest.approx(weights, rel=1e-9)
    torch.testing.assert_close(head.weight, twin.weight, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_alone_it_is_torchs_cross_entropy_bit_for_bit(label_smoothing):
    h, labels = batch()
    logits = torch.randn(16, 4)
    loss, plan = BatchLoss(label_smoothing=label_smoothing)(logits, h, labels)
    assert torch.equal(loss, F.cross_entropy(logits, labels, label_smoothing=label_smoothing))
    assert plan == Plan(None, None)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_law_keeps_torchs_label_smoothing(label_smoothing):
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    loss, _ = BatchLoss(law=LawConfig(gamma=0.0), label_smoothing=label_smoothing)(
        logits, h, labels
    )
    expected = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    torch.testing.assert_close(loss, expected)


def test_sals_without_smoothing_is_cross_entropy():
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    loss, plan = BatchLoss(sals=SalsConfig(alpha=0.0))(logits, h, labels)
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))
    assert torch.equal(plan.epsilon, torch.zeros(16, dtype=torch.float64))


@pytest.mark.parametrize(("sals", "law"), PARTS)
def test_the_second_pass_sees_the_first_ones_plan(sals, law):
    batch_loss = BatchLoss(sals=sals, law=law)
    h, labels = batch()
    first, moved = (torch.randn(16, 4, dtype=torch.float64) for _ in range(2))
    _, plan = batch_loss(first, h, labels)
    state = copy.deepcopy(batch_loss.state_dict())
    loss, again = batch_loss(moved, h, labels, plan)
    assert again == plan
    assert batch_loss.state_dict() == state
    if sals is None and law is None:
        return
    log_p = moved.log_softmax(1)
    epsilon = torch.zeros(16, dtype=torch.float64) if plan.epsilon is None else plan.epsilon
    weights = torch.ones(16, dtype=torch.float64) if plan.weights is None else plan.weights
    on_label = log_p.gather(1, labels[:, None])[:, 0]
    others = log_p.sum(1) - on_label
    losses = -((1 - epsilon) * on_label + epsilon / 3 * others)
    torch.testing.assert_close(loss, (weights * losses).mean())


@pytest.mark.parametrize(("sals", "law"), PARTS)
def test_the_plan_carries_no_gradient(sals, law):
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64, requires_grad=True)
    loss, plan = BatchLoss(sals=sals, law=law)(logits, h, labels)
    assert loss.requires_grad
    assert loss.ndim == 0
    assert all(part is None or not part.requires_grad for part in plan)
    assert (plan.epsilon is None, plan.weights is None) == (sals is None, law is None)


def test_the_running_mean_moves_once_a_step():
    model = nn.Linear(6, 4, dtype=torch.float64)
    batch_loss = BatchLoss(sals=SALS)
    optimizer = SharpnessAware(torch.optim.SGD(model.parameters(), lr=0.1), rho=0.5)
    reference = ReferenceSlaw(copy.deepcopy(model), sals=SALS.model_dump())
    for step in range(5):
        h, labels = batch(seed=step)
        plan = None
        reference.head.load_state_dict(model.state_dict())
        reference.epsilons(h, labels)

        def closure(h=h, labels=labels):
            nonlocal plan
            optimizer.zero_grad()
            loss, plan = batch_loss(model(h), h, labels, plan)
            loss.backward()
            return loss

        optimizer.step(closure)
        assert float(batch_loss.mean_sharpness) == pytest.approx(reference.ema, rel=1e-9)


def test_goes_on_from_a_state_dict_bit_for_bit():
    one, other = BatchLoss(sals=SALS, law=LAWS[0]), BatchLoss(sals=SALS, law=LAWS[0])
    for seed in range(3):
        h, labels = batch(seed=seed)
        one(h[:, :4], h, labels)
    other.load_state_dict(one.state_dict())
    h, labels = batch(seed=9)
    assert torch.equal(one(h[:, :4], h, labels)[0], other(h[:, :4], h, labels)[0])


def test_an_overflowing_batch_does_not_end_the_running_mean():
    batch_loss = BatchLoss(sals=SALS)
    h, labels = batch()
    batch_loss(h[:, :4], h, labels)
    before = float(batch_loss.mean_sharpness)
    batch_loss(h[:, :4] * float("nan"), h, labels)
    assert float(batch_loss.mean_sharpness) == before


@pytest.mark.parametrize(("sals", "law"), PARTS)
def test_low_precision_logits_give_a_float32_loss(sals, law):
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.bfloat16)
    batch_loss = BatchLoss(sals=sals, law=law)
    loss, _ = batch_loss(logits, h.bfloat16(), labels)
    expected, _ = BatchLoss(sals=sals, law=law)(logits.double(), h.bfloat16().double(), labels)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-2 if sals is law is None else 1e-5)


@pytest.mark.parametrize("law", [None, LAWS[0]])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("name", LOSSES)
def test_any_loss_is_smoothed_and_weighted(name, law, label_smoothing):
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    batch_loss = BatchLoss(law=law, label_smoothing=label_smoothing, loss=LOSSES[name])
    loss, plan = batch_loss(logits, h, labels)
    targets = F.one_hot(labels, 4) * (1 - label_smoothing) + label_smoothing / 4
    losses = LOSSES[name](logits.log_softmax(1), targets)
    if law is not None:
        expected = sample_weights(losses, **law.model_dump())
        torch.testing.assert_close(plan.weights, expected)
        losses = losses * expected
    torch.testing.assert_close(loss, losses.mean())


@pytest.mark.parametrize(("sals", "law"), PARTS)
def test_certain_soft_labels_are_the_hard_ones(sals, law):
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    soft = F.one_hot(labels, 4).double()
    hard_loss, hard = BatchLoss(sals=sals, law=law)(logits, h, labels)
    soft_loss, plan = BatchLoss(sals=sals, law=law)(logits, h, soft)
    torch.testing.assert_close(soft_loss, hard_loss)
    torch.testing.assert_close(plan, hard)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_soft_labels_are_torchs_soft_labels(label_smoothing):
    h, _ = batch()
    logits, labels = torch.randn(16, 4), torch.rand(16, 4).softmax(1)
    loss, _ = BatchLoss(label_smoothing=label_smoothing)(logits, h, labels)
    expected = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    torch.testing.assert_close(loss, expected)


def test_sals_smooths_each_of_two_mixed_labels():
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    mixed = 0.7 * F.one_hot(labels, 4) + 0.3 * F.one_hot(labels.roll(1), 4)
    loss, plan = BatchLoss(sals=SALS)(logits, h, mixed.double())
    ours, theirs = (smoothed_targets(plan.epsilon, y, 4) for y in (labels, labels.roll(1)))
    expected = LOSSES["ce"](logits.log_softmax(1), 0.7 * ours + 0.3 * theirs).mean()
    torch.testing.assert_close(loss, expected)


FULL = SalsConfig(alpha=0.4, eps_max=1.0, ema_decay=0.8, scope="full")


def test_the_full_scope_takes_the_last_steps_gradient_norm():
    batch_loss = BatchLoss(sals=FULL)
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    doubt = 1 - logits.softmax(1).amax(1)
    _, plan = batch_loss(logits, h, labels)
    torch.testing.assert_close(plan.epsilon, 0.4 * doubt)  # the first: average sharpness
    batch_loss.gradient_norm = torch.tensor(3.0, dtype=torch.float64)
    _, plan = batch_loss(logits, h, labels)
    mean = 0.8 * 1 + 0.2 * 3.0
    assert float(batch_loss.mean_sharpness) == pytest.approx(mean)
    torch.testing.assert_close(plan.epsilon, 0.4 * doubt * 3.0 / mean)


def test_the_full_scope_outlives_an_overflow():
    batch_loss = BatchLoss(sals=FULL)
    h, labels = batch()
    logits = torch.randn(16, 4, dtype=torch.float64)
    _, first = batch_loss(logits, h, labels)
    batch_loss.gradient_norm = torch.tensor(float("inf"))
    loss, plan = batch_loss(logits, h, labels)
    assert loss.isfinite()
    assert torch.equal(plan.epsilon, first.epsilon)


def test_the_full_scope_goes_on_from_a_state_dict():
    one, other = BatchLoss(sals=FULL), BatchLoss(sals=FULL)
    one.gradient_norm = torch.tensor(2.0, dtype=torch.float64)
    other.load_state_dict(one.state_dict())
    h, labels = batch()
    assert torch.equal(one(h[:, :4], h, labels)[0], other(h[:, :4], h, labels)[0])


def test_sals_refuses_another_loss():
    with pytest.raises(UserError, match="sals smooths the labels of cross-entropy"):
        BatchLoss(sals=SALS, loss=LOSSES["gce"])


@pytest.mark.parametrize("loss", ["ce", "gce"])
@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_label_smoothing_over_the_other_classes_gives_each_eps_over_k_minus_1(smoothing, loss):
    """The convention of the code of "Sharpness-aware minimisation and label noise"."""
    h, labels = batch()
    logits = torch.randn(16, 4)
    classes = logits.shape[1]
    targets = torch.full_like(logits, smoothing / (classes - 1))
    targets[torch.arange(len(labels)), labels] = 1 - smoothing
    settings = {"label_smoothing": smoothing, "smoothing_over": "others", "loss": LOSSES[loss]}
    found, _ = BatchLoss(**settings)(logits, h, labels)
    expected = LOSSES[loss](F.log_softmax(logits, 1), targets).mean()
    torch.testing.assert_close(found, expected)
    if loss == "ce":
        divergence = F.kl_div(F.log_softmax(logits, 1), targets, reduction="none").sum(1).mean()
        entropy = torch.special.entr(targets).sum(1).mean()
        torch.testing.assert_close(found, divergence + entropy)
