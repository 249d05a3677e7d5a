"""The source of the user's own parts: collected once, stored with the run, sent to every process.

What a run needs are the modules that its configurations name and, of those beside them, what these
import. Their text is kept in run.json, so that all trials of a run, those of a resumed run and of a
confirmation included, train the same code. Data files do not travel: give their paths as arguments.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from tune_robust.errors import UserError
from tune_robust.files import cache_root, write_aside

MOST = 10_000_000
"""Bytes of source that a run may have."""

_PACKAGES = ("tune_robust", "analysis", "search_spaces")
"""What every process has."""


@dataclass(frozen=True)
class Code:
    """Python source that own parts come from.

    Attributes:
        folder: where it lay when the run began.
        files: its text by path in the folder.
        packages: versions of the installed packages that parts come from, by module.
    """

    folder: str
    files: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Code | None:
        """What the run.json ``meta`` holds; None where a run has no parts from elsewhere."""
        stored = meta.get("code")
        if stored is None:
            return None
        return cls(stored["folder"], stored["files"], stored["packages"])

    @property
    def hash(self) -> str:
        """SHA-256 of the files, in hexadecimal."""
        return hashlib.sha256(json.dumps(dict(self.files), sort_keys=True).encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """As plain data, for run.json."""
        return {"hash": self.hash, **asdict(self)}

    def changed(self, folder: Path | None = None) -> list[str]:
        """The files that are missing or differ in ``folder``, by default where they come from."""
        here = Path(self.folder) if folder is None else folder
        return [name for name, text in self.files.items() if _text(here / name) != text]

    def unpack(self, folder: Path) -> None:
        """Write the files that ``folder`` lacks or has otherwise."""
        for name in self.changed(folder):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, self.files[name].encode())


def collect_code(names: Iterable[str], folder: str | Path | None = None) -> Code | None:
    """The code of the parts ``names`` (``module:attribute``), without importing it.

    Args:
        names: of all parts that a run may use.
        folder: where the user's own modules lie; by default the working directory.

    Returns:
        None where there are no ``names``.

    Raises:
        UserError: there is no such folder, or its modules are too large to travel.
    """
    modules = list(dict.fromkeys(n.partition(":")[0] for n in names if n not in functions))
    if not modules:
        return None
    here = Path(folder or ".").expanduser().absolute()
    if not here.is_dir():
        raise UserError(f"--code {folder}: there is no such folder.")
    files: dict[str, str] = {}
    waiting = list(modules)
    seen = set()
    while waiting:
        module = waiting.pop()
        if module in seen or module.partition(".")[0] in _PACKAGES:
            continue
        seen.add(module)
        for path in _files_of(module, here):
            text = _text(path)
            if text is not None:
                files[path.relative_to(here).as_posix()] = text
                waiting += _imports(text, path.relative_to(here))
    size = sum(map(len, files.values()))
    if size > MOST:
        raise UserError(
            f"the modules in {here} that {', '.join(modules)} import have {size / 1e6:.0f} MB of "
            f"source; allowed are {MOST / 1e6:.0f}. Put the own parts into a folder of their own, "
            "and name it with --code DIR."
        )
    local = {Path(name).parts[0].removesuffix(".py") for name in files}
    tops = dict.fromkeys(module.partition(".")[0] for module in modules)
    packages = {top: _version(top) for top in tops if top not in local}
    return Code(str(here), dict(sorted(files.items())), packages)


def _files_of(module: str, folder: Path) -> Iterator[Path]:
    """The file of ``module`` in ``folder`` and those of the packages that it lies in."""
    parts = module.split(".")
    for count in range(1, len(parts)):
        yield from _existing(folder.joinpath(*parts[:count]) / "__init__.py")
    path = folder.joinpath(*parts)
    yield from _existing(path / "__init__.py")
    yield from _existing(path.with_name(f"{path.name}.py"))


def _existing(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path


def _imports(text: str, path: Path) -> Iterator[str]:
    """The modules that the file at ``path``, relative to the folder, may import."""
    with suppress(SyntaxError, ValueError):  # said when it is imported
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = path.parts[: -node.level] if node.level else ()
                package = ".".join([*base, *([node.module] if node.module else [])])
                if package:
                    yield package
                yield from (f"{package}.{a.name}".lstrip(".") for a in node.names)


def _text(path: Path) -> str | None:
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def _version(module: str) -> str:
    with suppress(PackageNotFoundError):
        return version(module)
    for name in packages_distributions().get(module, ()):  # which takes a second or two
        with suppress(PackageNotFoundError):
            return version(name)
    return "unknown"


_current: list[Code] = []
"""The code that this process uses, if any."""

_folders: list[str] = []
"""Where this process looks for own parts, the newest first."""


def searched_folders() -> list[str]:
    """The folders of own code in which this process looks for modules."""
    return list(_folders)


def used_code() -> Code | None:
    """The code that this process uses, to hand it on to others."""
    return _current[0] if _current else None


def use_code(code: Code | None) -> None:
    """Make ``code`` importable in this process, and forget modules of other code that it replaces.

    It is imported from its own folder as long as that holds the very same, so that what it reads
    beside itself is found; elsewhere, and once it has changed, from a copy in this user's cache.
    """
    if code is None:
        return
    _current[:] = [code]
    folder = Path(code.folder)
    if code.files and code.changed():
        folder = cache_root() / "code" / code.hash
        code.unpack(folder)
    _forget(code, folder)
    for known in _folders:
        with suppress(ValueError):
            sys.path.remove(known)
    _folders[:] = [str(folder)]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


functions: dict[str, Any] = {}
"""Parts that were given as functions, and not in a file, by the names that they go by."""


def register_functions(given: Mapping[str, Any]) -> None:
    """Have ``given`` found by their names."""
    functions.update(given)


_used: list[str] = []
"""The hash of the code that this process has used last."""


def _forget(code: Code, folder: Path) -> None:
    """Drop modules imported from other files, or from these before they were changed."""
    if _used == [f"{code.hash} {folder}"]:
        return
    _used[:] = [f"{code.hash} {folder}"]
    tops = {Path(name).parts[0].removesuffix(".py") for name in code.files}
    for name in [*sys.modules]:
        if name.partition(".")[0] in tops:
            del sys.modules[name]
