"""The documentation site has every page and every public name; `make docs` checks its links."""

import re
from pathlib import Path

import analysis

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2].partition("\n\n")[0]
    listed = set(re.findall(r"([\w/]+\.md)", navigation))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_every_public_figure_is_in_the_reference():
    text = (DOCS / "api" / "analysis.md").read_text()
    documented = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", text, re.MULTILINE)}
    assert documented == set(analysis.__all__)
