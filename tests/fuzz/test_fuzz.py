"""Whatever is damaged in a run: no traceback, no change outside it, no number that is not its own.

The long form is ``python -m tests.fuzz --cases 5000``.
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.cases import Fuzzer


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_no_damage_does_harm(fuzzer, seed):
    assert fuzzer.run(random.Random(seed), slow=False) == []
