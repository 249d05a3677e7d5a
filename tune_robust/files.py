"""Write files that are never half-written, and recognise URIs.

A file is written under a temporary name, flushed to disk and renamed, and then its folder is
flushed. Without the first flush, a power failure may leave an empty file under the final name;
without the second, the name may be lost.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_ASIDE = ".aside"


def cache_root() -> Path:
    """This machine's own place for what can be made or fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tune-robust"


def write_aside(path: Path, data: bytes | memoryview, *, durable: bool = True) -> None:
    """Write ``data`` under a temporary name, then rename it: ``path`` is never half-written.

    ``durable``: whether to wait until it is on disk. Use False only if the file can be made again.

    Raises:
        OSError: it cannot be written; the old file stays, and no temporary file is left.
    """
    with written_aside(path, durable=durable) as file:
        file.write(data)


@contextmanager
def written_aside(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a file under a temporary name, which gets the name ``path`` if nothing fails inside.

    ``durable`` and errors are as of ``write_aside``.
    """
    aside = _aside(path)
    try:
        # A name that cannot be guessed, and never through an existing link.
        made = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        with os.fdopen(made, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException as error:
        with suppress(OSError):
            aside.unlink()
        if isinstance(error, OSError):
            # Some errors do not name a file, and others name the temporary one.
            error.filename, error.filename2 = str(path), None
        raise
    if durable:
        sync_folder(path.parent)


def link_aside(path: Path, other: Path) -> None:
    """Make ``other`` a link to the file ``path``; both exist at every moment.

    It is durable only after ``sync_folder``.
    """
    aside = _aside(other)
    try:
        os.link(path, aside)
    except OSError:  # not every file system has links
        shutil.copyfile(path, aside)
    os.replace(aside, other)


def make_two_levels(folder: Path) -> None:
    """Make a folder and the one that it lies in, but none above them.

    A folder that was moved or deleted is not created again, so that no copy of it is written to.

    Raises:
        OSError: the folder above is not there, or cannot be written.
    """
    folder.parent.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk, if its file system supports this."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(opened)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; opening others, such as a pipe, could block.

    Raises:
        OSError: it cannot be read; ``filename`` has its name.
    """
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(opened, "rb")


def is_aside(path: Path) -> bool:
    """Return whether ``path`` is a temporary file of ``write_aside`` in any version."""
    return path.name.startswith(".") and (path.suffix == _ASIDE or path.suffix[1:].isdigit())


def lies_in(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is inside ``folder`` after following all links."""
    resolved = folder.resolve()
    return resolved in path.resolve().parents


def is_uri(place: str) -> bool:
    """Return whether ``place`` is a URI rather than a local path."""
    return "://" in place


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{_ASIDE}")
