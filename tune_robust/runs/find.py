"""Find a run by its name in a storage, by its path, or by its URI."""

from __future__ import annotations

from pathlib import Path

from tune_robust.errors import UserError, nearest
from tune_robust.files import is_uri
from tune_robust.runs.folder import RunFolder

_JOBS_COPIES = "working_dir_files"
"""The folder in which Ray keeps the working directories of jobs."""


def new_run(storage: str, name: str) -> RunFolder:
    """Return the folder for a new run, which ``RunStore.create`` will create.

    Raises:
        UserError: the name is not valid, the run exists already, or the storage cannot be written
            or will be deleted by Ray.
    """
    folder = _folder(storage, _checked_name(name))
    if not is_uri(storage):
        _refuse_passing(storage)
    if folder.exists():
        raise UserError(
            f"there is already a run {name!r} at {folder.place}. Continue it "
            f"(`tune-robust resume {folder.place}`) or choose another --name."
        )
    folder.make()
    return folder


def find_run(run: str, storage: str) -> RunFolder:
    """Return the folder of an existing run, by its name under ``storage``, its path or its URI.

    Raises:
        UserError: there is no such run; the message names the nearest.
    """
    if is_uri(run):
        return _find_remote(run)
    if _is_run(path := Path(run)):
        return RunFolder(path)
    if is_uri(storage):
        return _find_remote(storage, run)
    if _is_run(path := Path(storage).expanduser() / run):
        return RunFolder(path)
    known = sorted(p.parent.name for p in Path(storage).expanduser().glob("*/run.json"))
    raise _absent(run, storage, known)


def _is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def _find_remote(uri: str, name: str | None = None) -> RunFolder:
    # Slow to import, and most runs are on this machine.
    from tune_robust.runs.remote.objects import Remote
    from tune_robust.runs.remote.run import RemoteRunFolder

    remote = Remote(uri) if name is None else Remote(uri).child(name)
    folder = RemoteRunFolder(remote)
    if not folder.exists():
        raise _absent(remote.name, remote.parent.uri, remote.parent.folders("run.json"))
    return folder.download()


def _folder(storage: str, name: str) -> RunFolder:
    if is_uri(storage):
        from tune_robust.runs.remote.objects import Remote
        from tune_robust.runs.remote.run import RemoteRunFolder

        return RemoteRunFolder(Remote(storage).child(name))
    return RunFolder(Path(storage).expanduser() / name)


def _refuse_passing(storage: str) -> None:
    """Refuse Ray's copy of a job's --working-dir, which Ray deletes after the job."""
    path = Path(storage).expanduser().resolve()
    if _JOBS_COPIES in path.parts:
        raise UserError(
            f"--storage {storage!r} is {path} here: Ray's copy of the job's working directory, "
            "which is deleted after the job. Give a --storage that stays: an absolute path that "
            "all nodes share, or a URI (s3://, gs://)."
        )


def _absent(run: str, storage: str, known: list[str]) -> UserError:
    have = f" Runs there: {', '.join(known)}." if known else " There are no runs there."
    return UserError(f"there is no run {run!r} under {storage}.{nearest(run, known)}{have}")


def _checked_name(name: str) -> str:
    plain = all(c.isalnum() or c in "._-" for c in name)
    if not plain or not name or name.startswith("."):
        raise UserError(
            f"--name {name!r}: use letters, digits, '.', '_' and '-', not starting with '.'."
        )
    return name
