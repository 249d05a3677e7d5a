"""The event log of a run on a remote file system, in segments that are written once.

An object cannot be appended to, and uploading the whole log after every change would cost traffic
that is quadratic in the number of trials. Each upload therefore writes a new object,
``events/GENERATION/BEGIN-END-CRC.jsonl``: the complete lines from byte BEGIN to byte END, with the
checksum of the log up to END. Every process that opens the run for writing begins a generation with
the whole log in one segment, which replaces the previous generations. What a previous writer still
uploads belongs to its own generation, and is ignored.

Runs of earlier versions have the whole log in ``events.jsonl`` instead.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.runs.remote.objects import Remote

EVENTS = "events.jsonl"
_FOLDER = "events"
_NAME = re.compile(r"(\d{6})/(\d{15})-(\d{15})-([0-9a-f]{8})\.jsonl")
_PART = re.compile(rf"(?:(.+)/)?(?:{re.escape(EVENTS)}|{_FOLDER}/{_NAME.pattern})")
_READERS = 16
"""The number of segments that are read at once."""
_TRIES = 20  # of reading a log whose generation is being replaced


class Segment(NamedTuple):
    """Bytes ``begin`` to ``end`` of a log, and the checksum of the log up to ``end``."""

    generation: int
    begin: int
    end: int
    crc: int

    @property
    def name(self) -> str:
        """The path of its object in the run."""
        lines = f"{self.begin:015d}-{self.end:015d}-{self.crc:08x}.jsonl"
        return f"{_FOLDER}/{self.generation:06d}/{lines}"

    @classmethod
    def parse(cls, name: str) -> Segment | None:
        """Return the segment of a name in ``events``; None for the name of anything else."""
        found = _NAME.fullmatch(name)
        return found and cls(int(found[1]), int(found[2]), int(found[3]), int(found[4], 16))


def log_of(name: str) -> str | None:
    """Return the folder of the log that an object belongs to; None for other objects."""
    found = _PART.fullmatch(name)
    return found and (found[1] or "")


class RemoteLog:
    """The log of the run at ``remote``, and its local copy in ``folder``."""

    def __init__(self, folder: Path, remote: Remote):
        self._path, self._remote = folder / EVENTS, remote
        self._last: Segment | None = None
        self._file: tuple[int, int] | None = None

    def upload(self) -> int:
        """Upload the complete lines that were appended since the last call; return their bytes.

        The first call uploads the whole log, as does one after the log was replaced. Only the
        holder of the run's lease may call this.
        """
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            seen = os.fstat(file.fileno())
            replaced = (seen.st_dev, seen.st_ino) != self._file
            last = self._last
            if last is None or replaced or seen.st_size < last.end:
                last = Segment(self._newest() + 1, 0, 0, 0)
            file.seek(last.end)
            lines = file.read()
        lines = lines[: lines.rfind(b"\n") + 1]
        if not lines:
            return 0
        end, crc = last.end + len(lines), zlib.crc32(lines, last.crc)
        segment = Segment(last.generation, last.end, end, crc)
        self._remote.write(segment.name, lines)
        self._last, self._file = segment, (seen.st_dev, seen.st_ino)
        if segment.begin == 0:
            self._delete_older(segment.generation)
        return len(lines)

    def download(self) -> None:
        """Update the local copy, unless it begins with the remote log and has more."""
        local = self._path.read_bytes() if self._path.exists() else b""
        content = self._read(local)
        if content is None or local.startswith(content):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(self._path, content)

    def read(self) -> bytes:
        """Return the remote log, which is empty if there is none."""
        return self._read(b"") or b""

    def _read(self, known: bytes) -> bytes | None:
        """Read the log without what ``known``, a copy of it, begins with; None if there is none."""
        for _ in range(_TRIES):
            chain = self._chain()
            if not chain:
                return self._remote.read(EVENTS)
            have = _count_in(known, chain)
            with ThreadPoolExecutor(_READERS) as pool:
                parts = [
                    *pool.map(self._remote.read_constant, (each.name for each in chain[have:]))
                ]
            if None not in parts:
                begin = chain[have - 1].end if have else 0
                return known[:begin] + b"".join(part for part in parts if part is not None)
        raise UserError(
            f"the event log at {self._remote.uri} was replaced while it was read. Try again."
        )

    def _chain(self) -> list[Segment]:
        """Return the segments of the newest generation that has a beginning, in their order."""
        # A process that lost its lease may have ended a segment elsewhere: the longest one counts.
        found = {(each.generation, each.begin): each for each in sorted(self._found())}
        generation = max((each for each, begin in found if begin == 0), default=0)
        chain: list[Segment] = []
        end = 0
        while (segment := found.get((generation, end))) is not None:
            chain.append(segment)
            end = segment.end
        return chain

    def _found(self) -> list[Segment]:
        parsed = map(Segment.parse, self._remote.child(_FOLDER).names())
        return [segment for segment in parsed if segment is not None]

    def _newest(self) -> int:
        return max((segment.generation for segment in self._found()), default=0)

    def _delete_older(self, generation: int) -> None:
        for older in {segment.generation for segment in self._found()}:
            if older < generation:
                self._remote.delete(f"{_FOLDER}/{older:06d}")
        self._remote.delete(EVENTS)


def _count_in(log: bytes, chain: Sequence[Segment]) -> int:
    """Return with how many of the first segments of ``chain`` a log begins."""
    begin = crc = 0
    for number, segment in enumerate(chain):
        crc = zlib.crc32(memoryview(log)[begin : segment.end], crc)
        if len(log) < segment.end or crc != segment.crc:
            return number
        begin = segment.end
    return len(chain)
