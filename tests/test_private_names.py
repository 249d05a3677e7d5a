"""The private names of other libraries that are used here: listed, still there, and no others."""

import ast
import fnmatch
import functools
import importlib
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
OURS = ("tune_robust", "analysis")
TABLE = (ROOT / "CONTRIBUTING.md").read_text().partition("## Private names")[2]
ROWS = re.findall(r"^\| (`[\w.*]+`.*?) \|.*\| (.*?) \|$", TABLE, re.MULTILINE)
LISTED = [name for names, _ in ROWS for name in re.findall(r"`([\w.*]+)`", names)]


DOCUMENTED = {"os._exit"}
"""Public all the same."""


def private(name):
    return name not in DOCUMENTED and any(
        re.match(r"_[a-z]", part, re.IGNORECASE) for part in name.split(".")
    )


def imported_names(tree):
    """What the imports bind, as ``{"F": "torch.nn.functional"}``."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return {bound: whole for bound, whole in names.items() if whole.split(".")[0] not in OURS}


def dotted(node):
    """``torch._dynamo.config`` of an attribute's tree; None where it is not one of names."""
    if isinstance(node, ast.Name):
        return node.id
    inner = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return inner and f"{inner}.{node.attr}"


def private_names(path):
    tree = ast.parse(path.read_text())
    names = imported_names(tree)
    found = set(names.values())
    for node in ast.walk(tree):
        first, _, rest = (dotted(node) or "").partition(".")
        if rest and first in names:
            found.add(f"{names[first]}.{rest}")
    return {name for name in found if private(name) and not name.startswith("__future__")}


@functools.cache
def used():
    return {n for top in OURS for p in (ROOT / top).rglob("*.py") for n in private_names(p)}


def covers(listed, name):
    return fnmatch.fnmatch(name, listed) or name.startswith(f"{listed}.")


def test_every_private_name_is_listed():
    missing = {
        name
        for name in used()
        if not any(covers(entry, name) for entry in LISTED)
        # a part of a listed name, such as torch._dynamo of torch._dynamo.config
        and not any(entry.startswith(f"{name}.") for entry in LISTED)
    }
    assert not missing, f"list in CONTRIBUTING.md, with a test that watches it: {sorted(missing)}"


@pytest.mark.parametrize(
    "entry", [name for name in LISTED if "." in name and name != "torch.optim.Optimizer"]
)
def test_every_listed_name_is_used(entry):
    assert any(covers(entry, name) for name in used())


METHODS = {"ray._private.worker._global_node.": "ray._private.node.Node."}
"""Of an object that is there only while Ray runs."""


def exists(name):
    for instance, kind in METHODS.items():
        name = name.replace(instance, kind)
    first, *parts = name.split(".")
    found = importlib.import_module(first)
    for part in parts:
        if not hasattr(found, part):
            importlib.import_module(name.rpartition(".")[0])
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


def test_every_used_name_exists():
    names = [name for name in used() if "." in name]
    assert names
    assert not [name for name in names if not exists(name)]


@pytest.mark.parametrize("watchers", [watchers for _, watchers in ROWS])
def test_every_watching_test_exists(watchers):
    files = re.findall(r"`([\w/.]+)`", watchers)
    assert files
    assert all((ROOT / file).exists() for file in files)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_fused_optimizers_say_that_they_can_skip_a_step(optimizer):
    fused = optimizer([torch.zeros(1, requires_grad=True)], lr=0.1, fused=True)
    assert fused._step_supports_amp_scaling
