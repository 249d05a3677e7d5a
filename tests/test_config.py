"""What the settings of a method's parts accept, and how they refuse the rest."""

import json
import math
import typing

import pytest

from tune_robust.config import PRESETS, Method, SamConfig, TrainConfig, parse_config
from tune_robust.errors import ConfigError


@pytest.mark.parametrize("norm", [2, 1.5, 3.0, "inf", math.inf])
def test_norms_survive_json(norm):
    config = parse_config({"sam": {"norm": norm}})
    again = parse_config(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert again == config
    assert float(config.sam.norm) == float(norm)


@pytest.mark.parametrize("norm", [1, 0.5, -2, "two", math.nan, -math.inf])
def test_no_other_norms(norm):
    with pytest.raises(ConfigError, match=r"sam\.norm"):
        parse_config({"sam": {"norm": norm}})


@pytest.mark.parametrize("adaptive", ["asam_by_name", "asam_by_shape", "elementwise"])
def test_adaptive_sam_has_norm_2(adaptive):
    with pytest.raises(ConfigError, match="defined for norm 2, and norm is inf"):
        parse_config({"sam": {"adaptive": adaptive, "norm": "inf"}})
    assert SamConfig(adaptive=adaptive).norm == 2


@pytest.mark.parametrize("k", [-1, 1.5, 50.0, True, "half"])
def test_k_is_whole_epochs_or_a_share(k):
    with pytest.raises(ConfigError, match=r"saner\.k"):
        parse_config({"method": "saner", "saner": {"k": k}})


@pytest.mark.parametrize("k", [0, 1, 50, 0.0, 0.25, 1.0])
def test_k_keeps_its_kind_through_json(k):
    config = parse_config({"method": "saner", "saner": {"k": k}})
    again = parse_config(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert type(again.saner.k) is type(config.saner.k) is type(k)


@pytest.mark.parametrize(
    "sam", [{"theta": 0}, {"lmbda": 1}, {"sigma": -1}, {"g_alpha": -1}, {"variant": "esam"}]
)
def test_variants_refuse_parameters_out_of_range(sam):
    (key,) = sam
    with pytest.raises(ConfigError, match=rf"sam\.{key}"):
        parse_config({"sam": sam})


def test_every_preset_is_a_method():
    assert typing.get_args(Method) == tuple(PRESETS)


def test_earlier_versions_called_asam_by_shape_asam():
    assert parse_config({"sam": {"adaptive": "asam"}}).sam.adaptive == "asam_by_shape"


@pytest.mark.parametrize("beside", [{}, {"key": None}, {"key": "seen"}])
def test_earlier_versions_called_the_key_of_given_labels_column(beside):
    noise = {"kind": "given", "file": "labels.csv"}
    config = parse_config({"data": {"noise": {**noise, "column": "seen", **beside}}})
    assert config == parse_config({"data": {"noise": {**noise, "key": "seen"}}})
    assert "column" not in config.model_dump(mode="json")["data"]["noise"]


def test_an_earlier_configuration_without_a_column_has_no_key():
    noise = {"kind": "given", "file": "labels.csv", "column": None}
    assert parse_config({"data": {"noise": noise}}).data.noise.key is None


def test_a_key_that_differs_from_its_earlier_name_is_refused():
    noise = {"kind": "given", "file": "labels.csv", "column": "a", "key": "b"}
    with pytest.raises(ConfigError, match=r"they differ: 'a' and 'b'\. Leave column out"):
        parse_config({"data": {"noise": noise}})


def test_the_preset_asam_is_the_published_code_and_asam_saner_the_official_elementwise():
    assert TrainConfig(method="asam").sam.adaptive == "asam_by_name"
    assert TrainConfig(method="asam_saner").sam.adaptive == "elementwise"
