"""What the tests of the command share: none leaves a process behind, even where it fails."""

import pytest

from tests.cli.command import Started


@pytest.fixture(autouse=True)
def _kill_what_is_left():
    yield
    for started in list(Started.left):
        started.kill_tree()
