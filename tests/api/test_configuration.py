"""Configurations from files, and the comparison with the exported trial of one."""

import math

import pytest

from tune_robust.api.configuration import Exported, load_configuration
from tune_robust.errors import ConfigError, UserError
from tune_robust.spaces.yaml_text import write_yaml

TRAIN = {"method": "sam", "epochs": 3, "data": {"dataset": "npz", "dir": "data"}}
RESULT = {"trial": "t0001", "epoch": 2, "metrics": {"val_loss": 0.5}}


@pytest.fixture
def written(tmp_path):
    def written(document):
        path = tmp_path / "it.yaml"
        path.write_text(write_yaml(document))
        return path

    return written


def test_a_configuration_alone_was_not_exported(written, tmp_path):
    config, exported, processes = load_configuration(written(TRAIN))
    assert (config.method, config.epochs, config.data.dir) == ("sam", 3, str(tmp_path / "data"))
    assert (exported, processes) == (None, 1)


def test_an_exported_file_says_what_the_trial_had_reached(written):
    config, exported, _ = load_configuration(written({"train": TRAIN, "result": RESULT}))
    assert config.epochs == 3
    assert exported == Exported(2, {"val_loss": 0.5})


@pytest.mark.parametrize("settings", [["epochs=5"], {"epochs": 5}])
def test_changed_settings_are_no_longer_those_of_the_trial(written, settings):
    path = written({"train": TRAIN, "result": RESULT})
    config, exported, _ = load_configuration(path, settings=settings)
    assert (config.epochs, exported) == (5, None)


def test_the_centre_of_a_plateau_has_no_result(written):
    path = written({"train": TRAIN, "provenance": {"run": "r1"}})
    assert load_configuration(path).exported is None


def test_the_number_of_processes_may_be_where_earlier_versions_wrote_it(written):
    result = {**RESULT, "processes": 2}
    assert load_configuration(written({"train": TRAIN, "result": result})).processes == 2


def test_mistakes_are_named(written, tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml"):
        load_configuration(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"epochs"):
        load_configuration(written({**TRAIN, "epochs": 0}))
    with pytest.raises(ConfigError, match=r"it\.yaml"):
        load_configuration(written(["a", "list"]))


def test_metrics_are_compared_exactly_and_timings_not_at_all():
    exported = Exported(2, {"val_loss": 0.5, "p_r": None, "val_accuracy": 0.25, "seconds": 1.0})
    metrics = {"val_loss": 0.5, "p_r": math.nan, "val_accuracy": 0.25, "seconds": 2.0}
    assert exported.differing(metrics) == {}
    metrics |= {"val_loss": math.nextafter(0.5, 1), "p_r": 0.1}
    del metrics["val_accuracy"]
    assert exported.differing(metrics) == {
        "val_loss": (0.5, math.nextafter(0.5, 1)),
        "p_r": (None, 0.1),
        "val_accuracy": (0.25, None),
    }
