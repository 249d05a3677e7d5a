"""Checkpoints of a loop of the user's own: one zip file each, with its files and where it stood.

Their names are those of the built-in loop's checkpoints (``last.pt``), which are zip files as well.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tune_robust.errors import UserError
from tune_robust.files import open_regular, write_aside

_FACTS, _FILES = "trial.json", "files/"


@dataclass(frozen=True)
class LoopCheckpoint:
    """Where a loop stood when it saved its files.

    ``metrics`` are those of ``epoch``, ``earlier`` those of the ones before; ``config`` is the
    configuration as plain data, ``seconds`` how long it had trained. ``owner`` says whose it is.
    """

    epoch: int
    metrics: dict[str, float]
    config: dict[str, Any]
    seconds: float
    earlier: list[dict[str, float]] = field(default_factory=list)
    owner: dict[str, str | None] | None = None
    reliability: None = None


def write_loop_checkpoint(path: Path, checkpoint: LoopCheckpoint, folder: Path) -> None:
    """Write ``checkpoint`` and all files in ``folder``, aside and then renamed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_FACTS, json.dumps(asdict(checkpoint)))
        for file in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            archive.write(file, _FILES + file.relative_to(folder).as_posix())
    write_aside(path, buffer.getbuffer())


def read_loop_checkpoint(path: Path) -> LoopCheckpoint:
    """Read where the loop stood; its files are seen to be whole.

    Raises:
        UserError: the file is missing, damaged, or no such checkpoint.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(f"the checksum of its part {damaged} differs")
            facts = json.loads(archive.read(_FACTS))
            known = {f.name for f in fields(LoopCheckpoint)}
            if not isinstance(facts, Mapping) or facts.keys() - known:
                raise ValueError("it was written by a newer version")
            return LoopCheckpoint(**facts)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}.") from None
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise UserError(f"{path} is damaged or not the checkpoint of a loop: {error}") from error


def unpack_loop_checkpoint(path: Path, folder: Path) -> None:
    """Write the loop's files into ``folder``, which none of their names may leave."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            inside = (folder / name.removeprefix(_FILES)).resolve()
            if not name.startswith(_FILES) or not inside.is_relative_to(folder.resolve()):
                continue
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.write_bytes(archive.read(name))
