"""docs/reproduce.md names every built-in space, its own command and what it costs."""

import re
from pathlib import Path

import pytest

from tune_robust.spaces.space import builtin_spaces, load_space

TEXT = (Path(__file__).parents[2] / "docs" / "reproduce.md").read_text()
ROWS = re.findall(
    r"^\|.*\| `(tune-robust search --space (\w+).*?)` \|.*\| ([\d,]+) \|$", TEXT, re.M
)


def test_every_space_has_one_row():
    assert sorted(name for _, name, _ in ROWS) == builtin_spaces()


@pytest.mark.parametrize(("command", "name", "cost"), ROWS, ids=[name for _, name, _ in ROWS])
def test_a_row_has_the_spaces_own_command_and_cost(command, name, cost):
    space = load_space(name)
    assert space.description.split("\n")[1].strip() == command
    assert cost == f"{space.max_gradient_evaluations:,.0f}"


@pytest.mark.parametrize("override", re.findall(r"--set (\S+=[\w.]+)", TEXT))
def test_an_override_that_the_text_proposes_works(override):
    name = "sam_rho_grid_cifar10" if "noise" in override else "saner_figure1_cifar10"
    assert load_space(name, overrides=[override]) != load_space(name)
