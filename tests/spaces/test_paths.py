"""Dotted paths into TrainConfig."""

import pytest

from tune_robust.config import TrainConfig, parse_config
from tune_robust.spaces.paths import config_paths, get_path, set_path


@pytest.mark.parametrize(
    "path",
    [
        *("method", "sam.rho", "sam.rho_schedule", "sam.rho_schedule.factor", "optimizer.lr"),
        *("optimizer.beta1", "optimizer.momentum", "data.noise.rate", "lr_schedule.milestones"),
    ],
)
def test_paths_go_through_optional_parts_and_unions(path):
    assert path in config_paths()


def test_a_setting_in_a_shorthand_keeps_its_kind():
    document = {"sam": {"rho_schedule": "step_decay"}}
    set_path(document, "sam.rho_schedule.factor", 0.5)
    assert document == {"sam": {"rho_schedule": {"kind": "step_decay", "factor": 0.5}}}


def test_a_loss_in_a_shorthand_keeps_its_name():
    document = {"loss": "gce", "optimizer": "adamw"}
    set_path(document, "loss.q", 0.5)
    set_path(document, "optimizer.lr", 0.01)
    assert document == {
        "loss": {"name": "gce", "q": 0.5},
        "optimizer": {"name": "adamw", "lr": 0.01},
    }


def test_missing_groups_are_made():
    document = {"sam": None}
    set_path(document, "sam.rho", 0.5)
    set_path(document, "data.noise.rate", 0.2)
    assert document == {"sam": {"rho": 0.5}, "data": {"noise": {"rate": 0.2}}}


def test_reading_gives_kinds_and_none_for_absent_parts():
    config = parse_config({"method": "sam", "sam": {"rho_schedule": "step_decay"}})
    assert get_path(config, "sam.rho") == 0.1
    assert get_path(config, "sam.rho_schedule") == "step_decay"
    assert get_path(config, "loss") == "ce"
    assert get_path(config, "optimizer") == "sgd"
    assert get_path(TrainConfig(), "sam.rho") is None
