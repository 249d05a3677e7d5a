"""Ray's sessions lie where nobody else can enter, and are gone afterwards."""

import os

import pytest

from tune_robust.errors import UserError
from tune_robust.tuning.engine.ray_folder import private_folder

GONE = 2**22 + 1
"""No process has such a number."""


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tune_robust.tuning.engine.ray_folder._LONGEST", 1000)


def test_only_this_user_may_enter_and_sessions_are_deleted(tmp_path):
    with private_folder() as folder:
        assert folder.parent.parent == tmp_path
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        for process in (os.getpid(), os.getppid(), GONE):
            (folder / f"session_2026-01-01_10-00-00_000001_{process}" / "sockets").mkdir(
                parents=True
            )
    left = [path.name.rpartition("_")[2] for path in folder.iterdir()]
    assert left == [str(os.getppid())]


def test_what_a_killed_process_has_left_is_deleted_by_the_next(tmp_path):
    with private_folder() as folder:
        pass
    (folder / f"session_2026-01-01_10-00-00_000001_{GONE}").mkdir()
    with private_folder():
        assert not [*folder.iterdir()]


def test_what_ray_opens_to_everyone_stays_closed(tmp_path):
    """Ray makes the folder that it is given 0777, and the next session begins all the same."""
    for _ in range(2):
        with private_folder() as folder:
            folder.chmod(0o777)
            folder.parent.chmod(0o777)
        with private_folder() as folder:
            assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    (tmp_path / f"tune-robust-ray-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(UserError, match="created by another user"), private_folder():
        pass
