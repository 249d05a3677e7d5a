"""The documentation site has every page and every public name; `make docs` checks its links."""

import pkgutil
import re
from pathlib import Path

import pytest

import analysis
import tune_robust

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2].partition("\n\n")[0]
    listed = set(re.findall(r"([\w/-]+\.md)", navigation))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


PAGES = sorted(page.name for page in (DOCS / "api").glob("*.md"))


def shown(page):
    """The dotted names whose docstrings the page shows."""
    return re.findall(r"^::: (\S+)", (DOCS / "api" / page).read_text(), re.MULTILINE)


def documented(page):
    """The same without their modules."""
    return {name.rpartition(".")[2] for name in shown(page)}


@pytest.mark.parametrize("page", PAGES)
def test_every_name_in_the_reference_exists(page):
    for name in shown(page):
        pkgutil.resolve_name(name)


def test_every_public_figure_is_in_the_reference():
    assert documented("analysis.md") == set(analysis.__all__)


def test_every_public_name_is_in_the_reference():
    missing = set(tune_robust.__all__) - set().union(*map(documented, PAGES))
    assert missing == {"__version__", "figures", "UserError"}  # no function or class of their own
