import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_robust.spaces.distributions import Choice, Grid, Int, LogInt, LogUniform, Uniform
from tune_robust.spaces.unit_cube import from_unit, to_unit

RANGES = [
    Uniform(low=-0.3, high=0.7),
    LogUniform(low=1e-5, high=0.3),
    Int(low=-2, high=5),
    LogInt(low=1, high=9),
]
LISTS = [Choice(values=("a", None, True)), Grid(values=(0.1, 0.5))]


@pytest.mark.parametrize("distribution", RANGES + LISTS, ids=str)
@given(unit=st.floats(0, 1))
def test_every_point_is_a_value_that_can_be_drawn(distribution, unit):
    assert distribution.contains(from_unit(distribution, unit))


@pytest.mark.parametrize("distribution", RANGES + LISTS, ids=str)
def test_the_ends_of_the_cube_are_the_ends_of_the_range(distribution):
    ends = distribution.ends()
    drawn = (from_unit(distribution, 0.0), from_unit(distribution, 1.0))
    assert drawn == (pytest.approx(ends[0]), pytest.approx(ends[-1]))


@pytest.mark.parametrize("distribution", RANGES, ids=str)
@given(unit=st.floats(0, 1))
def test_a_value_goes_back_to_where_it_came_from(distribution, unit):
    value = from_unit(distribution, unit)
    assert from_unit(distribution, to_unit(distribution, value)) == pytest.approx(value)
    if isinstance(distribution, (Uniform, LogUniform)):
        assert to_unit(distribution, value) == pytest.approx(unit, abs=1e-9)


@pytest.mark.parametrize("distribution", [RANGES[2], *LISTS], ids=str)
def test_cells_are_of_equal_size(distribution):
    cells = 240
    counts = collections.Counter(
        str(from_unit(distribution, (i + 0.5) / cells)) for i in range(cells)
    )
    assert len(set(counts.values())) == 1
