"""What `import analysis` offers, and what it brings along."""

import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import analysis

ROOT = Path(__file__).parents[2]


def modules_after(code):
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_public_name_can_be_imported(name):
    assert callable(getattr(analysis, name))
    assert name in dir(analysis)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'sensitivty'"):
        _ = analysis.sensitivty


def test_the_import_alone_brings_no_other_package():
    found = modules_after("import analysis")
    assert not {"numpy", "pandas", "plotly", "scipy", "sklearn", "tune_robust"} & found


@pytest.mark.e2e
def test_all_of_it_needs_neither_torch_nor_ray_nor_the_tuning():
    found = modules_after("from analysis import *")
    assert {"pandas", "plotly"} <= found
    assert not {"torch", "ray", "optuna"} & found
    assert not {name for name in found if name.startswith("tune_robust.tuning")}


def test_every_file_of_a_page_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for path in (ROOT / "analysis").rglob("*.*"):
        if path.suffix not in (".py", ".pyc"):
            package = ".".join(path.relative_to(ROOT).parent.parts)
            patterns = settings["package-data"].get(package, [])
            assert any(fnmatch(path.name, pattern) for pattern in patterns), path
