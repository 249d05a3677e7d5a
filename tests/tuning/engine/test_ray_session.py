"""Ray's token is whole and private from the moment that it is there."""

import stat
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tune_robust.tuning.engine import ray_session


@pytest.mark.parametrize("attempt", range(20))
def test_searches_that_start_together_have_one_token(tmp_path, monkeypatch, attempt):
    path, together = tmp_path / "ray" / "token", 8
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    start = Barrier(together)

    def search(_):
        start.wait()
        ray_session._protect_token()
        return path.read_text()

    with ThreadPoolExecutor(together) as pool:
        tokens = set(pool.map(search, range(together)))
    assert [len(token) for token in tokens] == [64]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*path.parent.iterdir()] == [path]
