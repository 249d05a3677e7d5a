"""The event log of a run: append-only, one JSON object on each line, one writer.

Each line ends in a checksum of itself and of all lines before it, beginning with the run's id. A
line that was changed, removed, inserted or taken from another run is therefore detected. A run of
an earlier version has no id, and lines without checksums; the first line with one covers these.
"""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic import ValidationError

from tune_robust.errors import UserError
from tune_robust.files import open_regular
from tune_robust.runs.events import EVENT
from tune_robust.runs.lock import lock

_SEAL = re.compile(rb', "crc": "([0-9a-f]{8})"\}\n\Z')
_SEAL_LENGTH = len(b', "crc": "01234567"}\n')


class LogDamaged(UserError):
    """A line of the event log was changed; ``resume`` recovers the others."""


def seed_of(run_id: str | None) -> int:
    """Return the checksum from which that of a run's first line is computed."""
    return zlib.crc32((run_id or "").encode())


def mark_of(run_id: str | None) -> dict[str, str]:
    """Return what an event says of its run, which is nothing in a run of an earlier version."""
    return {"run": run_id[:8]} if run_id else {}


def split(line: bytes) -> tuple[bytes, int | None]:
    """Split a line into its content and its checksum; None if it has none."""
    sealed = _SEAL.search(line, max(0, len(line) - _SEAL_LENGTH))
    return (line[: sealed.start()], int(sealed[1], 16)) if sealed else (line, None)


def parse(line: bytes) -> dict[str, Any]:
    """Return the event on a line.

    Raises:
        ValueError: there is no valid event; the message says why in one line.
    """
    try:
        return cast("dict[str, Any]", EVENT.validate_json(line))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None


class EventLog:
    """Reads the events of a run, each time from where the last reading ended.

    ``run_id`` is None for a run of an earlier version, whose first lines may have no checksums.
    ``checksum`` is that of the last line read.

    Raises:
        LogDamaged: by ``new``, at a line that was changed.
    """

    def __init__(self, path: Path, run_id: str | None):
        self._path, self._offset, self._line = path, 0, 0
        self.checksum, self._sealed = seed_of(run_id), run_id is not None

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield the events since the last call, without a line that is still being written."""
        if not self._path.exists():
            return
        with open_regular(self._path) as handle:
            if os.fstat(handle.fileno()).st_size < self._offset:
                raise self.damage("it has become shorter", self._line)
            handle.seek(self._offset)
            for line in handle:
                if not line.endswith(b"\n"):
                    return
                self._line += 1
                event = self._checked(line)
                self._offset += len(line)
                yield event

    def damage(self, why: str, line: int | None = None) -> LogDamaged:
        """Return the error that names the last line read, or ``line``."""
        run = self._path.parent
        return LogDamaged(
            f"{self._path}, line {self._line if line is None else line}: {why}. The file was "
            "damaged, or changed by another program. Restore it from a copy, or recover its valid "
            f"lines with:\n  tune-robust resume {run}"
        )

    def _checked(self, line: bytes) -> dict[str, Any]:
        content, checksum = split(line)
        expected = zlib.crc32(content, self.checksum)
        if checksum is None and self._sealed:
            raise self.damage("it has no checksum")
        if checksum is not None and checksum != expected:
            raise self.damage("its checksum differs from its content")
        self.checksum, self._sealed = expected, checksum is not None
        try:
            return parse(line)
        except ValueError as error:
            raise self.damage(f"this is no event of a run: {error}") from error


def sealed(event: Mapping[str, Any], checksum: int) -> tuple[bytes, int]:
    """Return the line for an event that follows ``checksum``, and its own checksum."""
    content = json.dumps(event, allow_nan=False)[:-1].encode()
    own = zlib.crc32(content, checksum)
    return content + f', "crc": "{own:08x}"}}\n'.encode(), own


class LogWriter:
    """Appends events, each as a whole; ``checksum`` is that of the last line.

    Raises:
        OSError: by ``append``, if the line cannot be written or the file was deleted.
    """

    def __init__(self, path: Path, checksum: int):
        self._path, self._checksum = path, checksum
        # Never through a link, since its target does not belong to the run.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        self._file: BinaryIO = os.fdopen(os.open(path, flags, 0o666), "ab", buffering=0)

    def lock(self) -> bool:
        """Lock the log until it is closed; return False if another process holds the lock."""
        return lock(self._file)

    def append(self, event: Mapping[str, Any]) -> None:
        """Write an event completely or not at all, since none may follow a partial one."""
        before = os.fstat(self._file.fileno())
        if not before.st_nlink:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path))
        line, checksum = sealed(event, self._checksum)
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            os.truncate(self._file.fileno(), before.st_size)
            error.filename = str(self._path)
            raise
        self._checksum = checksum

    def sync(self) -> None:
        """Wait until everything appended is on disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Stop writing."""
        self._file.close()
