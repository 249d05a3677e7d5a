"""The checks of `tune-robust doctor --methods`: all pass here, and each can fail."""

import sys
from contextlib import nullcontext

import pytest
import torch

from tune_robust.config import PRESETS, TrainConfig
from tune_robust.methods import SharpnessAware
from tune_robust.training import checks, loop, network

CPU = torch.device("cpu")
SHELL = sys.modules[SharpnessAware.__module__]


def failures(*methods):
    return {o.check: o.failure for o in checks.check_methods(CPU, methods) if o.failure}


@pytest.mark.slow
def test_every_method_passes_what_applies_to_it():
    state = torch.get_rng_state()
    outcomes = list(checks.check_methods(CPU))
    assert [o for o in outcomes if o.failure] == []
    applied = {m: [o.check for o in outcomes if o.applies and o.method == m] for m in PRESETS}
    assert applied["saner"] == list(checks.CHECKS)
    assert applied["gce"] == [*checks.CHECKS][:5]
    assert torch.equal(torch.get_rng_state(), state)


class _Never0:
    def __rmul__(self, rho):
        return rho + 0.5


SABOTAGE = {
    "trains": (TrainConfig, "gradient_evaluations", 99),
    "repeats": (torch, "manual_seed", lambda seed: None),
    "resumes": (SharpnessAware, "load_state_dict", lambda self, state: None),
    "BN once": (SHELL, "statistics_paused", lambda modules: nullcontext()),
    "skips NaN": (SharpnessAware, "_update", lambda self, norms: self.base_optimizer.step()),
    "rho 0 = base": (loop, "scheduled", lambda schedule, **now: _Never0()),
    "alpha 1 = SAM": (loop, "saner_alpha", lambda *arguments: 0.5),
    # As if one autocast context were around both passes: the second sees the first one's copies.
    "bfloat16": (torch, "clear_autocast_cache", lambda: None),
}


@pytest.mark.slow
@pytest.mark.parametrize("check", checks.CHECKS)
def test_each_check_can_fail(monkeypatch, check):
    monkeypatch.setattr(*SABOTAGE[check])
    assert check in failures("saner")


def test_an_error_is_a_failure_by_its_name(monkeypatch):
    def broken(*arguments, **settings):
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(network, "build_network", broken)
    assert set(failures("sgd").values()) == {"RuntimeError: no kernel image"}
