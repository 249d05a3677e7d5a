import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tune_robust import config
from tune_robust.config import SwaConfig
from tune_robust.methods import lr_factor, saner_alpha, scheduled, swa_lr_factor

PROGRESS = st.floats(0, 1)
EPOCH = st.integers(0, 500)
RHO = {
    "constant": config.Constant(),
    "step_decay": config.StepDecay(),
    "exponential_decay": config.ExponentialDecay(),
    "step_increase": config.StepIncrease(),
    "linear": config.Linear(end=0.25),
    "cosine": config.Cosine(end=0.25),
    "piecewise_linear": config.PiecewiseLinear(quarter=2.0, half=0.5, three_quarters=0.1, end=4.0),
}
WARMED = {
    "constant": config.LrConstant(warmup=0.1),
    "cosine": config.LrCosine(warmup=0.1),
    "multistep": config.LrMultistep(warmup=0.1),
}
LR = WARMED | {"onecycle": config.LrOneCycle()}


@pytest.mark.parametrize("schedule", RHO.values(), ids=RHO)
def test_a_run_starts_at_its_initial_value(schedule):
    assert scheduled(schedule, progress=0.0, epoch=0) == 1


@given(progress=PROGRESS, epoch=EPOCH)
@pytest.mark.parametrize("schedule", RHO.values(), ids=RHO)
def test_multipliers_are_positive_and_finite(schedule, progress, epoch):
    assert 0 < scheduled(schedule, progress=progress, epoch=epoch) < math.inf


@given(now=PROGRESS, later=PROGRESS, epoch=EPOCH, epochs=st.integers(0, 100))
@pytest.mark.parametrize(
    ("name", "sign"),
    [
        *(("step_decay", 1), ("exponential_decay", 1), ("step_increase", -1)),
        *(("linear", 1), ("cosine", 1)),
    ],
)
def test_decays_fall_and_increases_rise(name, sign, now, later, epoch, epochs):
    now, later = sorted((now, later))
    before = scheduled(RHO[name], progress=now, epoch=epoch)
    after = scheduled(RHO[name], progress=later, epoch=epoch + epochs)
    assert sign * before >= sign * after


@pytest.mark.parametrize(
    ("progress", "decayed", "increased"),
    [
        (0.0, 1, 1),
        (0.29, 1, 1),
        (0.3, 0.1, 10),
        (0.59, 0.1, 10),
        (0.6, 0.01, 100),
        (1.0, 0.01, 100),
    ],
)
def test_steps_happen_at_30_and_60_percent(progress, decayed, increased):
    assert scheduled(RHO["step_decay"], progress=progress, epoch=3) == pytest.approx(decayed)
    assert scheduled(RHO["step_increase"], progress=progress, epoch=3) == pytest.approx(increased)


@pytest.mark.parametrize("epochs", [10, 20, 30, 50, 70, 90, 200])
def test_a_boundary_on_an_epoch_is_met_by_that_epoch(epochs):
    first = 3 * epochs // 10
    schedule = config.StepDecay(boundaries=[0.3])
    factors = [scheduled(schedule, progress=e / epochs, epoch=e) for e in range(epochs)]
    assert factors.index(0.1) == first


@given(rate=st.floats(0.001, 2), epoch=EPOCH)
def test_exponential_decay_counts_epochs(rate, epoch):
    schedule = config.ExponentialDecay(rate=rate)
    assert scheduled(schedule, progress=0.5, epoch=epoch) == math.exp(-rate * epoch)


@pytest.mark.parametrize(
    ("progress", "linear", "cosine", "piecewise"),
    [
        (0.0, 1.0, 1.0, 1.0),
        (0.125, 0.90625, 0.9714548, 1.5),
        (0.25, 0.8125, 0.8901650, 2.0),
        (0.5, 0.625, 0.625, 0.5),
        (0.6, 0.55, 0.5091186, 0.34),
        (0.75, 0.4375, 0.3598350, 0.1),
        (1.0, 0.25, 0.25, 4.0),
    ],
)
def test_curves_pass_through_what_their_formulas_say(progress, linear, cosine, piecewise):
    expected = {"linear": linear, "cosine": cosine, "piecewise_linear": piecewise}
    for name, value in expected.items():
        assert scheduled(RHO[name], progress=progress, epoch=7) == pytest.approx(value)


def test_knots_at_zero_are_exactly_zero():
    knots = config.PiecewiseLinear(start=0.0, quarter=0.0, half=1.0)
    assert [scheduled(knots, progress=p, epoch=0) for p in (0.0, 0.1, 0.25)] == [0, 0, 0]
    assert scheduled(knots, progress=0.375, epoch=0) == 0.5


@given(alpha=st.floats(0, 2), k=st.integers(1, 100), epoch=EPOCH)
def test_alpha_moves_linearly_from_one(alpha, k, epoch):
    value = saner_alpha(alpha, k, epoch)
    expected = alpha if epoch >= k else 1 - (1 - alpha) * epoch / k
    assert value == pytest.approx(expected)
    assert min(1, alpha) <= value <= max(1, alpha)


def test_alpha_starts_at_exactly_one_and_ends_at_exactly_alpha():
    assert saner_alpha(0.3, 50, 0) == 1
    assert saner_alpha(0.3, 50, 50) == 0.3
    assert saner_alpha(0.3, 0, 0) == 0.3


@pytest.mark.parametrize(
    ("ramp", "values"),
    [
        ("linear", [1, 0.8, 0.6, 0.4, 0.2, 0.2]),
        ("cosine", [1, 0.8828427, 0.6, 0.3171573, 0.2, 0.2]),
        ("step", [1, 1, 1, 1, 0.2, 0.2]),
    ],
)
def test_ramps_of_alpha(ramp, values):
    assert [saner_alpha(0.2, 4, epoch, ramp) for epoch in range(6)] == pytest.approx(values)


@pytest.mark.parametrize(
    ("k", "epochs"), [(50, 50), (0.25, 30), (0, 0), (0.0, 0), (1.0, 120), (1, 1)]
)
def test_alpha_takes_whole_epochs_or_a_share_of_training(k, epochs):
    assert config.SanerConfig(k=k).ramp_epochs(120) == epochs


@given(progress=PROGRESS)
@pytest.mark.parametrize("schedule", LR.values(), ids=LR)
def test_the_learning_rate_factor_is_a_share(schedule, progress):
    assert 0 <= lr_factor(schedule, progress) <= 1


@given(progress=st.floats(0, 0.0999))
@pytest.mark.parametrize("schedule", WARMED.values(), ids=WARMED)
def test_warm_up_rises_linearly(schedule, progress):
    assert lr_factor(schedule, progress) == pytest.approx(progress / 0.1)


@pytest.mark.parametrize("schedule", WARMED.values(), ids=WARMED)
def test_no_step_of_warm_up_is_lost(schedule):
    rates = [lr_factor(schedule, step / 50, 1 / 50) for step in range(6)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(lr_factor(schedule, 0.1))


def test_one_cycle_is_torchs():
    steps, schedule = 60, config.LrOneCycle(peak=0.25, initial_divisor=10, final_divisor=100)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        *(optimizer, 1.0, steps + 1),
        pct_start=16 / (steps + 1),
        div_factor=10,
        final_div_factor=100,
    )
    for step in range(steps + 1):
        assert lr_factor(schedule, step / steps) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        if step < steps:
            theirs.step()


@pytest.mark.parametrize(
    ("progress", "factor"), [(0.0, 0.04), (0.15, 0.52), (0.3, 1.0), (0.65, 0.500002), (1.0, 4e-6)]
)
def test_one_cycle_rises_to_its_peak_and_falls_to_almost_nothing(progress, factor):
    assert lr_factor(config.LrOneCycle(), progress) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("progress", "factor"), [(0.1, 1), (0.325, 0.853553), (0.55, 0.5), (1.0, 0.0)]
)
def test_cosine_spans_what_warm_up_leaves(progress, factor):
    assert lr_factor(LR["cosine"], progress) == pytest.approx(factor, abs=1e-6)


@pytest.mark.parametrize(
    ("progress", "factor"), [(0.1, 1), (0.499, 1), (0.5, 0.1), (0.75, 0.01), (1.0, 0.01)]
)
def test_multistep_steps_at_its_milestones(progress, factor):
    assert lr_factor(LR["multistep"], progress) == pytest.approx(factor)


@pytest.mark.parametrize("schedule", WARMED.values(), ids=WARMED)
def test_without_warm_up_a_run_starts_at_the_full_rate(schedule):
    assert lr_factor(schedule.model_copy(update={"warmup": 0.0}), 0.0) == 1


def test_swas_rate_is_the_optimizers_until_its_start_and_lowest_at_each_cycles_end():
    """Izmailov et al. 2018, eq. 1: 4 cycles of 5 steps in the last fifth of 100 steps."""
    average = SwaConfig(start=0.8, cycles=4, lowest=0.1)
    factors = [swa_lr_factor(average, step / 100, 1 / 100) for step in range(100)]
    assert factors[:80] == [1.0] * 80
    one_cycle = [1 - 0.9 * t / 5 for t in (1, 2, 3, 4, 5)]
    assert factors[80:] == pytest.approx(one_cycle * 4)


@given(st.floats(0, 0.99), st.integers(1, 50), st.floats(0.001, 1), st.integers(1, 500))
def test_swas_rate_stays_between_lowest_and_the_optimizers(start, cycles, lowest, steps):
    average = SwaConfig(start=start, cycles=cycles, lowest=lowest)
    for step in range(steps):
        factor = swa_lr_factor(average, step / steps, 1 / steps)
        assert lowest * (1 - 1e-9) <= factor <= 1
