import math

import pytest
import torch

from tune_robust.methods.step_statistics import (
    Seen,
    StepStatistics,
    sampled,
    sampled_fractions,
)


def seen(norm=1.0, rise=1.0, norms=1.0, fractions=None):
    return Seen(*map(torch.tensor, (0.7, norm, rise, norms)), fractions)


def test_skipped_steps_enter_no_mean():
    statistics = StepStatistics()
    statistics.add(seen(1.0, 0.5, 2.0))
    statistics.add(seen(math.inf, math.nan, math.nan))
    statistics.add(seen(5.0, 9.0, math.inf))
    read = statistics.read()
    assert (read["grad_norm"], read["sharpness"], read["skipped_steps"]) == (1.0, 0.5, 2)


def test_a_single_pass_has_no_rise_of_the_loss():
    statistics = StepStatistics()
    statistics.add(seen(1.0, math.nan, 1.0))
    statistics.add(seen(3.0, 0.25, 1.0))
    read = statistics.read()
    assert (read["grad_norm"], read["sharpness"], read["skipped_steps"]) == (2.0, 0.25, 0)


@pytest.mark.parametrize("steps", [1, 63, 64, 65, 200])
def test_folds_to_the_same_mean(steps):
    statistics = StepStatistics()
    for step in range(steps):
        statistics.add(seen(float(step), 1.0, 1.0))
    assert statistics.read()["grad_norm"] == pytest.approx((steps - 1) / 2)


def test_measures_the_groups_in_the_first_of_32_steps_and_again_after_a_read():
    statistics = StepStatistics()
    due = []
    for _ in range(65):
        due.append(statistics.groups_are_due)
        statistics.add(seen())
    assert [i for i, measured in enumerate(due) if measured] == [0, 32, 64]
    statistics.read()
    assert statistics.groups_are_due


def test_a_sample_is_no_view():
    grads = [torch.ones(4)]
    (sample,) = sampled(grads)
    grads[0].zero_()
    assert torch.equal(sample, torch.ones(4))


def test_a_large_network_is_sampled_evenly():
    sgd = [torch.ones(700, 1000), torch.ones(300, 1000)]
    sam = [torch.full((700, 1000), 0.5), torch.full((300, 1000), 2.0)]
    sample = sampled(sgd)
    assert 16_384 <= sum(s.numel() for s in sample) <= 2 * 16_384
    statistics = StepStatistics()
    statistics.add(seen(fractions=sampled_fractions(sam, sample)))
    read = statistics.read()
    assert read["group_b"] == pytest.approx(0.7, abs=1e-3)
    assert read["group_a"] == pytest.approx(0.3, abs=1e-3)


def test_a_skipped_step_has_no_groups():
    statistics = StepStatistics()
    for sam, norms in ((0.5, 1.0), (math.nan, math.nan)):
        fractions = sampled_fractions([torch.full((4,), sam)], [torch.ones(4)])
        statistics.add(seen(norms=norms, fractions=fractions))
    assert statistics.read()["group_b"] == 1.0


def test_nothing_seen_is_nan():
    read = StepStatistics().read()
    assert read.pop("skipped_steps") == 0
    assert all(math.isnan(value) for value in read.values())
