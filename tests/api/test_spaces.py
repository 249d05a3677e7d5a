"""A space is given by its name, a file, or plain data; settings change it."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.cli.tiny import SPACE
from tune_robust import UserError, load_space


def test_a_name_a_file_a_dict_and_a_loaded_space_are_the_same(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(SPACE))
    loaded = load_space(SPACE)
    assert load_space(file) == load_space(str(file)) == load_space(loaded) == loaded
    assert load_space("saner_digits").name == "saner_digits"


def test_the_dict_given_is_left_as_it_is():
    before = yaml.safe_dump(SPACE)
    load_space(SPACE, settings={"train.epochs": 2, "search.sam.rho": None})
    assert yaml.safe_dump(SPACE) == before


def test_settings_are_plain_values_by_path():
    space = load_space(
        SPACE,
        settings={
            "train.epochs": np.int64(3),
            "train.optimizer.lr": 1e-5,
            "train.model.width": 0.5,
            "search.sam.rho": {"log_uniform": (0.01, 0.1)},
            "search.saner.alpha": None,
        },
    )
    config = space.config_for({"sam.rho": 0.05})
    assert (config.epochs, config.optimizer.lr, config.model.width) == (3, 1e-5, 0.5)
    assert [d.path for d in space.dimensions] == ["sam.rho"]
    assert space.dimensions[0].distribution.high == 0.1


def test_settings_are_also_taken_as_the_command_line_has_them():
    by_text = load_space(SPACE, settings=["train.epochs=3", "budget.trials=4"])
    assert by_text == load_space(SPACE, settings={"train.epochs": 3}, trials=4)


@pytest.mark.parametrize("settings", [{"budget.trials": 9}, ["budget.trials=9"]])
def test_a_shorthand_wins_over_a_setting(tmp_path, settings):
    space = load_space(SPACE, trials=4, settings=settings, data_dir=Path("data"), download=False)
    data = space.train["data"]
    assert space.budget.trials == 4
    assert data["dir"] == str(Path("data").resolve())
    assert data["download"] is False


def test_all_problems_are_told_at_once_each_at_its_path():
    with pytest.raises(UserError) as caught:
        load_space(SPACE, settings={"train.epoch": 3, "budget.trial": 3, "": 1})
    for text in ("Did you mean 'epochs'", "Did you mean 'trials'", "expected a key path"):
        assert text in str(caught.value)


def test_what_is_no_space_is_named():
    with pytest.raises(UserError, match="not by list"):
        load_space([SPACE])
    with pytest.raises(UserError, match="Did you mean 'saner_digits'"):
        load_space("saner_digit")
