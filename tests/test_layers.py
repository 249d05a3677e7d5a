"""The layers point one way: every part imports only parts of the tiers before its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIERS = (
    {"errors", "metrics", "formatting", "information"},
    {"validation", "files"},
    {"config", "own", "cache_folder"},
    {"data", "models", "methods"},
    {"training", "loops"},
    {"spaces"},
    {"runs"},
    {"schedulers", "statistics", "gaussian_process", "label_errors", "tracking"},
    {"analysis"},
    {"tuning.strategy"},
    {"tuning.engine", "tuning.winners"},
    {"tuning.simulation"},
    {"console"},
    {"api"},
    {"figures"},
    {"cli"},
)
TIER = {part: place for place, parts in enumerate(TIERS) for part in parts}


def part_of(module):
    """``tuning.engine`` for ``tune_robust.tuning.engine.slots``; None for what is not ours."""
    first, *rest = module.split(".")
    if first == "analysis":
        return "analysis"
    if first != "tune_robust" or not rest:
        return None
    return ".".join(rest[:2]) if rest[0] == "tuning" else rest[0]


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules():
    for folder in ("tune_robust", "analysis"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT)
            part = part_of(".".join(inside.with_suffix("").parts))
            if part in TIER:
                yield pytest.param(path, part, id=str(inside))


@pytest.mark.parametrize(("path", "part"), [*modules()])
def test_imports_only_what_it_rests_on(path, part):
    parts = {part_of(module) for module in imported(ast.parse(path.read_text()))}
    wrong = {other for other in parts & TIER.keys() if TIER[other] >= TIER[part] and other != part}
    assert not wrong, f"{part} must not import {', '.join(sorted(wrong))}"


def in_package(folder):
    return [path for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"]


def test_every_part_has_its_tier():
    found = {part_of(f"tune_robust.{p.stem}") for p in in_package(ROOT / "tune_robust")}
    found |= {f"tuning.{p.stem}" for p in in_package(ROOT / "tune_robust/tuning")}
    ours = {part for part in found if not part.rpartition(".")[2].startswith("__")}
    assert ours - {"tuning"} == TIER.keys() - {"analysis"}


def test_every_package_is_one_for_those_who_install_it():
    folders = {
        path.parent for top in ("tune_robust", "analysis") for path in (ROOT / top).rglob("*.py")
    }
    assert all((folder / "__init__.py").exists() for folder in folders)
