"""The cards of docs/methods say what the code does: settings, defaults, presets, links."""

import re
from pathlib import Path

import pytest

from tune_robust.config import PRESETS, TrainConfig, parse_config
from tune_robust.spaces.paths import config_paths

FOLDER = Path(__file__).parents[2] / "docs" / "methods"
CARDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
PARTS = ("sam", "saner", "sals", "law", "loss", "mixup", "average", "bootstrap_rounds")
SECTIONS = [
    *("Formula", "Parameters", "Cost", "When it fails", "Published settings", "Source"),
]


def settings_of(card):
    """The paths that the card's table of parameters names, each with its row's default."""
    for row in re.findall(r"^\| (`[a-z].*?) \| (.*?) \|", card.read_text(), re.MULTILINE):
        paths = re.findall(r"`([a-z_0-9.]+)`", row[0])
        defaults = row[1].split(", ") if len(paths) > 1 else [row[1]] * len(paths)
        yield from zip(paths, defaults, strict=True)


def defaults_of(path):
    """What ``path`` is by default wherever it occurs: with each preset, and each alternative."""
    found = set()
    for part in ({}, {"average": "ema"}, {"loss": "bootstrap_hard"}, {"loss": "bootstrap_soft"}):
        for document in (part, {"optimizer": "adamw"}, *({"method": m} for m in PRESETS)):
            here = parse_config(document)
            for key in path.split("."):
                here = getattr(here, key, None)
            found.add(here)
    return found


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_has_all_its_sections(card):
    text = card.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_cards_settings_are_the_configs(card):
    for path, default in settings_of(card):
        assert path in config_paths()
        number = re.match(r"[\d.]+", default)
        if number:
            assert float(number[0]) in defaults_of(path), path


def test_every_setting_of_a_method_is_on_some_card():
    named = {path for card in CARDS for path, _ in settings_of(card)}
    named |= set(re.findall(r"`([a-z_.]+)`", (FOLDER / "README.md").read_text()))
    for path in config_paths():
        part, _, rest = path.partition(".")
        if part in PARTS and "_schedule." not in rest and (rest or part == "bootstrap_rounds"):
            assert path in named, path


def test_the_index_names_every_card_and_every_preset():
    text = (FOLDER / "README.md").read_text()
    linked = set(re.findall(r"\]\(([a-z_]+\.md)\)", text))
    assert linked == {card.name for card in CARDS}
    presets = re.findall(r"^\| `([a-z_]+)` \| .* \|", text.split("## ")[0], re.MULTILINE)
    assert sorted(presets) == sorted(PRESETS)


def test_the_costs_of_the_index_are_the_configs():
    text = (FOLDER / "README.md").read_text().split("## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| .*? \| (\d)(, twice)?", text, re.MULTILINE)
    for method, passes, twice in rows:
        config = TrainConfig(method=method)
        assert (config.passes_per_step, config.bootstrap_rounds > 1) == (int(passes), bool(twice))


def test_links_between_the_cards_lead_somewhere():
    for page in FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([a-z_A-Z]+\.md)", page.read_text()):
            assert (FOLDER / target).exists(), f"{page.name}: {target}"
