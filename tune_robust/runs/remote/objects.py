"""A folder on a file system that pyarrow opens by its URI: s3://, gs://, abfs://, hdfs://, file://.

Objects are written as a whole: a reader sees either the old one or the new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType

from tune_robust.errors import UserError
from tune_robust.files import write_aside

_CHUNK = 8 * 2**20
_TRIES = 20  # of reading an object that is being replaced


_SECRET = re.compile(r"secret|password|token|access_?key|account_?key|sig(nature)?$", re.IGNORECASE)


def _refuse_secrets(uri: str) -> None:
    """Refuse secrets in a storage's URI, which is stored, shown and written into reports."""
    parts = urlsplit(uri)
    has_password = ":" in parts.netloc.rpartition("@")[0]
    keys = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if has_password or any(_SECRET.search(key) for key in keys):
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise UserError(
            f"--storage {shown!r} was given with a password or key in it, which would stay in the "
            "run and its reports. Leave it out of the URI and set the environment variables of the "
            "storage instead: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3, "
            "GOOGLE_APPLICATION_CREDENTIALS for gs, AZURE_STORAGE_KEY for abfs."
        )


class Remote:
    """A folder on a remote file system, at ``uri``.

    Raises:
        UserError: the URI names no file system, or (in any method) it cannot be reached; the
            message contains the error of the file system.
    """

    def __init__(self, uri: str):
        _refuse_secrets(uri)
        self.uri = uri.rstrip("/")
        try:
            self._system, self._root = FileSystem.from_uri(self.uri)
        except (ArrowException, OSError, ValueError) as error:
            raise UserError(
                f"--storage {uri!r} cannot be opened: {error}. Expected s3://BUCKET/FOLDER, "
                "gs://, abfs:// or hdfs://, or a local folder."
            ) from error
        self._root = self._root.rstrip("/")

    def child(self, name: str) -> Remote:
        """Return the folder ``name`` in this one."""
        base, mark, query = self.uri.partition("?")
        return Remote(f"{base.rstrip('/')}/{name}{mark}{query}")

    @property
    def parent(self) -> Remote:
        """Return the folder that contains this one."""
        base, mark, query = self.uri.partition("?")
        return Remote(f"{base.rpartition('/')[0]}{mark}{query}")

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self._root.rpartition("/")[2]

    def folders(self, marker: str) -> list[str]:
        """Return the names of the folders here that contain an object ``marker``."""
        with self._explained("listed"):
            found = self._system.get_file_info(FileSelector(self._root, allow_not_found=True))
            names = sorted(info.base_name for info in found if info.type == FileType.Directory)
            return [name for name in names if self.has(f"{name}/{marker}")]

    def names(self) -> list[str]:
        """Return the paths of all objects here, relative to this folder."""
        with self._explained("listed"):
            found = self._system.get_file_info(
                FileSelector(self._root, allow_not_found=True, recursive=True)
            )
        files = (info.path for info in found if info.type == FileType.File)
        return sorted(path.removeprefix(f"{self._root}/") for path in files)

    def has(self, name: str) -> bool:
        """Return whether there is an object with this name."""
        with self._explained("read"):
            return self._system.get_file_info(self._path(name)).type == FileType.File

    def age(self, name: str, now: float) -> float | None:
        """Return the seconds from an object's time of change to the caller's ``now``."""
        with self._explained("read"):
            info = self._system.get_file_info(self._path(name))
        return None if info.type != FileType.File else now - info.mtime_ns / 1e9

    def read(self, name: str) -> bytes | None:
        """Return an object's content; None if there is no such object."""
        with self._explained("read"):
            return self._whole(name)

    def read_constant(self, name: str) -> bytes | None:
        """Return the content of an object that is never replaced; None if it was deleted."""
        with self._explained("read"):
            try:
                with self._system.open_input_stream(self._path(name)) as stream:
                    return stream.read()
            except FileNotFoundError:
                return None

    def _whole(self, name: str) -> bytes | None:
        """Repeat reading while an object is replaced: its parts may be of two versions."""
        before = self._system.get_file_info(self._path(name))
        for _ in range(_TRIES):
            if before.type != FileType.File:
                return None
            with self._system.open_input_stream(self._path(name)) as stream:
                content = stream.read()
            after = self._system.get_file_info(self._path(name))
            unchanged = (before.size, before.mtime_ns) == (after.size, after.mtime_ns)
            if unchanged and len(content) == after.size:
                return content
            before = after
        raise OSError(f"{name} is replaced faster than it can be read")

    def write(self, name: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        with self._explained("written"):
            self._make_parent(name)
            with self._system.open_output_stream(self._path(name)) as stream:
                stream.write(data)

    def fetch(self, name: str, path: Path) -> bool:
        """Copy an object into a local file, aside and then renamed.

        Return False if there is none.
        """
        content = self.read(name)
        if content is None:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, content)
        return True

    def store(self, path: Path, name: str) -> None:
        """Copy a local file into an object."""
        with self._explained("written"), path.open("rb") as file:
            self.send(file, name)

    def send(self, file: BinaryIO, name: str) -> None:
        """Copy an open file into an object."""
        with self._explained("written"):
            self._make_parent(name)
            with self._system.open_output_stream(self._path(name)) as stream:
                while chunk := file.read(_CHUNK):
                    stream.write(chunk)

    def copy(self, name: str, to: str) -> None:
        """Copy an object within this folder, without downloading it."""
        with self._explained("written"):
            self._make_parent(to)
            self._system.copy_file(self._path(name), self._path(to))

    def delete(self, name: str) -> None:
        """Delete an object, or a folder with its content, if it exists."""
        with self._explained("deleted"):
            kind = self._system.get_file_info(self._path(name)).type
            if kind == FileType.File:
                self._system.delete_file(self._path(name))
            elif kind == FileType.Directory:
                self._system.delete_dir(self._path(name))

    def _make_parent(self, name: str) -> None:
        """Create a folder, which object stores do not need, but other file systems do."""
        if self._system.type_name in {"local", "hdfs"}:
            self._system.create_dir(self._path(name).rpartition("/")[0], recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ArrowException) as error:
            raise UserError(
                f"{self.uri} could not be {done}: {error}. Check the address, the network and "
                "your credentials; nothing stored there was lost."
            ) from error
