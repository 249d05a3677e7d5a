"""A process that has used no own code yet, for each test."""

import pytest

from tests.own.fresh import forgotten


@pytest.fixture(autouse=True)
def _fresh():
    with forgotten():
        yield
