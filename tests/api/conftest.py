"""A run that is finished, made without training."""

import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """The folder of the run ``r1`` in the default storage, the working directory's ``runs``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    simulate(space(), tmp_path / "runs" / "r1")
    folder = RunFolder(tmp_path / "runs" / "r1")
    folder.write_meta({**folder.read_meta(), **provenance()})
    return folder.path
