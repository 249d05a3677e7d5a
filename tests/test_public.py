"""The package's one page: every public name, each imported when it is first used."""

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

import tune_robust as tr

HEAVY = ("torch", "ray", "pandas", "optuna", "plotly", "analysis")


def test_the_import_brings_nothing_heavy():
    code = (
        f"import sys; import tune_robust; dir(tune_robust); tune_robust.__version__; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", tr.__all__)
def test_every_public_name_is_there_listed_and_explained(name):
    assert getattr(tr, name)
    assert name in dir(tr)
    assert name == "__version__" or getattr(tr, name).__doc__


@pytest.mark.parametrize("name", [n for n in tr.__all__ if inspect.isfunction(getattr(tr, n))])
def test_a_docstring_explains_every_argument_the_result_and_the_errors(name):
    function = getattr(tr, name)
    text = inspect.getdoc(function)
    unexplained = [p for p in inspect.signature(function).parameters if f"{p}:" not in text]
    assert not unexplained
    assert "Returns:" in text
    assert "Raises:" in text


def test_the_version_is_the_installed_one():
    assert tr.__version__ == version("tune-robust")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="serach"):
        tr.serach  # noqa: B018


def test_every_figure_of_the_analysis_is_a_figure_here():
    import analysis

    assert set(tr.figures.__all__) == set(analysis.__all__)
    assert tr.figures.learning_curves is analysis.learning_curves
