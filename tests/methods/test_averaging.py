"""SWA and EMA against averages written out, and BatchNorm's statistics of the averaged weights."""

import math

import pytest
import torch
from torch import nn

from tests.methods.networks import assert_same, awkward, batches, train
from tune_robust.config import EmaConfig, SwaConfig
from tune_robust.methods import WeightAverage

EPOCHS, STEPS = 10, 3


def run(settings, model, epochs=EPOCHS):
    """Train, average, and return the average with the weights after every step."""
    average = WeightAverage(settings, model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    weights = []
    for step in range(epochs * STEPS):
        train(model, optimizer, 1)
        weights.append({n: p.detach().clone() for n, p in model.named_parameters()})
        epoch_over = (step + 1) % STEPS == 0
        average.update(model, (step + 1) / (EPOCHS * STEPS), epoch_over=epoch_over)
    return average, weights


@pytest.mark.parametrize(("start", "first"), [(0.0, 1), (0.5, 5), (0.75, 8), (0.99, 10)])
def test_swa_is_the_mean_after_the_epochs_from_start_on(start, first):
    average, weights = run(SwaConfig(start=start), awkward())
    ends = weights[STEPS - 1 :: STEPS][first - 1 :]
    for name, tensor in average.model.named_parameters():
        expected = sum(w[name] for w in ends) / len(ends)
        torch.testing.assert_close(tensor, expected)


@pytest.mark.parametrize(("start", "first"), [(0.0, 1), (0.5, 15)])
def test_ema_moves_after_every_step_from_start_on(start, first):
    average, weights = run(EmaConfig(start=start, decay=0.8), awkward())
    for name, tensor in average.model.named_parameters():
        expected = weights[first - 1][name]
        for w in weights[first:]:
            expected = 0.8 * expected + 0.2 * w[name]
        torch.testing.assert_close(tensor, expected)


@pytest.mark.parametrize("settings", [SwaConfig(start=0.5), EmaConfig(start=0.5)])
def test_it_has_not_begun_before_start(settings):
    assert not run(settings, awkward(), epochs=4)[0].begun
    assert run(settings, awkward(), epochs=5)[0].begun


def test_the_training_network_is_left_alone():
    model, twin = awkward(), awkward()
    run(SwaConfig(start=0.0), model)
    optimizer = torch.optim.SGD([p for p in twin.parameters() if p.requires_grad], lr=0.1)
    for _ in range(EPOCHS * STEPS):
        train(twin, optimizer, 1)
    ours, theirs = model.state_dict(), twin.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_batch_norm_is_measured_under_the_averaged_weights():
    model = awkward()
    average, _ = run(EmaConfig(decay=0.9), model)
    inputs = [x for x, _ in batches(4)]
    average.complete(model, inputs)
    outputs = [average.model.convolution(x) for x in inputs]
    means = torch.stack([y.mean((0, 2, 3)) for y in outputs]).mean(0)
    variances = torch.stack([y.var((0, 2, 3)) for y in outputs]).mean(0)
    torch.testing.assert_close(average.model.norm.running_mean, means)
    torch.testing.assert_close(average.model.norm.running_var, variances)
    assert average.model.norm.momentum == 0.1


def test_a_network_without_batch_norm_costs_no_pass():
    model = nn.Linear(2, 2)
    average = WeightAverage(SwaConfig(), model)
    average.complete(model, (pytest.fail(f"asked for {_}") for _ in range(1)))


def test_buffers_that_are_no_statistics_are_the_training_networks():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.register_buffer("seen", torch.zeros(()))
    average = WeightAverage(EmaConfig(), model)
    model.seen += 3
    average.update(model, 0.5, epoch_over=False)
    average.complete(model, [torch.randn(4, 2)])
    assert average.model.seen == 3
    assert average.model[1].num_batches_tracked == 1


def test_goes_on_from_what_torchs_averaged_model_has_saved():
    model = awkward()
    theirs = torch.optim.swa_utils.AveragedModel(awkward(seed=1))
    theirs.update_parameters(theirs.module)
    average = WeightAverage(SwaConfig(start=0.0), model)
    average.load_state_dict(theirs.state_dict())
    assert average.begun
    assert_same(average.model, theirs.module)
    assert average.state_dict().keys() == theirs.state_dict().keys()


@pytest.mark.parametrize("settings", [SwaConfig(start=0.0), EmaConfig(decay=0.9)])
def test_goes_on_from_a_state_dict_bit_for_bit(settings):
    model = awkward()
    one, _ = run(settings, model, epochs=4)
    other = WeightAverage(settings, awkward(seed=1))
    other.load_state_dict(one.state_dict())
    for average in (one, other):
        average.update(model, 1.0, epoch_over=True)
    ours, theirs = other.state_dict(), one.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_with_cycles_swa_averages_the_weights_at_the_end_of_each(cycles):
    average, weights = run(SwaConfig(start=0.5, cycles=cycles), awkward())
    total = EPOCHS * STEPS
    ends = [math.ceil(total * (0.5 + 0.5 * (i + 1) / cycles)) - 1 for i in range(cycles)]
    for name, tensor in average.model.named_parameters():
        expected = torch.stack([weights[end][name] for end in ends]).mean(0)
        torch.testing.assert_close(tensor, expected)


def test_cycles_go_on_from_a_state_dict():
    model = awkward()
    settings = SwaConfig(start=0.0, cycles=4)
    one, other = WeightAverage(settings, model), WeightAverage(settings, model)
    for done in (1, 2, 3):
        one.update(model, done / 8, epoch_over=False)
    other.load_state_dict(one.state_dict())
    for average in (one, other):
        average.update(model, 3 / 8, epoch_over=True)
        assert average.state_dict()["n_averaged"] == 1
        average.update(model, 4 / 8, epoch_over=False)
        assert average.state_dict()["n_averaged"] == 2
