"""What may happen to a file of a run; each change is drawn from one source of chance."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[random.Random, Path, Path], str | None]
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**18,
    10**400,
    1e308,
    0.5,
    "",
    "t0001",
    "../../outside",
    "/etc",
    "[red]\x1b[31m\u202e",
    [],
    {},
    [[]],
    {"a": {"b": []}},
)


def damage(chance: random.Random, run: Path, outside: Path) -> tuple[list[str], bool]:
    """Change one to three things of the run; what, and whether any was an edit on purpose."""
    told, on_purpose = [], False
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        change = chance.choice(CHANGES)
        if (done := change(chance, run, outside)) is not None:
            told.append(f"{change.__name__[1:]} {done}")
            on_purpose = on_purpose or change in ON_PURPOSE
    return told, on_purpose


def _file(chance: random.Random, run: Path, ending: str = "") -> Path | None:
    files = sorted(p for p in run.rglob(f"*{ending}") if p.is_file() and not p.is_symlink())
    return chance.choice(files) if files else None


def _changed_bytes(chance: random.Random, run: Path, outside: Path) -> str | None:
    path = _file(chance, run)
    if path is None or not (content := bytearray(path.read_bytes())):
        return None
    for _ in range(chance.choice((1, 1, 3, 40))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return str(path.relative_to(run))


def _cut(chance: random.Random, run: Path, outside: Path) -> str | None:
    if (path := _file(chance, run)) is None:
        return None
    content = path.read_bytes()
    path.write_bytes(content[: chance.choice((0, 1, chance.randrange(len(content) + 1)))])
    return str(path.relative_to(run))


def _added(chance: random.Random, run: Path, outside: Path) -> str | None:
    if (path := _file(chance, run)) is None:
        return None
    more = chance.choice((b"\n", b"{}\n", b"\x00" * 512, b"\xef\xbb\xbf", b"[" * 3000 + b"\n"))
    before = chance.random() < 0.3
    content = path.read_bytes()
    path.write_bytes(more + content if before else content + more)
    return str(path.relative_to(run))


def _removed(chance: random.Random, run: Path, outside: Path) -> str | None:
    if (path := _file(chance, run)) is None:
        return None
    path.unlink()
    return str(path.relative_to(run))


def _exchanged(chance: random.Random, run: Path, outside: Path) -> str | None:
    one = _file(chance, run)
    other = one and _file(chance, run, one.suffix)
    if one is None or other is None:
        return None
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    if chance.random() < 0.5:
        one.write_bytes(contents[1])
    return f"{one.relative_to(run)} and {other.relative_to(run)}"


def _replaced(chance: random.Random, run: Path, outside: Path) -> str | None:
    """By a folder, a pipe, or a link out of the run."""
    if (path := _file(chance, run)) is None:
        return None
    path.unlink()
    kind = chance.choice(("folder", "pipe", "link", "dangling link", "link to itself"))
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(outside / "precious" / "file")
        case "dangling link":
            path.symlink_to(outside / "nothing")
        case "link to itself":
            path.symlink_to(path)
    return f"{path.relative_to(run)} by a {kind}"


def _linked(chance: random.Random, run: Path, outside: Path) -> str | None:
    """A folder of checkpoints is a link out of the run."""
    if (run / "checkpoints").is_symlink():
        return None
    path = chance.choice([run / "checkpoints", *sorted((run / "checkpoints").glob("t*"))])
    if path.is_symlink() or not path.is_dir():
        return None
    shutil.rmtree(path)
    path.symlink_to(outside / "precious")
    return str(path.relative_to(run))


def _changed_lines(chance: random.Random, run: Path, outside: Path) -> str | None:
    path = chance.choice([run / "events.jsonl", run / "confirm" / "events.jsonl"])
    if path.is_symlink() or not path.is_file():
        return None
    lines = path.read_bytes().splitlines(keepends=True)
    if not lines:
        return None
    place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.choice(("remove", "repeat", "exchange", "tail")):
        case "remove":
            del lines[place]
        case "repeat":
            lines.insert(other, lines[place])
        case "exchange":
            lines[place], lines[other] = lines[other], lines[place]
        case "tail":
            del lines[place:]
    path.write_bytes(b"".join(lines))
    return f"{path.relative_to(run)}, line {place + 1}"


def _changed_value(chance: random.Random, run: Path, outside: Path) -> str | None:
    """A JSON value, in a document or in an event; its checksum stays."""
    return _edited(chance, run, keep_checksum=True)


def _edited_value(chance: random.Random, run: Path, outside: Path) -> str | None:
    """The same on purpose, or in a run of an earlier version: without any checksum."""
    return _edited(chance, run, keep_checksum=False)


def _edited(chance: random.Random, run: Path, *, keep_checksum: bool) -> str | None:
    names = ("run.json", "events.jsonl", "confirm/confirmation.json", "confirm/run.json")
    path = run / chance.choice(names)
    if path.is_symlink() or not path.is_file():
        return None
    try:
        documents = [json.loads(line) for line in _texts(path)]
    except (ValueError, RecursionError):
        return None
    if not documents or not all(isinstance(document, dict) for document in documents):
        return None
    where = _change_inside(chance, chance.choice(documents))
    if not keep_checksum:
        for document in documents:
            for key in ("crc", "run") if path.suffix == ".jsonl" else ("checksum",):
                document.pop(key, None)
        if path.suffix == ".jsonl":
            _forget_id(path.parent / "run.json")
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return f"{path.relative_to(run)}: {where}"


def _forget_id(path: Path) -> None:
    """Make it the run.json of an earlier version, whose logs had no checksums."""
    if path.is_symlink() or not path.is_file():
        return
    with contextlib.suppress(ValueError, RecursionError, AttributeError):
        document = json.loads(path.read_text())
        for key in ("checksum", "id"):
            document.pop(key, None)
        path.write_text(json.dumps(document))


def _texts(path: Path) -> list[str]:
    text = path.read_text(errors="replace")
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _change_inside(chance: random.Random, document: Any) -> str:
    """Change one value, or take it out, at a place of any depth."""
    path = []
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        key = chance.choice(keys)
        path.append(str(key))
        inner = document[key]
        if not (isinstance(inner, dict | list) and inner) or chance.random() < 0.3:
            break
        document = inner
    if chance.random() < 0.25:
        del document[key]
        return f"{'.'.join(path)} taken out"
    document[key] = chance.choice(ODD)
    return f"{'.'.join(path)} = {document[key]!r:.30}"


ON_PURPOSE = (_edited_value,)
CHANGES: tuple[Change, ...] = (
    _changed_bytes,
    _changed_bytes,
    _cut,
    _added,
    _removed,
    _exchanged,
    _replaced,
    _linked,
    _changed_lines,
    _changed_value,
    _changed_value,
    _edited_value,
)
