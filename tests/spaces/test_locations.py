"""Relative paths: from the folder of the file that has them, or from the working directory."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import tune_robust.api.spaces as api
from tests.tuning.drawing import document
from tune_robust.config import file_settings
from tune_robust.data.naming import beside_the_data
from tune_robust.spaces.locations import locate_config
from tune_robust.spaces.space import builtin_spaces, load_space


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory; the space lies in another."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spaces").mkdir()
    return tmp_path


@pytest.fixture
def load(here):
    def load(data, *overrides, **sections):
        train = {"method": "saner", "epochs": 10, "data": data}
        path = here / "spaces" / "mine.yaml"
        path.write_text(yaml.safe_dump(document(**{"train": train, **sections})))
        return load_space("spaces/mine.yaml", overrides=overrides)

    return load


def data_of(space):
    return space.config_for({}).data


def test_in_a_space_they_are_relative_to_its_folder(load, here):
    data = data_of(load({"dataset": "folder", "dir": "imgs"}))
    assert data.dir == str(here / "spaces" / "imgs")


def test_in_an_option_they_are_relative_to_the_working_directory(load, here):
    data = {"dataset": "folder", "dir": "imgs"}
    assert data_of(load(data, "train.data.dir=other")).dir == str(here / "other")
    whole = "train.data={dataset: folder, dir: ../up}"
    assert data_of(load(data, whole)).dir == str(here.parent / "up")


@pytest.mark.parametrize("place", ["/data/imgs", "s3://bucket/imgs"])
def test_absolute_paths_and_uris_stay(load, place):
    assert data_of(load({"dataset": "folder", "dir": place})).dir == place


def test_a_home_directory_is_filled_in(load, here):
    assert data_of(load({"dataset": "folder", "dir": "~/imgs"})).dir == str(here / "home/imgs")


def test_labels_beside_the_data_come_before_those_beside_the_space(load, here):
    data = {"dataset": "folder", "dir": "imgs", "noise": {"kind": "given", "file": "labels.csv"}}
    assert data_of(load(data)).noise.file == str(here / "spaces" / "labels.csv")
    for folder, option in (("spaces/imgs", []), ("moved", ["train.data.dir=moved"])):
        (here / folder).mkdir()
        (here / folder / "labels.csv").touch()
        found = data_of(load(data, *option))
        assert found.noise.file == str(here / folder / "labels.csv")
        assert beside_the_data(found, found.noise.file) == Path(found.noise.file)


def test_the_name_of_published_weights_is_no_path(load, here):
    for given_, kept in (("imagenet", "imagenet"), ("mine.pth", str(here / "spaces/mine.pth"))):
        train = {"method": "saner", "model": {"name": "resnet18", "weights": given_}}
        assert load({}, train=train).config_for({}).model.weights == kept


def test_arguments_of_own_parts_are_paths_only_where_there_is_such_a_file(load, here):
    (here / "spaces" / "birds").mkdir()
    options = {"root": "birds", "name": "crow", "long": "x" * 5000, "n": 3}
    space = load({"dataset": "my_data:load", "options": options})
    expected = options | {"root": str(here / "spaces" / "birds")}
    assert space.train["data"]["options"] == expected
    model = {"name": "torchvision:resnet18", "weights": "IMAGENET1K_V1"}
    space = load({}, train={"model": model, "epochs": 1, "method": "saner"})
    assert space.train["model"]["weights"] == "IMAGENET1K_V1"


def test_searched_and_known_ones_too(load, here):
    search = {
        "data.noise.file": {"choice": ["one.csv", "two.csv"]},
        "sam.rho": {"choice": [0.1], "when": {"data.noise.file": "one.csv"}},
    }
    space = load(
        {"dataset": "folder", "dir": "imgs", "noise": {"kind": "given", "file": "one.csv"}},
        search=search,
        searcher={"name": "grid"},
        budget={"trials": 4, "scheduler": "none"},
        known=[{"data.noise.file": "one.csv", "sam.rho": 0.1}],
    )
    one, two = (str(here / "spaces" / name) for name in ("one.csv", "two.csv"))
    files, rho = space.dimensions
    assert files.distribution.values == (one, two)
    assert rho.active({"data.noise.file": one})
    assert space.known[0]["data.noise.file"] == one


@pytest.mark.parametrize("name", builtin_spaces())
def test_built_in_spaces_keep_none(name, here):
    data = load_space(name).examples[0].data
    for path in (data.dir, getattr(data.noise, "file", None)):
        assert path is None or Path(path).is_absolute()


def test_plain_data_and_the_settings_of_the_api_are_relative_to_the_working_directory(here):
    train = {"data": {"dataset": "folder", "dir": "imgs"}, "method": "saner"}
    space = api.load_space(document(train=train))
    assert data_of(space).dir == str(here / "imgs")
    changed = api.load_space(space, settings={"train.data.dir": "other"})
    assert data_of(changed).dir == str(here / "other")


def test_a_training_configuration_likewise(here):
    given_ = {"data": {"dir": "imgs"}, "epochs": 3}
    located, changes = locate_config(given_, ["data.noise.file=x.csv", "epochs=4"], here / "there")
    assert located["data"]["dir"] == str(here / "there" / "imgs")
    assert changes == {"data.noise.file": str(here / "x.csv"), "epochs": 4}


def test_all_settings_that_name_files_are_known():
    expected = {"data.dir", "data.noise.file", "data.options", "model.weights"}
    assert set(file_settings()) == expected


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "dir", "a"]), inner),
)


@example({"dir": "~nobody-of-this-name"})
@given(plain)
def test_junk_is_left_for_the_validation_to_refuse(junk):
    located, _ = locate_config({"data": junk, "model": junk}, {}, Path("/folder"))
    assert set(located) == {"data", "model"}
